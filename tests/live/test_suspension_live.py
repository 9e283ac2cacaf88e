"""Monitoring is off for the freeze of a move and for nothing else.

The operator's own program fails on purpose: whenever a file says so, in whatever phase. In the
copy that is a failed guest, and acted upon; in the freeze nobody asks; after the freeze somebody
asks again, also when the move hangs and nobody ends it.
"""

import asyncio
import stat

import pytest
import pytest_asyncio

from tests.live.guest_side import held_connection
from tests.live.live_cluster import LiveCluster, live_cluster, one

pytestmark = [pytest.mark.live, pytest.mark.acceptance, pytest.mark.asyncio(loop_scope="module")]

SLOW = {"migration_bandwidth_mib_s": 2}
BUSY, IDLE = "d9000,1", "d0"
"""A copy that does not end before the guest is told to rest."""
TEN_INTERVALS_S = 1.0
BESIDE_FREEZE_MS = 2000
"""What of a suspension may lie outside the freeze: a few ms, and the stalls of a busy machine."""

HOOK = """\
#!/bin/sh
echo "$(date +%s.%N)" >>{folder}/asked
test ! -e {folder}/ill
"""


class Hook:
    """The program monitor, its file of failure and its list of when it was asked."""

    def __init__(self, folder) -> None:
        self.program = folder / "hook"
        self.asked_file, self.ill_file = folder / "asked", folder / "ill"
        self.program.write_text(HOOK.format(folder=folder))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def ill(self, *, is_ill: bool) -> None:
        if is_ill:
            self.ill_file.touch()
        else:
            self.ill_file.unlink(missing_ok=True)

    def asked_s(self) -> list[float]:
        text = self.asked_file.read_text() if self.asked_file.exists() else ""
        return [float(line) for line in text.splitlines()]

    @property
    def monitor(self) -> str:
        """As in a package's file; asked often, and believed at once."""
        return ("{name: hook, kind: program, argv: [" + str(self.program) + "], "
                "interval_s: 0.1, timeout_s: 5, retries: 0, grace_s: 0}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab_of_three(tmp_path_factory):
    async with live_cluster(tmp_path_factory.mktemp("suspension") / "lab") as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(lab_of_three: LiveCluster):
    await lab_of_three.in_order()
    yield lab_of_three


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path)


async def watched_by(cluster: LiveCluster, hook: Hook, **policy) -> dict:
    """The package with the hook among its monitors, which begins while the guest runs."""
    await cluster.set_policy(monitor=hook.monitor, **policy)
    await cluster.until(lambda _: hook.asked_s())
    return await cluster.shown()


def other_than(cluster: LiveCluster, node: str) -> str:
    return next(each for each in cluster.names if each != node)


async def test_a_hook_that_fails_in_the_copy_is_acted_upon(cluster, hook):
    before = await watched_by(cluster, hook, **SLOW)
    await cluster.said(BUSY)
    move = await cluster.open_move(other_than(cluster, before["node"]))
    await cluster.step(before["node"], move, "copy")
    hook.ill(is_ill=True)
    ended = await cluster.end_of_move()
    hook.ill(is_ill=False)
    assert ended["result"] == "failed", ended
    # Restarted, by the package's own policy; the move's end comes first.
    await cluster.until(lambda status: one(status)["epoch"] > before["epoch"])
    after = await cluster.one_copy()
    assert after["boot_id"] != before["boot_id"]


async def test_a_hook_that_would_fail_in_the_freeze_is_not_asked(cluster, hook):
    """The freeze is held by a stopped relay; the hook fails from its first moment to its last."""
    before = await watched_by(cluster, hook, **SLOW)
    target = other_than(cluster, before["node"])
    async with held_connection(cluster.package().guest_address) as caller:
        await cluster.said(BUSY)
        move = await cluster.open_move(target, node=before["node"])
        await cluster.step(before["node"], move, "copy")
        relay = cluster.relay(target, move)
        cluster.stop(relay)
        await cluster.said(IDLE)
        await cluster.step(before["node"], move, "complete")
        hook.ill(is_ill=True)
        frozen = await cluster.until(lambda status: one(status)["monitoring"] == "suspended")
        assert one(frozen)["suspended_until"] is not None
        asked = len(hook.asked_s())
        await asyncio.sleep(TEN_INTERVALS_S)  # it would fail the package ten times over
        assert (await cluster.shown())["monitoring"] == "suspended"
        assert len(hook.asked_s()) == asked, "asked although monitoring is suspended"
        hook.ill(is_ill=False)
        cluster.go_on(relay)
        ended = await cluster.end_of_move()
        assert ended["result"] == "completed", ended
        await caller.goes_on()
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (target, before["boot_id"])
    assert ended["monitoring_suspended_ms"] < ended["freeze_ms"] + BESIDE_FREEZE_MS, ended
    await cluster.until(lambda _: len(hook.asked_s()) > asked)


async def test_a_hook_is_asked_all_through_a_copy(cluster, hook):
    before = await watched_by(cluster, hook, **SLOW)
    await cluster.said(BUSY)
    move = await cluster.open_move(other_than(cluster, before["node"]))
    await cluster.step(before["node"], move, "copy")
    asked = len(hook.asked_s())
    during = await cluster.until(lambda _: len(hook.asked_s()) >= asked + 5)
    assert one(during)["move"]["phase"] == "copy"
    assert one(during)["monitoring"] == "active"
    await cluster.said(IDLE)
    assert (await cluster.end_of_move())["result"] == "completed"


async def test_a_suspension_ends_by_itself_when_its_move_hangs(cluster, hook):
    """The relay stays stopped: the switch has no end. After the phase's own time the move is
    called off, and the source is watched again."""
    before = await watched_by(
        cluster, hook, phase_timeouts="{io_quiesce_s: 1, frozen_s: 2}", **SLOW)
    target = other_than(cluster, before["node"])
    life = (await cluster.said(BUSY)).boot_id
    move = await cluster.open_move(target, node=before["node"])
    await cluster.step(before["node"], move, "copy")
    relay = cluster.relay(target, move)
    cluster.stop(relay)
    await cluster.said(IDLE)
    await cluster.step(before["node"], move, "complete")
    asked = len(hook.asked_s())
    ended = await cluster.end_of_move()
    assert ended["result"] == "failed", ended
    cluster.go_on(relay)
    after = await cluster.one_copy()
    assert (after["node"], after["boot_id"]) == (before["node"], before["boot_id"])
    assert (await cluster.said()).boot_id == life
    assert after["monitoring"] == "active"
    await cluster.until(lambda _: len(hook.asked_s()) > asked)
