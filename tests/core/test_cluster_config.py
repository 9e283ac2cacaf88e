"""Cluster files: addresses that are addresses, ports that are free, and every fault at once."""

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.load import dump
from cluster.config.schema import (
    ClusterConfig, FenceConfig, MigrationConfig, NodeConfig, VswitchConfig
)
from packages.core.problem import Problem

GOOD = """\
name: shop
profile: fast
nodes:
  - {name: n1, address: 10.1.0.1}
  - {name: n2, address: 10.1.0.2, migration_address: 10.2.0.2, raft_port: 7000, api_port: 7001}
vswitches:
  - {name: vsw0, subnet: 10.66.0.0/24}
migration: {transport: plain, private: true}
"""


def faults_of(text: str) -> list[Problem]:
    config, problems = cluster_from_text(text, source="c.yaml")
    assert (config is None) == bool(problems)
    return problems


def test_a_good_cluster_is_taken_and_prints_back() -> None:
    config, problems = cluster_from_text(GOOD)
    assert problems == []
    assert config == ClusterConfig(
        name="shop", profile="fast",
        nodes=(
            NodeConfig(name="n1", address="10.1.0.1"),
            NodeConfig(name="n2", address="10.1.0.2", migration_address="10.2.0.2",
                       raft_port=7000, api_port=7001),
        ),
        vswitches=(VswitchConfig(name="vsw0", subnet="10.66.0.0/24"),),
        migration=MigrationConfig(transport="plain", private=True),
    )
    assert cluster_from_text(dump(config)) == (config, [])


@pytest.mark.parametrize(("change", "code"), [
    (("name: shop", "name: shop/1"), "config-bad-value"),
    (("profile: fast", "profile: quick"), "config-bad-value"),
    (("profile: fast", "profil: fast"), "config-key-unknown"),
    (("address: 10.1.0.1", "address: host1"), "config-bad-value"),
    (("address: 10.1.0.1", "address: 10.1.0.256"), "config-bad-value"),
    (("address: 10.1.0.1", "address: 0.0.0.0"), "config-bad-value"),
    (("address: 10.1.0.1", "address: 224.0.0.1"), "config-bad-value"),
    (("address: 10.1.0.1", "address: [10.1.0.1]"), "config-wrong-type"),
    (("address: 10.1.0.1", "raft_port: 1"), "config-key-missing"),
    (("name: n1", "name: N2"), "config-duplicate"),
    (("raft_port: 7000", "raft_port: 7001"), "config-duplicate"),
    (("raft_port: 7000", "raft_port: 0"), "config-bad-value"),
    (("raft_port: 7000", "raft_port: http"), "config-wrong-type"),
    (("migration_address: 10.2.0.2, raft", "raft"), None),
    (("subnet: 10.66.0.0/24", "subnet: 10.66.0.1/24"), "config-bad-value"),
    (("subnet: 10.66.0.0/24", "subnet: 10.66.0.0"), "config-bad-value"),
    (("transport: plain", "transport: ssl"), "config-bad-value"),
    (("private: true", "private: 1"), "config-wrong-type"),
], ids=str)
def test_each_fault_is_found(change: tuple[str, str], code: str | None) -> None:
    assert change[0] in GOOD
    found = [each.code for each in faults_of(GOOD.replace(*change))]
    assert found == ([] if code is None else [code])


FENCED = """\
name: shop
nodes:
  - name: n1
    address: 10.1.0.1
    fences:
      - {agent: fence_ipmilan, timeout_s: 5, options: {ip: 10.9.0.1}, secrets: {password: /etc/s}}
      - {agent: /opt/fence_ours, level: 2}
"""


def test_a_nodes_fences_are_taken_and_print_back() -> None:
    config, problems = cluster_from_text(FENCED)
    assert problems == [] and config is not None
    assert config.nodes[0].fences == (
        FenceConfig(agent="fence_ipmilan", timeout_s=5.0, options={"ip": "10.9.0.1"},
                    secrets={"password": "/etc/s"}),
        FenceConfig(agent="/opt/fence_ours", level=2),
    )
    assert cluster_from_text(dump(config)) == (config, [])


@pytest.mark.parametrize("change", [
    ("ip: 10.9.0.1", "action: on"), ("ip: 10.9.0.1", "snmp_priv_passwd: x"),
    ("ip: 10.9.0.1", "password: sesame"), ("fence_ipmilan", "rm"), ("fence_ipmilan", "../fence_x"),
    ("level: 2", "level: 0"), ("timeout_s: 5", "timeout_s: 0"), ("/etc/s", "s"),
], ids=str)
def test_a_fence_names_no_action_and_no_secret(change: tuple[str, str]) -> None:
    """The file is shown to everybody who may look at the cluster."""
    found = faults_of(FENCED.replace(*change))
    assert [each.code for each in found] == ["config-bad-value"]
    assert "sesame" not in str(found)


def test_two_nodes_may_share_an_address_but_not_a_port() -> None:
    shared = GOOD.replace("10.1.0.2,", "10.1.0.1,")
    assert faults_of(shared) == []
    clash = faults_of(shared.replace("api_port: 7001", "api_port: 5470"))
    assert [each.code for each in clash] == ["config-duplicate"]
    assert "10.1.0.1 port 5470" in clash[0].what


def test_several_faults_are_said_at_once() -> None:
    text = GOOD.replace("10.1.0.1", "x").replace("10.66.0.0/24", "y").replace("fast", "z")
    assert [each.what.split(":")[0] for each in faults_of(text)] == [
        "c.yaml line 2", "c.yaml line 4", "c.yaml line 7",
    ]


def test_one_file_is_one_cluster() -> None:
    assert [each.code for each in faults_of(f"{GOOD}---\n{GOOD}")] == ["config-duplicate"]


def test_a_cluster_of_sixty_four_nodes_is_the_largest() -> None:
    def of(count: int) -> str:
        nodes = "".join(
            f"  - {{name: n{number}, address: 10.0.0.{number + 1}}}\n" for number in range(count)
        )
        return f"name: c\nnodes:\n{nodes}"

    assert faults_of(of(64)) == []
    assert [each.code for each in faults_of(of(65))] == ["config-bad-value"]


def test_addresses_are_written_in_their_usual_spelling() -> None:
    config, _ = cluster_from_text("name: c\nnodes: [{name: n, address: 'FD00:0::1'}]")
    assert config is not None
    assert config.nodes[0].address == "fd00::1"
