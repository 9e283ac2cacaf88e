"""Whether this host has a way to an address at all. A narrow door to the kernel's routes.

A bridge without an address, as hosts usually have it, leaves a host without a way to its own
guests. That says nothing of them: a check that could not be made is none.
"""

import errno
import socket

from packages.core.problem import Problem, problem

NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL})
"""Also what is said of a guest that does not answer its neighbours, or by a router on the way: then
this host has a route, and the guest is what is silent."""


def against_asking(package: str, address: str, failure: OSError) -> Problem | None:
    """Why nothing was asked, where it was for want of a route here. Sends nothing."""
    host, _, port = address.rpartition(":")
    if failure.errno not in NO_WAY or has_route(host, int(port)):
        return None
    return problem(
        "check-not-made", f"package:{package}",
        what=f"{address} cannot be asked from this node", because=f"it has no route there: "
        f"{failure.strerror}",
        fix="give the bridge of that network an address on this node, or it a route there",
    )


def has_route(host: str, port: int) -> bool:
    """Connecting a datagram socket looks the route up, and nothing else."""
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    except socket.gaierror:
        return True  # a name, which was looked up when it was to be connected to
    with socket.socket(family, kind) as asked:
        try:
            asked.connect(place)
        except OSError as failure:
            return failure.errno not in NO_WAY
    return True
