"""Pains of moves, told: two copies, none, the wrong one, one that nobody watches or clears away."""

import asyncio
from functools import partial

import pytest

from cluster.api import messages as ask
from cluster.core.model import MoveStage
from packages.core.model import FenceSpec, MonitorSpec, PhaseTimeouts
from packages.core.problem import Problem
from packages.core.values import changed
from packages.vm.carrier import Landing
from tests.scenarios.pains.farm import WEB, Farm, farm
from tests.simulation.hardware import Hardware
from tests.simulation.host import Build
from tests.simulation.hypervisor import SimulatedCarrier
from tests.simulation.world import package

MOVED_S = 15.0
SLOW_S = 8.0
"""Longer than WEB gives its moves to begin."""


def ended(told: Farm, name: str = "web") -> bool:
    return not told.record(name).moving


def test_p01_a_switch_that_is_broken_off_called_off_and_drained_leaves_one_copy() -> None:
    """The channel breaks when the target has the whole memory and the source does not know; just
    then the source is drained, and the move called off, twice."""
    for delay_s in (0.0, 0.002, 0.02, 0.2):
        with farm() as told:
            for host in told.hosts.values():
                host.driver.tears, host.driver.switch_s = 1.0, 0.05
            life = told.record().boot_id
            told.at_stage("frozen", lambda: told.world.timeline.after(delay_s, trouble, told))
            told.move("web", "bee")
            told.until(lambda: ended(told), within_s=MOVED_S, what="its end")
            for host in told.hosts.values():
                host.driver.tears = 0.0
            told.until(lambda: told.node("ape").state == "maintenance" or told.node("ape").stuck,
                       within_s=30.0, what="an end of the drain")
            assert len(told.running()) == 1 and told.record().boot_id == life
            told.order(ask.ResumeNode(node="ape"))
            told.until_settled()


def trouble(told: Farm) -> None:
    for number, request in enumerate((
        ask.DrainNode(node="ape"), ask.AbortMove(package="web"), ask.AbortMove(package="web"),
    )):
        told.world.desk.begin(told.world.asker.ask(
            "cat", changed(request, request=f"t{number}"), deadline_s=20.0))


def test_p02_a_node_that_missed_a_change_watches_what_is_moved_there_by_the_change() -> None:
    """It was down when the package got its monitor; nothing of it lies in a file of that node."""
    with farm() as told:
        told.hosts["bee"].kill_daemon()
        told.run(1.0)
        monitored = changed(WEB, monitors=(
            MonitorSpec(name="state", kind="qemu", interval_s=0.5, retries=0),))
        told.apply(monitored)
        told.hosts["bee"].start_daemon()
        told.until_settled()
        told.move("web", "bee")
        told.until(lambda: told.on("bee") == ["web"], within_s=MOVED_S, what="web moved")
        told.until_settled()
        node = told.hosts["bee"].node
        assert node is not None
        watch = node.worker.agents["web"].watch
        assert watch is not None and "state" in [each.spec.name for each in watch._monitors]
        told.harm("bee", partial(told.fabric.break_guest, "bee", "web", "panicked"))
        told.until(lambda: told.record().state != "running" or told.running() == ["bee"],
                   within_s=1.0, what="it is noticed there")
        told.until_settled()
        assert told.running() == ["bee"]


def test_p02_a_node_that_lacks_the_disk_gets_nothing_neither_guest_nor_word() -> None:
    """Said before anything is begun; and where only the hypervisor finds out, the move ends."""
    with farm() as told:
        before = told.pids()
        told.hosts["bee"].facts.missing_disks = {"/dev/web"}
        refused = told.answer(ask.MovePackage(package="web", node="bee"))
        assert (refused.verdict, [each.code for each in refused.problems]) == (
            "refused", ["disk-not-visible"])
        assert told.record().move is None
        told.hosts["bee"].facts.missing_disks = set()
        told.hosts["bee"].driver.missing_disks = {"/dev/web"}
        told.move("web", "bee")
        told.until(lambda: ended(told), within_s=MOVED_S, what="its end")
        assert told.pids() == before and told.running() == ["ape"]
        told.until_settled()


def test_p03_a_move_and_a_stop_that_both_fail_fence_nobody_and_say_why() -> None:
    """The guest's process cannot be ended: it waits for a disk in the kernel. Its node is well.
    It could be switched off, and shut out of the disks; nobody does."""
    fenced = package("web", ("ape", "bee", "cat"), fence=FenceSpec(kind="scsi_reservation"))
    with farm(fenced, hardware=Hardware(fenced.fence, has_controllers=True)) as told:
        guest = told.guest("ape")
        told.at_stage("copy", partial(hang, told))
        told.move("web", "bee")
        told.until(lambda: ended(told), within_s=MOVED_S, what="its end")
        told.until(lambda: told.record().state == "failing", within_s=20.0, what="it is ended")
        told.run(40.0)
        assert all(each.state == "running" and each.proof is None
                   for each in told.state.nodes.values())
        assert told.record().owner == "ape" and told.record().fencing is None
        assert told.world.around.storage.fenced == []
        assert all(host.has_power for host in told.hosts.values())
        stuck = told.problems()["guest-will-not-end"]
        assert "ape" in stuck["because"] and "node fence ape" in stuck["fix"]
        guest.cannot_end = False
        told.until_settled()
        assert "guest-will-not-end" not in told.problems()


def hang(told: Farm) -> None:
    guest = told.guest("ape")
    guest.cannot_end = True
    told.harm("ape", partial(guest.fail, "failed"))
    told.harm("ape", partial(told.fabric.break_guest, "ape", "web", "io-error"))


@pytest.mark.parametrize("harm", ["daemon", "power", "network"])
def test_p04_a_move_that_succeeded_is_believed_though_its_source_could_not_say_so(
    harm: str,
) -> None:
    """Everything has been sent, and whoever knows is lost before the record does."""
    with farm() as told:
        life, epoch = told.record().boot_id, told.record().epoch
        told.as_soon_as(partial(is_whole, told), partial(lose, told, harm))
        told.move("web", "bee")
        told.until(lambda: told.on("bee") == ["web"], within_s=20.0, what="bee has it")
        if harm != "daemon":
            told.world.network.heal()
        if not told.hosts["ape"].has_power:
            told.boot("ape")
        told.run(30.0)  # in which nothing takes it for a leftover
        told.until_settled()
        assert told.running() == ["bee"]
        record = told.record()
        assert (record.boot_id, record.epoch) == (life, epoch + 1)
        assert record.move is not None and record.move.result == "completed"


def is_whole(told: Farm) -> bool:
    target = told.fabric.guest("bee", "web")
    return target is not None and target.has_ended_well and told.record().owner == "ape"


def lose(told: Farm, harm: str) -> None:
    if harm == "daemon":
        told.restart_daemon("ape")
    elif harm == "power":
        told.lose_power("ape")
    else:
        told.cut_off("ape")


def test_p06_a_copy_that_cannot_converge_is_helped_then_given_up_and_not_tried_again() -> None:
    spec = package("web", ("ape", "bee"), phase_timeouts=PhaseTimeouts())
    with farm(spec) as told:
        told.fabric.dirty_bytes_s = 20e6  # ten times what the package leaves the copy
        before = told.pids()
        told.move("web", "bee")
        told.until(lambda: ended(told), within_s=120.0, what="its end")
        move = told.record().move
        assert move is not None and move.problem is not None
        assert (move.result, move.problem.code) == ("failed", "move-not-converging")
        assert "even when slowed down" in move.problem.because and move.problem.fix
        told.run(60.0)
        assert told.told("package:web").count("move opened") == 1
        assert told.pids() == before and told.running() == ["ape"]
        assert told.guest("ape").copy is not None


def test_p06_one_that_converges_when_it_is_slowed_down_is_moved() -> None:
    spec = package("web", ("ape", "bee"), phase_timeouts=PhaseTimeouts())
    with farm(spec) as told:
        told.fabric.dirty_bytes_s = 3e6  # the copy has 2 MiB a second; slowed, the guest writes 0.9
        life = told.record().boot_id
        told.move("web", "bee")
        told.until(lambda: told.on("bee") == ["web"], within_s=60.0, what="it is moved")
        assert told.record().boot_id == life


class SlowToLand(SimulatedCarrier):
    async def land(self, move: str, *, socket_path: str, source: str) -> Landing | Problem:
        await asyncio.sleep(SLOW_S)
        return await super().land(move, socket_path=socket_path, source=source)


class SlowTargets(Build):
    carrier = SlowToLand


@pytest.mark.parametrize("phase", ["init", "copy"])
def test_p07_a_move_that_takes_too_long_leaves_the_guest_running_where_it_is(phase: str) -> None:
    """It is never turned into a stop and a start, whatever timeout is over."""
    with farm(build=SlowTargets() if phase == "init" else None) as told:
        before = told.pids()
        told.fabric.dirty_bytes_s = 20e6
        told.move("web", "bee")
        standing = 0
        for _ in range(150):
            standing += told.running() != ["ape"]
            told.run(0.1)
        assert standing == 0 and ended(told)
        move = told.record().move
        assert move is not None and move.problem is not None and move.result == "failed"
        assert "runs on at ape" in move.problem.what and move.problem.fix
        told.until_settled()
        assert told.pids() == before


def test_p10_a_move_that_cannot_be_says_why_at_once() -> None:
    with farm() as told:
        began_s = told.world.timeline.now_s
        for node, code in (("ape", "package-already-there"), ("dog", "unknown-node")):
            answer = told.answer(ask.MovePackage(package="web", node=node))
            assert answer.verdict == "refused"
            assert code in [each.code for each in answer.problems]
            assert all(each.because and each.fix for each in answer.problems)
        assert told.world.timeline.now_s - began_s < 1.0


def test_p10_a_move_that_failed_shows_what_failed_first() -> None:
    with farm() as told:
        told.hosts["bee"].driver.missing_disks = {"/dev/web"}
        told.move("web", "bee")
        told.until(lambda: ended(told), within_s=3.0, what="its end, long before its time is over")
        shown = told.order(ask.GetMove(package="web"))
        assert shown["result"] == "failed"
        assert "could not open /dev/web" in shown["problem"]["because"]
        assert "move failed" in told.told("package:web")


STAGES: tuple[MoveStage, ...] = ("opened", "copy", "frozen", "committed")


@pytest.mark.parametrize("lost", ["source", "target", "both", "link"])
@pytest.mark.parametrize("stage", STAGES)
def test_p24_an_interrupted_move_ends_and_leaves_nothing_behind(
    stage: MoveStage, lost: str,
) -> None:
    with farm() as told:
        told.at_stage(stage, partial(interrupt, told, lost))
        told.world.desk.begin(told.world.asker.ask("cat", ask.MovePackage(
            request="m", package="web", node="bee"), deadline_s=20.0))
        told.until(lambda: told.record().move is not None, within_s=5.0, what="a move")
        told.until(lambda: ended(told), within_s=40.0, what="its end")
        told.until_settled(within_s=30.0)
        assert not told.state.moves
        told.order(ask.HaltPackage(package="web"))
        told.order(ask.DeletePackage(package="web"))
        told.run(5.0)
        assert told.pids() == {} and "web" not in told.state.packages
        assert told.problems() == {}


def interrupt(told: Farm, lost: str) -> None:
    if lost == "link":
        told.world.network.cut("ape", "bee")
        told.world.network.cut("bee", "ape")
        told.world.timeline.after(12.0, told.world.network.heal)
    for name in {"source": ("ape",), "target": ("bee",), "both": ("ape", "bee")}.get(lost, ()):
        told.lose_power(name, back_after_s=3.0)


def test_p27_a_move_shows_how_far_it_is_and_the_bar_never_runs_back() -> None:
    """Although the guest writes again what was copied already."""
    with farm() as told:
        told.fabric.copy_bytes, told.fabric.dirty_bytes_s = 8 << 20, 5e5
        told.move("web", "bee")
        seen = []
        for number in range(40):
            if number in (4, 8) and not ended(told):
                copy = told.guest("ape").copy
                assert copy is not None
                copy.dirty_bytes_s = {4: 1.5e6, 8: 5e5}[number]  # busier for a while
            seen.append(told.order(ask.GetMove(package="web")))
            told.run(0.3)
        left = [each["remaining_bytes"] for each in seen if each.get("remaining_bytes")]
        assert left != sorted(left, reverse=True), "at times there was more left than before"
        percents = [each["percent"] for each in seen]
        assert percents == sorted(percents) and len(set(percents)) > 5
        assert percents[-1] == 100 and seen[-1]["result"] == "completed"
        foretold = [each["forecast"]["total_ms"] for each in seen if each.get("remaining_bytes")]
        assert all(3_000 < each < 20_000 for each in foretold)
