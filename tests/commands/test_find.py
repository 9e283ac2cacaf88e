"""Whatever an operator calls a node, the right address and the right key come out."""

import os
from pathlib import Path

import pytest

from cluster.api.find import Access, find_cluster
from cluster.config.client_file import known_cluster
from cluster.config.keys import init_cluster
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.sockets import make_keys
from packages.core.problem import Problem

NOBODY = 65534

CONFIG = ClusterConfig(
    name="farm",
    nodes=tuple(NodeConfig(name=f"n{each}", address=f"10.9.0.{each}") for each in (1, 2, 3)),
)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    assert init_cluster(CONFIG, tmp_path / "out", make_keys) is None
    return tmp_path / "out" / "n2"


def found(endpoint: str | None, etc: Path) -> list[tuple[str, str]]:
    access = find_cluster(endpoint, {"VMSG_ETC": str(etc), "VMSG_RUN": "/run/x"})
    assert isinstance(access, Access), access
    return [(each.node, each.address) for each in access.endpoints]


def code_of(endpoint: str | None, env: dict[str, str]) -> str:
    access = find_cluster(endpoint, env)
    assert isinstance(access, Problem)
    return access.code


def test_the_own_node_comes_first(etc: Path) -> None:
    assert found(None, etc) == [
        ("n2", "ipc:///run/x/api.sock"), ("n1", "tcp://10.9.0.1:5471"),
        ("n3", "tcp://10.9.0.3:5471"),
    ]


@pytest.mark.parametrize("endpoint, node, address", [
    ("n2", "n2", "ipc:///run/x/api.sock"),
    ("n3", "n3", "tcp://10.9.0.3:5471"),
    ("10.9.0.3", "n3", "tcp://10.9.0.3:5471"),
    ("10.9.0.2:5471", "n2", "tcp://10.9.0.2:5471"),
    ("tcp://10.9.0.1:5471", "n1", "tcp://10.9.0.1:5471"),
    ("ipc:///run/x/api.sock", "n2", "ipc:///run/x/api.sock"),
    ("ipc:///elsewhere/api.sock", "n2", "ipc:///elsewhere/api.sock"),
])
def test_a_node_by_any_of_its_names(etc: Path, endpoint: str, node: str, address: str) -> None:
    assert found(endpoint, etc) == [(node, address)]


def test_a_run_folder_names_this_host(etc: Path, tmp_path: Path) -> None:
    assert found(str(tmp_path), etc) == [("n2", f"ipc://{tmp_path}/api.sock")]


@pytest.mark.parametrize("endpoint", ["n9", "10.9.0.1:99", "tcp://n9", "/no/such/folder", ""])
def test_what_is_no_node(etc: Path, endpoint: str) -> None:
    assert code_of(endpoint, {"VMSG_ETC": str(etc)}) == "unknown-node"


def test_a_folder_that_is_not_one(etc: Path, tmp_path: Path) -> None:
    assert code_of(None, {"VMSG_ETC": str(tmp_path / "none")}) == "key-file-missing"
    (etc / "operator.secret").chmod(0o644)
    assert code_of(None, {"VMSG_ETC": str(etc)}) == "key-file-exposed"
    (etc / "operator.secret").chmod(0o600)
    (etc / "operator.secret").write_text("nonsense")
    assert code_of(None, {"VMSG_ETC": str(etc)}) == "bad-key"


def test_the_quick_file_is_believed_only_while_it_is_true(etc: Path) -> None:
    known = known_cluster(etc)
    (etc / "client.json").write_text("{damaged")
    assert known_cluster(etc) == known
    text = (etc / "cluster.yaml").read_text()
    (etc / "cluster.yaml").write_text(text.replace("10.9.0.3", "10.9.0.33"))
    assert ("n3", "tcp://10.9.0.33:5471") in found(None, etc)
    os.remove(etc / "client.json")
    assert ("n3", "tcp://10.9.0.33:5471") in found(None, etc)


def test_who_may_not_read_the_hosts_folder_is_told_to_be_root(etc: Path) -> None:
    etc.chmod(0)
    mine = os.geteuid()
    if mine == 0:  # whom no mode keeps out
        os.seteuid(NOBODY)
    try:
        found = find_cluster(None, {"VMSG_ETC": str(etc)})
    finally:
        os.seteuid(mine)
        etc.chmod(0o700)
    assert isinstance(found, Problem) and found.code == "not-authorised" and "root" in found.fix
