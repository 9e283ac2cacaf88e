"""Makes the checks a package asks for, for one life of its guest on one node."""

from cluster.clock import Clock
from packages.core.model import MonitorSpec, PackageSpec
from packages.core.problem import Problem, problem
from packages.monitors.http import HttpGet
from packages.monitors.monitor import Check
from packages.monitors.program import Program
from packages.monitors.qemu_state import QemuState
from packages.monitors.tcp import TcpConnect
from packages.vetting import Vetting
from packages.vm.driver import Driver, Guest

HTTP_PORT = 80

WATCHED_ALWAYS = MonitorSpec(name="qemu", kind="qemu", interval_s=2.0, timeout_s=5.0)
"""Whatever a package asks for or forgets, its process and run state are watched."""


def monitors_of(spec: PackageSpec) -> tuple[MonitorSpec, ...]:
    """The package's own monitors, and one of kind `qemu` if it names none."""
    if any(monitor.kind == "qemu" for monitor in spec.monitors):
        return spec.monitors
    return (WATCHED_ALWAYS, *spec.monitors)


def checks_of(
    spec: PackageSpec, *, driver: Driver, guest: Guest, node: str, default_host: str | None,
    clock: Clock, vetting: Vetting,
) -> tuple[list[tuple[MonitorSpec, Check]], list[Problem]]:
    """What MonitorRunner takes, and why any of them cannot be made: one that cannot must not keep
    the others from watching."""
    made: list[tuple[MonitorSpec, Check]] = []
    problems: list[Problem] = []
    for monitor in monitors_of(spec):
        check = check_of(
            monitor, driver=driver, guest=guest, node=node, default_host=default_host, clock=clock,
            vetting=vetting,
        )
        if isinstance(check, Problem):
            problems.append(check)
        else:
            made.append((monitor, check))
    return made, problems


def check_of(
    monitor: MonitorSpec, *, driver: Driver, guest: Guest, node: str, default_host: str | None,
    clock: Clock, vetting: Vetting,
) -> Check | Problem:
    """`default_host` is the guest's own address, for a monitor that names no host."""
    if monitor.kind == "qemu":
        return QemuState(driver, guest)
    if monitor.kind == "program":
        return Program(
            guest.package, node=node, epoch=guest.epoch, argv=monitor.argv, clock=clock,
            vetting=vetting,
        )
    host = monitor.host or default_host
    if host is None:
        return problem(
            "check-without-host", f"package:{guest.package}",
            what=f"the monitor {monitor.name} has no address to ask",
            because="it names no host, and the guest's own address is not known",
            fix="give the monitor a host",
        )
    port = HTTP_PORT if monitor.port is None else monitor.port
    if monitor.kind == "tcp":
        return TcpConnect(guest.package, host=host, port=port)
    return HttpGet(guest.package, host=host, port=port, path=monitor.path)
