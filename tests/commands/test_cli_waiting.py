"""--timeout is for the whole of a command, whatever it waits for: exit code 5, and how to go on."""

import json
import time

import pytest

from cli.main import run
from cluster.api import messages as ask
from packages.core.values import plain
from tests.commands import answers
from tests.commands.answers import done
from tests.commands.recorded_cluster import RecordedCluster, start_command

MOVING = answers.move()
DRAINING = done({
    "cluster": {"name": "farm", "status": "up", "leader": "n1", "quorum": True, "term": 1,
                "entry": 1},
    "nodes": [{"name": "n1", "status": "up", "state": "draining", "address": "10.0.0.1"}],
    "packages": [plain(answers.package("web", "n1"))], "problems": [],
})
ROTATING = done({"nodes": [{"node": "n2", "key": "k", "next_key": "", "rotation": "r1"}],
                 "operators": [], "invitations": []})
WELL = done({
    "cluster": {"name": "farm", "status": "up", "leader": "n1", "quorum": True, "term": 1,
                "entry": 1},
    "nodes": [{"name": "n2", "status": "up", "state": "running", "address": "10.0.0.2"}],
    "packages": [], "problems": [],
})


@pytest.fixture(autouse=True)
def busy(farm: RecordedCluster) -> None:
    """A cluster in which nothing ends."""
    farm.replies[ask.MovePackage] = done(MOVING)
    farm.replies[ask.GetMove] = done(MOVING)
    farm.replies[ask.GetStatus] = DRAINING
    farm.replies[ask.GetKeys] = ROTATING
    for kind in (ask.RunPackage, ask.HaltPackage, ask.HaltNode, ask.HaltCluster, ask.ResumeNode,
                 ask.AbortMove, ask.ApplyPackages, ask.ApplyCluster):
        farm.replies[kind] = None


@pytest.mark.parametrize("line", [
    "move web n2", "move web --abort", "node drain n1", "node rotate n2", "package run web",
    "package halt web", "node halt n1 -f", "cluster halt -f", "node resume n1 --return",
    "package apply web.yaml", "cluster apply cluster.yaml",
])
def test_what_waits_ends_with_its_timeout_and_says_how_to_follow(
    farm: RecordedCluster, capsys: pytest.CaptureFixture[str], line: str,
) -> None:
    began_s = time.monotonic()
    assert run([*line.split(), "--timeout", "700ms", "-o", "json"]) == 5
    assert 0.5 < time.monotonic() - began_s < 10
    printed = capsys.readouterr()
    [found] = json.loads(printed.out)["problems"]
    assert found["code"] == "timed-out"
    begun = next(each.request for each in farm.heard if isinstance(each, ask.Changing))
    assert f"vmsg events --request {begun}" in found["fix"]


@pytest.mark.parametrize("line", ["status --watch", "events --follow", "events -f --since 1h"])
def test_what_is_watched_is_watched_for_so_long(farm: RecordedCluster, line: str) -> None:
    farm.replies[ask.GetEvents] = [done({"events": [], "next": 7}), None]
    assert run([*line.split(), "--timeout", "700ms"]) == 5


def test_a_roll_leaves_its_command_running(farm: RecordedCluster) -> None:
    empty = json.loads(json.dumps(WELL.result))
    empty["nodes"][0]["state"] = "maintenance"
    farm.replies[ask.GetStatus] = [WELL, done(empty)]
    rolling = start_command(
        "cluster", "roll", "n2", "--run", "sleep 4; echo it ended", "--timeout", "2s",
        "-o", "json")
    out, err = rolling.communicate(timeout=60)
    tree = json.loads(out)
    assert rolling.returncode == 5 and tree["failed"] == "n2"
    assert "it ended" in err  # after the roll did
    assert "goes on as process" in tree["problems"][0]["fix"]
    assert "vmsg events --request" in tree["problems"][0]["fix"]


def test_following_begins_with_the_last_ten(farm: RecordedCluster) -> None:
    farm.replies[ask.GetEvents] = [done({"events": [], "next": 7}), None]
    assert run(["events", "--follow", "--timeout", "500ms"]) == 5
    first, second = [each for each in farm.heard if isinstance(each, ask.GetEvents)][:2]
    assert (first.limit, first.after) == (10, 0)
    assert (second.limit, second.after) == (1000, 7)
