"""A host's own folder: made once, also when the answer was lost; and changed without a moment in
which a crash would leave it unusable."""

import stat
from pathlib import Path

import pytest

from cluster.clock import HostClock
from cluster.config.joining import (
    LINE_BEGINS, Door, JoinAnswer, JoinLine, JoinRequest, finish, give_up, is_begun, line_of,
    line_text, prepare
)
from cluster.config.keys import NodeFolder, init_cluster, load_node_folder
from cluster.config.load import dump
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.config.vault import CHANGED, Certified, FolderVault, NextKeys, settle
from cluster.core.trust import NodeKeys
from cluster.sockets import make_keys, public_of
from packages.core.problem import Problem
from packages.core.values import changed

CONFIG = ClusterConfig(name="shop", nodes=(
    NodeConfig(name="n1", address="10.0.0.1"), NodeConfig(name="n2", address="10.0.0.2"),
))
LINE = JoinLine(
    cluster="shop", node="n2", until_ms=1, secret=make_keys().secret,
    doors=(Door(address="tcp://10.0.0.1:5471", key=make_keys().public),),
)


def vault(etc: Path, node: str = "n1") -> FolderVault:
    return FolderVault(etc, node, HostClock(), make_keys=make_keys, public_of=public_of)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    assert init_cluster(CONFIG, tmp_path / "made", make_keys, first="n1") is None
    return tmp_path / "made" / "n1"


def asked(etc: Path) -> JoinRequest:
    request = prepare(etc, "n2", make_keys, public_of)
    assert isinstance(request, JoinRequest), request
    return request


def answered(first: Path, request: JoinRequest) -> JoinAnswer:
    """What a node of the cluster would answer."""
    folder = load_node_folder(first)
    assert isinstance(folder, NodeFolder)
    certified = vault(first).certify("n2", request.certificate_request)
    assert isinstance(certified, Certified), certified
    return JoinAnswer(
        cluster=dump(CONFIG), authority=certified.authority, certificate=certified.certificate,
        keys=changed(folder.keys, nodes={**folder.keys.nodes, "n2": request.key}),
    )


def test_a_host_makes_its_keys_itself_and_its_folder_is_complete(
    first: Path, tmp_path: Path,
) -> None:
    etc = tmp_path / "etc" / "vmsg"
    request = asked(etc)
    folder = finish(etc, "n2", answered(first, request))
    assert isinstance(folder, NodeFolder), folder
    assert folder.name == "n2" and folder.keys.nodes["n2"] == public_of(folder.curve_secret)
    assert request.operator_key == public_of(folder.operator_secret)
    for name in ("curve.secret", "operator.secret", "node.key"):
        assert stat.S_IMODE((etc / name).stat().st_mode) == 0o600
        assert (etc / name).read_text().strip() not in repr(request)
    assert not (etc / "joining").exists()
    # What it was told is whom the founder trusted then: it is not for this host to tell the record.
    assert vault(etc, "n2").was_invited() and not vault(first).was_invited()
    again = prepare(etc, "n2", make_keys, public_of)
    assert isinstance(again, Problem) and again.code == "key-files-exist"


def test_an_attempt_whose_answer_was_lost_asks_for_the_same(first: Path, tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    request = asked(etc)
    again = asked(etc)
    assert (again.key, again.operator_key) == (request.key, request.operator_key)
    (etc / "cluster.yaml").write_text("half of it")
    assert isinstance(finish(etc, "n2", answered(first, again)), NodeFolder)


def test_an_attempt_that_was_refused_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    assert not is_begun(etc)
    asked(etc)
    assert is_begun(etc)
    give_up(etc)
    assert not etc.exists()
    etc.mkdir()
    (etc / "mine").touch()
    asked(etc)
    give_up(etc)
    assert [each.name for each in etc.iterdir()] == ["mine"]


def test_keys_of_something_else_are_never_touched(first: Path, tmp_path: Path) -> None:
    before = {each.name: each.read_bytes() for each in first.iterdir()}
    refused = prepare(first, "n2", make_keys, public_of)
    assert isinstance(refused, Problem) and refused.code == "key-files-exist"
    asked(tmp_path / "etc")
    refused = prepare(tmp_path / "etc", "n3", make_keys, public_of)
    assert isinstance(refused, Problem) and refused.code == "key-files-exist"
    assert {each.name: each.read_bytes() for each in first.iterdir()} == before


def test_a_wrong_answer_leaves_no_folder_that_looks_complete(first: Path, tmp_path: Path) -> None:
    request = asked(tmp_path / "etc")
    answer = changed(answered(first, request), certificate=(first / "node.crt").read_text())
    refused = finish(tmp_path / "etc", "n2", answer)
    assert isinstance(refused, Problem) and refused.code == "key-file-broken"
    assert not (tmp_path / "etc" / "node").exists()


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = prepare(tmp_path / "file" / "etc", "n2", make_keys, public_of)
    assert isinstance(refused, Problem) and refused.code == "key-file-unwritable"


def test_a_line_is_one_word_and_broken_ones_are_refused() -> None:
    text = line_text(LINE)
    assert line_of(f"  {text[:30]}\n{text[30:]}\n") == LINE
    assert text.startswith(LINE_BEGINS) and not set(text) & set(" '\"$`\\;&|<>()")
    assert LINE.secret not in repr(LINE)
    for broken in ("", "hello", text[:-10], text[:40] + "!" + text[41:], LINE_BEGINS):
        refused = line_of(broken)
        assert isinstance(refused, Problem) and refused.code == "join-line-broken"


def test_only_a_host_that_holds_the_authority_certifies(first: Path, tmp_path: Path) -> None:
    request = asked(tmp_path / "etc").certificate_request
    for bad in ("", "junk", request.replace("A", "B")):
        refused = vault(first).certify("n2", bad)
        assert isinstance(refused, Problem) and refused.code == "bad-request"
    (first / "ca.key").chmod(0o644)
    refused = vault(first).certify("n2", request)
    assert isinstance(refused, Problem) and refused.code == "key-file-exposed"
    (first / "ca.key").unlink()
    refused = vault(first).certify("n2", request)
    assert isinstance(refused, Problem) and refused.code == "authority-missing"


def made(etc: Path) -> tuple[NextKeys, str]:
    keys = vault(etc).next_keys()
    assert isinstance(keys, NextKeys), keys
    certified = vault(etc).certify("n1", keys.certificate_request)
    assert isinstance(certified, Certified)
    return keys, certified.certificate


def test_a_node_changes_over_to_keys_that_were_there_before(first: Path) -> None:
    keys, certificate = made(first)
    assert made(first)[0].key == keys.key
    secret = vault(first).change_over(certificate)
    assert isinstance(secret, str) and public_of(secret) == keys.key
    folder = load_node_folder(first)
    assert isinstance(folder, NodeFolder) and folder.curve_secret == secret
    assert not list(first.glob("*.next"))


@pytest.mark.parametrize("replaced", [0, 1, 2, 3])
def test_a_crash_while_changing_over_leaves_a_folder_that_works(
    first: Path, replaced: int,
) -> None:
    keys, certificate = made(first)
    (first / "node.crt.next").write_text(certificate)
    for name in CHANGED[:replaced]:
        (first / f"{name}.next").replace(first / name)
    assert settle(first) is None
    folder = load_node_folder(first)
    assert isinstance(folder, NodeFolder), folder
    assert (public_of(folder.curve_secret) == keys.key) == (replaced > 0)


def test_what_the_cluster_agreed_is_written_beside(first: Path) -> None:
    folder = load_node_folder(first)
    assert isinstance(folder, NodeFolder)
    keys = changed(folder.keys, nodes={**folder.keys.nodes, "n2": make_keys().public})
    assert vault(first).keep_public(keys) is None
    again = load_node_folder(first)
    assert isinstance(again, NodeFolder) and again.keys == keys
    founding = vault(first).founding()
    assert founding is not None and founding.trust.node("n1") == NodeKeys(
        node="n1", key=folder.keys.nodes["n1"])
    assert vault(first).keep_founding(changed(founding, closed=True)) is None
    assert vault(first).founding().closed
