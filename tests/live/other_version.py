"""The product as another commit of its own history has it: what an upgrade comes from.

The commit is kept by its hash in this one place; it is the last landing, and moves on with the
next. It is taken from the clone's own history, which therefore has to be whole.
"""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANDED = "2a425e8ab898d856ea2440b54184100d776cd217"
"""guardian: a frozen guest that is let go goes on"""
ROOMS = ("cluster", "packages", "cli")


class HistoryIsMissing(AssertionError):
    """This clone does not have the commit."""


def checked_out(folder: Path, *, commit: str = LANDED, root: Path = ROOT) -> Path:
    """Its rooms in this folder, which is made; raises HistoryIsMissing."""
    git = ("git", "-c", f"safe.directory={root}", "-C", str(root))
    made = subprocess.run([*git, "archive", commit, *ROOMS], capture_output=True)
    if made.returncode != 0:
        shallow = subprocess.run(
            [*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True)
        raise HistoryIsMissing(
            f"the upgrade is tried from commit {commit}, which this clone does not have"
            + (": it is shallow; git fetch --unshallow" if shallow.stdout.strip() == "true" else
               f": {made.stderr.decode().strip()}"))
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=BytesIO(made.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
