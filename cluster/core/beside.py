"""What the node that answers knows beside the record: who is heard, who leads, when it is. PURE."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from cluster.core.model import NodeRecord, State
from cluster.core.roles import seat_of
from packages.core.problem import Problem
from packages.core.values import Value


class Silence(Value):
    """What the coordinator alone knows: who asked for a lease lately and who did not."""

    term: int
    heard: tuple[str, ...]
    lease_over_ms: dict[str, int] = {}
    """Silent node -> when its lease is over at the latest, by the coordinator's wall clock."""
    lease_left_ms: dict[str, int] = {}
    """The same from the moment of this answer, whatever any wall clock shows; 0: it is over."""
    fenced: tuple[str, ...] = ()
    """Nodes that a power fence can switch off."""
    ahead_ms: dict[str, int] = {}
    """Node -> how far its wall clock is ahead of the coordinator's; negative: behind."""
    through: dict[str, str] = {}
    """Nodes that it hears through a peer alone -> that peer."""
    narrow: dict[str, tuple[str, ...]] = {}
    """Node -> those to which only its small packets pass."""


class Surroundings(Value):
    """What the answering node knows beside the state."""

    now_ms: int
    leader: str | None
    quorum: bool
    term: int
    addresses: Mapping[str, str]
    silence: Silence | None = None
    """None where the coordinator does not answer, or has just begun."""
    time_ms: int = 0
    """The cluster's time (agreed_time.py) at `now_ms`; 0: nothing has told it."""
    progress: Mapping[str, Any] = {}
    """Package -> soft numbers of its running move, from its source."""
    problems: tuple[Problem, ...] = ()


def rfc3339(at_ms: float) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, tz=timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(at_ms) % 1000:03d}Z"


def by_wall(at_ms: int, around: Surroundings) -> int:
    """A moment of the cluster's time as the answering node's wall clock will show it."""
    return at_ms - around.time_ms + around.now_ms if around.time_ms else at_ms


def is_silent(name: str, around: Surroundings) -> bool:
    return around.silence is not None and name not in around.silence.heard


def votes(state: State, record: NodeRecord) -> bool:
    """Whether it counts in agreement now; a node that comes in counts once it has caught up."""
    seat = seat_of(state, record.name)
    return record.role != "follower" if not state.seats else seat is not None and seat.votes
