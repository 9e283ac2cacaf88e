"""What the hosts of a simulated world have that proves them dead, beside the end of their lease."""

from typing import NamedTuple

from packages.core.model import FenceSpec

FENCED_OF, FENCED = 9, 8
"""Of so many seeds one is of a world whose packages ask for a storage fence."""
SORTS_OF = 42
"""Seeds are told apart by their rest of this; few that are known by what they found have a rest
that stands below, so they still do what they did."""
SWITCHED = range(21, 27)
"""Hosts can be switched off."""


class Hardware(NamedTuple):
    fence: FenceSpec = FenceSpec()
    has_controllers: bool = False
    """Fence agents can switch its hosts off."""


def hardware_of(seed: int) -> Hardware:
    return Hardware(
        fence=FenceSpec(kind="scsi_reservation" if seed % FENCED_OF == FENCED else "none"),
        has_controllers=seed % SORTS_OF in SWITCHED,
    )
