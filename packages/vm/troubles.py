"""What becomes of a guest that cannot be started or ended, in words.

What a host lacks is told apart from everything else: it is the node's trouble, and nothing that the
package would be blamed for (packages/core/means.py).
"""

from packages.core.means import is_want, tells_of_want
from packages.core.problem import Problem, problem
from packages.vm.driver import Guest


def start_failed(package: str, because: str) -> Problem:
    if tells_of_want(because):
        return lacks_means(package, because)
    return problem(
        "package-start-failed", f"package:{package}", what="the guest could not be started",
        because=because, fix="put right what QEMU complains of, then run the package again",
    )


def not_begun(package: str, failure: OSError) -> Problem:
    """Nothing was started."""
    return (lacks_means if is_want(failure) else start_failed)(package, no_room(failure))


def lacks_means(package: str, because: str) -> Problem:
    return problem(
        "node-lacks-means", f"package:{package}", what="the node could not start the guest",
        because=because, fix="see what uses up descriptors, memory, processes or room on that node",
    )


def will_not_end(guest: Guest, waited_s: float) -> Problem:
    return problem(
        "guest-will-not-end", f"package:{guest.package}",
        what=f"process {guest.pid} is still there {waited_s:g} s after it was killed",
        because="the kernel keeps it, most likely for a disk that does not answer",
        fix="cut the node off from the package's disks, or reset the node",
    )


def no_room(failure: OSError) -> str:
    named = f": {failure.filename}" if failure.filename else ""
    return f"the host is short of something: {failure.strerror or failure}{named}"
