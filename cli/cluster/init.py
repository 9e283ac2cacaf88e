"""vmsg cluster init FILE --out DIR."""

from pathlib import Path

import click

from cli.files import read_files
from cli.options import asking, dry_run_option
from cli.session import Session
from cluster.config.schema import ClusterConfig, NodeConfig
from packages.core.problem import Problem, problem


@click.command()
@asking
@click.argument("file")
@click.option("--out", required=True, metavar="DIR", help="Where the folders are made.")
@click.option(
    "--first", metavar="NODE",
    help="Make this node's folder alone; the others join by vmsg node invite.",
)
@dry_run_option
def command(session: Session, file: str, out: str, first: str | None, dry_run: bool) -> None:
    """Make keys and certificates for a new cluster.

    For each node a folder is made that becomes /etc/vmsg on its host. With --first the other
    nodes' secret keys are made on their own hosts, and never travel.
    """
    from cluster.config.cluster_file import cluster_from_text
    [read] = read_files(session, [file])
    config, problems = cluster_from_text(read.text, source=read.name)
    if config is None:
        session.stop(problems)
    nodes = [node for node in config.nodes if first in (None, node.name)]
    if not nodes:
        session.stop([unknown(str(first), config)])
    if not dry_run:
        make_folders(session, config, Path(out), first)
    folders = {node.name: str(Path(out, node.name)) for node in nodes}
    tree = {"cluster": config.name, "dry_run": dry_run, "folders": folders}
    session.show(tree, lambda: lines(config, nodes, Path(out), dry_run))


def make_folders(session: Session, config: ClusterConfig, out: Path, first: str | None) -> None:
    from cluster.config.keys import init_cluster
    from cluster.sockets import make_keys
    failure = init_cluster(config, out, make_keys, first=first)
    if failure is not None:
        session.stop([failure])


def lines(
    config: ClusterConfig, nodes: list[NodeConfig], out: Path, dry_run: bool,
) -> list[str]:
    verb = "These would be made" if dry_run else "Copy each folder to its host as /etc/vmsg"
    later = [node.name for node in config.nodes if node not in nodes]
    return [
        f"{verb}, readable by root alone:",
        *(f"  {out / node.name}  for {node.name} ({node.address})" for node in nodes),
        *(f"When it runs, for {name}: vmsg node invite {name}" for name in later),
        f"{nodes[0].name} also holds ca.key, which certifies further nodes. {out / 'ca.key'} is "
        "the copy to keep in a safe place.",
    ]


def unknown(name: str, config: ClusterConfig) -> Problem:
    return problem(
        "unknown-node", f"node:{name}", what=f"{name} is no node of {config.name}.",
        because=f"The cluster file names {', '.join(each.name for each in config.nodes)}.",
        fix="Name one of them with --first.",
    )
