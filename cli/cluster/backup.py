"""vmsg cluster backup FILE."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from cli.options import changing
from cli.session import CHANGE_S, Session, would
from cluster.api.messages import BackUpCluster
from packages.core.problem import Problem, problem


@click.command()
@changing
@click.argument("file")
def command(session: Session, file: str, dry_run: bool, reason: str) -> None:
    """Save the record into a file, readable by you alone.

    Packages and their suspensions, the cluster file, public keys. No secrets: those are on their
    hosts, below /etc/vmsg. What is written is whole, or the old file is still there.
    """
    path = Path(file)
    refused = unwritable(path)
    if refused is not None:
        session.stop([refused])
    result = session.ask(
        BackUpCluster(request=session.request_id, dry_run=dry_run, reason=reason),
        deadline_s=CHANGE_S,
    ).result
    if not dry_run:
        refused = written(path, result.pop("text"))
        if refused is not None:
            session.stop([refused])
    tree = {"request": session.request_id, "dry_run": dry_run, "file": file, **result}
    session.show(tree, lambda: would(result) if dry_run else [
        f"{result['packages']} packages, as of entry {result['entry']}, are saved in {file}."])


def unwritable(path: Path) -> Problem | None:
    """Known before the cluster notes in its history that a backup was made."""
    try:
        if path.is_dir() or not path.absolute().parent.is_dir():
            return _unwritable(
                path, "It is a folder." if path.is_dir() else "There is no such folder.")
    except OSError as error:
        return _unwritable(path, error.strerror or str(error))
    if not os.access(path.absolute().parent, os.W_OK):
        return _unwritable(path, "You may not write into that folder.")
    return None


def written(path: Path, text: str) -> Problem | None:
    """Whole and durably, or not at all; 0600, because it tells who may do what."""
    new = ""
    try:
        handle, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        with open(handle, "w") as out:  # mkstemp made it 0600
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(new, path)
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        new = ""
    except OSError as error:
        return _unwritable(path, error.strerror or str(error))
    finally:
        if new:  # also where an operator's Ctrl-C came between
            with suppress(OSError):
                os.unlink(new)
    return None


def _unwritable(path: Path, because: str) -> Problem:
    return problem(
        "file-unreadable", f"file:{path}", what=f"{path} cannot be written.", because=because,
        fix="Name a file in a folder that is there, with room, and that you may write into.",
    )
