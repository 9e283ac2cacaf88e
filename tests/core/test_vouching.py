"""Whoever an entry is by, the history names the node that proposed it."""

import pytest

from cluster.core import entries
from cluster.core.codec import decode_entry, encode_entry
from cluster.core.entries import Entry
from cluster.core.view import event
from cluster.core.vouching import vouched
from packages.core.values import changed
from tests.core.test_apply import Story, package


def forged(**fields: object) -> Entry:
    return entries.OperatorAdded(**{
        "id": "forged", "at_ms": 1, "by": "root", "because": "asked for by root", "name": "mal",
        "key": "k" * 40, "role": "full-admin", **fields})


@pytest.mark.parametrize("via", ["", "n1", "n3"])
def test_a_node_cannot_say_that_another_proposed(via: str) -> None:
    story = Story()
    raw = vouched(story.state, "n3", encode_entry(forged(via=via)))
    assert decode_entry(raw) == forged(via="n3")


def test_the_history_shows_who_it_is_by_and_who_proposed_it() -> None:
    story = Story()
    assert story.say(entries.PackageApplied, spec=package(), by="root", via="n3") is None
    number, told = max(story.state.events.items())
    assert (told.by, told.via) == ("root", "n3")
    assert event(number, told)["via"] == "n3"


def test_a_nodes_own_entry_names_it_once() -> None:
    story = Story()
    assert story.say(entries.PackageApplied, spec=package(), by="n3", via="n3") is None
    assert max(story.state.events.items())[1].via == ""


def test_the_same_order_by_way_of_another_node_is_the_same_order() -> None:
    """A proposer asks again until it hears, and the leader may have changed meanwhile."""
    story = Story()
    for via in ("n3", "n1"):
        assert story.say(
            entries.PackageApplied, id="a" * 16, spec=package(), by="root", via=via) is None


def test_what_is_no_entry_stays_as_it_is() -> None:
    assert vouched(Story().state, "n3", b"garbage") == b"garbage"


def test_while_an_older_node_takes_part_nothing_is_signed() -> None:
    story = Story()
    old = changed(story.state, nodes=story.state.nodes.set(
        "n1", changed(story.state.nodes["n1"], version="0.1.0")))
    assert vouched(old, "n3", encode_entry(forged())) == encode_entry(forged())
