"""vmsg package apply FILE..."""

from typing import Any

import click

from cli.files import read_files
from cli.options import asking_first, changing
from cli.session import Session
from cluster.api.messages import ApplyPackages


@click.command()
@changing
@asking_first
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--new-disk", "new_disks", multiple=True, metavar="PKG:PATH",
    help="The package has another LUN under this path from now on, on purpose.",
)
def command(
    session: Session, files: tuple[str, ...], new_disks: tuple[str, ...], dry_run: bool,
    reason: str,
) -> None:
    """Add packages, or change them.

    All of the files count, or none of them. What LUN a path means is kept from the first start
    on, and another one is refused; a halted package gets one by --new-disk.
    """
    request = ApplyPackages(
        request=session.request_id, dry_run=dry_run, reason=reason,
        files=read_files(session, files), new_disks=new_disks,
    )
    session.change(request, sentence)


def sentence(result: dict[str, Any]) -> str:
    parts = [
        f"{word}: {', '.join(result[key])}." for key, word in
        (("applied", "Applied"), ("unchanged", "Unchanged")) if result.get(key)
    ]
    return " ".join(parts) or "Nothing was changed."
