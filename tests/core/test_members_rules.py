"""The set of nodes in the record: one change at a time, never at a package's cost."""

from typing import Any

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.core import entries
from cluster.core.apply import apply
from cluster.core.floor import floor, refused_by_floor, refused_version
from cluster.core.members import digest_of
from cluster.core.model import Member, Seat, State
from cluster.core.roles import is_settled, wanted_seats
from cluster.core.trust import NodeKeys, OperatorKey, Trust
from packages.core.model import DiskSpec, PackageSpec, VmSpec
from packages.core.versions import version_of


def package(*nodes: str) -> PackageSpec:
    vm = VmSpec(memory_mib=64, disks=(DiskSpec(path="/dev/disk"),))
    return PackageSpec(name="web", nodes=nodes, vm=vm)


class Record:
    """A state, and entries said to it; `say` returns the code of the refusal."""

    def __init__(self) -> None:
        self.state = State()

    def say(self, kind: type[entries.Entry], **fields: Any) -> str:
        index = self.state.applied + 1
        entry = kind(id=f"e{index}", at_ms=index, by="ann", because="-", **fields)
        self.state = apply(self.state, index, entry)
        refused = self.state.outcomes[entry.id].problem
        return refused.code if refused else ""

    def form(self, *names: str, witnesses: tuple[str, ...] = (), port: int = 1) -> str:
        members = tuple(
            Member(name=name, is_witness=name in witnesses, endpoint=f"tcp://{name}:{port}")
            for name in names)
        return self.say(
            entries.ClusterFormed, name="farm", nodes=names, config_text="-", members=members)

    def agree(self, *names: str, listening: tuple[str, ...] = ()) -> str:
        return self.say(entries.MembersAgreed, seats=tuple(
            Seat(name=name, votes=name not in listening, endpoint=f"tcp://{name}:1")
            for name in (*names, *listening)))

    def roles(self) -> dict[str, str]:
        return {name: each.role for name, each in sorted(self.state.nodes.items())}


@pytest.fixture
def record() -> Record:
    record = Record()
    assert record.form("n1", "n2", "n3") == ""
    assert record.agree("n1", "n2", "n3") == ""
    return record


def test_one_node_comes_in(record: Record) -> None:
    assert record.form("n1", "n2", "n3", "n4") == ""
    assert not is_settled(record.state)
    assert record.form("n1", "n2", "n3", "n4", "n5") == "membership-changing"
    record.agree("n1", "n2", "n3", listening=("n4",))
    assert record.form("n1", "n2", "n3", "n4", "n5") == ""
    assert record.roles() == dict.fromkeys(("n1", "n2", "n3", "n4", "n5"), "voter")
    assert {each.name for each in wanted_seats(record.state)} == set(record.state.nodes)


def test_two_changes_are_refused_whichever_way(record: Record) -> None:
    assert record.form("n1", "n2", "n3", "n4", "n5") == "membership-one-at-a-time"
    assert record.form("n1", "n2", "n4") == "membership-one-at-a-time"
    assert record.form("n1") == "membership-one-at-a-time"


def test_a_node_that_holds_a_package_stays(record: Record) -> None:
    record.say(entries.NodeJoined, node="n3", incarnation="i", version="0.2.0")
    assert record.say(entries.PackageApplied, spec=package("n3", "n1")) == ""
    assert record.say(
        entries.PackageAssigned, package="web", node="n3", boot_id="b") == ""
    assert record.form("n1", "n2") == "node-not-empty"


def test_a_removed_name_is_not_given_again(record: Record) -> None:
    assert record.form("n1", "n2") == ""
    record.agree("n1", "n2")
    assert record.form("n1", "n2", "n3") == "node-name-used"
    assert record.form("n1", "n2", "n4") == ""


def test_a_change_waits_until_the_log_says_who_votes() -> None:
    record = Record()
    record.form("n1", "n2", "n3")
    assert record.form("n1", "n2", "n3", "n4") == "membership-changing"
    assert record.form("n1", "n2", "n3") == ""
    record.agree("n1", "n2", "n3")
    assert record.form("n1", "n2", "n3", "n4") == ""


def test_a_file_made_from_an_older_one_is_refused(record: Record) -> None:
    def form(config_text: str, supersedes: str) -> str:
        return record.say(
            entries.ClusterFormed, name="farm", nodes=("n1", "n2", "n3"), config_text=config_text,
            members=record.state.members, supersedes=digest_of(supersedes))
    assert form("first", "-") == ""
    assert form("second", "-") == "cluster-file-changed"
    assert form("second", "first") == ""


def trusting(record: Record, *, admins: tuple[str, ...]) -> None:
    record.say(entries.TrustFormed, trust=Trust(
        nodes=tuple(NodeKeys(node=name, key=f"key of {name}") for name in record.state.nodes),
        operators=tuple(
            OperatorKey(name=name, key=f"key of {name}", role="full-admin") for name in admins),
    ))


def test_nothing_of_a_removed_node_opens_a_door(record: Record) -> None:
    trusting(record, admins=("ann", "root@n3"))
    assert record.form("n1", "n2") == ""
    # Its vote may be needed until the log is without it; its operator's orders are not.
    assert record.state.trust.node("n3") is not None
    assert record.state.trust.operator("root@n3") is None
    record.agree("n1", "n2")
    assert record.state.trust.node("n3") is None


def test_an_invitation_goes_with_its_node(record: Record) -> None:
    trusting(record, admins=("ann",))
    assert record.form("n1", "n2", "n3", "n4") == ""
    record.agree("n1", "n2", "n3", listening=("n4",))
    assert record.say(
        entries.NodeInvited, node="n4", key="of the line", role="monitor", until_ms=1000) == ""
    invited = record.state.trust.invitations[0].id
    assert record.form("n1", "n2", "n3") == ""
    assert record.say(
        entries.NodeAdmitted, node="n4", invitation=invited, key="a", operator_key="b",
        digest="-") == "unknown-node"
    assert not record.state.trust.invitations and not record.state.trust.is_known("of the line")


def test_the_last_admin_does_not_go_with_a_node(record: Record) -> None:
    trusting(record, admins=("root@n3",))
    assert record.form("n1", "n2") == "last-admin"
    record.say(entries.OperatorAdded, name="ann", key="of ann", role="full-admin")
    assert record.form("n1", "n2") == ""


def test_address_and_role_of_a_member_stay(record: Record) -> None:
    assert record.form("n1", "n2", "n3", port=2) == "membership-fixed"
    assert record.form("n1", "n2", "n3", witnesses=("n3",)) == "membership-fixed"
    assert record.form("n1", "n2", "n3") == ""


def test_seven_vote_and_whoever_votes_keeps_it() -> None:
    record = Record()
    names = tuple(f"n{number}" for number in range(1, 10))
    record.form(*names)
    assert [name for name, role in record.roles().items() if role == "follower"] == ["n8", "n9"]
    record.agree(*names[:7], listening=names[7:])
    assert record.form("n0", *names) == ""
    assert record.roles()["n0"] == "follower" and record.roles()["n7"] == "voter"
    record.agree(*names[:7], listening=(*names[7:], "n0"))
    assert record.form("n0", *names[1:]) == ""
    assert record.roles()["n0"] == "voter"
    assert list(record.roles().values()).count("voter") == 7


def test_no_package_names_a_witness() -> None:
    record = Record()
    record.form("n1", "n2", "w", witnesses=("w",))
    assert record.roles() == {"n1": "voter", "n2": "voter", "w": "witness"}
    assert record.say(entries.PackageApplied, spec=package("n1", "w")) == "node-is-witness"


@pytest.mark.parametrize(("witnesses", "is_taken"), [(0, True), (1, True), (2, False)])
def test_witnesses_are_fewer_than_the_others(witnesses: int, is_taken: bool) -> None:
    nodes = "".join(
        f"  - {{name: n{number}, address: 10.0.0.{number + 1}"
        + (", role: witness" if number < witnesses else "") + "}\n"
        for number in range(3))
    config, problems = cluster_from_text(f"name: farm\nnodes:\n{nodes}")
    assert (config is not None) is is_taken
    assert [each.code for each in problems] == ([] if is_taken else ["config-bad-value"])


# Versions

def test_the_floor_is_the_lowest_version(record: Record) -> None:
    joins = ("n1", "0.1.3"), ("n2", "0.1.3"), ("n3", "0.1.3"), ("n1", "0.2.0"), ("n3", "0.2.1")
    for name, version in joins:
        assert record.say(
            entries.NodeJoined, node=name, incarnation="i", version=version) == ""
    assert floor(record.state) == version_of("0.1.3")
    since = {entries.Noted: (0, 2, 0)}
    refused = refused_by_floor(record.state, entries.Noted, since)
    assert refused is not None and refused.code == "version-floor" and "n2" in refused.because
    record.say(entries.NodeJoined, node="n2", incarnation="j", version="0.2.0")
    assert refused_by_floor(record.state, entries.Noted, since) is None


def test_only_adjacent_versions_take_part_and_none_goes_below_the_floor(record: Record) -> None:
    for name in ("n1", "n2"):
        record.say(entries.NodeJoined, node=name, incarnation="i", version="0.2.0")
    assert record.say(
        entries.NodeJoined, node="n3", incarnation="i", version="0.4.0") == "node-version-differs"
    assert record.say(
        entries.NodeJoined, node="n3", incarnation="i", version="0.1.9") == "node-version-differs"
    assert record.say(entries.NodeJoined, node="n3", incarnation="i", version="0.3.0") == ""
    assert refused_version(record.state, "n3", "0.2.0") is None
    assert refused_version(record.state, "n1", "1.0.0") is not None
