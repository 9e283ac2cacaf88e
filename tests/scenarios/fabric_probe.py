"""The disks of a node of the fake fabric: LUNs without contents, paths that change."""

from collections.abc import Iterable

from packages.core.facts import DiskFacts, OpenedDisks
from packages.vm.fake import FakeDriver, FakeFabric


class FabricProbe:
    """Every path means something: the LUN of its own name, unless the driver's `means` says
    otherwise. A process has open what its paths meant when it was made."""

    def __init__(self, node: str, fabric: FakeFabric, driver: FakeDriver) -> None:
        self._node, self._fabric, self._driver = node, fabric, driver
        self.bytes: dict[str, int] = {}

    def _lun(self, path: str, lun: str) -> DiskFacts:
        return DiskFacts(path=path, kind="whole", identity=lun, device=f"fake:{lun}",
                         size_bytes=self.bytes.get(lun, 1 << 30), sector_bytes=512)

    async def examine(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        return self._lun(path, self._driver.means.get(path, path))

    async def named(self, path: str, *, deadline_s: float = 5.0) -> DiskFacts:
        return await self.examine(path)

    async def opened(
        self, pid: int, paths: Iterable[str], *, deadline_s: float = 5.0,
    ) -> OpenedDisks | None:
        found = next((guest for guest in self._fabric.nodes[self._node].values()
                      if guest.guest.pid == pid and guest.exit is None), None)
        if found is None:
            return None
        named = [await self.examine(path) for path in paths]
        return OpenedDisks(named=tuple(named), devices=tuple(
            self._lun(f"/dev/{lun}", lun) for lun in found.luns))
