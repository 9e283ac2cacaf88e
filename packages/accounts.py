"""Whose rights a guest's hypervisor and a package's checks have on this host.

QEMU begins as root, opens what its guest was given (disks, taps, its image, its console), and then
becomes the account of the cluster file for good: whoever breaks out of a guest is nobody on the
host. What it reaches by name later, which is its end of a migration, is opened to its group and to
nobody else. A check is started as its account.

What must never happen here: an account taken for one that is less than root and is not.
"""

import os
import pwd
from pathlib import Path

from packages.core.problem import Problem, problem
from packages.core.values import Value

SEARCHED, CONNECTED = 0o710, 0o660
"""Of a folder on the way, and of a socket: by its group, for root has both."""


class Account(Value):
    """By number, as the kernel knows it."""

    uid: int
    gid: int


def account_of(words: str) -> Account | Problem:
    """`NAME` of this host's accounts, or `UID:GID`; never root."""
    name, _, group = words.partition(":")
    if group:
        found = Account(uid=int(name), gid=int(group))
    else:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return account_missing(words, "there is no such account on this host")
        found = Account(uid=entry.pw_uid, gid=entry.pw_gid)
    if not found.uid or not found.gid:
        return account_missing(words, "it is root's, or of root's group")
    return found


def account_missing(words: str, because: str) -> Problem:
    return problem(
        "account-missing", "host", what=f"The account {words} is not to be used.", because=because,
        fix=f"Make it on this host: useradd --system --user-group --shell /usr/sbin/nologin {words}"
            "; or have a full-admin take it out of `accounts` of the cluster file",
    )


def account_of_process(pid: int) -> Account:
    """Raises OSError where it has ended."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    # The second of four is the one that counts (proc(5): real, effective, saved, file system).
    return Account(uid=int(status["Uid"].split()[1]), gid=int(status["Gid"].split()[1]))


def open_way(folder: Path, account: Account, *, top: Path) -> None:
    """Have the account's group pass from `top` down to the folder. Raises OSError."""
    way = [each for each in (folder, *folder.parents) if each.is_relative_to(top)]
    for each in reversed(way):
        _give(each, -1, account.gid, SEARCHED)


def own_folder(path: Path, account: Account) -> None:
    """A folder of the account's own. Raises OSError."""
    path.mkdir(exist_ok=True, mode=0o700)
    _give(path, account.uid, account.gid, 0o700)


def let_connect(socket: Path, account: Account) -> None:
    """Raises OSError."""
    _give(socket, -1, account.gid, CONNECTED)


def _give(path: Path, uid: int, gid: int, mode: int) -> None:
    os.chown(path, uid, gid, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(mode)
