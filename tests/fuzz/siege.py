"""A siege of whole daemons by one node's key: three on loopback, of which one is given up, and what
it might say is said to the other two, random and mutated, at their doors.

    make fuzz                                                        a million messages
    python -m tests.fuzz.siege --messages 100000 --seed 7            from the project's root

Most of it is *calm*: whatever does not raise the term, which is in any member's power
(docs/security.md). Meanwhile a change is committed again and again. Then there are *wild* rounds,
with nothing left out, each followed by a rest, in which the other two have to elect and to commit.
Judged are: that no daemon ends, what each change took, memory, descriptors, the log, and that the
record is what it was.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from cluster.api.messages import GetConfig, GetKeys, GetPackages, GetStatus, Reply
from tests.bench.rig.costs import resident_mib
from tests.bench.rig.members import Daemons, switch
from tests.fuzz.bad_peer import BadPeer

BAD, VICTIMS = "n3", ("n1", "n2")
ROUND, WILD_EVERY, WILD = 5000, 4, 1000
"""Messages of a round; one of so many is wild, and has so many."""
MOST_MIB, MOST_DESCRIPTORS = 300.0, 200
REST_S = 30.0
BETWEEN_S = 0.05
LOOK_AROUND = 10
"""Messages, after which what came in is read and what is asked goes on."""


class Broken(AssertionError):
    """Something that one node's key must not bring about; says the seed."""


class Outcome(NamedTuple):
    """Of a siege that was withstood."""

    messages: int
    commits: int
    slowest_s: float
    rest_s: float
    """The longest until something was committed after a wild round."""
    mib: float
    counts: dict[str, int]

    def __str__(self) -> str:
        return (f"{self.messages} messages withstood: {self.commits} changes committed meanwhile, "
                f"the slowest in {self.slowest_s:.2f} s, after wild rounds in {self.rest_s:.2f} s; "
                f"{self.mib:.0f} MiB; {self.counts}")


class Siege:
    def __init__(self, daemons: Daemons, folder: Path, seed: int) -> None:
        self._daemons, self._folder, self.seed = daemons, folder, seed
        self._clients = {name: daemons.client(name) for name in VICTIMS}
        self._bad = BadPeer(folder / BAD / "etc", seed)
        self.commits, self.slowest_s, self.rest_s, self.mib, self.messages = 0, 0.0, 0.0, 0.0, 0

    async def run(self, messages: int) -> Outcome:
        before = await self._record()
        turn = 0
        while self.messages < messages:
            turn += 1
            await (self._wild() if turn % WILD_EVERY == 0 else self._calm())
            self._look()
        if await self._record() != before:
            raise Broken(f"seed {self.seed}: the record is another")
        return Outcome(
            messages=self.messages, commits=self.commits, slowest_s=self.slowest_s,
            rest_s=self.rest_s, mib=self.mib, counts=dict(self._bad.counts))

    async def _calm(self) -> None:
        is_said = asyncio.Event()
        changing = asyncio.ensure_future(self._change(is_said))
        await self._say(ROUND, may_raise_terms=False)
        is_said.set()
        await changing

    async def _say(self, count: int, *, may_raise_terms: bool) -> None:
        for number in range(count):
            await self._bad.say(may_raise_terms=may_raise_terms)
            if number % LOOK_AROUND == 0:
                await asyncio.sleep(0)
        self.messages += count

    async def _change(self, is_said: asyncio.Event) -> None:
        """Something committed, by either of the two in turns, and the longest that took."""
        while not is_said.is_set() or not self.commits:
            for name in VICTIMS:
                began_s = time.monotonic()
                await switch(self._clients[name], self.commits)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began_s)
                self.commits += 1
                await asyncio.sleep(BETWEEN_S)

    async def _wild(self) -> None:
        await self._say(WILD, may_raise_terms=True)
        began_s = time.monotonic()
        while not await self._commits():
            if time.monotonic() - began_s > REST_S:
                raise Broken(f"seed {self.seed}: nothing is committed after {REST_S:.0f} s")
            self._look()
            await asyncio.sleep(BETWEEN_S)
        self.rest_s = max(self.rest_s, time.monotonic() - began_s)

    async def _commits(self) -> bool:
        try:
            await switch(self._clients["n1"], self.commits)
        except AssertionError:
            return False
        return True

    async def _record(self) -> list[Any]:
        """What nothing of all this may change."""
        found = []
        for request in (GetPackages(), GetKeys(), GetConfig()):
            reply = await self._clients["n1"].ask(request, deadline_s=10.0)
            assert isinstance(reply, Reply) and reply.verdict == "done", reply
            found.append(reply.result)
        reply = await self._clients["n1"].ask(GetStatus(verbose=True), deadline_s=10.0)
        assert isinstance(reply, Reply)
        return [*found, [each["name"] for each in reply.result["nodes"]]]

    def _look(self) -> None:
        for name in VICTIMS:
            pid, said = self._daemons.pid(name), (self._folder / f"{name}.log").read_text()
            if pid is None:
                raise Broken(f"seed {self.seed}: {name} has ended: {said[-3000:]}")
            if "Traceback" in said:
                raise Broken(f"seed {self.seed}: {name} has a bug: {said[-3000:]}")
            self.mib = max(self.mib, resident_mib(pid))
            held = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            if self.mib > MOST_MIB or held > MOST_DESCRIPTORS:
                raise Broken(f"seed {self.seed}: {name}: {self.mib:.0f} MiB, {held} descriptors")

    def close(self) -> None:
        self._bad.close()
        for each in self._clients.values():
            each.close()


async def besieged(folder: Path, *, seed: int, messages: int) -> Outcome:
    """Raises Broken."""
    daemons = Daemons(folder)
    try:
        await daemons.start("n1", "n2", BAD)
        daemons.kill(BAD)
        await daemons.buried(BAD)
        await daemons.until_led()
        siege = Siege(daemons, folder, seed)
        try:
            return await siege.run(messages)
        finally:
            siege.close()
    finally:
        await daemons.end()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.siege")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vmsg-fuzz-") as folder:
        outcome = asyncio.run(besieged(
            Path(folder), seed=options.seed, messages=options.messages))
    print(f"{outcome}; {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
