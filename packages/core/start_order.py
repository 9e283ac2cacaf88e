"""Which package is started before which: what others depend on first, then by priority. PURE.

A package waits until everything it depends on runs, on whatever node. One that a more important
one waits for is as important as that one. What must never happen here: a circle, in which each
waits for the next for ever; it is refused when a package is applied.
"""

from collections.abc import Iterable, Mapping

from packages.core.model import PackageSpec
from packages.core.values import Value

LAST = 3001
"""Of a package without a priority: Serviceguard's priorities end at 3000."""


class Waiting(Value):
    """A package that is to be started."""

    package: str
    priority: int | None = None
    depends_on: tuple[str, ...] = ()


def waiting(spec: PackageSpec) -> Waiting:
    return Waiting(package=spec.name, priority=spec.priority, depends_on=dependencies(spec))


def dependencies(spec: PackageSpec) -> tuple[str, ...]:
    return tuple(each.package for each in spec.dependencies)


def importance(spec: PackageSpec) -> tuple[int, str]:
    """To sort by: the most important first."""
    return (spec.priority or LAST, spec.name)


def start_order(found: Iterable[Waiting]) -> list[str]:
    """Names, the first to be started first."""
    each_by_name = {each.package: each for each in found}
    urgency = {name: each.priority or LAST for name, each in each_by_name.items()}
    spread = sorted(each_by_name)
    while spread:
        raised = []
        for name in spread:
            for other in each_by_name[name].depends_on:
                if other in urgency and urgency[other] > urgency[name]:
                    urgency[other] = urgency[name]
                    raised.append(other)
        spread = raised
    return sorted(urgency, key=lambda name: (urgency[name], name))


def circle(spec: PackageSpec, others: Mapping[str, PackageSpec]) -> tuple[str, ...]:
    """The circle that this package closes, from itself to itself; empty when there is none."""
    seen: set[str] = set()
    paths: list[tuple[str, ...]] = [(spec.name, name) for name in dependencies(spec)]
    while paths:
        path = paths.pop()
        name = path[-1]
        if name == spec.name:
            return path
        if name not in seen and name in others:
            seen.add(name)
            paths += [(*path, each) for each in dependencies(others[name])]
    return ()


def dependencies_first(specs: Iterable[PackageSpec]) -> list[PackageSpec]:
    """In an order in which each can be applied; those in a circle last, to be refused."""
    left, found = list(specs), []
    while left:
        names = {each.name for each in left}
        ready = [each for each in left if not names & set(dependencies(each))] or left
        found += ready
        done = {each.name for each in ready}
        left = [each for each in left if each.name not in done]
    return found
