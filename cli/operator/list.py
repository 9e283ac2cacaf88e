"""vmsg operator list."""

import click

from cli.options import asking
from cli.output import table
from cli.session import Session
from cluster.api.messages import GetKeys


@click.command()
@asking
def command(session: Session) -> None:
    """Who may ask the cluster, and what they may do."""
    operators = session.ask(GetKeys()).result["operators"]
    rows = [(each["name"], each["role"], each["key"]) for each in operators]
    session.show({"operators": operators}, lambda: table(("OPERATOR", "ROLE", "KEY"), rows))
