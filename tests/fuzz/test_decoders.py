"""Nearly a message, at each decoder of what comes from elsewhere: a value, or its own refusal."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from cluster.api import messages as ask
from cluster.api.messages import Call, Reply
from cluster.config.cluster_file import cluster_from_text
from cluster.config.joining import Door, JoinLine, line_of, line_text
from cluster.config.keys import keys_from_text
from cluster.config.package_file import packages_from_text
from cluster.core import codec, entries
from cluster.raft import wire
from cluster.raft.snapshot import Snapshot, SnapshotDamaged, decoded, encoded
from packages.core.values import Undecodable, from_msgpack, to_msgpack
from tests.fuzz.bad_bytes import mutated
from tests.raft.bad_node import BadNode

MESSAGES, SEEDS, LONGEST_S = 400, range(3), 1.0
NODE = BadNode(7)
CALLS = [to_msgpack(Call(number=at, ask=kind())) for at, kind in enumerate(ask.ALL_REQUESTS)]
SAID = [NODE.said(5, 20, boot=1) for _ in range(200)]
ENTRIES = [
    codec.encode_entry(entries.Noted(id="a", at_ms=1, by="x", because="y")),
    codec.encode_entry(entries.NodeRun(id="a", at_ms=1, by="x", because="y", node="n1")),
]
SNAPSHOTS = [encoded(Snapshot(last=(b"a", 2, 1), previous=(b"", 1, 1), state=b"xyz"))]
LINES = [line_text(JoinLine(
    cluster="c", node="n", until_ms=1, secret="s" * 40,
    doors=(Door(address="tcp://10.0.0.1:5471", key="k" * 40),))).encode()]
TEXTS = [
    b"name: x\nnodes: [n1]\nvm:\n  memory_mib: 16\n  disks:\n    - path: /dev/sda\n",
    b"name: c\nnodes:\n  - name: n1\n    address: 10.0.0.1\n", b"nodes: {n1: kkk}\noperators: []\n",
]


def words(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda raw: read(raw.decode(errors="replace"))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("whole, read, refusal", [
    (CALLS, lambda raw: from_msgpack(raw, Call), Undecodable),
    (CALLS, lambda raw: from_msgpack(raw, Reply), Undecodable),
    (SAID, wire.opened, ()), (ENTRIES, codec.decode_entry, codec.Garbled),
    (ENTRIES, codec.decode_state, codec.Garbled), (SNAPSHOTS, decoded, SnapshotDamaged),
    (LINES, words(line_of), ()), (TEXTS, packages_from_text, ()), (TEXTS, cluster_from_text, ()),
    (TEXTS, lambda raw: keys_from_text(raw, source="keys"), ()),
], ids=["call", "reply", "peer", "entry", "state", "snapshot", "join line", "packages", "cluster",
        "keys"])
def test_what_is_nearly_a_message_is_read_or_refused(
    whole: list[bytes], read: Callable[[bytes], object], refusal: Any, seed: int,
) -> None:
    dice = random.Random(seed)
    for _ in range(MESSAGES):
        raw = mutated(dice.choice(whole), dice)
        began_s = time.process_time()
        try:
            read(raw)
        except refusal:
            pass  # its own
        assert time.process_time() - began_s < LONGEST_S, raw
