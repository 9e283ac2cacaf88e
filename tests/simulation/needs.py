"""Whether what the product does to a guest was needed: that it ends one, and that it watches one
while it stands for a move.

A guest that has run may be ended by order only if, by the newest record at that instant,

* the record does not give it to its host in this epoch and life: it was given to somebody else, it
  was started anew, or its package was deleted; or
* its package is not `running`, and not left alone on purpose: an operator, a drain or its node's
  halt has ordered its end, or its agent has said that it failed.

A guest whose health or process the nemesis has hurt comes under the second: that is said before
anything is ended. Both only ever become true and stay so for one epoch, so an order that is under
way for long is still judged rightly when it strikes. What loses its power, dies by itself or powers
itself off was not ended by order; what a guardian kills is its lease's affair.

The source of a move whose vCPUs stand, and whose agent watches it, has its monitors suspended, at
the latest at the second look after both were seen: what they saw of a guest that stands would be
taken for illness. A suspension may be over before the freeze is: the time of the phases is its end.
One that had ceased to run before its move stopped it, for an error of its disk, is ill indeed.
"""

from typing import TYPE_CHECKING

from packages.core.model import PhaseTimeouts
from packages.vm.fake_guest import FakeGuest
from tests.simulation.host import Host

if TYPE_CHECKING:
    from tests.simulation.judge import Judge

BY_ORDER = "the guest was ended by order"
"""As packages/vm/fake.py words it."""
STANDS = frozenset({"switchover", "postmigrate"})
"""How a source is between its stop and its end or its return."""
HEARD_S = 0.5
"""A daemon that has run for so long has heard every event of its guests."""

Watched = tuple[int, int]
"""The guest's pid and the watch's identity: who would have to be suspended."""


class Needs:
    def __init__(self, judge: "Judge") -> None:
        self._judge = judge
        self._ran: dict[tuple[str, str], FakeGuest] = {}
        self._since_s: dict[int, float] = {}
        """Guest's pid -> since when it stands for a move."""
        self._well: set[int] = set()
        """Pids of guests that ran, or did until a move stopped them."""
        self._standing: dict[tuple[str, str], tuple[Watched, float]] = {}
        """Source of a move that stands, is watched and not suspended -> since when it was seen."""

    # ends

    def look(self, host: str, guest: FakeGuest, *, is_running: bool) -> None:
        """After every step of a machine."""
        where, pid = (host, guest.guest.package), guest.guest.pid
        if guest.exit is None and guest.state in STANDS:
            self._since_s.setdefault(pid, self._judge.now_s)
        else:
            self._since_s.pop(pid, None)
        if guest.state == "running":
            self._well.add(pid)
        elif guest.state not in STANDS:
            self._well.discard(pid)
        if is_running:
            self._ran[where] = guest
        elif guest.exit is not None and self._ran.get(where) is guest:
            del self._ran[where]
            if guest.exit.because == BY_ORDER:
                self._ended(host, guest)

    def _ended(self, host: str, guest: FakeGuest) -> None:
        self._judge.counts["ended by order"] += 1
        was, record = guest.guest, self._judge.record(guest.guest.package)
        if record is None or record.state not in ("running", "detached"):
            return
        if self._judge.hosts[host].goes_down and guest.is_frozen:
            return  # lost with its host in a moment, and not to be continued by its last signals
        if (record.owner, record.epoch, record.boot_id) == (host, was.epoch, was.boot_id):
            self._judge.broken("need", f"{was.package} (epoch {was.epoch}) was ended on {host}, "
                                       f"and the record has it running there")

    # freezes

    def look_at_freezes(self, host: Host) -> None:
        """Now and then."""
        now_s = self._judge.now_s
        for package, guest in self._judge.guests_of(host):
            where = host.name, package
            watched = self._unsuspended(host, package, guest)
            known = self._standing.get(where)
            if watched is None or known is None or known[0] != watched:
                self._standing.pop(where, None)
                if watched is not None:
                    self._standing[where] = watched, now_s
            elif now_s - known[1] >= HEARD_S / 2:
                self._judge.broken("freeze", f"{package} stands on {host.name} for its move, and "
                                             "is watched as if it ran")

    def _unsuspended(self, host: Host, package: str, guest: FakeGuest) -> Watched | None:
        """Of a guest that stands for its move and is watched all the same."""
        node, daemon = host.node, host.daemon
        if node is None or daemon is None or not daemon.is_awake_for(HEARD_S):
            return None
        if self._judge.now_s <= daemon.began_s + HEARD_S:
            return None  # it has not joined, perhaps, and sees to no guest before it has
        agent, record = node.worker.agents.get(package), node.ledger.package(package)
        if agent is None or agent.watch is None or record is None or record.move is None:
            return None
        if guest.exit is not None or guest.is_frozen or guest.state not in STANDS:
            return None
        if guest.guest.pid not in self._well:
            return None
        if not record.moving or record.move.source != host.name or record.owner != host.name:
            return None
        if agent.watch._suspensions.by_owner or self._is_over(record.spec.phase_timeouts, guest):
            return None
        return guest.guest.pid, id(agent.watch)

    def _is_over(self, limits: PhaseTimeouts, guest: FakeGuest) -> bool:
        """Whether it stands for so long that its suspension has ended by itself."""
        stood_s = self._judge.now_s - self._since_s.get(guest.guest.pid, self._judge.now_s)
        return stood_s >= limits.io_quiesce_s + limits.frozen_s
