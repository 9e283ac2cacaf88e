"""The stock engine's holes: each shown open on the bare engine, closed on ours, and open again on
ours when its one protection is left out (tests/raft/unprotected.py).

The numbers are those of docs/consensus.md. Hole 24 kills, and has a test of its own.
"""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from cluster.raft.voter import Voter
from tests.raft import harms, unprotected
from tests.raft.bare import BareSide
from tests.raft.memory_disk import WorstDisk
from tests.raft.our_side import OurSide
from tests.raft.rig import NAMES

# The bare engine leaves files open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Build = Literal["bare", "ours", "unprotected"]
FIVE = (*NAMES, "dog", "elk")

ROOM = "16m"
"""Less than what is written, more than what is taken ahead of need."""


class Hole(NamedTuple):
    number: int
    shows: Callable[[harms.Side], bool]
    without: type[Voter]
    names: tuple[str, ...] = NAMES


HOLES = (
    Hole(1, harms.commits_what_nobody_compared, unprotected.BelievesSnapshotMessages),
    Hole(2, harms.loses_what_is_newer_than_its_snapshot, unprotected.LoadsWithoutCutting),
    Hole(3, harms.loses_what_it_acknowledged, unprotected.SyncsNothing),
    Hole(4, harms.takes_another_entry_for_its_own, unprotected.ReadsWithoutChecksum),
    Hole(5, harms.votes_twice, unprotected.ReadsWithoutChecksum),
    Hole(6, harms.cuts_what_it_acknowledged, unprotected.AppendsAgain),
    Hole(6, harms.sends_again_what_is_under_way, unprotected.SendsAgain),
    Hole(7, harms.counts_an_old_acknowledgement, unprotected.CountsOldAcknowledgements),
    Hole(8, harms.is_elected_by_one_vote_twice, unprotected.CountsEveryVote, FIVE),
    Hole(9, harms.applies_what_it_only_proposed, unprotected.BelievesItsCommitIndex),
    Hole(10, harms.deserts_a_leader_it_hears, unprotected.DesertsItsLeader),
    Hole(11, harms.stops_at_an_entry_that_raises, unprotected.LetsRaise),
    Hole(12, harms.applies_twice, unprotected.LetsCallbacksRaise),
    Hole(13, harms.applies_what_follows_a_version_again, unprotected.LetsRaise),
    Hole(14, harms.starts_empty_without_its_snapshot, unprotected.StartsWithoutItsState),
    Hole(15, harms.starts_empty_with_a_damaged_snapshot, unprotected.StartsWithoutItsState),
    Hole(16, harms.adds_two_members_at_once, unprotected.ChangesManyMembers),
    Hole(17, harms.installs_what_is_older_than_its_log, unprotected.BelievesSnapshotMessages),
    Hole(18, harms.speaks_without_pause, unprotected.SaysItAgain),
    Hole(19, harms.goes_back_one_by_one, unprotected.GoesBackOneByOne),
    Hole(20, harms.never_tells, unprotected.TellsNobody),
    Hole(21, harms.is_ready_without_what_was_agreed, unprotected.IsReadyAtOnce),
    Hole(22, harms.leaves_a_snapshot_message_unanswered, unprotected.BelievesSnapshotMessages),
    Hole(23, harms.sends_a_large_entry_in_wrong_pieces, unprotected.SplitsEntries),
    Hole(25, harms.raises_though_it_took_it, unprotected.NotifiesItself),
    Hole(26, harms.takes_an_old_answer_for_its_own, unprotected.HearsEarlierLives),
)


BARE_SETTINGS: dict[int, dict[str, object]] = {
    23: {"appendEntriesBatchSizeBytes": unprotected.SMALL_BATCH_BYTES},
    25: {"appendEntriesUseBatch": False},
}
"""The hole is there with the engine's own settings too, but takes a larger entry."""


@pytest.fixture
def side(tmp_path: Path, hole: Hole, build: Build) -> Iterator[harms.Side]:
    side: harms.Side
    disk = WorstDisk(random.Random(1)) if hole.number == 3 else None
    if build == "bare":
        side = BareSide(
            tmp_path, hole.names, dynamic=hole.number == 16, disk=disk,
            **BARE_SETTINGS.get(hole.number, {}))
    else:
        side = OurSide(tmp_path, hole.names, Voter if build == "ours" else hole.without, disk=disk)
    yield side
    side.close()


@pytest.mark.parametrize("build", ["bare", "ours", "unprotected"])
@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: f"{hole.number}-{hole.shows.__name__}")
def test_a_hole_is_closed_by_one_protection(side: harms.Side, hole: Hole, build: Build) -> None:
    assert hole.shows(side) is (build != "ours")


@pytest.mark.parametrize("build", ["bare", "ours", "unprotected"])
def test_hole_24_a_full_disk_kills_the_process(build: Build, tmp_path: Path) -> None:
    on_small_disk = ["unshare", "--mount", "sh", "-c",
                     f'mount -t tmpfs -o size={ROOM} none "$1" && exec "$2" -m "$3" "$4" "$1"', "-"]
    child = subprocess.run(
        [*on_small_disk, tmp_path, sys.executable, "tests.raft.full_disk", build],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=60)
    if build == "ours":
        assert child.stdout == "stepped out: journal-not-writable\n", child.stderr
    else:
        assert child.returncode == -signal.SIGBUS, child.stderr
