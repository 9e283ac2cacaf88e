"""One node says whatever it likes to two honest ones, and is struck off: those two agree again.

Nothing but a clean end of a node comes of it, and that node starts again from its own disk.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.raft.problems import Fatal
from tests.raft.bad_node import BadNode
from tests.raft.rig import Rig

MESSAGES = 800
LED_APART, NOT_WHOLE = (1, 6, 12), (2, 4, 8, 22)
"""Seeds that are red where two honest nodes can be led out of each other's reach in steps, and
where a snapshot is taken whose two entries do not follow one another: a journal that cannot be read
again, or a loop without an end. In others the bad node leads and gives one of the two a record of
its own: that one steps out, and is for its operator (docs/consensus.md)."""


class Siege:
    def __init__(self, folder: Path, seed: int) -> None:
        self.rig, self.bad = Rig(folder), BadNode(seed)
        self.rig.start("ape", "bee")
        self.ends = 0

    def say(self) -> None:
        name = self.bad.dice.choice(("ape", "bee"))
        victim = self.rig.voters[name]
        self._lives(name, lambda: victim.transport.receive("cat", self.bad.said_to(victim)))
        if self.bad.dice.random() < 0.2:
            self._lives(name, victim.transport.check_peers)
            self._lives(name, victim.transport.pump)
            self.rig.clock.now_s += self.bad.dice.choice((0.001, 0.01, 0.1))

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.rig.clock.now_s += 0.02
            for name in ("ape", "bee"):
                self._lives(name, self.rig.voters[name].transport.check_peers)
                self._lives(name, self.rig.voters[name].transport.pump)
            arriving, self.rig.under_way = self.rig.under_way, []
            for source, target, raw in arriving:
                if target in self.rig.voters:
                    voter = self.rig.voters[target]
                    self._lives(target, lambda: voter.transport.receive(source, raw))

    def _lives(self, name: str, what: Callable[[], object]) -> None:
        """Or ends, as its daemon would, and is started again."""
        try:
            what()
        except Fatal:
            self.ends += 1
            self.rig.crash(name)
            self.rig.start(name)


@pytest.mark.parametrize("seed", [*LED_APART, *NOT_WHOLE])
def test_two_honest_nodes_agree_once_a_bad_one_is_struck_off(tmp_path: Path, seed: int) -> None:
    siege = Siege(tmp_path, seed)
    for _ in range(MESSAGES):
        siege.say()
    for _ in range(10):
        siege.pass_time(6.0)
        if any(voter.is_leader() for voter in siege.rig.voters.values()):
            break
    leader = siege.rig.leader()
    assert siege.rig.decide(leader, b"\0one")[0][1] == 0
    assert siege.ends < MESSAGES / 10
    siege.rig.close()
