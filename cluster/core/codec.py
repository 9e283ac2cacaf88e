"""Our own versioned encoding of entries and of the whole state.

The first byte is the version. A cluster of two adjacent versions works because fields and kinds
are only ever added: a reader skips fields it does not know and fills in defaults for fields that
are missing. An entry of a kind it does not know is refused, the same on every node of its version.
"""

from cluster.core.entries import AnyEntry, Entry
from cluster.core.history import weight
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.model import (
    Event, Member, NodeRecord, Outcome, PackageRecord, Seat, State, with_node, with_package
)
from cluster.core.trust import Trust
from packages.core.values import Map, Undecodable, Value, from_msgpack, to_msgpack

VERSION = b"\x01"


class Garbled(Exception):
    """Bytes that are not of our encoding."""


class Snapshot(Value):
    """A state without its indexes, which are made again on reading."""

    name: str
    running: bool
    config_text: str
    coordinator_term: int
    nodes: list[NodeRecord]
    packages: list[PackageRecord]
    outcomes: list[Outcome]
    events: list[tuple[int, Event]]
    next_event: int
    applied: int
    trust: Trust = Trust()
    members: tuple[Member, ...] = ()
    seats: tuple[Seat, ...] = ()
    retired: tuple[str, ...] = ()
    leases: tuple[LeaseNumbers, ...] = ()
    forgotten: int = 0
    time_ms: int = 0
    is_timed: bool = False


def encode_entry(entry: Entry) -> bytes:
    return VERSION + to_msgpack(entry)


def decode_entry(raw: bytes) -> Entry:
    """Raises Garbled on anything but an entry of a version and kind known here."""
    if raw[:1] != VERSION:
        raise Garbled(f"encoding version {raw[:1]!r} is not {VERSION!r}")
    try:
        entry: Entry = from_msgpack(raw[1:], AnyEntry)
    except Undecodable as error:
        raise Garbled(str(error)) from error
    return entry


def encode_state(state: State) -> bytes:
    return VERSION + to_msgpack(Snapshot(
        name=state.name, running=state.running, config_text=state.config_text,
        coordinator_term=state.coordinator_term,
        nodes=[state.nodes[name] for name in sorted(state.nodes)],
        packages=[state.packages[name] for name in sorted(state.packages)],
        outcomes=[state.outcomes[state.outcome_at[at]] for at in sorted(state.outcome_at)
                  if state.outcome_at[at] in state.outcomes],
        events=sorted(state.events.items()), next_event=state.next_event, applied=state.applied,
        trust=state.trust, members=state.members, seats=state.seats, retired=state.retired,
        leases=state.leases, forgotten=state.forgotten,
        time_ms=state.time_ms, is_timed=state.is_timed,
    ))


def decode_state(raw: bytes) -> State:
    """Raises Garbled on anything but a snapshot of our own."""
    if raw[:1] != VERSION:
        raise Garbled(f"snapshot version {raw[:1]!r} is not {VERSION!r}")
    try:
        kept: Snapshot = from_msgpack(raw[1:], Snapshot)
    except Undecodable as error:
        raise Garbled(str(error)) from error
    state = State(
        name=kept.name, running=kept.running, config_text=kept.config_text,
        coordinator_term=kept.coordinator_term,
        outcomes=Map({each.entry: each for each in kept.outcomes}),
        outcome_at=Map({each.index: each.entry for each in kept.outcomes}),
        events=Map(dict(kept.events)), next_event=kept.next_event, applied=kept.applied,
        events_weight=sum(weight(each) for _, each in kept.events),
        trust=kept.trust, members=kept.members, seats=kept.seats, retired=kept.retired,
        leases=kept.leases, forgotten=kept.forgotten, time_ms=kept.time_ms,
        is_timed=kept.is_timed,
    )
    for node in kept.nodes:
        state = with_node(state, node)
    for package in kept.packages:
        state = with_package(state, package)
    return state
