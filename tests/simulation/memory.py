"""Whether a guest's memory ever goes back.

A line of memory begins with a start from the disks and goes on in every copy a migration makes.
A copy whose vCPUs ran has changed its memory: from that instant on every other copy of the same
line is out of date and must never run again.
"""

from typing import TYPE_CHECKING

from packages.vm.fake_guest import FakeGuest

if TYPE_CHECKING:
    from tests.simulation.judge import Judge

Held = tuple[int, int]
"""The line, named by the pid it began with, and how far it had come."""


class Memories:
    def __init__(self, judge: "Judge") -> None:
        self._judge = judge
        self._newest: dict[int, int] = {}
        """Line -> how often one of its copies was seen to begin or to cease running."""
        self._held: dict[int, Held] = {}
        """Guest's pid -> what its memory is."""
        self._running: set[int] = set()
        self._source_of: dict[int, int] = {}

    def look(self, host: str, guest: FakeGuest, *, is_running: bool) -> None:
        pid = guest.guest.pid
        if guest.state == "incoming" and guest.partner is not None:
            self._source_of[pid] = guest.partner.guest.pid
        if guest.state == "paused" and pid in self._source_of:
            source = self._source_of.pop(pid)
            self._held[pid] = self._held.get(source, (source, 0))
        if is_running and pid not in self._running:
            line, age = self._held.setdefault(pid, (pid, 0))
            newest = self._newest.get(line, 0)
            if age < newest:
                self._judge.broken(
                    "memory", f"{guest.guest.package} runs on {host} with memory of age {age}; "
                    f"it has come to {newest} elsewhere")
            self._running.add(pid)
            self._advance(pid)
        elif not is_running and pid in self._running:
            self._running.discard(pid)
            self._advance(pid)

    def _advance(self, pid: int) -> None:
        line, _ = self._held[pid]
        self._newest[line] = self._newest.get(line, 0) + 1
        self._held[pid] = (line, self._newest[line])
