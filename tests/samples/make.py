"""Writes down how the code of today encodes everything that outlives a version.

    python -m tests.samples.make NAME > tests/samples/NAME.jsonl        from the project's root

NAME is the commit or version whose encoder it is. Each line is one sample: what it is, its bytes,
and what it says. Files are added, never rewritten: tests/core/test_samples.py reads every one with
the code of its day.
"""

import sys
import types
import typing
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from cluster.api import messages
from cluster.core import entries
from cluster.core.codec import Snapshot as StateSnapshot
from cluster.core.codec import encode_entry
from cluster.raft import wire
from cluster.raft.snapshot import Snapshot, encoded
from packages.core.values import Map, Value, plain, to_json, to_msgpack

DEPTH = 6
"""No value is nested deeper."""


def filled(kind: Any, depth: int = 0) -> Any:
    """A value of this type in which every field says something."""
    origin, words = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return filled(words[0], depth)
    if origin is typing.Literal:
        return words[0]
    if origin in (typing.Union, types.UnionType):
        return filled(next(each for each in words if each is not type(None)), depth)
    if origin in (list, tuple, frozenset):
        return listed(origin, words, depth)
    if origin in (dict, Map) or kind in (dict, Map):
        return {filled(words[0], depth): filled(words[1], depth)} if words else {"key": 1}
    if isinstance(kind, type) and issubclass(kind, Value):
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(**{
            name: filled(hints[name], depth + 1) for name in kind.__struct_fields__
        } if depth < DEPTH else {})
    plain_values: dict[Any, Any] = {
        str: "text", int: 7, float: 2.5, bool: True, bytes: b"bytes", Any: "anything"}
    return plain_values[kind]


def listed(origin: Any, words: tuple[Any, ...], depth: int) -> Any:
    if origin is tuple and Ellipsis not in words:
        return tuple(filled(each, depth) for each in words)
    return origin([filled(words[0], depth)])


def kinds_of(union: Any) -> list[type[Value]]:
    return sorted(typing.get_args(union), key=lambda kind: kind.__name__)


def samples() -> Iterator[tuple[str, bytes, Value]]:
    """(what it is, its bytes, the value)"""
    for kind in kinds_of(entries.AnyEntry):
        entry = filled(kind)
        yield f"entry {kind.__name__}", encode_entry(entry), entry
    state = filled(StateSnapshot)
    yield "state", b"\x01" + to_msgpack(state), state
    snapshot = filled(Snapshot)
    yield "snapshot", encoded(snapshot), snapshot
    for kind in kinds_of(wire.Body):
        envelope = wire.Envelope(
            version=wire.WIRE_VERSION, boot=1, known_boot=2, number=3, term=4, body=filled(kind))
        yield f"wire {kind.__name__}", to_msgpack(envelope), envelope
    for kind in kinds_of(messages.AnyRequest):
        call = messages.Call(number=5, ask=filled(kind))
        yield f"call {kind.__name__}", to_msgpack(call), call
    reply = filled(messages.Reply)
    yield "reply", to_msgpack(reply), reply


def main() -> None:
    for what, raw, value in samples():
        line = {"of": what, "raw": b64encode(raw).decode(), "says": plain(value)}
        sys.stdout.write(to_json(line).decode() + "\n")


if __name__ == "__main__":
    main()
