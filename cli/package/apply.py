"""vmsg package apply FILE..."""

from typing import Any

import click

from cli.files import read_files
from cli.options import changing
from cli.session import Session
from cluster.api.messages import ApplyPackages


@click.command()
@changing
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(session: Session, files: tuple[str, ...], dry_run: bool, reason: str) -> None:
    """Add packages, or change them.

    All of the files count, or none of them.
    """
    request = ApplyPackages(
        request=session.request_id, dry_run=dry_run, reason=reason,
        files=read_files(session, files),
    )
    session.change(request, sentence)


def sentence(result: dict[str, Any]) -> str:
    parts = [
        f"{word}: {', '.join(result[key])}." for key, word in
        (("applied", "Applied"), ("unchanged", "Unchanged")) if result.get(key)
    ]
    return " ".join(parts) or "Nothing was changed."
