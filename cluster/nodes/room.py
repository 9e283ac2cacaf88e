"""Asks the file systems how much room is left, and the kernel how much may be opened.

Asking never fails: a folder that is not there is looked for above, where it would be made.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from cluster.descriptors import descriptors
from packages.core.room import Folder, Room
from packages.core.values import changed


def rooms_of(folders: Mapping[Folder, Path]) -> tuple[Room, ...]:
    """May wait for a sick disk: to be called on a thread of its own."""
    found = (room_of(folder, path) for folder, path in folders.items())
    return tuple(_with_descriptors(each) for each in found if each is not None)


def _with_descriptors(room: Room) -> Room:
    if room.folder != "run":
        return room
    left, limit = descriptors()
    return changed(room, free_descriptors=left, total_descriptors=limit)


def room_of(folder: Folder, path: Path) -> Room | None:
    for place in (path, *path.parents):
        try:
            said = os.statvfs(place)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        return Room(
            folder=folder, path=str(path), free_bytes=said.f_bavail * said.f_frsize,
            total_bytes=said.f_blocks * said.f_frsize, free_files=said.f_favail,
            total_files=said.f_files,
        )
    return None
