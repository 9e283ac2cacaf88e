"""Which machine a guest is started as: one that all nodes of its package can carry on. PURE.

An alias (`q35`, `pc`) means the newest type of whichever QEMU starts the guest, and a guest keeps
its type for life. Started so on the newest node of a mixed cluster it can move to no older one.
"""

import re
from collections.abc import Mapping

from packages.core.values import Value

FAMILIES: Mapping[str, str] = {"q35": "pc-q35-", "pc": "pc-i440fx-"}
"""Aliases without a version, and what their types begin with."""
VERSION = re.compile(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?")


class Choice(Value):
    machine: str
    unknown: tuple[str, ...] = ()
    """Nodes that do not know it, or are not known to."""


def chosen(machine: str, known: Mapping[str, tuple[str, ...]], here: str) -> Choice:
    """`known`: the types of each node of the package, empty where nobody has said. What is not an
    alias stays as it is, and so does an alias that nobody can tell the meaning of."""
    if machine not in FAMILIES:
        return Choice(machine=machine)
    own = _newest_first(machine, known.get(here, ()))
    if not own:
        return Choice(machine=machine, unknown=tuple(sorted(known)))
    told = [set(each) for each in known.values() if each]
    common = [each for each in own if all(each in types for types in told)]
    found = common[0] if common else own[0]
    return Choice(machine=found, unknown=lacking(found, known))


def lacking(machine: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for name, types in sorted(known.items()) if machine not in types)


def versioned(machines: tuple[str, ...]) -> tuple[str, ...]:
    """Of all that a QEMU knows, the types that an alias may mean."""
    return tuple(sorted(each for each in machines if any(
        _version(each, family) for family in FAMILIES.values())))


def _newest_first(alias: str, machines: tuple[str, ...]) -> list[str]:
    dated = [(version, each) for each in machines
             if (version := _version(each, FAMILIES[alias])) is not None]
    return [each for _, each in sorted(dated, reverse=True)]


def _version(machine: str, family: str) -> tuple[int, int, int] | None:
    found = VERSION.fullmatch(machine.removeprefix(family)) if machine.startswith(family) else None
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found is not None else None
