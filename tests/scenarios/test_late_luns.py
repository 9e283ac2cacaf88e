"""LUNs that a whole site sees later than its hosts boot: nothing has failed or is given up."""

from tests.scenarios.pains.farm import WEB, Farm, farm

PLACES = ("ape", "bee", "cat")
LUN = "/dev/web"


def lose_the_site(told: Farm, *, missing: tuple[str, ...]) -> None:
    """All its power, and when it is back these nodes do not see the LUN."""
    for name in PLACES:
        told.lose_power(name)
    for name in PLACES:
        told.boot(name)
        told.hosts[name].facts.missing_disks = {LUN} if name in missing else set()


def test_a_package_waits_for_its_lun_however_late_and_nothing_is_counted() -> None:
    with farm(WEB) as told:
        life, before = told.lives(), len(told.told("package:web"))
        lose_the_site(told, missing=PLACES)
        told.run(120.0)
        record = told.record()
        assert record.state == "relocate_wait" and record.auto_run
        assert not record.failures_ms and not record.avoid
        assert "is not seen" in told.problems()["no-node-available"]["because"]
        assert "LUN or bridge" in told.problems()["node-lacks-means"]["fix"]
        tries = told.told("package:web")[before:].count("package starting")
        assert 10 <= tries <= 60, "in turn, and not at once"
        told.hosts["bee"].facts.missing_disks = set()
        told.until(lambda: told.running() == ["bee"], within_s=40.0, what="it runs on bee")
        assert not told.record().failures_ms and told.lives() != life
        told.harm("bee", lambda: told.fabric.break_guest("bee", "web", "panicked"))
        told.until(lambda: told.record().failures_ms, within_s=5.0, what="a failure")
        told.until(lambda: told.running() == ["bee"], within_s=10.0, what="again, on the spot")


def test_a_node_that_sees_the_lun_is_taken_at_once() -> None:
    with farm(WEB) as told:
        lose_the_site(told, missing=("ape", "bee"))
        told.until(lambda: told.running() == ["cat"], within_s=15.0, what="it runs on cat")
        assert not told.record().failures_ms and told.record().auto_run


def test_a_guest_that_fails_where_it_is_seen_is_counted_as_before() -> None:
    with farm(WEB) as told:
        for name in ("bee", "cat"):
            told.hosts[name].facts.missing_disks = {LUN}
        for _ in range(2):
            told.until(lambda: told.running() == ["ape"], within_s=40.0, what="it runs on ape")
            told.harm("ape", lambda: told.fabric.break_guest("ape", "web", "panicked"))
            told.run(1.0)
        told.run(20.0)
        record = told.record()
        assert record.state == "relocate_wait" and record.avoid == ("ape",)
        told.hosts["cat"].facts.missing_disks = set()
        told.until(lambda: told.running() == ["cat"], within_s=60.0, what="it runs on cat")
