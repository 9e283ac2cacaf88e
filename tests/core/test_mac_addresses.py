"""One MAC address, one package: at the check, and in the record."""

import pytest

from cluster.core import entries
from cluster.core.codec import decode_state, encode_state
from packages.core.mac_addresses import mac_unusable
from packages.core.model import NetworkSpec, PackageSpec
from packages.core.values import changed
from tests.core.test_apply import Story, package

MAC = "52:54:00:aa:bb:01"


def on(name: str, *macs: str, **fields: object) -> PackageSpec:
    spec = package(name=name, **fields)
    networks = tuple(NetworkSpec(vswitch="lan0", mac=mac) for mac in macs)
    return changed(spec, vm=changed(spec.vm, networks=networks))


def apply(story: Story, spec: PackageSpec) -> str | None:
    return story.say(entries.PackageApplied, spec=spec)


@pytest.mark.parametrize("same", [MAC, MAC.upper(), MAC.replace(":", "-")])
def test_two_applies_that_race_cannot_both_have_an_address(same: str) -> None:
    story = Story()
    assert apply(story, on("a", MAC)) is None
    assert apply(story, on("b", "52:54:00:aa:bb:02", same)) == "mac-in-use"
    assert "b" not in story.state.packages
    assert apply(story, on("b", "52:54:00:aa:bb:02")) is None
    assert apply(story, on("b", same)) == "mac-in-use"
    assert dict(story.state.macs) == {MAC: "a", "52:54:00:aa:bb:02": "b"}


def test_an_address_that_is_given_up_may_be_taken() -> None:
    story = Story()
    assert apply(story, on("a", MAC)) is None
    assert apply(story, on("a", MAC, description="again")) is None
    assert apply(story, on("a")) is None
    assert apply(story, on("b", MAC)) is None
    assert story.say(entries.PackageDeleted, package="b") is None
    assert apply(story, on("a", MAC)) is None
    assert dict(story.state.macs) == {MAC: "a"}


def test_the_index_is_the_same_after_a_snapshot() -> None:
    story = Story()
    apply(story, on("a", MAC, "52:54:00:aa:bb:02"))
    apply(story, on("b", "52:54:00:aa:bb:03"))
    assert decode_state(encode_state(story.state)).macs == story.state.macs


@pytest.mark.parametrize("mac", ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
                                 "33:33:00:00:00:01"])
def test_an_address_that_no_guest_may_have_is_refused_in_the_record_too(mac: str) -> None:
    story = Story()
    assert apply(story, on("a", mac)) == "mac-unusable"
    assert mac_unusable(on("a", MAC)) == []


def test_a_package_that_has_one_from_before_the_rule_can_still_be_changed() -> None:
    """A record of an earlier version may hold two with one address, and one of them runs."""
    story = Story()
    assert apply(story, on("a", MAC)) is None
    twin = changed(story.state.packages["a"], spec=on("b", MAC))
    story.machine.state = changed(
        story.state, packages=story.state.packages.set("b", twin))
    assert apply(story, on("b", MAC, description="no other change")) is None
    assert apply(story, on("b", MAC, "52:54:00:aa:bb:02")) is None
    assert story.state.macs[MAC] == "a"
