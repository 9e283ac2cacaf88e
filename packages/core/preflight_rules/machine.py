"""Rule about the emulated machine: the target's QEMU must know the type the guest booted on.

Moving to an older QEMU is allowed for exactly that reason: what counts is the machine type
recorded at boot, not the version of the program.
"""

from packages.core.preflight_input import PreflightInput
from packages.core.problem import Problem, problem


def machine_type_unknown(asked: PreflightInput) -> Problem | None:
    target = asked.target_facts
    wanted = asked.spec.vm.machine if asked.running is None else asked.running.machine
    if target is None or wanted in target.machines:
        return None
    qemu = target.qemu_version or "not installed"
    return problem(
        "machine-type-unknown", f"node:{asked.target}",
        what=f"{asked.target} does not know machine type {wanted}",
        because=f"its QEMU is {qemu}",
        fix=f"install a QEMU on {asked.target} that knows {wanted}, "
            "or restart the guest on an older machine type",
    )
