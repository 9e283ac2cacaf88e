"""What nodes ask of each other; part of cluster/api/messages.py, which says how it is answered."""

from typing import Annotated

from cluster.api.bounds import (
    MOST_DISKS, Count, Filler, Key, Name, Nodes, Packages, Path, Paths, Pem, Reason, RequestId
)
from cluster.api.request import Request
from packages.core.facts import Wanted
from packages.core.model import FenceSpec
from packages.core.values import Bound


class AskCertificate(Request, tag="certificate"):
    """Result: Certified (cluster/config/vault.py), of a node that has the authority's key. For the
    asking node itself, or for one that is invited."""

    node: Name = ""
    certificate_request: Pem = ""


class AskKeyKnown(Request, tag="key-known"):
    """Result: {"known": bool}: whether the asking node would be let in by this key, too."""

    key: Key = ""


class AskLease(Request, tag="lease"):
    """Result: {"number", "remaining_s": number or null, "leader": name or null}."""

    number: Count = 0
    incarnation: RequestId = ""
    is_guarded: bool = True
    """False: it only says that it is there; nobody would see to the end of a lease."""
    relay: bool = False
    """The asking node does not hear the coordinator: pass it on."""
    for_node: Name = ""
    """Passed on for this node by the asking one, which hears these."""
    hears: Nodes = ()
    narrow: Nodes = ()
    """Those to which only small packets pass from the node that wants the lease."""


class AskEcho(Request, tag="echo"):
    """Whether this arrives; the filler makes it as large as a packet may be."""

    filler: Filler = b""


class AskPatience(Request, tag="patience"):
    """The asking node's daemon goes away on purpose: it is not to be fenced within its lease."""


class AskSilence(Request, tag="silence"):
    """Result: Silence (cluster/core/view.py) of a node that coordinates, else null."""


class AskDeath(Request, tag="death"):
    """Of the coordinator: declare the node dead by an operator's word, unless it is heard. The
    request's id becomes the entry's."""

    node: Name = ""
    by: Name = ""
    reason: Reason = ""


class AskFence(Request, tag="fence"):
    """Of the coordinator: switch the node off by an operator's order. The request's id becomes
    the entry's."""

    node: Name = ""
    by: Name = ""
    reason: Reason = ""


class AskFenceTest(Request, tag="fence-test"):
    """Result: the tests of FenceNode as the answering node makes them."""

    node: Name = ""


class AskFacts(Request, tag="facts"):
    """Result: cluster.answers.survey.NodeAnswer, with the guests of these packages."""

    disks: Paths = ()
    package: Name | None = None
    packages: Packages = ()
    fences: Annotated[dict[Path, FenceSpec], Bound(max_length=MOST_DISKS)] = {}
    """By disk: whether it can be fenced so is told with it."""
    wanted: Wanted = Wanted()


class AskProgress(Request, tag="progress"):
    """Result: soft numbers of the move this node is the source of, or null."""

    package: Name = ""


class AskResize(Request, tag="resize"):
    """Of a package's owner: tell the guest of this epoch that these disks (number in its
    description, bytes) have become so large."""

    package: Name = ""
    epoch: Count = 0
    disks: Annotated[tuple[tuple[Count, Count], ...], Bound(max_length=MOST_DISKS)] = ()


class AskReady(Request, tag="ready"):
    """Result: {"ready": bool}: the target's agent answers and its guest waits for this move; with
    `loaded`, it has everything and is fit to run; its run state is then in `state`."""

    move: RequestId = ""
    package: Name = ""
    loaded: bool = False
