"""vmsg cluster restore FILE."""

import sys
from pathlib import Path

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import RestoreCluster
from packages.core.problem import Problem, problem

LARGEST_BYTES = 8 << 20
"""No more can be agreed upon at once (cluster/core/backup.py)."""


@click.command()
@changing
@click.argument("file")
@click.option("--operators", is_flag=True, help="Also let operators in again that are missing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    session: Session, file: str, operators: bool, yes: bool, dry_run: bool, reason: str,
) -> None:
    """Put back what vmsg cluster backup saved, in place of every package there is now.

    Refused while anything runs. The cluster is halted afterwards, until vmsg cluster run.
    The cluster file and nodes' keys are never put back.
    """
    text = text_in(Path(file))
    if isinstance(text, Problem):
        session.stop([text])
    if not dry_run and not yes and not agreed(file):
        session.stop([unconfirmed(file)])
    request = RestoreCluster(
        request=session.request_id, dry_run=dry_run, reason=reason, text=text,
        operators=operators,
    )
    session.change(request, lambda result: (
        f"{len(result['packages'])} packages were put back, all of them halted. Look at them with "
        "vmsg status -v, then: vmsg cluster run"
        + ("\nThe cluster file in the backup is another one and was left alone: vmsg cluster get "
           "shows today's." if result.get("cluster_file_differs") else "")))


def text_in(path: Path) -> str | Problem:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            return _unreadable(path, f"It is larger than {LARGEST_BYTES >> 20} MiB.")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        return _unreadable(path, str(error))


def _unreadable(path: Path, because: str) -> Problem:
    return problem(
        "file-unreadable", f"file:{path}", what=f"{path} cannot be read.", because=because,
        fix="Name a file that vmsg cluster backup wrote.",
    )


def agreed(file: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return click.confirm(f"Every package there is now is replaced by those in {file}. Go on?",
                         err=True)


def unconfirmed(file: str) -> Problem:
    return problem(
        "restore-unconfirmed", f"file:{file}", what="Nothing was put back.",
        because="It replaces every package there is now, and nobody said yes.",
        fix=f"See what it would do: vmsg cluster restore {file} --dry-run. Then add --yes.",
    )
