"""No cluster, silence, garbage, strangers, bugs: a Problem and its exit code, never a traceback."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import run
from cluster.api import messages as ask
from cluster.config.keys import init_cluster, load_node_folder
from cluster.sockets import Listener, keys_of, make_keys
from tests.commands.answers import done
from tests.commands.recorded_cluster import CONFIG, RecordedCluster, start_command, steady


def test_without_a_node_there_is_no_cluster(
    desk: Path, capsys: pytest.CaptureFixture[str], golden: Callable[[str, str], None],
) -> None:
    assert run(["status"]) == 4
    printed = capsys.readouterr()
    golden("no_cluster.txt", steady(printed.err, desk))
    assert run(["status", "-o", "json"]) == 4
    [found] = json.loads(capsys.readouterr().out)["problems"]
    assert found["code"] == "no-cluster" and found["fix"]


def test_an_endpoint_said_outweighs_the_environment(
    farm: RecordedCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VMSG_ENDPOINT", "nobody")
    assert run(["status"]) == 3
    assert "unknown-node" in capsys.readouterr().err
    assert run(["--endpoint", "n1", "status"]) == run(["status", "--endpoint", "n1"]) == 0


@pytest.mark.parametrize("line, code", [
    ("package check web.yaml", 0), ("cluster check cluster.yaml", 0), ("package check bad.yaml", 3),
    ("cluster check bad.yaml", 3), ("package check web.yaml none.yaml", 3),
    ("package check binary.yaml", 3), ("package check huge.yaml", 3), ("package check /", 3),
])
def test_files_are_checked_without_a_cluster(
    desk: Path, capsys: pytest.CaptureFixture[str], line: str, code: int,
) -> None:
    (desk / "bad.yaml").write_text("name: web\nnodez: [n1]\nvm: 7\n")
    (desk / "binary.yaml").write_bytes(b"\x7fELF\0\xff\xfe")
    (desk / "huge.yaml").write_text("a: " + "b" * (2 << 20))
    assert run([*line.split(), "-o", "json"]) == code
    tree = json.loads(capsys.readouterr().out)
    assert bool(tree["problems"]) == bool(code)
    if not code:
        assert tree["checked_by"] == "this-host"


def test_a_new_cluster_gets_its_folders_once(
    desk: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["cluster", "init", "cluster.yaml", "--out", "out", "--dry-run"]) == 0
    assert not (desk / "out").exists()
    assert run(["cluster", "init", "cluster.yaml", "--out", "out"]) == 0
    assert load_node_folder(desk / "out" / "n2").name == "n2"
    assert run(["cluster", "init", "cluster.yaml", "--out", "out"]) == 3
    assert "key-files-exist" in capsys.readouterr().err


def test_a_silent_node_is_given_up_on_and_the_request_named(
    farm: RecordedCluster, capsys: pytest.CaptureFixture[str],
) -> None:
    farm.replies[ask.RunPackage] = None
    assert run(["package", "run", "web", "--timeout", "500ms"]) == 5
    [asked] = farm.heard
    assert asked.request and f"vmsg events --request {asked.request}" in capsys.readouterr().err


def test_an_answer_of_another_shape_is_a_bug_told_as_a_problem(
    farm: RecordedCluster, desk: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(desk))
    for result in ("nonsense", {"cluster": {}}, [1, 2]):
        farm.replies[ask.GetStatus] = done(result)
        process = start_command("status")
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (1, "")
        assert "internal-error" in err and "Traceback" not in err
    details = list(desk.glob("vmsg-error-*"))
    assert len(details) == 3 and all("Traceback" in each.read_text() for each in details)


@pytest.fixture
def babbling(etc: Path, desk: Path) -> Iterator[None]:
    """A node that proves who it is and then talks nonsense."""
    folder = load_node_folder(etc)
    loop = asyncio.new_event_loop()
    listener = Listener(
        [f"ipc://{desk}/api.sock"], keys=keys_of(folder.curve_secret),
        received=lambda peer, route, payload: listener.send(route, b"\xc1nonsense") or None,
    )
    listener.allow({each.public_key: each.name for each in folder.keys.operators})

    async def begin() -> None:
        assert listener.start() is None

    async def end() -> None:
        listener.close()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    yield
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_garbage_is_not_an_answer(babbling: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 1
    assert "bad-reply" in capsys.readouterr().err


def test_a_key_nobody_knows_is_not_authorised(
    farm: RecordedCluster, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert init_cluster(CONFIG, tmp_path / "other", make_keys) is None
    other = tmp_path / "other" / "n1"
    for name in ("keys.yaml", "client.json"):  # the right nodes, asked with a stranger's key
        (other / name).write_text((etc / name).read_text())
    monkeypatch.setenv("VMSG_ETC", str(other))
    assert run(["status", "-o", "json"]) == 6
    assert json.loads(capsys.readouterr().out)["problems"][0]["code"] == "not-authorised"
    assert farm.heard == []


@pytest.mark.parametrize("text, seconds", [
    ("90s", 90), ("2h", 7200), ("1d", 86400), ("1h30m", 5400), ("500ms", 0.5), ("45s", 45),
    ("1.5h", 5400), ("1w", 604800),
])
def test_durations(
    farm: RecordedCluster, text: str, seconds: float, capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["package", "disable", "web", "--for", text]) == 0
    [asked] = farm.heard
    assert isinstance(asked, ask.SetSwitching) and asked.for_s == seconds


@pytest.mark.parametrize("text", [
    "soon", "-1h", "0", "45", "1.5", "1h30", "h", "1y", "99999d", "1e9s", "nan",
])
def test_what_is_no_duration(
    farm: RecordedCluster, text: str, capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["package", "disable", "web", f"--for={text}"]) == 2
    assert farm.heard == [] and "wrong-usage" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0100", "1_000", "0x10", "1e3", "-1", "5471.0", " 1"])
def test_numbers_on_the_command_line_are_read_like_those_in_files(
    farm: RecordedCluster, text: str, capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["node", "add", "n4", "10.0.0.4", f"--api-port={text}"]) == 2
    assert farm.heard == [] and "plain digits" in capsys.readouterr().err
