"""vmsg package check FILE..."""

import click

from cli.files import check, read_files
from cli.options import asking
from cli.session import Session
from cluster.api.messages import CheckPackages
from packages.core.problem import Problem


@click.command()
@asking
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(session: Session, files: tuple[str, ...]) -> None:
    """Say everything that is wrong with package files."""
    read = read_files(session, files)

    def check_here() -> list[Problem]:
        from cluster.config.package_file import packages_from_text
        return [
            each for file in read for each in packages_from_text(file.text, source=file.name)[1]
        ]

    check(session, CheckPackages(files=read), check_here)
