"""Names and addresses that mean one host, and numbers that everybody reads alike."""

import pytest

from cluster.clock import HostClock
from cluster.config.certificates import Authority, new_key, request_for, trouble_with
from cluster.config.cluster_file import cluster_from_text
from cluster.config.keys import keys_from_text
from cluster.config.load import dump
from cluster.config.package_file import packages_from_text
from cluster.config.schema import Operator, PublicKeys
from packages.core.problem import Problem

LONG = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
KEY = "x" * 40
PACKAGE = """\
name: web
nodes: [n1]
vm: {memory_mib: 256, disks: [{path: /dev/sda}]}
"""


def cluster(*nodes: str) -> list[Problem]:
    listed = "".join(f"  - {each}\n" for each in nodes)
    return cluster_from_text(f"name: c\nnodes:\n{listed}", source="c.yaml")[1]


def named(name: str) -> list[Problem]:
    return cluster(f"{{name: '{name}', address: 10.0.0.1}}")


def addressed(*addresses: str) -> list[Problem]:
    return cluster(*(
        f"{{name: n{number}, address: '{each}'}}" for number, each in enumerate(addresses)))


@pytest.mark.parametrize("name", [
    "n1", "node-17.rack-4.datacenter-north.example.org", "a" * 63, LONG, "N1.Example.ORG", "1",
])
def test_a_node_may_have_its_hosts_whole_name(name: str) -> None:
    assert named(name) == []
    package = PACKAGE.replace("[n1]", f"['{name}']")
    assert packages_from_text(package)[1] == []


@pytest.mark.parametrize("name", [
    f"{LONG}x", "a" * 64, f"n1.{'a' * 64}.org", "n1..org", "n1.", ".n1", "-n1", "n 1", "n/1", "",
])
def test_no_node_has_a_name_that_no_host_can_have(name: str) -> None:
    assert [each.code for each in named(name)] == ["config-bad-value"]


def test_whole_names_are_told_apart_by_more_than_their_letters_size() -> None:
    both = cluster("{name: n1.example.org, address: 10.0.0.1}",
                   "{name: N1.EXAMPLE.org, address: 10.0.0.2}")
    assert [each.code for each in both] == ["config-duplicate"]


@pytest.mark.parametrize("name", [
    "all", "All", "unowned", "UNOWNED", "none", "any", "unknown", "localhost", "null", "no", "on",
    "True", "10.0.0.7",
])
def test_a_word_that_stands_for_something_else_names_nobody(name: str) -> None:
    for problems in (
        named(name), packages_from_text(PACKAGE.replace("web", f"'{name}'"))[1],
        packages_from_text(PACKAGE.replace("[n1]", f"['{name}']"))[1],
    ):
        assert [each.code for each in problems] == ["config-bad-value"]
        assert "stands for" in problems[0].because or "means another" in problems[0].because \
            or "readers of YAML" in problems[0].because or "is an address" in problems[0].because


def test_a_whole_name_has_its_certificate_and_its_keys() -> None:
    """X.509's common name ends at 64 characters; the DNS name does not."""
    authority = Authority.of_new_cluster("c", HostClock())
    key = new_key()
    request = request_for(key, LONG)
    assert request is not None
    certificate = authority.certify(LONG, request)
    assert certificate is not None
    assert trouble_with(
        LONG, authority=authority.certificate_text, certificate=certificate, key=key) is None
    keys = PublicKeys(
        nodes={LONG: KEY}, operators=(Operator(name=f"root@{LONG}", public_key=KEY),))
    assert keys_from_text(dump(keys), source="keys.yaml") == (keys, [])


@pytest.mark.parametrize(("address", "reason"), [
    ("255.255.255.255", "everybody"), ("240.0.0.1", "nobody's"), ("0.0.0.0", "nobody"),
    ("0.1.2.3", "nobody"), ("::", "nobody"), ("224.0.0.1", "multicast"), ("ff02::1", "multicast"),
    ("169.254.7.7", "link-local"), ("fe80::1", "link-local"), ("fe80::1%eth0", "link-local"),
    ("fd00::1%eth0", "link"), ("::ffff:10.0.0.1", "10.0.0.1"), ("10.0.0.010", "zero"),
    ("127.0.1.1", "another host on each host"), ("::1", "another host on each host"),
    ("host1", "not a name"),
])
def test_an_address_is_one_hosts_from_everywhere(address: str, reason: str) -> None:
    for problems in (
        addressed("10.0.0.1", address),
        cluster("{name: n1, address: 10.0.0.1}",
                f"{{name: n2, address: 10.0.0.2, migration_address: '{address}'}}"),
    ):
        assert [each.code for each in problems] == ["config-bad-value"]
        assert reason in problems[0].because
        assert "c.yaml line 4" in problems[0].what


def test_nodes_on_one_machine_may_all_have_its_loopback_addresses() -> None:
    assert addressed("127.0.0.1", "127.0.1.1", "127.3.2.1") == []
    assert addressed("fd00::1", "10.0.0.2") == []


def test_everything_wrong_with_the_addresses_is_said_at_once() -> None:
    found = addressed("127.0.1.1", "255.255.255.255", "fe80::1%eth0")
    assert sorted(each.what.split(":")[0] for each in found) == [
        "c.yaml line 3", "c.yaml line 4", "c.yaml line 5"]


@pytest.mark.parametrize(("written", "reason"), [
    ("0100", "base eight"), ("+0100", "base eight"), ("00", "base eight"), ("08", "base eight"),
    ("0x10", "base"), ("0o17", "base"), ("0b11", "base"), ("1_000", "'_'"), ("1:30", "1:30 is 90"),
    ("1e3", "exponent"), ("1.5e3", "exponent"), (".inf", "bounds"), (".NaN", "no number"),
    ("1.0", "a whole number"), ("'100'", "a whole number"),
])
def test_a_whole_number_is_one_that_everybody_reads_alike(written: str, reason: str) -> None:
    for text in (
        PACKAGE.replace("256", written), f"{PACKAGE}service_restart: {written}\n",
    ):
        [found] = packages_from_text(text, source="p.yaml")[1]
        assert found.code in ("config-bad-value", "config-wrong-type")
        assert reason in found.because
    [found] = cluster(f"{{name: n1, address: 10.0.0.1, raft_port: {written}}}")
    assert reason in found.because


def test_a_leading_zero_says_what_to_write() -> None:
    [found] = packages_from_text(PACKAGE.replace("256", "0100"))[1]
    assert found.fix == "write 100, if that is meant"


@pytest.mark.parametrize("written", ["007", "00.5", "1_0.5", "1:30.5", ".inf", "-.inf", ".nan"])
def test_so_is_a_number_with_a_fraction(written: str) -> None:
    [found] = packages_from_text(f"{PACKAGE}start_timeout_s: {written}\n")[1]
    assert found.code in ("config-bad-value", "config-wrong-type")


@pytest.mark.parametrize("written", ["1", "0.5e2", "90.5", "1e3"])
def test_a_fraction_may_be_written_as_one(written: str) -> None:
    assert packages_from_text(f"{PACKAGE}start_timeout_s: {written}\n")[1] == []
