"""What the hosts of a simulated world have that proves them dead, beside the end of their lease."""

from typing import NamedTuple

from packages.core.model import FenceSpec

FENCED_OF, FENCED = 9, 8
"""Of so many seeds one is of a world whose packages ask for a storage fence."""
SORTS_OF = 42
"""Seeds are told apart by their rest of this; few that are known by what they found have a rest
that stands below, so they still do what they did."""
SWITCHED = (*range(21, 27), 31)
"""Hosts can be switched off."""
WATCHED = range(27, 32)
"""Hosts have watchdogs."""
SHUT_OUT = 32
"""Packages ask for a storage fence, and for more than the end of a lease."""
HANGING = range(24, 33)
"""Hosts stand still as a whole, or their guardians do, and go on."""
GUARDIANS_FAIL = range(28, 42)
"""Guardians are stopped, or end and are started again at once or late."""


class Hardware(NamedTuple):
    fence: FenceSpec = FenceSpec()
    has_controllers: bool = False
    """Fence agents can switch its hosts off."""
    has_watchdogs: bool = False
    hosts_hang: bool = False
    """As a whole, or their guardians do. The end of a lease proves nothing about such a host
    (docs/packages.md), so its packages ask for more."""
    guardians_fail: bool = False
    """Alone: their daemons live meanwhile, unless hosts hang as well."""


def hardware_of(seed: int) -> Hardware:
    sort = seed % SORTS_OF
    is_fenced = seed % FENCED_OF == FENCED or sort == SHUT_OUT
    return Hardware(
        fence=FenceSpec(kind="scsi_reservation" if is_fenced else "none"),
        has_controllers=sort in SWITCHED, has_watchdogs=sort in WATCHED, hosts_hang=sort in HANGING,
        guardians_fail=sort in GUARDIANS_FAIL,
    )
