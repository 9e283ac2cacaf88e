"""Unix socket paths that fit: the kernel takes 107 bytes, folders of nodes and tests may be longer.

A path that does not fit is reached through a short link to its folder, named by a digest of the
folder, so that two nodes on one machine never share one. Only root can write where links are.
"""

import hashlib
import os
from pathlib import Path

LONGEST_BYTES = 107  # sun_path holds 108 with its closing zero
LINKS = Path("/run/vmsg-sockets")


def fitting(path: Path) -> str:
    """The path itself, or a short way to the same place."""
    path = path.absolute()
    if len(os.fsencode(path)) <= LONGEST_BYTES:
        return str(path)
    LINKS.mkdir(exist_ok=True)
    LINKS.chmod(0o711)  # who may pass through a link may not see which there are
    link = LINKS / _digest(path.parent)
    if not link.is_symlink():
        link.symlink_to(path.parent)
    return str(link / path.name)


def forget(folder: Path) -> None:
    """Remove the link to a folder that is no longer used; harmless when there is none."""
    (LINKS / _digest(folder.absolute())).unlink(missing_ok=True)


def _digest(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
