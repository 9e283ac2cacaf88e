"""A lab's LUN behind a target of its own, as on a SAN: it stands on the guests' switch, off every
node."""

import re
from pathlib import Path

from cluster.lab import commands, guests
from cluster.lab.record import LabRecord
from tests.contracts.tgt_target import TgtTarget

FENCE = """\
fence:
  kind: target_access
  tool: tgt
  command: [{command}]
"""


class San:
    """The LUN is that of p1. `folder` is the target's, with a short path."""

    def __init__(self, record: LabRecord, folder: Path) -> None:
        self.plan = record.plan
        self.address = f"10.{self.plan.number}.0.9"
        self.target = TgtTarget(
            folder, self.plan.switch, portal=f"{self.address}:3260",
            backing=Path(record.disks["p1"]))

    async def start(self) -> None:
        plugged = await commands.run(
            "ip", "-n", self.plan.switch, "addr", "add", f"{self.address}/24", "dev", "lan")
        assert isinstance(plugged, str), plugged
        self.target.start()

    def package_text(self) -> str:
        """The lab's own package, on this LUN, with a fence."""
        [package] = [each for each in self.plan.packages if each.name == "p1"]
        text = guests.package_text(self.plan, package, self.target.path())
        fence = FENCE.format(command=", ".join(self.target.command))
        return f"{text}service_restart: 1000\nlease_is_proof: true\n{fence}"

    def let_in(self) -> set[str]:
        """Names on the list, as `NODE.EPOCH`."""
        _, _, names = self.target.listing().partition("ACL information:")
        return {name.strip().rpartition(":")[2] for name in names.splitlines() if name.strip()}

    def connected(self) -> set[str]:
        return {name.rpartition(":")[2]
                for name in re.findall(r"Initiator: (\S+)", self.target.listing())}
