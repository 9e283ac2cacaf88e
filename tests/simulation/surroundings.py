"""What everything in a simulated world shares."""

from typing import TYPE_CHECKING

from packages.fencing.fake import FakeStorage
from packages.vm.fake import FakeFabric
from packages.vm.fake_carrier import FakeCables
from tests.simulation.hardware import Hardware
from tests.simulation.network import Manner, Network
from tests.simulation.timeline import Timeline, WorldClock

if TYPE_CHECKING:
    from tests.simulation.judge import Judge
    from tests.simulation.keys import Folders
    from tests.simulation.power import Controllers


class Surroundings:
    judge: "Judge"
    folders: "Folders | None" = None
    """Of the hosts, where doors open by keys."""
    controllers: "Controllers | None" = None
    """Of the hosts, where something can switch them off."""

    def __init__(self, seed: int, manner: Manner, hardware: Hardware) -> None:
        self.hardware = hardware
        self.timeline = Timeline(seed)
        self.clock = WorldClock(self.timeline)
        self.network = Network(self.timeline, manner)
        self.fabric = FakeFabric()
        self.cables = FakeCables()
        self.storage = FakeStorage()
