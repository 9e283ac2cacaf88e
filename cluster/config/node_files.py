"""The files of a node's folder, one at a time: read with what is wrong, written once.

A secret others may read is not used. A file is written whole or not at all, and is on the disk
when the writer hears so. Imports next to nothing: the command line reads its keys through this
each time it starts.
"""

import os
import stat
from pathlib import Path

from packages.core.problem import Problem, problem


def exposure_of(path: Path) -> Problem | None:
    """What is wrong with a secret that others may read; None when it is well kept or absent."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None  # said when its content is read
    if not mode & 0o077:
        return None
    return problem(
        "key-file-exposed", f"file:{path}",
        what=f"{path} can be used by others than its owner",
        because=f"its mode is {mode:04o} and it is a secret", fix=f"chmod 600 {path}",
    )


def text_of(path: Path) -> str | Problem:
    """The text of a file that must be there."""
    try:
        return path.read_text(encoding="utf-8")
    except PermissionError:
        return not_yours(path)
    except OSError as error:
        return problem(
            "key-file-missing", f"file:{path}", what=f"{path} cannot be read",
            because=error.strerror or str(error),
            fix="copy the node's folder again from where the cluster was set up",
        )
    except UnicodeDecodeError:
        return broken(path, "it is not text")


def not_yours(path: Path) -> Problem:
    return problem(
        "not-authorised", f"file:{path}", what=f"You may not read {path}.",
        because="The folder holds the keys of a node or an operator and belongs to another user.",
        fix="Run the command as root, for example with sudo.",
    )


def broken(path: Path, because: str) -> Problem:
    """A file that is there and does not hold what it should."""
    return problem(
        "key-file-broken", f"file:{path}", what=f"{path} is not usable", because=because,
        fix="copy the node's folder again from where the cluster was set up",
    )


def write_new(path: Path, content: str, *, mode: int = 0o644) -> None:
    """A new file, with its mode from the first moment, and on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def rewrite(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Put this in the file's place at once: a reader or a crash finds the old text or the new."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # left by a crash
    write_new(new, content, mode=mode)
    move(new, path)


def move(source: Path, target: Path) -> None:
    """Rename over the target, durably."""
    source.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> Problem:
    """A file of the folder that could not be written."""
    return problem(
        "key-file-unwritable", f"file:{path}",
        what=f"{error.filename or path} could not be written.",
        because=error.strerror or str(error), fix=f"Make {path.parent} writable, and try again.",
    )
