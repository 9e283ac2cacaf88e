"""Room is a fact of a node: short before it is gone, and said with numbers."""

from pathlib import Path

import pytest

from cluster.api.messages import AnyRequest, AskRoom, Reply
from cluster.nodes.room import rooms_of
from cluster.rooms import KNOWN_S, Rooms
from packages.core.problem import Problem, problem
from packages.core.room import MIB, Room, descriptors_problem, guest_shortage, room_problem
from packages.core.values import changed, plain
from tests.raft.rig import HandClock

STATE = Room(
    folder="state", path="/var/lib/vmsg", free_bytes=64 * MIB, total_bytes=4096 * MIB,
    free_files=256, total_files=100_000)
SMALL = changed(STATE, total_bytes=16 * MIB, free_bytes=4 * MIB)


@pytest.mark.parametrize(("good", "short"), [
    (STATE, changed(STATE, free_bytes=64 * MIB - 1)),
    (STATE, changed(STATE, free_files=255)),
    (SMALL, changed(SMALL, free_bytes=4 * MIB - 1)),
    (changed(STATE, free_files=0, total_files=0), changed(STATE, free_bytes=0)),
    (changed(STATE, folder="run", free_bytes=16 * MIB), changed(
        STATE, folder="run", free_bytes=16 * MIB - 1)),
    (changed(STATE, folder="etc", free_bytes=4 * MIB), changed(
        STATE, folder="etc", free_bytes=4 * MIB - 1)),
], ids=["bytes", "inodes", "small", "no inodes", "run", "etc"])
def test_each_folder_is_short_below_its_threshold(good: Room, short: Room) -> None:
    assert room_problem("n1", [good]) is None
    found = room_problem("n1", [good, short])
    assert found is not None and found.code == "room-short" and found.subject == "node:n1"


def test_the_problem_tells_which_folder_what_is_left_and_where_to_look() -> None:
    found = room_problem("n2", [
        changed(SMALL, free_bytes=MIB), changed(STATE, folder="etc", path="/etc/vmsg"),
        changed(STATE, folder="run", path="/run/vmsg", free_files=3)])
    assert found is not None
    assert found.because == (
        "/var/lib/vmsg (state folder) has 1.0 of 16.0 MiB free, 4.0 should be. "
        "/run/vmsg (run folder) has 3 of 100000 inodes free, 256 should be.")
    assert "On n2, see what fills it: du -xh /var/lib/vmsg /run/vmsg" in found.fix


@pytest.mark.parametrize(("left", "limit", "is_short"), [
    (256, 65536, False), (255, 65536, True), (128, 1024, False), (127, 1024, True), (0, 0, False),
])
def test_a_daemon_is_short_of_descriptors_below_its_threshold(
    left: int, limit: int, is_short: bool,
) -> None:
    room = changed(STATE, folder="run", free_descriptors=left, total_descriptors=limit)
    found = descriptors_problem("n1", [STATE, room])
    assert (found is not None) is is_short
    if found is not None:
        assert (found.code, found.subject) == ("descriptors-short", "node:n1")
        assert f"It may open {left} more of {limit}" in found.because


def test_a_guest_asks_for_the_run_folder_alone() -> None:
    full = changed(STATE, free_bytes=0, free_files=0)
    assert guest_shortage([full]) is None
    said = guest_shortage([full, changed(full, folder="run", path="/run/vmsg")])
    assert said == "its run folder /run/vmsg has 0.0 MiB free, a guest needs 1.0 MiB there"


def test_the_file_system_is_asked_also_of_a_folder_that_is_still_to_be_made(
    tmp_path: Path,
) -> None:
    made, missing = rooms_of({"state": tmp_path, "run": tmp_path / "a" / "b"})
    assert made.folder == "state" and 0 < made.free_bytes <= made.total_bytes
    assert missing.path == str(tmp_path / "a" / "b")
    assert missing.total_bytes == made.total_bytes


class Peer:
    """Another node, in agreement or not."""

    def __init__(self, *rooms: Room) -> None:
        self.said: Reply | Problem = Reply(result=[plain(each) for each in rooms])

    async def ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        assert isinstance(request, AskRoom)
        return self.said


FULL = changed(STATE, free_bytes=0)


async def here() -> tuple[Room, ...]:
    return (STATE,)


async def test_every_node_tells_which_nodes_are_short() -> None:
    rooms = Rooms(node="n1", clock=HandClock(), look=here, neighbours={
        "n3": Peer(FULL), "n2": Peer(FULL), "n4": Peer(STATE)})
    assert rooms.problems() == []
    await rooms.ask()
    assert [each.subject for each in rooms.problems()] == ["node:n2", "node:n3"]
    assert rooms.own() == (STATE,)


async def test_who_refuses_this_nodes_key_is_known_until_he_does_not() -> None:
    """So a node that was removed while it was cut off can say so."""
    peer = Peer(STATE)
    answer = peer.said
    peer.said = problem("not-authorised", "node:n2", what="", because="", fix="")
    rooms = Rooms(node="n1", clock=HandClock(), look=here, neighbours={"n2": peer})
    await rooms.ask()
    assert rooms.refusing == {"n2"}
    peer.said = answer
    await rooms.ask()
    assert rooms.refusing == set()


@pytest.mark.parametrize("said", [
    problem("node-unreachable", "node:n2", what="", because="", fix=""),
    Reply(verdict="refused"), Reply(result=[{"folder": "cellar"}]), Reply(result="?"),
])
async def test_who_falls_silent_is_remembered_for_a_while(said: Reply | Problem) -> None:
    """Perhaps it is silent because of it; perhaps it was switched off, and is as good as new."""
    clock, peer = HandClock(), Peer(FULL)
    rooms = Rooms(node="n1", clock=clock, look=here, neighbours={"n2": peer})
    await rooms.ask()
    peer.said = said
    clock.now_s += KNOWN_S
    await rooms.ask()
    assert [each.subject for each in rooms.problems()] == ["node:n2"]
    clock.now_s += 1.0
    assert rooms.problems() == []
