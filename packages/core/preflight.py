"""Whether a package may move to a node, start there, or be accepted at all: all reasons at once.

The rules are small and named by the condition they find; they stand in `preflight_rules/` and
`disks.py`, and here only in which order they are asked and when. The demands come from the
product's rules (docs/rules.md). Checking changes nothing, and no rule may hide another: an
operator who mends everything that is printed has mended everything.
"""

from collections.abc import Callable, Iterable

from packages.core import disks
from packages.core.facts import NodeFacts, disk_named
from packages.core.known_disks import by_path
from packages.core.preflight_input import Placement, PreflightInput, RunningGuest
from packages.core.preflight_rules import (
    channel, cpu, host, machine, memory, network, package, placement, room
)
from packages.core.problem import Problem

__all__ = [
    "Placement", "PreflightInput", "RunningGuest", "apply_rules", "host_rules", "preflight",
    "start_rules",
]

Rule = Callable[[PreflightInput], Problem | None]

PLACEMENT_RULES: tuple[Rule, ...] = (
    placement.node_not_eligible,
    placement.node_switching_disabled,
    placement.node_in_maintenance,
    placement.node_not_up,
    placement.guardian_unreachable,
    placement.facts_missing,
)
MOVE_RULES: tuple[Rule, ...] = (
    package.package_not_running,
    package.package_detached,
    package.package_already_there,
    package.package_moving,
    package.package_in_maintenance,
    *PLACEMENT_RULES,
    placement.node_quarantined,
    placement.node_version_differs,
    cpu.accelerator_missing,
    cpu.cpu_family_differs,
    cpu.cpu_feature_missing,
    machine.machine_type_unknown,
    package.device_attached,
    memory.memory_short,
    memory.memory_reserved,
    room.room_short,
    channel.migration_channel_insecure,
    channel.migration_network_shared,
)
START_RULES: tuple[Rule, ...] = (
    *PLACEMENT_RULES,
    cpu.accelerator_missing,
    machine.machine_type_unknown,
    memory.memory_short,
    memory.memory_reserved,
    room.room_short,
)

HOST_RULES: tuple[Rule, ...] = (
    host.memory_never_enough,
    cpu.accelerator_missing,
    machine.machine_type_unknown,
)


def preflight(asked: PreflightInput) -> list[Problem]:
    """Every reason against moving the running package to the target, in a fixed order."""
    return [
        *_found(MOVE_RULES, asked),
        *network.switch_problems(asked),
        *network.monitors_out_of_reach(asked),
        *_disks_not_paravirtual(asked),
        *_disk_problems(asked, disks.MOVE_RULES),
        *_disk_problems_at_source(asked),
    ]


def start_rules(asked: PreflightInput) -> list[Problem]:
    """Every reason against starting the halted package on the target."""
    return [
        *_found(START_RULES, asked),
        *network.switch_problems(asked),
        *network.monitors_out_of_reach(asked),
        *_disk_problems(asked, disks.START_RULES),
    ]


def apply_rules(asked: PreflightInput) -> list[Problem]:
    """Every reason against the package's disks, as far as this node can tell."""
    return _disk_problems(asked, disks.START_RULES)


def host_rules(asked: PreflightInput) -> list[Problem]:
    """Every reason why the package could never run on the node as it is, its disks apart."""
    return [
        *_found(HOST_RULES, asked),
        *network.switch_problems(asked),
        *network.monitors_out_of_reach(asked),
        *host.files_absent(asked),
        *host.refused_by_qemu(asked),
    ]


def _found(rules: Iterable[Rule], asked: PreflightInput) -> list[Problem]:
    return [found for rule in rules if (found := rule(asked)) is not None]


def _disks_not_paravirtual(asked: PreflightInput) -> list[Problem]:
    """Of the description alone, so they are found without facts of any node."""
    found = [disks.disk_not_paravirtual(asked.spec.name, disk) for disk in asked.spec.vm.disks]
    return [each for each in found if each is not None]


def _disk_problems(asked: PreflightInput, rules: tuple[disks.DiskRule, ...]) -> list[Problem]:
    if asked.target_facts is None:
        return []
    return _examined(asked, asked.target_facts, asked.source_facts, rules)


def _disk_problems_at_source(asked: PreflightInput) -> list[Problem]:
    """The source's own view matters too: a file there, or a second process writing."""
    source = asked.source_facts
    if source is None or source.name == asked.target:
        return []
    return _examined(asked, source, None, disks.SOURCE_RULES)


def _examined(
    asked: PreflightInput, seen_by: NodeFacts, source: NodeFacts | None,
    rules: tuple[disks.DiskRule, ...],
) -> list[Problem]:
    """Each disk of the package as one node sees it, compared with what the source sees."""
    own, known = asked.running, by_path(asked.known_disks)
    compared = source if source is not None and source.name != seen_by.name else None
    questions = (
        disks.DiskQuestion(
            package=asked.spec.name,
            node=seen_by.name,
            disk=disk,
            seen=disk_named(seen_by, disk.path),
            fence=asked.spec.fence,
            at_source=None if compared is None else disk_named(compared, disk.path),
            own_pid=own.pid if own is not None and own.node == seen_by.name else 0,
            claimed_disks=asked.claimed_disks,
            known=known.get(disk.path),
        )
        for disk in asked.spec.vm.disks
    )
    return [
        found for question in questions for rule in rules
        if (found := rule(question)) is not None
    ]
