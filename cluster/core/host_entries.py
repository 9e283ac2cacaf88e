"""Entries about what a node's host has, and what is seen there."""

from cluster.core.entry import Entry
from packages.core.sightings import Sighting


class HypervisorChanged(Entry, tag="hypervisor-changed"):
    """What its QEMU is from now on, and which machine types with a version it knows."""

    node: str
    incarnation: str
    qemu: str
    machines: tuple[str, ...]


class SightingsChanged(Entry, tag="sightings-changed"):
    """What is seen on a node beside the record, now; nothing: all is as it should be."""

    node: str
    incarnation: str
    sightings: tuple[Sighting, ...] = ()
