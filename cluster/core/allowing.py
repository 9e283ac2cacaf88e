"""What of the record the cluster file does not allow, told as trouble. PURE.

Nothing is taken from a package that runs: a monitor whose program is not allowed does not watch,
and a guest whose image or device is not allowed does not start again. So it is told before that.
"""

from cluster.core.model import State
from packages.core.allowed import Allowed, against_devices, against_programs
from packages.core.problem import Problem
from packages.core.values import changed

STILL_USED = "it is still used, because the cluster file does not say which programs there are"


def problems(state: State, allowed: Allowed) -> list[Problem]:
    found: list[Problem] = []
    for name in sorted(state.packages):
        spec = state.packages[name].spec
        for each in against_programs(spec, allowed):
            said = each.because if allowed.programs is not None else (
                f"{each.because}; {STILL_USED}")
            found.append(changed(each, because=said, severity="warn"))
        found += [changed(each, severity="warn") for each in against_devices(spec, allowed)]
    return found
