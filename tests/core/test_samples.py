"""What an earlier encoder wrote is read today, and what a later one may add is skipped.

The samples are kept as they were written (tests/samples/make.py); a file is added with each
version, so that a cluster of two adjacent versions is what this tests.
"""

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from cluster.api.messages import Call, Reply
from cluster.core.codec import Garbled
from cluster.core.codec import Snapshot as StateSnapshot
from cluster.core.codec import decode_entry, decode_state
from cluster.core.entries import ClusterFormed
from cluster.raft.snapshot import decoded
from cluster.raft.wire import Envelope, Ping, opened
from packages.core.values import Value, changed, from_json, from_msgpack, plain, to_json, to_msgpack
from tests.samples.make import samples

FOLDER = Path(__file__).parents[1] / "samples"
FILES = sorted(FOLDER.glob("*.jsonl"))


def read(of: str, raw: bytes) -> Value:
    """As the product reads it."""
    kind = of.split()[0]
    if kind == "entry":
        return decode_entry(raw)
    if kind == "state":
        decode_state(raw)
        state: StateSnapshot = from_msgpack(raw[1:], StateSnapshot)
        return state
    if kind == "snapshot":
        return decoded(raw)
    if kind == "wire":
        envelope = opened(raw)
        assert envelope is not None
        return envelope
    found: Value = from_msgpack(raw, Call if kind == "call" else Reply)
    return found


def kept(said: Any, now: Any) -> bool:
    """Whether everything that was said is still there; there may be more."""
    if isinstance(said, dict) and isinstance(now, dict):
        return all(key in now and kept(each, now[key]) for key, each in said.items())
    if isinstance(said, list) and isinstance(now, list):
        return len(said) <= len(now) and all(map(kept, said, now))
    return bool(said == now)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_was_written_then_is_read_now(path: Path) -> None:
    lines = [from_json(line, dict[str, Any]) for line in path.read_text().splitlines()]
    assert len(lines) > 80
    for line in lines:
        value = read(line["of"], b64decode(line["raw"]))
        assert kept(line["says"], from_json(to_json(plain(value)), Any)), line["of"]


def test_there_are_samples_of_more_than_one_encoder() -> None:
    assert len(FILES) >= 2


def with_news(value: Any) -> Any:
    """The same in plain form, as an encoder would write it that knows more fields everywhere."""
    if isinstance(value, Value):
        held = {name: with_news(getattr(value, name)) for name in value.__struct_fields__}
        config = value.__struct_config__
        if config.array_like:
            tag = [] if config.tag is None else [config.tag]
            return [*tag, *held.values(), "from tomorrow"]
        tagged = {} if config.tag is None else {config.tag_field: config.tag}
        return {**tagged, **held, "from_tomorrow": {"unheard": ["of"]}}
    if isinstance(value, (list, tuple)):
        return [with_news(each) for each in value]
    if isinstance(value, dict):
        return {key: with_news(each) for key, each in value.items()}
    return value


@pytest.mark.parametrize("of", [of for of, _, _ in samples() if of != "snapshot"])
def test_fields_from_a_later_version_are_skipped(of: str) -> None:
    raw, value = next((raw, value) for each, raw, value in samples() if each == of)
    first = raw[:1] if of.startswith(("entry", "state")) else b""
    assert plain(read(of, first + to_msgpack(with_news(value)))) == plain(value)


def test_fields_an_earlier_version_does_not_write_have_defaults() -> None:
    formed = ClusterFormed(
        id="e", at_ms=1, by="ann", because="-", name="farm", nodes=("n1",), config_text="-")
    older = plain(formed)
    del older["members"]
    assert decode_entry(b"\x01" + to_msgpack(older)) == formed
    envelope = Envelope(version=1, boot=1, known_boot=0, number=1, term=0, body=Ping())
    bare = plain(envelope)
    assert bare[-1][0] == 11
    assert opened(to_msgpack([*bare[:-1], [11]])) == envelope


def test_a_kind_from_a_later_version_is_refused_and_not_guessed() -> None:
    with pytest.raises(Garbled):
        decode_entry(b"\x01" + to_msgpack(
            {"kind": "from-tomorrow", "id": "e", "at_ms": 1, "by": "", "because": ""}))
    ping = Envelope(version=1, boot=1, known_boot=0, number=1, term=0, body=Ping())
    assert opened(to_msgpack([*plain(ping)[:-1], [99, 1]])) is None
    assert opened(to_msgpack(changed(ping, version=2))) is None
