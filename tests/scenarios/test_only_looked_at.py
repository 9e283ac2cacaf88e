"""What somebody merely shows is no order: nothing that it names is started or asked."""

from typing import Any

import pytest

from cluster.answers.belonging import against_words
from cluster.answers.package_files import against_spec
from cluster.answers.survey import fences_of
from cluster.api import messages as ask
from cluster.api.roles import Caller, refused_to
from cluster.config.load import dump
from cluster.keyring import NoKeys
from cluster.sockets import make_keys
from packages.core.allowed import Programs
from packages.core.discretion import UNTOLD
from packages.core.model import FenceSpec, MonitorSpec, PackageSpec
from packages.core.values import changed
from tests.scenarios.pains.farm import Farm, farm
from tests.simulation.world import file_of, package

FENCED = package("mail", ("bee", "cat"), fence=FenceSpec(kind="scsi_reservation"))
ATTACK = ("/bin/sh", "-c", "id", "x")


def files(*specs: PackageSpec) -> tuple[ask.NamedText, ...]:
    return tuple(ask.NamedText(name=each.name, text=file_of(each)) for each in specs)


def codes(reply: ask.Reply, severity: str = "refuse") -> list[str]:
    return [each.code for each in reply.problems if each.severity == severity]


def looks(told: Farm) -> list[str]:
    return told.world.around.storage.looked_at


def awaited(told: Farm, coroutine: Any, *, on: str = "") -> Any:
    """As the operator's own process asks, or the daemon of that host."""
    process = told.hosts[on].daemon if on else told.world.desk
    assert process is not None
    answers: list[Any] = []

    async def asking() -> None:
        answers.append(await coroutine)

    process.begin(asking())
    told.until(lambda: answers, within_s=25.0, what="an answer")
    return answers[0]


def test_a_fence_is_asked_only_once_it_is_in_the_record() -> None:
    with farm() as told:
        for wish in (ask.CheckPackages(files=files(FENCED)),
                     ask.ApplyPackages(files=files(FENCED), dry_run=True)):
            assert told.answer(wish).verdict == "done" and looks(told) == []
        assert told.answer(ask.ApplyPackages(files=files(FENCED))).verdict == "done"
        assert looks(told)
        looks(told).clear()
        other = changed(FENCED, fence=FenceSpec(kind="target_access", initiator="iqn.2026-01.x"))
        assert told.answer(ask.CheckPackages(files=files(other))).verdict == "refused"
        assert looks(told) == [], "another fence is another program"
        assert told.answer(ask.CheckPackages(files=files(FENCED))).verdict == "done"
        assert looks(told)


def test_a_fence_that_cannot_is_told_of_as_soon_as_it_may_be_asked() -> None:
    with farm() as told:
        told.world.around.storage.unable = True
        answer = told.answer(ask.ApplyPackages(files=files(FENCED)))
        assert answer.verdict == "done"
        assert "storage-fence-unavailable" in codes(answer, "warn")


def test_a_node_asks_no_fence_for_another_node_that_the_record_has_not() -> None:
    """Whatever a neighbour says: its key, or its version, may be another."""
    with farm() as told:
        host = told.hosts["bee"]
        assert host.node is not None
        survey = host.node.survey
        awaited(told, survey.here(("/dev/x",), None, {"/dev/x": FENCED.fence}))
        assert looks(told) == []
        told.apply(FENCED)
        looks(told).clear()
        path, fence = next(iter(fences_of(FENCED).items()))
        awaited(told, survey.here((path,), None, {path: fence}))
        assert looks(told) == [path]
        for foreign in (changed(fence, command=ATTACK), changed(fence, kind="target_access")):
            awaited(told, survey.here((path,), None, {path: foreign}))
        assert looks(told) == [path]


@pytest.mark.parametrize("named", [
    {"monitors": (MonitorSpec(name="m", kind="program", argv=ATTACK),)},
    {"monitors": (MonitorSpec(name="m", kind="program", argv=("/etc/vmsg/programs/../x",)),)},
])
def test_a_program_that_is_not_allowed_is_not_taken(named: dict[str, Any]) -> None:
    with farm() as told:
        before = told.record().spec
        wanted = changed(before, **named)
        for wish in (ask.CheckPackages(files=files(wanted)),
                     ask.ApplyPackages(files=files(wanted), dry_run=True),
                     ask.ApplyPackages(files=files(wanted))):
            assert "program-not-allowed" in codes(told.answer(wish))
        assert told.record().spec == before


def test_a_full_admin_allows_a_program_with_the_cluster_file() -> None:
    with farm() as told:
        spec = changed(told.record().spec, monitors=(
            MonitorSpec(name="m", kind="program", argv=ATTACK),))
        before = told.world.config
        told.order(ask.ApplyCluster(text=dump(before)))
        named = changed(before, programs=Programs(commands=(ATTACK,)))
        shown = told.answer(ask.ApplyCluster(text=dump(named), dry_run=True))
        assert "/bin/sh -c id x" in " ".join(shown.result["differences"])
        told.order(ask.ApplyCluster(text=dump(named)))
        told.run(1.0)
        assert "program-not-allowed" not in codes(
            told.answer(ask.ApplyPackages(files=files(spec))))
        assert told.record().spec.monitors and "program-not-allowed" not in told.problems()
        # What was allowed once and is not any more is told of, and nothing is taken down for it.
        life = told.record().boot_id
        none = ask.ApplyCluster(text=dump(changed(before, programs=Programs(folders=()))))
        for wish in (changed(none, dry_run=True), none, ask.CheckCluster(text=none.text)):
            answer = told.answer(wish)
            assert answer.verdict == "done" and "program-not-allowed" in codes(answer, "warn")
        told.run(5.0)
        assert "/bin/sh" in told.problems()["program-not-allowed"]["what"]
        assert told.record().boot_id == life and told.running() == ["ape"]


def test_words_of_the_cluster_file_wait_for_who_does_not_know_them() -> None:
    with farm() as told:
        state, plain = told.state, told.world.config
        older = changed(state, nodes=state.nodes.set(
            "cat", changed(state.nodes["cat"], version="0.1.3")))
        for new in ({"programs": Programs()}, {"images": ()}):
            config = changed(plain, **new)
            assert against_words(state, config) is None and against_words(older, plain) is None
            refused = against_words(older, config)
            assert refused is not None and refused.code == "version-floor"
            assert "cat" in refused.because


@pytest.mark.parametrize("device", ["usb:1d6b:0002", "pci:0000:03:00.0"])
def test_what_a_host_loses_is_a_full_admins_to_give(device: str) -> None:
    ann = Caller(name="ann", role="package-admin")
    with farm() as told:
        host = told.hosts["ape"]
        assert host.node is not None
        desk, spec = host.node.desk, told.record().spec
        given = changed(spec, vm=changed(spec.vm, devices=(device, "virtio-rng-pci")))
        [refused] = against_spec(desk, ann, given)
        assert refused.code == "not-authorised" and device in refused.what
        assert against_spec(desk, changed(ann, role="full-admin"), given) == []
        assert against_spec(desk, ann, spec) == []
        told.order(ask.HaltPackage(package="web"))
        told.apply(given)
        assert against_spec(desk, ann, given) == [], "it has it already"


def test_to_have_a_text_checked_takes_the_role_that_may_apply_it() -> None:
    monitor = Caller(name="eve", role="monitor")
    assert refused_to(monitor, ask.CheckPackages(files=())) is not None
    assert refused_to(changed(monitor, role="package-admin"), ask.CheckPackages(files=())) is None
    for looking in (ask.GetStatus(), ask.Preflight(package="web"), ask.CheckCluster(text="")):
        assert refused_to(monitor, looking) is None


def test_who_may_only_look_is_told_nothing_of_a_hosts_processes() -> None:
    with farm(package("web", ("ape", "bee"), fence=FenceSpec(kind="scsi_reservation"))) as told:
        told.world.around.storage.unable = True
        host = told.hosts["ape"]
        assert host.node is not None
        desk = host.node.desk
        wish = ask.Preflight(package="web", node="bee")

        def reasons(role: Any) -> list[str]:
            reply = awaited(told, desk.answer(Caller(name="eve", role=role), wish))
            [node] = reply.result["nodes"]
            return [each["because"] for each in node["problems"]
                    if each["code"] == "storage-fence-unavailable"]

        assert reasons("monitor") == [UNTOLD]
        assert reasons("package-admin") and UNTOLD not in reasons("package-admin")


def test_a_nodes_key_lets_an_operator_in_only_with_the_authoritys_word() -> None:
    """Root on one host is not the operator of all."""
    key = make_keys().public
    with farm() as told:
        host = told.hosts["ape"]
        assert host.node is not None
        host.node.keyring.host = Signing()
        desk, node = host.node.desk, Caller(name="bee", role="full-admin", is_node=True)

        async def now() -> int:
            return desk.clock.wall_ms()

        now_ms = awaited(told, now(), on="ape")
        wish = ask.AddOperator(request="way-back", name="eve", key=key, proof_at_ms=now_ms)

        def answered(wish: ask.AddOperator) -> str:
            return codes(awaited(told, desk.answer(node, wish), on="ape"))[0]

        proven = changed(wish, proof=f"the authority's for {ask.words_of(wish)}")
        for wrong in (wish, changed(proven, role="monitor"), changed(proven, name="ann"),
                      changed(proven, proof_at_ms=now_ms - 1), stale(wish, -660_000),
                      stale(wish, 660_000)):
            assert answered(wrong) == "not-authorised"
        assert answered(proven) == "trust-not-formed", "the record's own rule, asked after it"


class Signing(NoKeys):
    """A host on which the authority's signature is known."""

    def is_authoritys(self, words: str, signature: str) -> bool:
        return signature == f"the authority's for {words}"


def stale(wish: ask.AddOperator, by_ms: int) -> ask.AddOperator:
    """Rightly signed, and at another time."""
    then = changed(wish, proof_at_ms=wish.proof_at_ms + by_ms)
    return changed(then, proof=f"the authority's for {ask.words_of(then)}")
