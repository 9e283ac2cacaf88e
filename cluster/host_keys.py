"""This host's keys on its sockets: who is let in, and what this node proves, everywhere at once.

What must never happen here: a list of the allowed that differs between the sockets of a node; a
trust in force that would be forgotten at the next start.
"""

from cluster.api.peer import Endpoint, Peer
from cluster.api.server import ApiServer
from cluster.config.addresses import tcp_endpoint
from cluster.config.founding import Founding
from cluster.config.keys import public_keys, trust_of
from cluster.config.schema import ClusterConfig, NodeConfig, PublicKeys
from cluster.config.vault import Certified, FolderVault, NextKeys
from cluster.core.trust import Trust
from cluster.descriptors import descriptors
from cluster.raft.links import SocketLinks
from cluster.sockets import CurveKeys, bad_key, keys_of
from packages.core.problem import Problem, problem


class SocketKeys:
    """`peers` is filled and kept here: a node whose key is not known yet has none. `server` is
    given as soon as there is one."""

    def __init__(
        self, *, node: str, nodes: tuple[NodeConfig, ...], keys: CurveKeys, first: PublicKeys,
        vault: FolderVault, links: SocketLinks,
    ) -> None:
        self._node = node
        self._nodes = tuple(each for each in nodes if each.name != node)
        self._keys, self._first, self._vault, self._links = keys, first, vault, links
        self._trust = trust_of(first)
        self.peers: dict[str, Peer] = {}
        self.server: ApiServer | None = None
        self._connect()

    def first_trust(self) -> Trust:
        return trust_of(self._first)

    def own_key(self) -> str:
        return self._keys.public

    def founding(self) -> Founding | None:
        return self._vault.founding()

    def was_invited(self) -> bool:
        return self._vault.was_invited()

    def keep_founding(self, founding: Founding) -> Problem | None:
        return self._vault.keep_founding(founding)

    def trust(self, trust: Trust) -> Problem | None:
        self._trust = trust
        keys = public_keys(trust)
        refused = self._links.trust(self._accepted(), self._keys)
        self._connect()
        if self.server is not None:
            self.server.allow(keys, trust.invitations)
        return refused or self._vault.keep_public(keys)

    def follow(self, config: ClusterConfig, text: str) -> Problem | None:
        self._nodes = tuple(each for each in config.nodes if each.name != self._node)
        self._connect()
        return self._vault.keep_config(text) or self._vault.keep_public(public_keys(self._trust))

    def certify(self, node: str, request: str) -> Certified | Problem:
        return self._vault.certify(node, request)

    def is_authoritys(self, words: str, signature: str) -> bool:
        return self._vault.is_authoritys(words, signature)

    def next_keys(self) -> NextKeys | Problem:
        return self._vault.next_keys()

    def change_over(self, certificate: str) -> Problem | None:
        if descriptors().are_short:  # libzmq ends a process that begins to listen with none left
            return problem(
                "cannot-listen", "socket", what="Listening anew, with the new key, has to wait.",
                because="The daemon is short of file descriptors.",
                fix="It is tried again by itself; give vmsgd.service a higher LimitNOFILE=.")
        secret = self._vault.change_over(certificate)
        if isinstance(secret, Problem):
            return secret
        keys = keys_of(secret)
        if keys is None:
            return bad_key("file:curve.secret")
        self._keys = keys
        refused = self._links.trust(self._accepted(), keys)
        self._connect()
        if self.server is not None:
            refused = self.server.change_keys(keys) or refused
        return refused

    def _accepted(self) -> dict[str, tuple[str, ...]]:
        return {each.node: each.accepted for each in self._trust.nodes}

    def _connect(self) -> None:
        accepted = self._accepted()
        for name in self.peers.keys() - {node.name for node in self._nodes}:
            self.peers.pop(name).close()
        for node in self._nodes:
            keys = accepted.get(node.name)
            if keys is None:
                if node.name in self.peers:
                    self.peers.pop(node.name).close()
                continue
            if node.name not in self.peers:
                self.peers[node.name] = Peer(Endpoint(
                    address=tcp_endpoint(node.address, node.api_port), node=node.name,
                    server_key=keys[0],
                ), self._keys)
            self.peers[node.name].change_keys(server_keys=keys, keys=self._keys)

    def close(self) -> None:
        for peer in self.peers.values():
            peer.close()
