"""vmsg operator add NAME --role ROLE --out DIR."""

import os
from pathlib import Path
from typing import get_args

import click

from cli.options import changing
from cli.session import Session
from cluster.api.messages import AddOperator
from cluster.config.schema import Role
from packages.core import values
from packages.core.problem import Problem, problem


@click.command()
@changing
@click.argument("name")
@click.option(
    "--role", type=click.Choice(get_args(Role)), default="monitor", show_default=True,
    help="What they may do: look; change packages; everything.",
)
@click.option("--out", required=True, metavar="DIR", help="Where their folder is made.")
def command(
    session: Session, name: str, role: Role, out: str, dry_run: bool, reason: str,
) -> None:
    """Make a key for an operator, and a folder with which it is used: VMSG_ETC=DIR vmsg status.

    The secret key is made here and stays in DIR, readable by its owner alone.
    """
    from cluster.sockets import make_keys
    keys = make_keys()
    folder = Path(out)
    files = public_files(session)
    if folder.exists() and any(folder.iterdir()):
        session.stop([in_the_way(folder)])
    request = AddOperator(
        request=session.request_id, dry_run=dry_run, reason=reason, name=name, key=keys.public,
        role=role,
    )
    request = with_proof(session, request)
    if not dry_run:
        session.ask(values.changed(request, dry_run=True))
        # Before the key is let in: one that could not be kept must not be.
        refused = write(folder, files, keys.secret)
        if refused is not None:
            session.stop([refused])
    session.change(request, lambda result: (
        f"Operator {name} is known as {role}. Give them {folder}; they use it with: "
        f"VMSG_ETC={folder} vmsg status"
    ))


def with_proof(session: Session, request: AddOperator) -> AddOperator:
    """The way back where no operator's key is left: the node's own key stands in its place, and the
    authority's, on the host that has it, signs for the new one."""
    from cluster.api.find import place_of
    from cluster.api.messages import words_of
    from cluster.clock import HostClock
    from cluster.config.node_files import text_of
    place = place_of(session.endpoint, os.environ)
    if isinstance(place, Problem):
        session.stop([place])
    texts = {name: text_of(Path(place.etc, name)) for name in (
        "operator.secret", "curve.secret", "ca.key", "ca.crt")}
    if any(isinstance(each, Problem) for each in texts.values()) or (
            texts["operator.secret"] != texts["curve.secret"]):
        return request
    from cluster.config.certificates import Authority
    clock = HostClock()
    authority = Authority.from_texts(str(texts["ca.key"]), str(texts["ca.crt"]), clock)
    if authority is None:
        return request
    signed = values.changed(request, proof_at_ms=clock.wall_ms())
    return values.changed(signed, proof=authority.sign(words_of(signed)))


def public_files(session: Session) -> dict[str, str]:
    """What the folder needs beside the key: where the nodes are, and how they prove themselves."""
    from cluster.api.find import place_of
    from cluster.config.node_files import text_of
    place = place_of(session.endpoint, os.environ)
    if isinstance(place, Problem):
        session.stop([place])
    files = {"node": ""}  # this folder is nobody's host
    for name in ("cluster.yaml", "keys.yaml"):
        found = text_of(Path(place.etc, name))
        if isinstance(found, Problem):
            session.stop([found])
        files[name] = found
    return files


def write(folder: Path, files: dict[str, str], secret: str) -> Problem | None:
    from cluster.config.node_files import unwritable, write_new
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_new(folder / "operator.secret", f"{secret}\n", mode=0o600)
        for name, text in files.items():
            write_new(folder / name, text)
    except OSError as error:
        return unwritable(folder, error)
    return None


def in_the_way(folder: Path) -> Problem:
    return problem(
        "key-files-exist", f"file:{folder}", what=f"{folder} is there already.",
        because="Keys in use must not be replaced.", fix="Name an empty folder with --out.",
    )
