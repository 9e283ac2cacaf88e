"""A guardian of another run folder lets go of what the node's own one has, and of that alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.nodes.former_guardians import FormerGuardians
from cluster.nodes.guardian_link import GuardianLink, GuardianReport
from packages.vm.driver import Guest
from tests.live.guarded import LONG_S, Guard, now_s
from tests.live.waiting import DEADLINE_S, until

pytestmark = pytest.mark.live


class Side:
    """A guardian's process in a folder of its own, and a daemon's link to it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.guard = folder, Guard(folder)
        self.link = GuardianLink(self.guard.socket_path, heard=lambda news: None)

    async def holds(self, guests: list[Guest], lease_s: float) -> None:
        assert await self.link.connect(deadline_s=DEADLINE_S) is None
        self.link.renew(now_s() + lease_s, now_s() + lease_s + LONG_S)
        self.link.guard(guests)
        assert await self.link.taken_up(deadline_s=DEADLINE_S) is None

    async def held(self) -> set[str]:
        report = await self.link.ask(deadline_s=DEADLINE_S)
        assert isinstance(report, GuardianReport)
        return {each.package for each in report.guarded}


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    both = Side(tmp_path / "run"), Side(tmp_path / "run-b")
    yield both
    for each in both:
        await each.link.close()
        each.guard.end()


def former(own: Side, other: Side, ours: list[Guest], *, may_run: bool = True) -> FormerGuardians:
    return FormerGuardians(
        own.link, folders=lambda: [other.folder, other.folder / "nobody"], ours=lambda: ours,
        may_run=lambda: may_run)


async def test_it_lets_go_of_what_the_own_guardian_has_also_where_it_had_it_frozen(sides, tickers):
    other, own = sides
    web, db = tickers("web"), tickers("db")
    await other.holds([web.guest, db.guest], lease_s=0.0)
    await until(lambda: other.guard.says("frozen"))
    await own.holds([web.guest], lease_s=LONG_S)
    await former(own, other, [web.guest]).look()
    assert (await other.held(), await own.held()) == ({"db"}, {"web"})
    await until(lambda: not web.stopped() and db.stopped())


async def test_without_a_lease_nobody_is_let_go(sides, tickers):
    other, own = sides
    web = tickers("web")
    await other.holds([web.guest], lease_s=0.0)
    await own.holds([web.guest], lease_s=0.0)
    await former(own, other, [web.guest], may_run=False).look()
    assert await other.held() == {"web"} and web.stopped()


async def test_a_guest_that_the_own_guardian_does_not_have_is_let_go_of_by_nobody(sides, tickers):
    other, own = sides
    web = tickers("web")
    await other.holds([web.guest], lease_s=0.0)
    await former(own, other, [web.guest]).look()
    assert await other.held() == {"web"}, "nothing was heard of the own one"
