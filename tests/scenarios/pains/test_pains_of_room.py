"""Pains of room, told: refusals for the wrong reason, and no room left when a node dies."""

from typing import Any

from cluster.api import messages as ask
from cluster.core.coordinator import TRY_AGAIN_MS
from tests.scenarios.pains.farm import WEB, Farm, farm
from tests.simulation.world import package

PLENTY_MIB = 100 * 1024
NEEDED_MIB = WEB.vm.memory_mib + 64
"""With what QEMU takes for itself (packages/core/preflight_rules/memory.py)."""
TAKEOVER_S = 7.0


def against(told: Farm, node: str) -> list[dict[str, Any]]:
    """Every reason against a move of web to this node."""
    answer = told.answer(ask.Preflight(package="web", node=node))
    (found,) = answer.result["nodes"]
    problems: list[dict[str, Any]] = found["problems"]
    assert found["allowed"] == (not problems)
    return problems


def test_p09_a_refusal_names_what_is_in_the_way_and_nothing_else() -> None:
    with farm() as told:
        bee = told.hosts["bee"].facts
        bee.memory_free_mib = PLENTY_MIB
        assert against(told, "bee") == []
        bee.missing_disks = {"/dev/web"}
        assert [each["code"] for each in against(told, "bee")] == ["disk-not-visible"]
        bee.missing_disks = set()
        told.order(ask.SetSwitching(package="web", node="bee", enabled=False, reason="a noisy fan"))
        (kept,) = against(told, "bee")
        assert kept["code"] == "node-switching-disabled" and "a noisy fan" in kept["because"]
        told.order(ask.SetSwitching(package="web", node="bee", enabled=True))
        told.order(ask.DrainNode(node="bee"))
        assert [each["code"] for each in against(told, "bee")] == ["node-in-maintenance"]
        told.order(ask.ResumeNode(node="bee"))
        assert against(told, "bee") == []


def test_p09_memory_is_refused_by_its_numbers_and_only_below_them() -> None:
    with farm() as told:
        bee = told.hosts["bee"].facts
        bee.memory_free_mib = NEEDED_MIB
        assert against(told, "bee") == []
        bee.memory_free_mib -= 1
        (short,) = against(told, "bee")
        assert short["code"] == "memory-short"
        assert f"{NEEDED_MIB - 1} MiB free" in short["because"]
        assert f"needs {NEEDED_MIB} MiB" in short["because"] and short["fix"]


def test_p16_a_takeover_finds_the_node_that_has_the_memory() -> None:
    """Room is looked for where it is: a node without it costs a moment and no takeover."""
    with farm() as told:
        told.hosts["bee"].facts.memory_free_mib = NEEDED_MIB - 1
        told.lose_power("ape")
        told.until(lambda: told.running() == ["cat"], within_s=TAKEOVER_S, what="cat has it")
        because = " ".join(each.because for each in told.state.events.values())
        assert "bee lacks memory for web" in because


def test_p16_without_room_anywhere_it_waits_says_so_and_starts_when_there_is() -> None:
    with farm() as told:
        for name in ("bee", "cat"):
            told.hosts[name].facts.memory_free_mib = NEEDED_MIB - 1
        told.lose_power("ape")
        told.until(lambda: told.record().owner is None, within_s=TAKEOVER_S, what="ape is dead")
        told.run(10.0)
        assert "lacks memory for web" in told.problems()["no-node-available"]["because"]
        for name in ("bee", "cat"):
            told.hosts[name].facts.memory_free_mib = NEEDED_MIB
        told.until(lambda: told.running() == ["bee"], within_s=TRY_AGAIN_MS / 1000 + TAKEOVER_S,
                   what="it starts by itself")


def test_p16_what_is_kept_for_takeovers_is_kept_from_all_else_and_is_there_then() -> None:
    """Each node has room for web and one more; that of one is kept."""
    mail = package("mail", ("bee", "cat", "ape"))
    with farm(WEB, reserve_mib=NEEDED_MIB) as told:
        for host in told.hosts.values():
            host.facts.memory_free_mib = 2 * NEEDED_MIB - 1
        refused = told.answer(ask.MovePackage(package="web", node="bee"))
        assert [each.code for each in refused.problems] == ["memory-reserved"]
        assert [each["code"] for each in against(told, "bee")] == ["memory-reserved"]
        told.apply(mail)
        told.until(lambda: told.record("mail").state == "failed", within_s=20.0, what="its refusal")
        assert "kept" in told.problems()["package-failed"]["because"]
        assert told.running("mail") == []
        told.lose_power("ape")
        told.until(lambda: told.running() == ["bee"], within_s=TAKEOVER_S, what="web is taken over")
        told.order(ask.DrainNode(node="bee"))
        told.until(lambda: told.running() == ["cat"], within_s=20.0, what="bee is drained")
        told.order(ask.ResumeNode(node="bee", bring_back=True))
        told.until(lambda: told.running() == ["bee"], within_s=20.0, what="web is back")
