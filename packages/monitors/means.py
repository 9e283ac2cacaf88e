"""A check that this host had no means for says nothing of the guest."""

from packages.core.means import NO_MEANS
from packages.core.problem import Problem, problem


def without_means(package: str, failure: BaseException) -> Problem | None:
    """None: it failed for something else."""
    if not isinstance(failure, OSError) or failure.errno not in NO_MEANS:
        return None
    return problem(
        "check-not-made", f"package:{package}", what="the guest could not be checked",
        because=f"the node's daemon is short of something: {failure.strerror or failure}",
        fix="see what uses up descriptors, memory or processes on that node",
    )
