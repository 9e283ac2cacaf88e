"""Rules about the package's own state: only a running guest that nobody else is handling moves."""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem


def package_not_running(asked: PreflightInput) -> Problem | None:
    name = asked.spec.name
    if asked.running is not None or asked.detached_on:
        return None
    return problem(
        "package-not-running", f"package:{name}",
        what=f"{name} does not run",
        because="an online move carries a running guest",
        fix=f"vmsg package run {name} --node {asked.target}",
    )


def package_detached(asked: PreflightInput) -> Problem | None:
    name, node = asked.spec.name, asked.detached_on
    if not node:
        return None
    return problem(
        "package-detached", f"package:{name}",
        what=f"{name} is detached",
        because=f"{node} left it running, unwatched, and nobody orders it about",
        fix=f"have it taken up again first: vmsg node run {node} (vmsg cluster run, where the "
            "cluster is halted)",
    )


def package_already_there(asked: PreflightInput) -> Problem | None:
    name = asked.spec.name
    if asked.running is None or asked.running.node != asked.target:
        return None
    return problem(
        "package-already-there", f"package:{name}",
        what=f"{name} runs on {asked.target} already",
        because="a move needs another node to go to",
        fix="choose another of the package's nodes",
    )


def package_moving(asked: PreflightInput) -> Problem | None:
    name = asked.spec.name
    if not asked.moving:
        return None
    return problem(
        "package-moving", f"package:{name}",
        what=f"{name} is being moved",
        because="a package makes one move at a time",
        fix=f"wait for it (vmsg move {name} --status) or end it (vmsg move {name} --abort)",
    )


def package_in_maintenance(asked: PreflightInput) -> Problem | None:
    name = asked.spec.name
    if not asked.in_maintenance:
        return None
    return problem(
        "package-in-maintenance", f"package:{name}",
        what=f"{name} is in maintenance",
        because="somebody works on it and its health is not watched",
        fix=f"vmsg package maintenance {name} off",
    )


def device_attached(asked: PreflightInput) -> Problem | None:
    devices = asked.spec.vm.devices
    if not devices:
        return None
    return problem(
        "device-attached", f"package:{asked.spec.name}",
        what=f"{asked.spec.name} has {', '.join(devices)} attached",
        because="a device of the source host cannot follow the guest to another",
        fix="detach it from the guest and take it out of the package's `devices`",
    )
