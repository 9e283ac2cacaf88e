"""Pains of failures, told: what is taken for dead, what is started again, and what is shown."""

from functools import partial

import pytest

from cluster.api import messages as ask
from cluster.core.model import MoveStage
from packages.core.limits import Limits
from packages.core.model import DependencySpec, MonitorSpec
from packages.core.values import changed
from tests.scenarios.pains.farm import WEB, Farm, farm
from tests.simulation.world import file_of, package

TAKEOVER_S = 5.0
"""From a power cut until the takeover begins, with profile `lan` and the lease alone."""
STARTED_S = 1.0
NOTICED_S = 3.0
PAUSED_S = 7.0
"""Somebody may have paused it for a moment: two looks are forgiven."""


def test_p05_a_daemons_restart_is_not_a_guests_death() -> None:
    with farm() as told:
        before, lives, history = told.pids(), told.lives(), told.told("package:web")
        for name in ("ape", "bee", "cat", "ape"):
            told.restart_daemon(name)
            told.run(4.0)
            told.until_settled()
        assert told.pids() == before and told.lives() == lives
        assert told.told("package:web") == history
        assert all(each.state == "running" for each in told.state.nodes.values())


def test_p14_a_switch_that_fails_for_all_costs_a_pause_and_no_reboot() -> None:
    """Nobody has a majority, so nobody may run anything: all stand, and all go on."""
    outage_s = 30.0  # much longer than a lease
    impatient = MonitorSpec(name="state", kind="qemu", interval_s=0.5, timeout_s=0.5, retries=0)
    mail = package("mail", ("bee", "cat", "ape"))
    with farm(changed(WEB, monitors=(impatient,)), mail) as told:
        before, lives = told.pids(), told.lives()
        told.cut_off("ape", "bee", "cat")
        told.until(lambda: not told.running("web") and not told.running("mail"), within_s=5.0,
                   what="everything stands")
        told.run(outage_s - 5.0)
        told.world.network.heal()
        told.until(lambda: told.running("web") == ["ape"] and told.running("mail") == ["bee"],
                   within_s=5.0, what="everything goes on")
        told.run(10.0)
        told.until_settled()
        assert told.pids() == before and told.lives() == lives
        assert all(host.has_power for host in told.hosts.values())
        assert all(each.state == "running" and not each.failures_ms and each.proof is None
                   for each in told.state.nodes.values())


def test_p14_a_node_cut_off_for_less_than_its_lease_is_not_noticed() -> None:
    with farm() as told:
        before, history = told.pids(), told.told("node:ape")
        for _ in range(3):
            told.cut_off("ape")
            for _ in range(25):
                assert told.running() == ["ape"]
                told.run(0.1)
            told.world.network.heal()
            told.run(5.0)
        assert told.pids() == before and told.told("node:ape") == history


def test_p15_a_blip_of_the_storage_kills_no_host_and_doubles_no_guest() -> None:
    """All guests of a host get errors from their disks, which it then cannot open; its network is
    well. The host is alive and says so, and each guest is seen dead before it starts elsewhere."""
    names = ("db", "mail", "web")
    with farm(*(package(name, ("ape", "bee", "cat")) for name in names)) as told:
        told.hosts["ape"].driver.missing_disks = {f"/dev/{name}" for name in names}
        for name in names:
            told.harm("ape", partial(told.fabric.break_guest, "ape", name, "io-error"))
        told.until(lambda: told.on("bee") == list(names), within_s=20.0, what="all on bee")
        ape = told.node("ape")
        assert (ape.state, ape.proof, ape.failures_ms) == ("running", None, ())
        assert all(each.proof is None for each in told.state.packages.values()), "nobody died"
        assert "error of its storage" in " ".join(
            each.because for each in told.state.events.values() if each.subject == "package:web")
        told.hosts["ape"].driver.missing_disks = set()
        told.run(20.0)
        told.until_settled()
        assert [told.running(name) for name in names] == [["bee"]] * 3


def test_p15_while_no_node_reaches_the_storage_nothing_is_fenced_and_the_reason_is_shown() -> None:
    with farm() as told:
        told.fabric.missing_disks = {"/dev/web"}
        told.harm("ape", partial(told.fabric.break_guest, "ape", "web", "io-error"))
        told.until(lambda: told.record().state == "failed", within_s=30.0, what="given up")
        assert all(each.state == "running" for each in told.state.nodes.values())
        assert "could not open /dev/web" in told.problems()["package-failed"]["because"]
        told.fabric.missing_disks = set()
        assert told.order(ask.RunPackage(package="web"))["node"] == "ape"
        told.until_settled()


def test_p17_what_others_need_starts_first_and_no_node_starts_all_at_once() -> None:
    """Also after a takeover: by importance, then by name, three at once, none before what it
    needs runs."""
    places, needed = ("ape", "bee"), (DependencySpec(package="db"),)
    apps = [package(f"app{number}", places, dependencies=needed) for number in range(1, 5)]
    first = package("first", places, priority=2, dependencies=needed)
    limits = Limits(starts_per_node=3)
    with farm(package("db", places), *apps, first, package("early", places, priority=1),
              limits=limits) as told:
        told.lose_power("ape")
        at_once, ready = [], []
        for _ in range(1500):
            at_once.append(sum(each.state == "starting" for each in told.state.packages.values()))
            if told.record("db").state != "running":
                ready.append({told.record(each.name).state for each in (first, *apps)})
            told.run(0.01)
        assert len(told.on("bee")) == 7
        assert max(at_once) == 3, "as many as a node may start at once, and no more"
        assert set().union(*ready) == {"relocate_wait"}
        order = started(told)[-7:]
        assert order == ["early", "db", "first", "app1", "app2", "app3", "app4"]


def started(told: Farm) -> list[str]:
    return [each.subject.removeprefix("package:") for _, each in sorted(told.state.events.items())
            if each.what == "package starting"]


@pytest.mark.parametrize("lease_is_proof", [True, False])
def test_p19_what_is_on_a_dead_host_is_never_shown_as_up(lease_is_proof: bool) -> None:
    spec = package("web", ("ape", "bee", "cat"), lease_is_proof=lease_is_proof)
    with farm(spec) as told:
        coordinator = told.coordinator()
        told.lose_power("ape")
        if coordinator.name == "ape":
            told.coordinator()
        told.run(1.0)  # it is suspected
        for _ in range(40):
            shown = told.shown("web")
            if shown["status"] == "up":
                assert told.running() == [shown["node"]]
            told.run(0.25)
        if lease_is_proof:
            assert shown["status"] == "up" and shown["node"] == "bee"
            assert shown["proof"]["kind"] == "lease" and shown["proof"]["node"] == "ape"
            return
        assert (shown["status"], shown["node"]) == ("unknown", "ape")
        waiting = told.problems()["proof-missing"]
        assert "confirm-dead ape" in waiting["fix"]
        told.order(ask.ConfirmDead(node="ape", reason="its plug is out"))
        told.until(lambda: told.running() == ["bee"], within_s=TAKEOVER_S, what="taken over")


@pytest.mark.parametrize("loses_coordinator", [False, True])
def test_p20_a_dead_node_is_taken_over_in_seconds_also_when_it_coordinated(
    loses_coordinator: bool,
) -> None:
    """Nothing had to be switched on for that."""
    with farm() as told:
        coordinator = told.coordinator().name
        is_there = coordinator == "ape"
        if is_there != loses_coordinator:
            target = coordinator if loses_coordinator else "cat"
            told.move("web", target)
            told.until_settled()
        owner = told.record().owner
        assert owner is not None
        told.lose_power(owner)
        told.until(lambda: told.running() not in ([], [owner]), within_s=TAKEOVER_S + STARTED_S,
                   what="it runs elsewhere")
        record = told.record()
        assert record.proof is not None and record.proof.kind == "lease"


def test_p20_a_package_that_nobody_would_take_over_says_so() -> None:
    with farm() as told:
        told.order(ask.SetSwitching(package="web", enabled=False, reason="tests"))
        assert told.shown("web")["auto_run"] is False
        told.lose_power("ape")
        told.until(lambda: told.record().lost is not None, within_s=10.0, what="it stays down")
        assert "package run web" in told.problems()["owner-lost"]["fix"]
        assert told.order(ask.RunPackage(package="web"))["node"] in ("bee", "cat")


def test_p20_a_package_with_a_single_node_is_warned_of_when_it_is_checked() -> None:
    with farm() as told:
        for nodes, codes in ((("ape",), ["package-on-one-node"]), (("ape", "bee"), [])):
            spec = package("mail", nodes, lease_is_proof=False)
            answer = told.answer(ask.CheckPackages(
                files=(ask.NamedText(name="mail", text=file_of(spec)),)))
            assert (answer.verdict, [each.code for each in answer.problems]) == ("done", codes)


@pytest.mark.parametrize("kind", ["io-error", "panicked", "watchdog", "paused"])
def test_p21_a_guest_that_stands_is_no_running_guest(kind: str) -> None:
    with farm() as told:
        life = told.record().boot_id
        told.harm("ape", partial(stand, told, kind))
        patience_s = PAUSED_S if kind == "paused" else NOTICED_S
        told.until(lambda: told.record().boot_id != life, within_s=patience_s, what="it is noticed")
        told.until(lambda: told.running() == ["ape"], within_s=5.0, what="it is started again")
        assert "restart 1 of 1 on the spot" in told.record().because
        told.until_settled()


def stand(told: Farm, kind: str) -> None:
    if kind == "paused":
        told.guest("ape").become("paused")  # by somebody who stopped it by hand
    else:
        told.fabric.break_guest("ape", "web", kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(("stage", "node"), [("frozen", "ape"), ("committed", "bee")])
def test_p21_a_guest_that_a_move_left_standing_is_let_run(stage: MoveStage, node: str) -> None:
    """Whoever was to let it run is started anew just then, and on the way there the channel
    broke."""
    with farm() as told:
        life = told.record().boot_id
        for host in told.hosts.values():
            host.driver.switch_s = 0.05

        def strike() -> None:
            told.restart_daemon(node)
            if stage == "frozen":
                told.cut_off("bee")
                told.world.timeline.after(3.0, told.world.network.heal)

        told.at_stage(stage, strike)
        told.move("web", "bee")
        told.until(lambda: not told.record().moving, within_s=20.0, what="its end")
        told.until(lambda: len(told.running()) == 1, within_s=5.0, what="it runs")
        told.until_settled()
        assert told.record().boot_id == life
