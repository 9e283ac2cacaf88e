"""The annotated examples in conf/ are what operators start from: each one loads, as it says."""

from pathlib import Path

import pytest

from cluster.config.cluster_file import cluster_from_text
from cluster.config.package_file import packages_from_text
from packages.core.model import PackageSpec

CONF = Path(__file__).parents[2] / "conf"
PACKAGES = sorted((CONF / "packages").glob("*.yaml"))


def test_the_cluster_example_loads() -> None:
    config, problems = cluster_from_text((CONF / "cluster.yaml").read_bytes())
    assert problems == []
    assert config is not None
    assert [node.name for node in config.nodes] == ["n1", "n2", "n3"]


@pytest.mark.parametrize("path", PACKAGES, ids=lambda path: path.name)
def test_each_package_example_loads(path: Path) -> None:
    specs, problems = packages_from_text(path.read_bytes(), source=path.name)
    assert problems == []
    assert [spec.name for spec in specs] == [path.stem]


def test_the_examples_use_the_clusters_nodes_and_switches() -> None:
    config, _ = cluster_from_text((CONF / "cluster.yaml").read_bytes())
    assert config is not None
    nodes = {node.name for node in config.nodes}
    switches = {vswitch.name for vswitch in config.vswitches}
    for path in PACKAGES:
        for spec in packages_from_text(path.read_bytes())[0]:
            assert set(spec.nodes) <= nodes
            assert {network.vswitch for network in spec.vm.networks} <= switches


def test_the_web_example_shows_every_key() -> None:
    """A key nobody shows is a key nobody finds."""
    shown = (CONF / "packages" / "web.yaml").read_text()
    for key in PackageSpec.__struct_fields__:
        assert f"{key}:" in shown
