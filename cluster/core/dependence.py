"""What the record says about packages that depend on others. PURE.

A dependency counts when a package is started: one that runs goes on when what it depends on fails.
"""

from cluster.core.model import PackageRecord, State
from packages.core.model import PackageSpec
from packages.core.problem import Problem, problem
from packages.core.start_order import circle, dependencies


def unmet(state: State, spec: PackageSpec) -> tuple[str, ...]:
    """What it depends on and does not run."""
    return tuple(
        name for name in dependencies(spec)
        if name not in state.packages or state.packages[name].state != "running"
    )


def against_applying(state: State, spec: PackageSpec) -> Problem | None:
    for name in dependencies(spec):
        if name != spec.name and name not in state.packages:
            return unknown(spec.name, name)
    closed = circle(spec, {name: each.spec for name, each in state.packages.items()}) \
        if spec.dependencies else ()
    if closed:
        return problem(
            "dependency-circle", f"package:{spec.name}",
            what=f"Package {spec.name} would wait for itself.",
            because=f"It depends in a circle: {' -> '.join(closed)}.",
            fix="Take one of these dependencies out.",
        )
    return None


def unknown(package: str, name: str) -> Problem:
    return problem(
        "dependency-unknown", f"package:{package}", what=f"Package {package} depends on {name}.",
        because=f"There is no package {name}.",
        fix=f"Apply {name} first, or together with {package}.",
    )


def against_deleting(state: State, name: str) -> Problem | None:
    """Dependents would wait for ever."""
    held = [other for other, each in sorted(state.packages.items())
            if name in dependencies(each.spec)]
    if not held:
        return None
    return problem(
        "package-depended-on", f"package:{name}", what=f"Package {name} is not deleted.",
        because=f"{', '.join(held)} depend on it.",
        fix="Apply them without that dependency first.",
    )


def against_start(state: State, record: PackageRecord) -> Problem | None:
    missing = unmet(state, record.spec)
    if not missing:
        return None
    return problem(
        "dependency-unmet", f"package:{record.name}",
        what=f"Package {record.name} waits for {', '.join(missing)}.",
        because="It depends on them, and they do not run.",
        fix="; ".join(f"vmsg package run {name}" for name in missing), severity="warn",
    )
