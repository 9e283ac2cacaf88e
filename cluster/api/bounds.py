"""How long, how many and how large anything in a request may be.

A request is decoded before anybody looks at what it wants, and much of it is kept in the record for
good. So nothing in it is without a bound: what is beyond one is refused while it is decoded, and
costs nothing but its bytes. Numbers have bounds as well, which no NaN and no infinity is within.
tests/style/test_bounds.py holds every request to this.
"""

from typing import Annotated

from packages.core.values import Bound

SMALL_BYTES = 64 << 10
"""Every request fits into this but those with files in them, or the disks of many packages; what is
larger is looked at before it is decoded (gate.py)."""

RequestId = Annotated[str, Bound(max_length=64)]
"""Drawn by a client; ours have 16 digits. Also of a move."""
Name = Annotated[str, Bound(max_length=253)]
"""Of a node (RFC 1035), which is the longest name of ours; also a host's address."""
Reason = Annotated[str, Bound(max_length=500)]
"""An operator's words, which stand in the history for good."""
Key = Annotated[str, Bound(max_length=100)]
"""CURVE's have 40 characters; a wrong one is to be refused in words."""
Path = Annotated[str, Bound(max_length=4400)]
"""Linux takes 4095 bytes; the name of a package may stand before it."""
Pem = Annotated[str, Bound(max_length=16 << 10)]
"""A request for a certificate; with the longest keys in use it has 2 KiB."""
Text = Annotated[str, Bound(max_length=1 << 20)]
"""A file of packages: a thousand of them take some 850 KiB."""
ClusterText = Annotated[str, Bound(max_length=128 << 10)]
"""The cluster file: 64 nodes with two fences each take some 40 KiB."""
BackupText = Annotated[str, Bound(max_length=8 << 20)]

Seconds = Annotated[float, Bound(ge=0, le=3.2e8)]
"""Ten years are no time that anybody waits for."""
Count = Annotated[int, Bound(ge=0, le=1 << 62)]
Moment = Annotated[int, Bound(ge=-(1 << 62), le=1 << 62)]
"""Milliseconds of a wall clock, which may be any time before, too."""
Port = Annotated[int, Bound(ge=0, le=65535)]

MOST_NODES, MOST_PACKAGES, MOST_DISKS = 64, 5000, 64 * 5000
"""A cluster has so many nodes at the most, and is meant for so many packages; 64 disks each."""
Nodes = Annotated[tuple[Name, ...], Bound(max_length=MOST_NODES)]
Packages = Annotated[tuple[Name, ...], Bound(max_length=MOST_PACKAGES)]
Paths = Annotated[tuple[Path, ...], Bound(max_length=MOST_DISKS)]
Filler = Annotated[bytes, Bound(max_length=64 << 10)]
"""No packet is larger."""
