"""Where the cluster is and with which key to ask it: an endpoint, a lab, this host's folder.

Four places are looked at, the first that is there counts: the folder VMSG_ETC names, the lab that
VMSG_LAB names, /etc/vmsg, the only lab of this user. In it the local node is first, then the others
of the cluster file. An endpoint an operator names is looked up in that place too, because a node's
key must be known before anything is said to it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from cluster.api.peer import Endpoint
from cluster.config.addresses import tcp_endpoint
from cluster.config.client_file import KnownCluster, KnownNode, known_cluster
from cluster.config.node_files import exposure_of, not_yours, text_of
from cluster.lab import choice
from cluster.lab import record as lab
from cluster.sockets import CurveKeys, is_key, keys_of
from packages.core.problem import Problem, problem
from packages.core.values import Value

HOST_ETC, HOST_RUN, HOST_LIB = "/etc/vmsg", "/run/vmsg", "/var/lib/vmsg"
SOCKET = "api.sock"
SECRET = "operator.secret"
NODE_SECRET = "curve.secret"


class Access(Value):
    """Nodes to ask, in order, and the key to ask them with."""

    endpoints: tuple[Endpoint, ...]
    keys: CurveKeys
    lab: str = ""
    """The folder of the lab that it is; "" for a cluster of real hosts."""


class Place(Value):
    """A folder with the cluster's keys, and the run folders of the nodes on this machine."""

    etc: str
    runs: dict[str, str] = {}
    """By node; on a host its own, known by the name in its folder, stands under ""."""
    libs: dict[str, str] = {}
    """Where each of them keeps its journal."""
    etcs: dict[str, str] = {}
    """Where each of them keeps its own keys."""
    lab: str = ""


class Found(Value):
    """What the files of a place say."""

    place: Place
    known: KnownCluster
    keys: CurveKeys

    @property
    def runs(self) -> dict[str, str]:
        return {name or self.known.node: folder for name, folder in self.place.runs.items()}

    @property
    def libs(self) -> dict[str, str]:
        return {name or self.known.node: folder for name, folder in self.place.libs.items()}

    @property
    def etcs(self) -> dict[str, str]:
        return {name or self.known.node: folder for name, folder in self.place.etcs.items()}


class Others(Value):
    """A node of this machine that is to be left alone, and all the others to ask about it."""

    etc: str
    run: str
    lib: str
    access: Access


def find_cluster(endpoint: str | None, env: Mapping[str, str]) -> Access | Problem:
    """Everything needed to make a Client; reads a few small files and connects to nothing."""
    found = found_at(endpoint, env)
    if isinstance(found, Problem):
        return found
    place, known, keys = found.place, found.known, found.keys
    bad = [each.name for each in known.nodes if not is_key(each.public_key)]
    if bad:
        return problem(
            "bad-key", f"node:{bad[0]}", what=f"The key of node {bad[0]} is not a CURVE key.",
            because=f"{place.etc}/keys.yaml holds something else.",
            fix="Copy keys.yaml again from where the cluster was set up.",
        )
    if endpoint is None:
        return Access(endpoints=everyone(known, found.runs), keys=keys, lab=place.lab)
    chosen = named(endpoint, known, found.runs)
    if isinstance(chosen, Problem):
        return chosen
    return Access(endpoints=chosen, keys=keys, lab=place.lab)


def find_own(env: Mapping[str, str]) -> Access | Problem:
    """This host's own daemon and nobody else, by the key of the node itself."""
    place = host_place(env)
    known = known_cluster(Path(place.etc))
    if isinstance(known, Problem):
        return known
    keys = own_keys(Path(place.etc, NODE_SECRET))
    if isinstance(keys, Problem):
        return keys
    mine = tuple(each for each in known.nodes if each.name == known.node)
    if not mine:
        return unknown_endpoint(known.node, f"No key of node {known.node} is known here.")
    return Access(endpoints=(local(mine[0], {known.node: place.runs[""]}),), keys=keys)


def find_others(node: str, endpoint: str | None, env: Mapping[str, str]) -> Others | Problem:
    """The nodes but this one, which must be of this machine."""
    found = found_at(endpoint, env)
    if isinstance(found, Problem):
        return found
    runs, libs = found.runs, found.libs
    if node not in runs:
        return problem(
            "unknown-node", f"node:{node}", what=f"This machine is not the host of {node}.",
            because=f"It is the host of {', '.join(sorted(runs))}.",
            fix=f"Type it on the host of {node}.",
        )
    others = tuple(each for each in everyone(found.known, runs) if each.node != node)
    return Others(
        etc=found.etcs[node], run=runs[node], lib=libs[node],
        access=Access(endpoints=others, keys=found.keys))


def found_at(endpoint: str | None, env: Mapping[str, str]) -> Found | Problem:
    place = place_of(endpoint, env)
    if isinstance(place, Problem):
        return place
    known = known_cluster(Path(place.etc))
    if isinstance(known, Problem):
        return known
    keys = own_keys(Path(place.etc, SECRET))
    if isinstance(keys, Problem):
        return keys
    return Found(place=place, known=known, keys=keys)


def place_of(endpoint: str | None, env: Mapping[str, str]) -> Place | Problem:
    """The place an endpoint that is a folder belongs to, else the first place that is there."""
    if endpoint is not None and "/" in endpoint and "://" not in endpoint:
        return place_of_folder(Path(endpoint), env)
    if env.get("VMSG_ETC"):
        return host_place(env)
    named_lab = choice.named(env)
    if named_lab is not None:
        return lab_place(named_lab) or choice.not_up(named_lab)
    if Path(HOST_ETC).exists():
        return host_place(env)
    only = choice.the_only_one(env)
    if isinstance(only, Problem):
        return only
    found = lab_place(only) if only is not None else None
    if isinstance(found, Place):
        return found
    return problem(
        "no-cluster", "cluster", what="This machine knows no cluster.",
        because=f"No lab of yours is up, {HOST_ETC} does not exist, and neither VMSG_ETC nor "
                "VMSG_LAB is set.",
        fix="Copy this host's folder from `vmsg cluster init` to /etc/vmsg, or: vmsg lab up",
    )


def host_place(env: Mapping[str, str]) -> Place:
    etc, run = env.get("VMSG_ETC") or HOST_ETC, env.get("VMSG_RUN") or HOST_RUN
    return Place(
        etc=etc, runs={"": run}, libs={"": env.get("VMSG_LIB") or HOST_LIB}, etcs={"": etc})


def lab_place(folder: Path) -> Place | None | Problem:
    """The lab in this folder; None: there is none, or it has no node yet."""
    try:
        record = lab.load(folder)
        if record is None or isinstance(record, Problem):
            return record
        nodes = record.plan.nodes
        etc = Path(nodes[0].folder, "etc")
        if not etc.exists():
            return None
    except PermissionError:
        return not_yours(folder)
    return Place(
        etc=str(etc), runs={each.name: each.run for each in nodes},
        libs={each.name: f"{each.folder}/lib" for each in nodes},
        etcs={each.name: f"{each.folder}/etc" for each in nodes}, lab=str(record.dir),
    )


def place_of_folder(folder: Path, env: Mapping[str, str]) -> Place | Problem:
    """A lab's folder, or a run folder: of a node of a lab, or of this host."""
    if (folder / "lab.json").exists():
        found = lab_place(folder)
        if found is not None:
            return found
    for link in lab.links():
        known = lab_place(link)
        if isinstance(known, Place):
            here = folder.resolve()
            mine = {name: run for name, run in known.runs.items() if Path(run) == here}
            if mine:
                libs = {name: known.libs[name] for name in mine}
                etcs = {name: known.etcs[name] for name in mine}
                return Place(etc=known.etc, runs=mine, libs=libs, etcs=etcs, lab=known.lab)
    if folder.is_dir():
        return host_place({**env, "VMSG_RUN": str(folder)})
    return unknown_endpoint(str(folder), "There is no such folder.")


def own_keys(path: Path) -> CurveKeys | Problem:
    """The operator's own pair on this host."""
    if path.exists() and not os.access(path, os.R_OK):
        return problem(
            "not-authorised", f"file:{path}", what=f"You may not read {path}.",
            because="It holds the key of the cluster's operator and belongs to another user.",
            fix="Run the command as root, for example with sudo.",
        )
    exposed = exposure_of(path)
    if exposed is not None:
        return exposed
    secret = text_of(path)
    if isinstance(secret, Problem):
        return secret
    keys = keys_of(secret.strip())
    if keys is not None:
        return keys
    return problem(
        "bad-key", f"file:{path}", what=f"{path} is not a CURVE key.",
        because="A key has 40 characters of Z85.",
        fix="Copy the node's folder again from where the cluster was set up.",
    )


def everyone(known: KnownCluster, runs: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Nodes with a socket on this machine first: they answer at once or not at all."""
    near = [local(each, runs) for each in known.nodes if each.name in runs]
    far = [remote(each) for each in known.nodes if each.name not in runs]
    return (*near, *far)


def local(node: KnownNode, runs: Mapping[str, str]) -> Endpoint:
    address = f"ipc://{runs[node.name]}/{SOCKET}"
    return Endpoint(address=address, server_key=node.public_key, node=node.name)


def remote(node: KnownNode) -> Endpoint:
    return Endpoint(address=tcp_endpoint(node.address, node.api_port),
                    server_key=node.public_key, node=node.name)


def named(
    endpoint: str, known: KnownCluster, runs: Mapping[str, str],
) -> tuple[Endpoint, ...] | Problem:
    """The endpoint an operator wrote: node name, host[:port], tcp://, ipc:// or folder."""
    if endpoint.startswith("ipc://"):
        return at_socket(endpoint, known, runs)
    if "/" in endpoint and not endpoint.startswith("tcp://"):
        return tuple(local(each, runs) for each in known.nodes if each.name in runs)
    wanted = endpoint.removeprefix("tcp://")
    for node in known.nodes:
        if wanted == node.name and endpoint == wanted:
            return (local(node, runs) if node.name in runs else remote(node),)
        there = remote(node)
        if wanted in (node.address, there.address.removeprefix("tcp://")):
            return (there,)
    names = ", ".join(f"{each.name} ({each.address})" for each in known.nodes)
    return unknown_endpoint(endpoint, f"The cluster's nodes are {names}.")


def at_socket(
    endpoint: str, known: KnownCluster, runs: Mapping[str, str],
) -> tuple[Endpoint, ...] | Problem:
    near = [local(each, runs) for each in known.nodes if each.name in runs]
    mine = tuple(each for each in near if each.address == endpoint)
    if mine:
        return mine
    node = next((each for each in known.nodes if each.name == known.node), None)
    if node is None:
        return unknown_endpoint(endpoint, f"No key of node {known.node} is known here.")
    # A socket elsewhere on this machine can only be this host's own node.
    return (Endpoint(address=endpoint, server_key=node.public_key, node=node.name),)


def unknown_endpoint(endpoint: str, because: str) -> Problem:
    return problem(
        "unknown-node", f"endpoint:{endpoint}", what=f"{endpoint} is no node of this cluster.",
        because=because, fix="Name one of its nodes, or leave --endpoint out to ask any of them.",
    )
