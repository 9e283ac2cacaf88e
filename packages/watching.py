"""Puts the monitors of a package to work on one life of its guest on this node."""

import logging
from collections.abc import Callable

from cluster.clock import Clock
from packages.core.health import Failure
from packages.core.model import PackageSpec
from packages.core.problem import Problem
from packages.monitors.checks import checks_of
from packages.monitors.runner import MonitorRunner
from packages.vetting import Vetting
from packages.vm.driver import Driver, Guest

log = logging.getLogger(__name__)


def start_watch(
    spec: PackageSpec, guest: Guest, *, driver: Driver, node: str, clock: Clock,
    heard: Callable[[Problem], None], grace: bool, vetting: Vetting,
) -> MonitorRunner:
    """Begin to watch; `grace` forgives the failures of a guest that boots. A monitor that cannot
    be made is told to the log; the others watch all the same."""
    made, problems = checks_of(
        spec, driver=driver, guest=guest, node=node, default_host=None, clock=clock,
        vetting=vetting)
    for each in problems:
        log.error("%s: %s, %s", spec.name, each.what, each.because)

    def failed(failure: Failure) -> None:
        heard(failure.problem)

    runner = MonitorRunner(spec.name, made, clock=clock, heard=failed)
    runner.start(grace_s=None if grace else 0.0)
    return runner
