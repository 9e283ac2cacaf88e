"""Layers point one way, and each outside library has one door."""

import sys

from tests.style.sources import PRODUCT_ROOMS, imports, product

ALLOWED = {
    "packages.core": ("packages.core",),
    "cluster.core": ("packages.core", "cluster.core"),
    "cluster.raft": (
        "packages.core", "cluster.raft", "cluster.clock", "cluster.sockets", "cluster.tally",
        "cluster.config.schema",  # the timing profiles
    ),
    "cluster.guardian": (
        "cluster.guardian_guests", "cluster.guardian_host", "cluster.supervision"),
    "cluster.guardian_guests": ("cluster.guardian_host", "cluster.supervision"),
    "cluster.guardian_host": ("cluster.supervision",),
    "cluster.supervision": (),
    "cluster.clock": (),
    "cluster.tally": (),
    "cluster.sockets": (
        "packages.core", "cluster.socket_inbox", "cluster.socket_options", "cluster.doorkeeper",
        "cluster.connections", "cluster.local_door", "cluster.tally"),
    "cluster.local_door": ("cluster.descriptors",),
    "cluster.descriptors": ("packages.core",),
    "cluster.connections": ("cluster.socket_inbox", "cluster.tally"),
    "cluster.socket_options": ("cluster.socket_inbox",),
    "cluster.doorkeeper": ("cluster.connections", "cluster.socket_inbox", "cluster.tally"),
    "cluster.socket_inbox": (),
    # Doors to one machine: they must work, and be tested, without a cluster.
    "packages.accounts": ("packages.core",),
    "packages.vetting": ("packages.core", "packages.accounts"),
    "packages.oom_score": (),
    "packages.vm": (
        "packages.core", "packages.vm", "packages.vetting", "packages.accounts",
        "packages.oom_score", "cluster.clock"),
    "packages.storage": ("packages.core", "packages.storage", "cluster.clock"),
    "packages.fencing": (
        "packages.core", "packages.fencing", "packages.vetting", "cluster.clock"),
    "packages.monitors": (
        "packages.core", "packages.monitors", "packages.vetting", "packages.oom_score",
        "cluster.clock",
        "packages.vm.driver",  # the values in which a guest's state is observed
    ),
    "cluster.lab": (
        "packages.core", "cluster.lab", "cluster.api.client", "cluster.api.messages",
        "cluster.api.peer", "cluster.config", "cluster.clock", "cluster.sockets",
    ),
    "cli": (
        "cli", "packages.core", "cluster.api", "cluster.lab", "cluster.config",
        "cluster.clock", "cluster.sockets", "cluster.rejoining", "cluster.raft.amnesia",
    ),
    # The rest may use whatever is below the command line.
    "packages": ("packages", "cluster"),
    "cluster": ("packages", "cluster"),
}
"""Room -> what its modules may import of ours; the longest name that fits a module counts."""

DOORS = {
    "click": ("cli",),
    "cryptography": ("cluster/config/certificates.py",),
    "immutables": ("packages/core/values.py",),
    "msgspec": ("packages/core/values.py",),
    "pysyncobj": ("cluster/raft/pin.py",),
    "qemu": ("packages/vm/qemu/monitor.py",),
    "rich": ("cli",),
    "uvloop": ("cluster/event_loop.py",),
    "yaml": ("cluster/config/load.py",),
    "zmq": (
        "cluster/sockets.py", "cluster/socket_options.py", "cluster/socket_inbox.py",
        "cluster/doorkeeper.py"),
}
"""Library -> the one file that imports it; waiting for ZeroMQ has a file of its own, and so has
who it lets in. Click's
decorators are what a command is written in, and what is printed is built of rich's tables, so for
these two the door is the room."""


def test_a_room_imports_only_what_its_layer_allows():
    wrong = [
        f"{source.where(node)}: {room(source.module)} imports {name}"
        for source in product() for name, node in imports(source)
        if name.split(".")[0] in PRODUCT_ROOMS
        and not any(inside(name, each) for each in ALLOWED[room(source.module)])
    ]
    assert not wrong, "\n".join(wrong)


def test_each_outside_library_is_imported_in_one_place():
    ours = {*PRODUCT_ROOMS, *sys.stdlib_module_names}
    wrong = [
        f"{source.where(node)}: imports {name}; its door is {DOORS.get(name.split('.')[0])}"
        for source in product() for name, node in imports(source)
        if name.split(".")[0] not in ours
        and not is_door(str(source.path), DOORS.get(name.split(".")[0], ()))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_door_is_there():
    used = {name.split(".")[0] for source in product() for name, _ in imports(source)}
    assert not sorted(set(DOORS) - used), "libraries that nothing imports"


def room(module: str) -> str:
    return max((each for each in ALLOWED if inside(module, each)), key=len)


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_door(path: str, doors: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(each + "/") for each in doors)
