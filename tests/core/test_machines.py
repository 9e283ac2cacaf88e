"""Which machine a guest is started as, where its nodes have different QEMUs."""

import pytest

from cluster.core import entries
from packages.core.machines import Choice, chosen, versioned
from tests.core.test_apply import Story
from tests.core.test_truth import shown

OLD = ("pc-i440fx-7.2", "pc-q35-6.2", "pc-q35-7.2")
NEW = ("pc-i440fx-10.0", "pc-i440fx-7.2", "pc-q35-10.0", "pc-q35-10.0.1", "pc-q35-7.2",
       "pc-q35-9.2")


@pytest.mark.parametrize("machine,known,choice", [
    ("q35", {"n1": NEW, "n2": NEW}, Choice(machine="pc-q35-10.0.1")),
    ("q35", {"n1": NEW, "n2": OLD}, Choice(machine="pc-q35-7.2")),
    ("pc", {"n1": NEW, "n2": OLD}, Choice(machine="pc-i440fx-7.2")),
    ("pc-q35-10.0", {"n1": NEW, "n2": OLD}, Choice(machine="pc-q35-10.0")),
    ("microvm", {"n1": NEW, "n2": OLD}, Choice(machine="microvm")),
    ("q35", {"n1": NEW, "n2": ()}, Choice(machine="pc-q35-10.0.1", unknown=("n2",))),
    ("q35", {"n1": NEW, "n2": OLD, "n3": ()}, Choice(machine="pc-q35-7.2", unknown=("n3",))),
    ("q35", {"n1": NEW, "n2": ("pc-q35-6.2",)}, Choice(machine="pc-q35-10.0.1", unknown=("n2",))),
    ("q35", {"n1": (), "n2": OLD}, Choice(machine="q35", unknown=("n1", "n2"))),
])
def test_the_newest_that_all_are_known_to_have(
    machine: str, known: dict[str, tuple[str, ...]], choice: Choice,
) -> None:
    assert chosen(machine, known, "n1") == choice


def test_aliases_and_other_boards_are_not_kept() -> None:
    told = ("none", "pc", "q35", "microvm", "pc-q35-7.2", "pc-i440fx-2.12", "xenfv-4.2")
    assert versioned(told) == ("pc-i440fx-2.12", "pc-q35-7.2")


def test_a_guest_that_cannot_move_everywhere_is_named() -> None:
    story = Story().running(nodes=("n1", "n2"))
    assert shown(story)[1] == [], "nobody has said what it knows"
    for name, machines in (("n1", NEW), ("n2", OLD), ("n3", ("pc-q35-6.2",))):
        assert story.say(entries.HypervisorChanged, node=name, incarnation="i1", qemu="-",
                         machines=machines) is None
    assert shown(story)[1] == []
    assert story.say(entries.HypervisorChanged, node="n2", incarnation="i1", qemu="6.2",
                     machines=("pc-q35-6.2",)) is None
    assert shown(story)[1] == ["machine-not-everywhere"]
    assert story.say(entries.HypervisorChanged, node="n2", incarnation="other", qemu="7.2",
                     machines=OLD) == "stale-order"
