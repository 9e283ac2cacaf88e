"""vmsg cluster init FILE --out DIR."""

from pathlib import Path

import click

from cli.files import read_files
from cli.options import asking, dry_run_option
from cli.session import Session
from cluster.config.schema import ClusterConfig


@click.command()
@asking
@click.argument("file")
@click.option("--out", required=True, metavar="DIR", help="Where the folders are made.")
@dry_run_option
def command(session: Session, file: str, out: str, dry_run: bool) -> None:
    """Make keys and certificates for a new cluster.

    For each node a folder is made that becomes /etc/vmsg on its host.
    """
    from cluster.config.cluster_file import cluster_from_text
    [read] = read_files(session, [file])
    config, problems = cluster_from_text(read.text, source=read.name)
    if config is None:
        session.stop(problems)
    if not dry_run:
        make_folders(session, config, Path(out))
    folders = {node.name: str(Path(out, node.name)) for node in config.nodes}
    tree = {"cluster": config.name, "dry_run": dry_run, "folders": folders}
    session.show(tree, lambda: lines(config, Path(out), dry_run))


def make_folders(session: Session, config: ClusterConfig, out: Path) -> None:
    from cluster.config.keys import init_cluster
    from cluster.sockets import make_keys
    failure = init_cluster(config, out, make_keys)
    if failure is not None:
        session.stop([failure])


def lines(config: ClusterConfig, out: Path, dry_run: bool) -> list[str]:
    verb = "These would be made" if dry_run else "Copy each folder to its host as /etc/vmsg"
    return [
        f"{verb}, readable by root alone:",
        *(f"  {out / node.name}  for {node.name} ({node.address})" for node in config.nodes),
        f"Keep {out / 'ca.key'} in a safe place: it certifies further nodes.",
    ]
