"""Whether what the record calls a proof of a node's death was true, and whom a fence was aimed at.

A proof frees what the node held. So at the instant it is agreed upon, nothing of that may be able
to run on there any more, whatever the node does next; and each kind of proof says why.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.core import entries
from cluster.core.model import PackageRecord, Proof, State, packages_of
from packages.core.fencing import DiskGuard, own_earlier, registrant
from packages.vm.fake_guest import FakeGuest

if TYPE_CHECKING:
    from tests.simulation.host import Host
    from tests.simulation.judge import Judge
    from tests.simulation.surroundings import Surroundings

HEARD_S = 0.7
"""A node heard so short a time ago is not suspected (0.8 s by the clock of whoever suspects it)."""
ORDERED_S = 60.0
"""An operator's order to switch a node off has long been carried out after this, or never is."""


class Proofs:
    def __init__(self, judge: "Judge", around: "Surroundings") -> None:
        self._judge, self._around = judge, around
        self._boot_of: dict[str, int] = {}
        """The incarnation of a daemon -> in which of its host's boots it lived."""
        self._heard_s: dict[tuple[str, str], float] = {}
        """(who was asked for a lease, who asked) -> when."""
        self._ordered_until_s: dict[str, float] = {}
        self._truths: dict[str, Callable[[Host, entries.NodeFailed, list[PackageRecord]], str]] = {
            "lease": self._against_lease, "power": self._against_power,
            "operator": self._against_word, "watchdog": self._against_watchdog,
        }

    # what is seen of the daemons

    def lives(self, host: "Host") -> None:
        assert host.node is not None
        self._boot_of.setdefault(host.node.incarnation, host.boots)

    def daemon_began(self, host: "Host") -> None:
        """It has heard nobody yet."""
        self._heard_s = {
            each: at_s for each, at_s in self._heard_s.items() if each[0] != host.name}

    def hears(self, host: str, other: str) -> None:
        self._heard_s[host, other] = self._around.timeline.now_s

    def ordered_off(self, host: str) -> None:
        """By an operator."""
        self._ordered_until_s[host] = self._around.timeline.now_s + ORDERED_S

    def aims(self, by: str, victim: str) -> None:
        """A fence that switches the victim off was just called by this host's daemon."""
        host, now_s = self._judge.hosts[by], self._around.timeline.now_s
        if host.node is None or host.daemon is None or not host.daemon.is_awake_for(HEARD_S):
            return  # it stood still between its decision and the deed
        state = host.node.ledger.state
        if by == victim or not self._judge.leads(host):
            self._judge.broken("shot", f"{by} fences {victim}, and coordinates nothing")
        if now_s < self._ordered_until_s.get(victim, 0.0):
            return
        silent_s = now_s - self._heard_s.get((by, victim), 0.0)
        if silent_s < HEARD_S:
            self._judge.broken("shot", f"{by} fences {victim}, heard {silent_s:.3f} s ago")
        if not any(each.owner == victim and each.state != "detached"
                   for each in packages_of(state, victim)):
            self._judge.broken("shot", f"{by} fences {victim}, which holds nothing")

    # what is agreed upon

    def look(self, before: State, state: State, entry: entries.Entry) -> None:
        if isinstance(entry, entries.NodeFailed):
            freed = _freed(before, state, entry.node)
            if freed or before.nodes.get(entry.node) is not state.nodes.get(entry.node):
                self._judge_proof(entry, freed)
        elif isinstance(entry, entries.FenceAnswered) and entry.problem is None:
            record = before.packages.get(entry.package)
            if record is not None and record.owner and _freed(before, state, record.owner):
                self._count(Proof(kind="storage", because=""))
                self._check_storage(record)

    def _judge_proof(self, entry: entries.NodeFailed, freed: list[PackageRecord]) -> None:
        self._count(entry.proof)
        untrue = self._truths[entry.proof.kind](self._judge.hosts[entry.node], entry, freed)
        if untrue:
            self._judge.broken("proof", f"{entry.node} is called dead by {entry.proof.kind} "
                                        f"({entry.proof.because}), and {untrue}")

    def _count(self, proof: Proof) -> None:
        self._judge.counts[f"proof {proof.kind}"] += 1

    def _against_lease(
        self, host: "Host", _: entries.NodeFailed, freed: list[PackageRecord],
    ) -> str:
        left_s = host.granted_until_s - host.time.now_s()
        if host.has_power and left_s > 0:
            return f"it has a lease of {left_s:.3f} s"
        wrong = [each.name for each in freed
                 if each.state == "detached" and not each.guarded
                 or not each.spec.lease_is_proof]
        return f"{wrong} need more than that" if wrong else ""

    def _against_power(
        self, host: "Host", entry: entries.NodeFailed, freed: list[PackageRecord],
    ) -> str:
        """Everything of that life ended with its boot."""
        if host.has_power and self._boot_of.get(entry.incarnation) == host.boots:
            return "it was not off since"
        left = [each.name for each in freed if self._guest(host, each) is not None]
        return f"{left} are there" if left else ""

    def _against_word(
        self, host: "Host", entry: entries.NodeFailed, freed: list[PackageRecord],
    ) -> str:
        """Whoever gave it need not have looked, for what a lease guards."""
        untrue = self._against_power(host, entry, freed)
        return untrue and self._against_lease(host, entry, freed)

    def _against_watchdog(
        self, host: "Host", _: entries.NodeFailed, freed: list[PackageRecord],
    ) -> str:
        """It was reset, or its guardian lives and has frozen them."""
        there = [(each.name, self._guest(host, each)) for each in freed]
        left = [name for name, guest in there
                if guest is not None and not host.guardian.holds(guest)]
        return f"{left} run there, or will" if left else ""

    def _check_storage(self, record: PackageRecord) -> None:
        assert record.owner is not None
        victim = registrant(record.owner, record.epoch)
        for disk in record.spec.vm.disks:
            allowed = DiskGuard(registrants=tuple(self._around.storage.lists[disk.path]))
            if own_earlier(allowed, victim):
                self._judge.broken("proof", f"{record.owner} is shut out of {disk.path} by the "
                                            "record, and may write there")

    def _guest(self, host: "Host", record: PackageRecord) -> FakeGuest | None:
        found = self._around.fabric.guest(host.name, record.name)
        return found if found is not None and found.guest.epoch <= record.epoch else None


def _freed(before: State, state: State, node: str) -> list[PackageRecord]:
    """What it owned until now."""
    return [each for each in packages_of(before, node) if each.owner == node
            and each.name in state.packages and state.packages[each.name].owner != node]
