"""vmsg package get [PKG]."""

import click

from cli.options import asking
from cli.session import Session
from cluster.api.messages import GetPackages


@click.command()
@asking
@click.argument("package", required=False)
def command(session: Session, package: str | None) -> None:
    """Print packages as they were applied."""
    result = session.ask(GetPackages(package=package)).result
    if session.output == "json":
        session.show({"packages": result["packages"]}, lambda: [])
    elif result["text"]:
        click.echo(result["text"].rstrip("\n"))
