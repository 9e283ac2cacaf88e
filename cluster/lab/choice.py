"""Which lab a command is about: the one that was named, else the only one of this user.

Several people, and several shells of one, have labs on one machine. What must never happen here: a
command that goes for somebody else's lab, or for one that was merely made last.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster.lab import record as records
from cluster.lab.plan import DEFAULT_DIR
from packages.core.problem import Problem, problem

NAMED_BY = "VMSG_LAB"


def named(env: Mapping[str, str]) -> Path | None:
    """The lab this shell was told to use."""
    return Path(env[NAMED_BY]).absolute() if env.get(NAMED_BY) else None


def asking_user(env: Mapping[str, str]) -> int:
    """The person's number, also behind sudo, which a lab needs."""
    behind = env.get("SUDO_UID", "")
    return int(behind) if os.getuid() == 0 and behind.isdigit() else os.getuid()


def the_only_one(
    env: Mapping[str, str], folders: Iterable[Path] | None = None,
) -> Path | None | Problem:
    """DIR of the only lab of this user; None: there is none; a Problem: there are several.
    `folders` are those to look at, by default every lab's of this machine."""
    mine = labs_of(asking_user(env), everywhere() if folders is None else folders)
    if len(mine) <= 1:
        return mine[0] if mine else None
    return problem(
        "lab-ambiguous", "lab", what="Several labs are up, and none is named.",
        because=f"Yours are in {' and '.join(map(str, mine))}.",
        fix=f"Name one with {NAMED_BY}, for example: export {NAMED_BY}={mine[-1]}",
    )


def everywhere() -> list[Path]:
    """Folders that labs are or were in."""
    linked = (Path(os.readlink(each)) for each in records.links())
    return list(dict.fromkeys([*linked, Path(DEFAULT_DIR)]))


def labs_of(user: int, folders: Iterable[Path]) -> list[Path]:
    """Those with a lab of this user, in their order."""
    return [each for each in folders if user_of(each) == user]


def user_of(folder: Path) -> int | None:
    """Whose lab is in this folder; None: none is."""
    try:
        record = records.load(folder)
        if record is None:
            return None
        known = None if isinstance(record, Problem) else record.user
        return folder.stat().st_uid if known is None else known
    except OSError:
        return None  # gone meanwhile, or not to be read by this user


def not_up(folder: Path) -> Problem:
    """A lab that was named is not there."""
    return problem(
        "lab-not-up", f"lab:{folder}", what=f"No lab is up in {folder}.",
        because=f"{NAMED_BY} or --dir names that folder, and there is none in it.",
        fix=f"vmsg lab up --dir {folder}, or unset {NAMED_BY}",
    )
