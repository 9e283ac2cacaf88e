"""Rules about memory: the whole guest must fit into what the target has free, and what is kept for
takeovers is not for anything else."""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem

# QEMU itself beside the guest's memory: 43 MiB resident was measured for the smallest guest;
# device buffers and the migration stream come on top.
OVERHEAD_MIB = 64


def memory_short(asked: PreflightInput) -> Problem | None:
    target = asked.target_facts
    needed_mib = asked.spec.vm.memory_mib + OVERHEAD_MIB
    if target is None or target.memory_free_mib >= needed_mib:
        return None
    return problem(
        "memory-short", f"node:{asked.target}",
        what=f"{asked.target} lacks memory for {asked.spec.name}",
        because=f"it has {target.memory_free_mib} MiB free, the guest needs {needed_mib} MiB "
                f"with {OVERHEAD_MIB} MiB for QEMU itself",
        fix=f"move another package away from {asked.target} first, or choose another node",
    )


def memory_reserved(asked: PreflightInput) -> Problem | None:
    """Of what is there, a part is for the packages of a node that dies."""
    target = asked.target_facts
    needed_mib = asked.spec.vm.memory_mib + OVERHEAD_MIB
    if target is None or not needed_mib <= target.memory_free_mib < needed_mib + asked.reserve_mib:
        return None
    return problem(
        "memory-reserved", f"node:{asked.target}",
        what=f"{asked.target} keeps its memory for takeovers",
        because=f"it has {target.memory_free_mib} MiB free, of which {asked.reserve_mib} MiB are "
                f"kept; the guest needs {needed_mib} MiB with {OVERHEAD_MIB} MiB for QEMU itself",
        fix=f"choose another node, move another package away from {asked.target}, or set "
            "takeover_reserve_mib lower in the cluster file",
    )
