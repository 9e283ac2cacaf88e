"""A cluster's keys: what is written can be read, is secret, and authenticates over TLS."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from cluster.clock import HostClock
from cluster.config.certificates import Authority, is_signed_by
from cluster.config.founding import Founding, founding_of
from cluster.config.keys import (
    NodeFolder, init_cluster, keys_from_text, load_node_folder, public_keys, trust_of
)
from cluster.config.load import dump
from cluster.config.schema import ClusterConfig, NodeConfig, PublicKeys
from cluster.sockets import is_key, make_keys
from packages.core.problem import Problem

CONFIG = ClusterConfig(name="shop", nodes=(
    NodeConfig(name="n1", address="10.0.0.1"), NodeConfig(name="n2", address="10.0.0.2"),
))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    assert init_cluster(CONFIG, folder, make_keys) is None
    return folder


def loaded(etc: Path) -> NodeFolder:
    folder = load_node_folder(etc)
    assert isinstance(folder, NodeFolder), folder
    return folder


def refused(etc: Path) -> Problem:
    problem = load_node_folder(etc)
    assert isinstance(problem, Problem)
    return problem


def test_every_node_has_its_folder(target: Path) -> None:
    first, second = loaded(target / "n1"), loaded(target / "n2")
    assert (first.name, second.name) == ("n1", "n2")
    assert first.config == second.config == CONFIG
    assert first.keys == second.keys
    assert set(first.keys.nodes) == {"n1", "n2"}
    assert [(each.name, each.role) for each in first.keys.operators] == [("root", "full-admin")]
    assert first.curve_secret != second.curve_secret
    assert is_key(first.curve_secret) and is_key(first.operator_secret)


def test_secrets_are_the_owners_alone(target: Path) -> None:
    for path in [target / "ca.key", *(target / "n1" / name for name in (
        "curve.secret", "node.key", "operator.secret",
    ))]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert loaded(target / "n1").curve_secret not in repr(loaded(target / "n1"))


def test_keys_are_never_overwritten(target: Path) -> None:
    before = (target / "n1" / "node.key").read_bytes()
    problem = init_cluster(CONFIG, target, make_keys)
    assert problem is not None and problem.code == "key-files-exist"
    assert (target / "n1" / "node.key").read_bytes() == before


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    problem = init_cluster(CONFIG, tmp_path / "file" / "made", make_keys)
    assert problem is not None and problem.code == "key-file-unwritable"


@pytest.mark.parametrize("name", ["curve.secret", "node.key", "operator.secret"])
def test_an_exposed_secret_is_refused_with_its_remedy(target: Path, name: str) -> None:
    path = target / "n1" / name
    path.chmod(0o640)
    problem = refused(target / "n1")
    assert (problem.code, problem.fix) == ("key-file-exposed", f"chmod 600 {path}")


@pytest.mark.parametrize("name", [
    "cluster.yaml", "node", "keys.yaml", "curve.secret", "ca.crt", "node.crt", "node.key",
    "operator.secret",
])
def test_a_missing_or_damaged_file_is_a_problem(target: Path, name: str) -> None:
    path = target / "n1" / name
    path.write_text("damaged: [")
    assert refused(target / "n1").code in ("key-file-broken", "config-unreadable")
    path.write_bytes(b"\xff\x00")
    assert refused(target / "n1").code in ("key-file-broken", "config-unreadable")
    path.unlink()
    assert refused(target / "n1").code == "key-file-missing"


@pytest.mark.parametrize("name", ["node", "node.crt", "node.key"])
def test_a_file_of_another_node_is_refused(target: Path, name: str) -> None:
    (target / "n1" / name).write_bytes((target / "n2" / name).read_bytes())
    assert refused(target / "n1").code == "key-file-broken"


def test_the_authority_of_another_cluster_is_refused(target: Path, tmp_path: Path) -> None:
    assert init_cluster(CONFIG, tmp_path / "other", make_keys) is None
    (target / "n1" / "ca.crt").write_bytes((tmp_path / "other" / "ca.crt").read_bytes())
    assert "not issued" in refused(target / "n1").because


def test_a_node_outside_the_cluster_file_is_refused(target: Path) -> None:
    """Its certificate still names it, so the cluster file is what it is missing from."""
    cluster = target / "n1" / "cluster.yaml"
    cluster.write_text(cluster.read_text().replace("name: n1", "name: n3"))
    assert "not a node of the cluster file" in refused(target / "n1").because


def test_a_node_without_a_key_of_its_own_is_refused(target: Path) -> None:
    """Others may have none yet: they come in by invitation."""
    keys = target / "n1" / "keys.yaml"
    keys.write_text(keys.read_text().replace("  n2:", "  n3:"))
    assert set(loaded(target / "n1").keys.nodes) == {"n1", "n3"}
    keys.write_text(keys.read_text().replace("  n1:", "  n4:"))
    assert "no key of node n1" in refused(target / "n1").because


def test_one_host_holds_the_key_that_certifies(target: Path) -> None:
    assert (target / "n1" / "ca.key").read_text() == (target / "ca.key").read_text()
    assert not (target / "n2" / "ca.key").exists()


def test_a_founder_begins_alone(tmp_path: Path) -> None:
    assert init_cluster(CONFIG, tmp_path / "made", make_keys, first="n2") is None
    assert not (tmp_path / "made" / "n1").exists()
    folder = loaded(tmp_path / "made" / "n2")
    founding = founding_of(tmp_path / "made" / "n2")
    assert founding == Founding(trust=trust_of(folder.keys))
    assert public_keys(founding.trust) == folder.keys and set(folder.keys.nodes) == {"n2"}


def test_keys_of_a_node_that_changes_over_are_kept_both() -> None:
    keys = PublicKeys(nodes={"n1": make_keys().public}, next={"n1": make_keys().public})
    read, problems = keys_from_text(dump(keys), source="keys.yaml")
    assert (read, problems) == (keys, []) and public_keys(trust_of(keys)) == keys


def context(folder: NodeFolder, side: ssl._SSLMethod) -> ssl.SSLContext:
    made = ssl.SSLContext(side)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(folder.ca_certificate)
    made.load_cert_chain(folder.certificate, folder.private_key)
    return made


def handshake(server: NodeFolder, client: NodeFolder, expected: str) -> str:
    """The name the server saw, over a socket pair; raises what the client's TLS raises."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    theirs.settimeout(30)
    seen: list[str] = []

    def serve() -> None:
        try:
            with context(server, ssl.PROTOCOL_TLS_SERVER).wrap_socket(
                theirs, server_side=True,
            ) as tls:
                certificate = tls.getpeercert() or {}
                seen.extend(str(value) for _, value in certificate.get("subjectAltName", ()))
                tls.sendall(b".")
                tls.recv(1)  # until the client has closed: it may still be answering
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with context(client, ssl.PROTOCOL_TLS_CLIENT).wrap_socket(
            ours, server_hostname=expected,
        ) as tls:
            assert tls.recv(1) == b"."
    finally:
        ours.close()
        thread.join(timeout=30)
    return seen[0]


def test_nodes_prove_their_names_to_each_other(target: Path) -> None:
    first, second = loaded(target / "n1"), loaded(target / "n2")
    assert handshake(first, second, "n1") == "n2"


def test_a_node_is_not_taken_for_another(target: Path) -> None:
    first, second = loaded(target / "n1"), loaded(target / "n2")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(first, second, "n3")


def test_the_authority_signs_words_and_a_certificate_is_none(target: Path) -> None:
    here = target / "n1"
    certificate = (here / "ca.crt").read_text()
    authority = Authority.from_texts((here / "ca.key").read_text(), certificate, HostClock())
    assert authority is not None
    signature = authority.sign("operator\nann")
    assert len(signature) <= 96
    assert is_signed_by(certificate, "operator\nann", signature)
    other = Authority.of_new_cluster("shop", HostClock())
    for words, signed, by in (
        ("operator\neve", signature, certificate), ("operator\nann", "", certificate),
        ("operator\nann", "nonsense", certificate), ("operator\nann", signature, "no certificate"),
        ("operator\nann", other.sign("operator\nann"), certificate),
        ("operator\nann", signature, other.certificate_text),
        ("operator\nann", signature, (here / "node.crt").read_text()),
    ):
        assert not is_signed_by(by, words, signed)
