"""Keys in a simulated cluster: each host's folder, and doors that open by keys alone.

The links and the server know a peer by the key it proves, as on real sockets; the lists of the
allowed are the ones the product's keyring gives to its host. A host that was never told a key
neither hears nor reaches whoever proves it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from cluster.api.roles import Caller
from cluster.config.founding import Founding
from cluster.config.schema import ClusterConfig
from cluster.config.vault import Certified, NextKeys
from cluster.core.trust import Invitation, Trust
from cluster.raft.members import Members
from cluster.seating import founding_members
from packages.core.problem import Problem
from tests.simulation.network import (
    OPERATOR, Asker, Network, SimulatedLinks, SimulatedNeighbour, SimulatedServer, Taken
)
from tests.simulation.process import Process

LINE = "line "
"""Before the key of an invitation, in the name of the host that holds it."""


class Folder:
    """What a host keeps in /etc; outlives its daemons and its power."""

    def __init__(self, config: ClusterConfig, text: str, trust: Trust, key: str) -> None:
        self.config, self.text, self.trust, self.key = config, text, trust, key
        self.next_key = ""


class Folders:
    """Every host's, by name; `make_key` throws the dice of the run."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.by_host: dict[str, Folder] = {}

    def __getitem__(self, host: str) -> Folder:
        return self.by_host[host]

    def make_key(self) -> str:
        """Of 40 characters that are a CURVE key's too."""
        return f"{self._network.dice.getrandbits(160):040x}"

    def proves(self, host: str) -> str:
        """The key that host's connections prove; a stranger's is none."""
        folder = self.by_host.get(host)
        return folder.key if folder is not None else ""


class KeyedLinks(SimulatedLinks):
    """A voter's links and whom they speak to (cluster.raft.links.Circle), by keys."""

    def __init__(
        self, host: str, peers: Collection[str], network: Network, process: Process, *,
        folders: Folders,
    ) -> None:
        super().__init__(host, peers, network, process)
        self._folders, self._reached = folders, set(peers)
        self._introduced: dict[str, tuple[str, ...]] = {}
        self._accepted: dict[str, tuple[str, ...]] = {}

    def start(self, received: Taken) -> Problem | None:
        def heard(source: str, raw: bytes) -> None:
            if self._knows(source):
                received(source, raw)

        return super().start(heard)

    def send(self, peer: str, raw: bytes, *, urgent: bool = False) -> bool:
        return self._knows(peer) and super().send(peer, raw)

    def _knows(self, peer: str) -> bool:
        return peer in self._reached and self._folders.proves(peer) in self.keys_of(peer)

    def trust(self, accepted: Mapping[str, tuple[str, ...]]) -> None:
        self._accepted = dict(accepted)

    def reach(self, endpoints: Mapping[str, str]) -> None:
        self._reached = set(endpoints)

    def keys_of(self, peer: str) -> tuple[str, ...]:
        return self._accepted.get(peer) or self._introduced.get(peer, ())

    def introduce(self, peer: str, keys: tuple[str, ...]) -> None:
        if keys:
            self._introduced[peer] = keys


class KeyedNeighbour(SimulatedNeighbour):
    """Asked only while it proves a key that is known here."""

    def __init__(self, asker: Asker, name: str, keys: "SimulatedKeys") -> None:
        super().__init__(asker, name)
        self._peer, self._keys = name, keys

    def is_reached(self) -> bool:
        return self._keys.accepts(self._peer)


class KeyedServer(SimulatedServer):
    """Answers nodes by their keys, the operator, and whoever holds an invitation."""

    keys: "SimulatedKeys"

    def caller_of(self, source: str) -> Caller | None:
        if source == OPERATOR:
            return super().caller_of(source)
        if source.startswith(LINE):
            return self.keys.invited(source.removeprefix(LINE))
        return super().caller_of(source) if self.keys.accepts(source) else None


class SimulatedKeys:
    """cluster.keyring.HostKeys; `peers` are kept here, as cluster/host_keys.py keeps its own."""

    def __init__(
        self, host: str, folders: Folders, links: KeyedLinks, asker: Asker,
    ) -> None:
        self._host, self._folders, self._links, self._asker = host, folders, links, asker
        self._folder = folders[host]
        self.peers: dict[str, SimulatedNeighbour] = {}
        self.trust(self._folder.trust)

    def accepts(self, host: str) -> bool:
        keys = self._folder.trust.node(host)
        return keys is not None and self._folders.proves(host) in keys.accepted

    def invited(self, key: str) -> Caller | None:
        found: Iterator[Invitation] = (
            each for each in self._folder.trust.invitations if each.key == key)
        return next((Caller(name=each.node, invitation=each.id) for each in found), None)

    def first_trust(self) -> Trust:
        return self._folder.trust

    def own_key(self) -> str:
        return self._folder.key

    def founding(self) -> Founding | None:
        return None

    def was_invited(self) -> bool:
        return False

    def keep_founding(self, founding: Founding) -> Problem | None:
        return None

    def trust(self, trust: Trust) -> Problem | None:
        self._folder.trust = trust
        self._links.trust({each.node: each.accepted for each in trust.nodes})
        self._connect()
        return None

    def follow(self, config: ClusterConfig, text: str) -> Problem | None:
        self._folder.config, self._folder.text = config, text
        self._connect()
        return None

    def _connect(self) -> None:
        wanted = {each.name for each in self._folder.config.nodes} - {self._host}
        for name in self.peers.keys() - wanted:
            del self.peers[name]
        for name in sorted(wanted - self.peers.keys()):
            self.peers[name] = KeyedNeighbour(self._asker, name, self)

    def certify(self, node: str, request: str) -> Certified | Problem:
        return Certified(authority="the authority's", certificate=f"for {node}")

    def is_authoritys(self, words: str, signature: str) -> bool:
        return False

    def next_keys(self) -> NextKeys | Problem:
        self._folder.next_key = self._folder.next_key or self._folders.make_key()
        return NextKeys(key=self._folder.next_key, certificate_request="")

    def change_over(self, certificate: str) -> Problem | None:
        self._folder.key, self._folder.next_key = self._folder.next_key, ""
        return None


class Doors(NamedTuple):
    """What a daemon is given to reach the others, and what its host's files say."""

    config: ClusterConfig
    text: str
    links: SimulatedLinks
    neighbours: Mapping[str, SimulatedNeighbour]
    keys: SimulatedKeys | None = None
    circle: KeyedLinks | None = None
    founding: Members | None = None


def keyed_doors(
    host: str, folders: Folders, network: Network, process: Process, asker: Asker,
) -> Doors:
    folder = folders[host]
    others = [each.name for each in folder.config.nodes if each.name != host]
    links = KeyedLinks(host, others, network, process, folders=folders)
    keys = SimulatedKeys(host, folders, links, asker)
    return Doors(
        config=folder.config, text=folder.text, links=links, neighbours=keys.peers, keys=keys,
        circle=links, founding=founding_members(folder.config),
    )
