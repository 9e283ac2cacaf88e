"""What a message costs its receiver before anybody has read it.

Decoding takes time and memory on the event loop that leases and agreement need, whoever sent the
message and whatever becomes of it. So what is large is looked at by its first bytes: which request
it is, whether such a request may be large, whether this caller may make it, and how much of the
loop's time the caller has had. Only then is it decoded.

What must never happen here: work that grows with the length of a message.
"""

from collections import Counter

from cluster.api import messages as ask
from cluster.api.bounds import SMALL_BYTES
from cluster.api.roles import Caller, refused_to_kind
from cluster.api.vital import VITAL
from packages.core.problem import Problem, problem
from packages.core.values import Value

LARGE_KINDS = (
    ask.CheckPackages, ask.ApplyPackages, ask.CheckCluster, ask.ApplyCluster, ask.RestoreCluster,
    ask.ResumeNode, ask.AskFacts,
)
MOST_LARGE, MOST_LARGE_OF_NODE = 1, 8
"""Under way for each caller: an operator has one pair of hands, a node asks for several."""

SHARE, FREE_S = 20, 0.05
"""After a large message that took longer than this, the caller's next one is not read for so many
times as long: nobody has more than a twentieth of the loop's time. A thousand packages are decoded
in 2 ms."""

KINDS = {str(kind.__struct_config__.tag): kind for kind in ask.ALL_REQUESTS}
_VITAL_TAGS = frozenset(str(kind.__struct_config__.tag) for kind in VITAL)


class Head(Value):
    """What the first bytes of a Call say."""

    number: int
    tag: str

    @property
    def is_vital(self) -> bool:
        return self.tag in _VITAL_TAGS


def head_of(payload: bytes) -> Head | None:
    """The number and the request's tag, which our encoder writes first; None for other bytes."""
    start = payload[:64]
    if not start.startswith(b"\x82\xa6number"):
        return None
    try:
        number, at = _natural(start, 8)
        if start[at:at + 4] != b"\xa3ask":
            return None
        at = _after_map(start, at + 4)
        if start[at:at + 4] != b"\xa3ask":
            return None
        at += 4
        length = start[at] - 0xa0
        tag = start[at + 1:at + 1 + length]
    except IndexError:
        return None
    if not 0 < length < 32 or len(tag) != length or not tag.isascii():
        return None
    return Head(number=number, tag=tag.decode())


def _natural(raw: bytes, at: int) -> tuple[int, int]:
    """A number as msgpack has it, and where the next thing begins."""
    first = raw[at]
    if first < 0x80:
        return first, at + 1
    if not 0xcc <= first <= 0xcf:
        raise IndexError(at)
    end = at + 1 + (1 << (first - 0xcc))
    return int.from_bytes(raw[at + 1:end], "big"), end


def _after_map(raw: bytes, at: int) -> int:
    """Where the first key of the mapping begins that stands here."""
    first = raw[at]
    if first & 0xf0 == 0x80:
        return at + 1
    if first not in (0xde, 0xdf):
        raise IndexError(at)
    return at + (3 if first == 0xde else 5)


class Gate:
    """Keeps what large messages each caller has under way, and what they have cost."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._not_before_s: dict[str, float] = {}

    def refused(
        self, caller: Caller, key: str, head: Head | None, *, now_s: float,
    ) -> Problem | None:
        """Why a large message is not read."""
        kind = KINDS.get(head.tag) if head is not None else None
        if kind is None or kind not in LARGE_KINDS:
            return _too_large(head)
        refusal = refused_to_kind(caller, kind)
        if refusal is not None:
            return refusal
        most = MOST_LARGE_OF_NODE if caller.is_node else MOST_LARGE
        if self._under_way[key] >= most:
            return _too_many(caller, f"A node works at {most} of them at a time for each caller.")
        if now_s < self._not_before_s.get(key, 0.0):
            return _too_many(caller, "To read the last one took long.")
        return None

    def was_read(self, key: str, *, began_s: float, ended_s: float) -> None:
        spent_s = ended_s - began_s
        self._not_before_s = {
            each: due_s for each, due_s in self._not_before_s.items() if due_s > ended_s}
        if spent_s > FREE_S:
            self._not_before_s[key] = ended_s + SHARE * spent_s

    def begins(self, key: str) -> None:
        self._under_way[key] += 1

    def ended(self, key: str) -> None:
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]


def _too_large(head: Head | None) -> Problem:
    what = f"The request {head.tag}" if head is not None else "The request"
    return problem(
        "request-too-large", "request", what=f"{what} is too large.",
        because=f"Such a request has at most {SMALL_BYTES >> 10} KiB; it was not read.",
        fix="Ask for less at a time.",
    )


def _too_many(caller: Caller, because: str) -> Problem:
    return problem(
        "too-many-requests", f"operator:{caller.name}",
        what=f"{caller.name} has a large request under way.", because=because,
        fix="Wait until it has ended, then ask again.",
    )
