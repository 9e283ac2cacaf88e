"""Becoming a node: the line an operator carries to the new host, and the folder made with it.

The line holds the secret half of a key made for this invitation alone, and where to use it. The
host makes all of its own keys before it asks, and keeps them if the answer is lost: the same
request may be repeated, another one not. What must never happen here: a secret that leaves the
host; a folder that looks complete and is not; keys overwritten.
"""

import base64
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cluster.config.certificates import new_key, request_for
from cluster.config.founding import INVITED_FILE
from cluster.config.keys import KeyPair, NodeFolder, load_node_folder, write_public
from cluster.config.node_files import exposure_of, move, text_of, unwritable, write_new
from cluster.config.schema import PublicKeys
from packages.core.problem import Problem, problem
from packages.core.values import Undecodable, Value, from_json, to_json

LINE_BEGINS = "vmsg-join-1."
"""Grows with the form of what follows."""

JOINING_FILE = "joining"
"""The node's name while its folder is being made."""

MADE_HERE = {"curve.secret": "key", "operator.secret": "operator_key"}


class Door(Value):
    """A node that may be asked to be let in."""

    address: str
    key: str


class JoinLine(Value):
    """`secret` is the invitation's CURVE secret key: whoever has the line can join, once."""

    cluster: str
    node: str
    until_ms: int
    doors: tuple[Door, ...]
    secret: str

    def __repr__(self) -> str:
        return f"JoinLine(node={self.node!r}, ...)"


class JoinRequest(Value):
    """What the new host says of itself: public halves and a request for its certificate."""

    key: str
    operator_key: str
    certificate_request: str


class JoinAnswer(Value):
    """Everything else its folder needs."""

    cluster: str
    """The text of cluster.yaml."""
    keys: PublicKeys
    authority: str
    certificate: str


def line_text(line: JoinLine) -> str:
    """One word, safe to paste into any shell."""
    return LINE_BEGINS + base64.urlsafe_b64encode(to_json(line)).decode().rstrip("=")


def line_of(text: str) -> JoinLine | Problem:
    """With or without the words that an earlier release printed before it."""
    body = re.sub(r"\s", "", text).removeprefix("vmsgnodejoin").removeprefix(LINE_BEGINS)
    try:
        line: JoinLine = from_json(
            base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True),
            JoinLine,
        )
        return line
    except (ValueError, *Undecodable) as error:  # not base64, not ASCII, not of the form
        return line_broken(str(error))


def line_broken(why: str) -> Problem:
    return problem(
        "join-line-broken", "invitation", what="This is not the line of an invitation.",
        because=f"It cannot be read: {why}"[:200],
        fix="Copy the whole line that vmsg node invite printed.",
    )


def prepare(
    etc: Path, node: str, make_keys: Callable[[], KeyPair],
    public_of: Callable[[str], str | None],
) -> JoinRequest | Problem:
    """Make this host's keys, or find those of an attempt whose answer was lost."""
    if (etc / "node").exists() or not _is_ours(etc, node):
        return problem(
            "key-files-exist", f"file:{etc}", what=f"There are keys in {etc} already.",
            because="Keys in use must not be replaced.",
            fix=f"Name another folder with --etc, or move {etc} away if it is not used any more.",
        )
    try:
        _make_missing(etc, node, make_keys)
    except OSError as error:
        return unwritable(etc, error)
    return _request(etc, node, public_of)


def is_begun(etc: Path) -> bool:
    """Whether an attempt is unfinished there: its answer may have been lost, and its keys be known
    to the cluster."""
    return (etc / JOINING_FILE).exists()


def give_up(etc: Path) -> None:
    """Take away what an attempt has made that was refused for certain, so that another line is
    taken next time; the folder as well if nothing else is in it."""
    with suppress(OSError):
        for name in ("node.key", *MADE_HERE, JOINING_FILE):
            (etc / name).unlink(missing_ok=True)
        etc.rmdir()


def finish(etc: Path, node: str, answer: JoinAnswer) -> NodeFolder | Problem:
    """The complete folder, checked as the daemon will check it."""
    try:
        for name in ("ca.crt", "node.crt", "cluster.yaml", "keys.yaml", "client.json", "node"):
            (etc / name).unlink(missing_ok=True)  # of an attempt that was interrupted here
        write_new(etc / "ca.crt", answer.authority)
        write_new(etc / "node.crt", answer.certificate)
        write_public(etc, node, answer.cluster, answer.keys)
        (etc / INVITED_FILE).touch()
        folder = load_node_folder(etc)
        if isinstance(folder, Problem):
            (etc / "node").unlink()
            return folder
        (etc / JOINING_FILE).unlink(missing_ok=True)
    except OSError as error:
        return unwritable(etc, error)
    return folder


def _is_ours(etc: Path, node: str) -> bool:
    """Whether the folder is empty or absent, or holds an unfinished attempt for this node."""
    marker = etc / JOINING_FILE
    if marker.exists():
        return text_of(marker) == f"{node}\n"
    return not any((etc / name).exists() for name in ("node.key", "keys.yaml", *MADE_HERE))


def _make_missing(etc: Path, node: str, make_keys: Callable[[], KeyPair]) -> None:
    etc.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (etc / JOINING_FILE).exists():
        write_new(etc / JOINING_FILE, f"{node}\n")
    makers: dict[str, Callable[[], str]] = {
        "node.key": new_key, **{name: lambda: f"{make_keys().secret}\n" for name in MADE_HERE}}
    for name, make in makers.items():
        if not (etc / name).exists():
            draft = etc / f"{name}.new"
            draft.unlink(missing_ok=True)
            write_new(draft, make(), mode=0o600)
            move(draft, etc / name)


def _request(
    etc: Path, node: str, public_of: Callable[[str], str | None],
) -> JoinRequest | Problem:
    texts: dict[str, str] = {}
    for name in ("node.key", *MADE_HERE):
        found = exposure_of(etc / name) or text_of(etc / name)
        if isinstance(found, Problem):
            return found
        texts[name] = found.strip()
    asked = request_for(texts["node.key"], node)
    publics = {field: public_of(texts[name]) for name, field in MADE_HERE.items()}
    key, operator_key = publics["key"], publics["operator_key"]
    if asked is None or key is None or operator_key is None:
        return problem(
            "key-file-broken", f"file:{etc}", what=f"The keys in {etc} are not usable.",
            because="An earlier attempt to join left them damaged.",
            fix=f"Remove {etc}, and join again with a new invitation.",
        )
    return JoinRequest(key=key, operator_key=operator_key, certificate_request=asked)
