"""What is asked about before it is done, and a check that finds all that an apply refuses."""

import pytest

from cluster.answers.consent import access_lost, unconfirmed
from cluster.api import messages as ask
from cluster.config.load import dump
from cluster.config.schema import MigrationConfig, VswitchConfig
from packages.core.values import changed
from tests.scenarios.pains.farm import Farm, farm
from tests.simulation.world import file_of, package


def codes(reply: ask.Reply) -> list[str]:
    return [each.code for each in reply.problems]


def file(told: Farm) -> str:
    """The cluster file as it was agreed upon; the simulation's nodes begin with one of their own.
    """
    text: str = told.order(ask.GetConfig())["text"]
    if not text:
        text = dump(told.world.config)
        told.order(ask.ApplyCluster(text=text))
    return text


def test_a_node_is_removed_for_good_only_by_who_says_so() -> None:
    with farm(package("web", ("bee", "cat"))) as told:
        wish = ask.RemoveNode(node="ape", confirmed=False)
        shown = told.answer(changed(wish, dry_run=True))
        assert shown.verdict == "done"
        assert [each["code"] for each in shown.result["consequences"]] == ["node-gone"]
        refused = told.answer(wish)
        assert refused.verdict == "refused" and codes(refused) == ["not-confirmed", "node-gone"]
        assert "--yes" in refused.problems[0].fix and "ape" in told.state.nodes
        told.order(changed(wish, confirmed=True))
        assert "ape" not in told.state.nodes


def test_what_cannot_be_done_needs_no_consent() -> None:
    with farm() as told:
        assert codes(told.answer(ask.RemoveNode(node="ape", confirmed=False))) == ["node-not-empty"]
        assert codes(told.answer(ask.FenceNode(node="ape", confirmed=False))) == ["fence-unknown"]
        assert codes(told.answer(ask.RemoveOperator(name="nobody", confirmed=False))) == [
            "unknown-operator"]


def test_a_package_left_with_one_node_is_told_of_with_the_node_that_goes() -> None:
    with farm(package("web", ("bee", "ape"))) as told:
        found = told.answer(ask.RemoveNode(node="ape", confirmed=False))
        assert codes(found) == ["not-confirmed", "node-gone", "survivability-worse"]


@pytest.mark.parametrize("change", [
    {"nodes": ("ape",)}, {"auto_run": False}, {"lease_is_proof": False},
])
def test_a_package_that_would_survive_less_is_not_applied_in_passing(
    change: dict[str, object],
) -> None:
    with farm() as told:
        before = told.record().spec
        weaker = changed(before, **change)
        wish = ask.ApplyPackages(
            files=(ask.NamedText(name="web.yaml", text=file_of(weaker)),), confirmed=False)
        shown = told.answer(changed(wish, dry_run=True))
        assert shown.result["consequences"][0]["code"] == "survivability-worse"
        assert codes(told.answer(wish))[0] == "not-confirmed" and told.record().spec == before
        told.order(changed(wish, confirmed=True))
        assert told.record().spec == weaker
        back = ask.ApplyPackages(
            files=(ask.NamedText(name="web.yaml", text=file_of(before)),), confirmed=False)
        assert told.answer(back).verdict == "done", "what makes it better is not asked about"


@pytest.mark.parametrize(("change", "code", "line"), [
    ({"name": "other"}, "cluster-renamed", "name: "),
    ({"profile": "wan"}, "profile-changed", "profile: lan -> wan"),
    ({"vswitches": (VswitchConfig(name="lan0", subnet="10.9.9.0/24"),)}, "network-changed",
     "vswitch lan0: 10.1.0.0/24 -> 10.9.9.0/24"),
    ({"migration": MigrationConfig(transport="plain", private=True)}, "migration-channel-insecure",
     "migration: transport: tls -> plain"),
    ({"takeover_reserve_mib": 64}, "survivability-worse", "takeover_reserve_mib: 512 -> 64"),
])
def test_a_cluster_file_is_applied_with_its_differences_in_sight(
    change: dict[str, object], code: str, line: str,
) -> None:
    with farm() as told:
        config = changed(
            told.world.config, profile="lan", takeover_reserve_mib=512,
            vswitches=(VswitchConfig(name="lan0", subnet="10.1.0.0/24"),))
        told.order(ask.ApplyCluster(text=dump(config)))
        wish = ask.ApplyCluster(
            text=dump(changed(config, **change)), source="my.yaml", confirmed=False)
        checked = told.answer(ask.CheckCluster(text=wish.text, source="my.yaml"))
        assert checked.verdict == "done" and codes(checked) == [code]
        assert [each[:len(line)] for each in checked.result["differences"]] == [line]
        assert codes(told.answer(wish)) == ["not-confirmed", code]
        assert file(told) != wish.text
        done = told.order(changed(wish, confirmed=True))
        assert done["differences"] == checked.result["differences"] and file(told) == wish.text


def test_a_file_that_says_the_same_is_no_question() -> None:
    with farm() as told:
        text = f"# mine\n{file(told)}"
        done = told.order(ask.ApplyCluster(text=text, confirmed=False))
        assert done["differences"] == []


def test_a_check_finds_what_an_apply_refuses() -> None:
    with farm() as told:
        text = file(told)
        nodes = told.world.config.nodes
        without = dump(changed(told.world.config, nodes=nodes[1:]))
        moved = dump(changed(told.world.config, nodes=(
            changed(nodes[0], raft_port=7777), *nodes[1:])))
        for wrong in (without, moved, text.replace("name: cat", "name: all"), f"{text}nodez: 1\n"):
            applied = told.answer(ask.ApplyCluster(text=wrong, source="my.yaml"))
            checked = told.answer(ask.CheckCluster(text=wrong, source="my.yaml"))
            assert applied.verdict == checked.verdict == "refused", wrong
            assert codes(applied) == codes(checked)
        assert "my.yaml line" in checked.problems[0].what


def test_who_removes_their_own_key_hears_what_follows() -> None:
    """Asked by a node in the simulation, whose own key is another: so the answer is asked alone."""
    follows = access_lost("root")
    wish = ask.RemoveOperator(name="root", confirmed=False)
    refused = unconfirmed(wish, [follows])
    assert refused is not None and codes(refused) == ["not-confirmed", "access-lost"]
    assert unconfirmed(changed(wish, confirmed=True), [follows]) is None
    assert unconfirmed(wish, []) is None
