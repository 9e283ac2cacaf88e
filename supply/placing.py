"""Puts the product into a virtual environment's folders, as a wheel of it would be.

By hand, because it is three folders of text: so neither a host nor the making of a package needs
anything that builds. Standard library only; a host runs it once, with its own Python.
"""

import configparser
import re
import shutil
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("cluster", "packages", "cli")
NOT_PLACED = shutil.ignore_patterns("__pycache__")

SCRIPT = """\
#!{python}
import sys

from {module} import {function}

sys.exit({function}())
"""


def place(site: Path, programs: Path, python: str) -> None:
    """The rooms and what names them into `site`, the commands into `programs`, run by `python`.
    What an earlier version placed there goes: a file that it had and this one has not would still
    be found. An editable install goes too, for it would lead back to the checkout."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    for old in (*site.glob("vmsg-*.dist-info"), *site.glob("__editable__*vmsg*")):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for room in ROOMS:
        replace(ROOT / room, site / room)
    named = site / f"vmsg-{settings['metadata']['version']}.dist-info"
    named.mkdir(parents=True)
    scripts = settings["options.entry_points"]["console_scripts"].strip()
    (named / "METADATA").write_text(metadata(settings))
    (named / "entry_points.txt").write_text(f"[console_scripts]\n{scripts}\n")
    (named / "INSTALLER").write_text("vmsg\n")
    programs.mkdir(parents=True, exist_ok=True)
    for name, module, function in re.findall(r"(\S+) = (\S+):(\S+)", scripts):
        path = programs / name
        path.write_text(SCRIPT.format(python=python, module=module, function=function))
        path.chmod(0o755)


def replace(source: Path, target: Path) -> None:
    """The old one is out of the way for an instant only: a daemon may be running from it."""
    made, old = (target.with_name(f".{target.name}.{each}") for each in ("new", "old"))
    for each in (made, old):
        shutil.rmtree(each, ignore_errors=True)
    shutil.copytree(source, made, ignore=NOT_PLACED)
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def metadata(settings: configparser.ConfigParser) -> str:
    """What Python and pip ask an installed distribution for."""
    about, options = settings["metadata"], settings["options"]
    required = "".join(
        f"Requires-Dist: {each}\n" for each in options["install_requires"].strip().splitlines())
    return (
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
        f"Summary: {about['description']}\nLicense: {about['license']}\n"
        f"Requires-Python: {options['python_requires']}\n{required}")


if __name__ == "__main__":
    prefix = Path(sys.argv[1]).resolve()
    place(Path(sysconfig.get_paths()["purelib"]), prefix / "bin", str(prefix / "bin" / "python"))
