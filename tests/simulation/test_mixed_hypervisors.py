"""Hosts with older and newer QEMUs: what is started anywhere can go everywhere."""

from cluster.api import messages as ask
from tests.simulation.test_part_loss import state
from tests.simulation.test_simulation import ask_and_wait
from tests.simulation.test_site_power import all_run, packages
from tests.simulation.world import World, file_of, package

OLD, NEW = ("pc-q35-6.2", "pc-q35-7.2"), ("pc-q35-10.0", "pc-q35-7.2")


def test_a_guest_started_on_the_newest_host_is_what_all_its_nodes_know() -> None:
    with World(1) as world:
        for name, machines in (("ape", NEW), ("bee", OLD), ("cat", NEW)):
            world.hosts[name].facts.machines = machines
        world.until(lambda: world.leader() and all(
            each.machines for each in state(world).nodes.values()), within_s=10.0, what="said")
        files = tuple(
            ask.NamedText(name=name, text=file_of(package(name, nodes)))
            for name, nodes in (("web", ("ape", "bee", "cat")), ("new", ("ape", "cat"))))
        applied = ask_and_wait(world, "bee", ask.ApplyPackages(request="a", files=files))
        assert applied.verdict == "done", applied
        world.until(all_run(world), within_s=20.0, what="up")
        assert {each.name: (each.owner, each.machine) for each in packages(world)} == {
            "web": ("ape", "pc-q35-7.2"), "new": ("ape", "pc-q35-10.0")}
        moved = ask_and_wait(
            world, "bee", ask.MovePackage(request="m", package="web", node="bee"))
        assert moved.verdict == "done", moved
        world.until(
            lambda: state(world).packages["web"].owner == "bee", within_s=10.0, what="moved")
        world.until_settled(within_s=10.0)
