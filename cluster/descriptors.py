"""How many descriptors this process may still open."""

import os
import resource
from typing import NamedTuple

from packages.core.room import least_descriptors

OWN = "/proc/self/fd"


class Descriptors(NamedTuple):
    left: int
    limit: int

    @property
    def are_short(self) -> bool:
        return self.left < least_descriptors(self.limit)

    @property
    def are_plenty(self) -> bool:
        """A quarter beyond short, so that one more or less does not change the answer each time."""
        return self.left >= 1.25 * least_descriptors(self.limit)


def descriptors() -> Descriptors:
    """In microseconds, and without one of them: Linux tells the number as the folder's size since
    6.2; before, they are listed, and where that is refused there is none left."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        used = os.stat(OWN).st_size or len(os.listdir(OWN)) - 1
    except OSError:
        used = limit
    return Descriptors(left=max(0, limit - used), limit=limit)
