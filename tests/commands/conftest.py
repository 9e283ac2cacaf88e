"""A recorded cluster for each test, and the files of an operator beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import answers
from tests.commands.recorded_cluster import RecordedCluster, make_folders

PACKAGE_FILE = """
name: web
nodes: [n1, n2]
vm:
  memory_mib: 128
  disks:
  - path: /dev/mapper/web
"""
CLUSTER_FILE = """
name: farm
nodes:
- {name: n1, address: 10.1.0.1}
- {name: n2, address: 10.1.0.2}
"""


@pytest.fixture(scope="session")
def etc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folders(tmp_path_factory.mktemp("folders"))


@pytest.fixture
def desk(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder an operator works in; the environment names the host's folders."""
    (tmp_path / "web.yaml").write_text(PACKAGE_FILE)
    (tmp_path / "cluster.yaml").write_text(CLUSTER_FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VMSG_ENDPOINT", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("VMSG_ETC", str(etc))
    monkeypatch.setenv("VMSG_RUN", str(tmp_path))
    return tmp_path


@pytest.fixture
def farm(etc: Path, desk: Path) -> Iterator[RecordedCluster]:
    with RecordedCluster(etc, desk) as farm:
        farm.replies = {
            kind: list(reply) if isinstance(reply, list) else reply
            for kind, reply in answers.HAPPY.items()
        }
        yield farm
