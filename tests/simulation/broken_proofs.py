"""Builds whose fences, watchdogs or proofs are broken on purpose (see broken_builds.py)."""

from math import inf

from cluster.config.schema import FenceConfig, Timings
from cluster.core import entries
from cluster.core.codec import decode_entry, encode_entry
from cluster.core.lease_numbers import LeaseNumbers
from cluster.core.machine import StateMachine
from cluster.guardian import wanted
from cluster.node import Node
from cluster.nodes.granting import Landlord
from cluster.nodes.guardian_link import SOFTWARE, Watchdog
from cluster.nodes.guarding import Guarding
from cluster.power.fence import Power
from packages.core.problem import Problem
from packages.core.values import Map, changed
from tests.simulation.guardian import SimulatedGuardian
from tests.simulation.guardian_link import SimulatedGuardianLink
from tests.simulation.hardware import Hardware
from tests.simulation.host import Build, WatchedMachine
from tests.simulation.power import SimulatedPowerFence
from tests.simulation.watchdog import HARDWARE, WatchdogDevice


class CredulousFence(SimulatedPowerFence):
    """Believes that what does not answer has done it."""

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        await super().switch_off(fence)
        return None

    async def power(self, fence: FenceConfig) -> Power | Problem:
        return "off"


class SilenceBelieved(Build):
    """A controller that does not answer is taken for one that has switched the host off."""

    power = CredulousFence
    needs = Hardware(has_controllers=True)
    caught_by = ("proof", "death")


class HastyFence(SimulatedPowerFence):
    """Says that it is done as soon as it has begun."""

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        self._process.begin(super()._asked(fence, "off"))
        return None

    async def power(self, fence: FenceConfig) -> Power | Problem:
        return "off"


class ProofBeforeAnswer(Build):
    """A node is called dead when its fence was asked, not when it has answered."""

    power = HastyFence
    needs = Hardware(has_controllers=True)
    caught_by = ("proof", "death")


class UnseenFence(SimulatedPowerFence):
    """Does not look whether what was reported as done is."""

    async def power(self, fence: FenceConfig) -> Power | Problem:
        return "off"


class SuccessBelieved(Build):
    """A controller that reports success is believed, though the host is still on. Too rare for a
    search; a story of its own meets it (test_part_loss.py)."""

    power = UnseenFence
    needs = Hardware(has_controllers=True)
    caught_by = ("proof", "death")


class NervousLandlord(Landlord):
    """Does not listen to what the log's own messages tell of others."""

    def suspected(self) -> Map[str, str]:
        if not self.settled():
            return Map()
        silent = sorted({*self._ledger.state.nodes} - {self._node, *self.heard()})
        return Map(dict.fromkeys(silent, "silent"))


class NervousSuspicion(Build):
    """A node is suspected between two of its heartbeats."""

    needs = Hardware(has_controllers=True)
    caught_by = ("shot",)

    def timings(self, timings: Timings) -> Timings:
        return changed(timings, suspect_s=0.8 * timings.heartbeat_s)

    def assembled(self, node: Node) -> None:
        node.landlord.__class__ = NervousLandlord


class OwnLandlord(Landlord):
    """Grants, and counts, by the profile that its own file had when it started."""

    @property
    def numbers(self) -> LeaseNumbers:
        agreed = super().numbers
        return changed(self._own, number=agreed.number, profile=agreed.profile)

    def counted(self, node: str) -> tuple[float, float]:
        return self._own.lease_s, self._own.margin_s


class OwnNumbers(Build):
    """A coordinator reads the lease from its own file, whatever others granted by theirs."""

    caught_by = ("death", "proof", "two")

    def assembled(self, node: Node) -> None:
        node.landlord.__class__ = OwnLandlord


class ImpatientMachine(WatchedMachine):
    """Takes the end of a lease for the stronger proof that a package asks for."""

    def apply(self, index: int, command: bytes) -> object:
        entry = decode_entry(command)
        if not isinstance(entry, entries.NodeFailed) or entry.proof.kind != "lease":
            return super().apply(index, command)
        stronger = changed(entry, proof=changed(entry.proof, kind="power"))
        outcome = StateMachine.apply(self, index, encode_entry(stronger))
        self._around.judge.applied(self.host, index, command, self.state)
        return outcome


class LeaseAlwaysProof(Build):
    """Packages that ask for a stronger proof are taken over by the end of a lease."""

    machine = ImpatientMachine
    needs = Hardware(hosts_hang=True)
    caught_by = ("proof", "death")


class BystandersGuardian(SimulatedGuardian):
    """Something else on the host pets the watchdog in its place, whatever becomes of it."""

    def _wake(self, watchdog: WatchdogDevice) -> None:
        watchdog.pet()
        self.machine.timeline.after(watchdog.pet_every_s, self._wake, watchdog)


class PettedByOthers(Build):
    """The watchdog is petted without a look at the lease or at the guests."""

    guardian = BystandersGuardian
    watchdogs = ((HARDWARE, 2.0),)
    needs = Hardware(has_watchdogs=True, hosts_hang=True)
    caught_by = ("proof", "lease", "two")


class StrictGuardian(SimulatedGuardian):
    """Does not pet without a lease, although all guests stand frozen."""

    def pet(self, watchdog: WatchdogDevice) -> None:
        if wanted(self._lease, self.machine.time.now_s()) == "thawed":
            watchdog.pet()


class ResetForNothing(Build):
    """A host whose network is gone is reset, although its guests stand frozen."""

    guardian = StrictGuardian
    needs = Hardware(has_watchdogs=True, hosts_hang=True)
    caught_by = ("reset",)


class TrustingGuarding(Guarding):
    """Counts on a guardian that it does not ask, and leaves the guests to it."""

    @property
    def until_s(self) -> float:
        return inf

    @property
    def is_silent(self) -> bool:
        return False

    async def _enforce(self) -> None:
        return


class GuardianTrusted(Build):
    """A lease counts as good whether or not there is a guardian to enforce it."""

    needs = Hardware(guardians_fail=True)
    caught_by = ("lease", "two")

    def assembled(self, node: Node) -> None:
        node.guarding.__class__ = TrustingGuarding


class SleepyGuarding(Guarding):
    """Leaves the end of a lease to the guardian alone."""

    async def _enforce(self) -> None:
        return


class NotFrozenByDaemon(Build):
    """A daemon whose guardian is gone asks for no lease, and lets the guests run on."""

    needs = Hardware(guardians_fail=True)
    caught_by = ("lease", "two")

    def assembled(self, node: Node) -> None:
        node.guarding.__class__ = SleepyGuarding


class CredulousLink(SimulatedGuardianLink):
    """Takes a timer of the kernel for hardware."""

    async def watchdog(self) -> Watchdog:
        found = await super().watchdog()
        return changed(found, proves_s=2.0)


class SoftdogBelieved(Build):
    """A watchdog that stands still with its host is to prove that host's death."""

    guardian_link = CredulousLink
    watchdogs = ((SOFTWARE, 2.0),)
    needs = Hardware(has_watchdogs=True, hosts_hang=True)
    caught_by = ("proof", "lease", "two")
