"""<etc>/client.json: where the nodes are and their keys, for a command line that starts quickly.

Reading YAML with all its checks takes longer than a whole `vmsg status` may. So what a client needs
of cluster.yaml, keys.yaml and the node's name is kept beside them as JSON, with a checksum of the
three. A file whose checksum differs is not believed: then the three are read themselves.
"""

import zlib
from collections.abc import Mapping
from pathlib import Path

from cluster.config.node_files import text_of
from cluster.config.schema import ClusterConfig, PublicKeys
from packages.core.problem import Problem
from packages.core.values import Undecodable, Value, from_json, to_json

CLIENT_FILE = "client.json"
MADE_FROM = ("cluster.yaml", "node", "keys.yaml")


class KnownNode(Value):
    name: str
    address: str
    api_port: int
    public_key: str


class KnownCluster(Value):
    """What a client must know of a cluster before it can ask it anything."""

    node: str
    """This host's."""
    nodes: tuple[KnownNode, ...]
    checksum: int
    """Of the files this was made from: it is to notice edits, and proves nothing."""


def known_cluster(etc: Path) -> KnownCluster | Problem:
    """From client.json while it is true, else from the files it is made from."""
    texts: dict[str, str] = {}
    for name in MADE_FROM:
        found = text_of(etc / name)
        if isinstance(found, Problem):
            return found
        texts[name] = found
    try:
        known: KnownCluster = from_json((etc / CLIENT_FILE).read_bytes(), KnownCluster)
        if known.checksum == checksum_of(texts):
            return known
    except (OSError, *Undecodable):
        pass  # absent or damaged: the files it is made from say the same
    return read_slowly(etc, texts)


def read_slowly(etc: Path, texts: Mapping[str, str]) -> KnownCluster | Problem:
    # Imported here, because they cost more time than everything else a command does.
    from cluster.config.cluster_file import cluster_from_text
    from cluster.config.keys import keys_from_text
    config, faults = cluster_from_text(texts["cluster.yaml"], source=str(etc / "cluster.yaml"))
    if config is None:
        return faults[0]
    keys, faults = keys_from_text(texts["keys.yaml"], source=str(etc / "keys.yaml"))
    if keys is None:
        return faults[0]
    return describe(config, keys, texts)


def describe(
    config: ClusterConfig, keys: PublicKeys, texts: Mapping[str, str],
) -> KnownCluster:
    """`texts` are the files as they are written, by name. A node without a key is left out: it
    cannot be asked anything."""
    return KnownCluster(
        node=texts["node"].strip(), checksum=checksum_of(texts),
        nodes=tuple(
            KnownNode(
                name=each.name, address=each.address, api_port=each.api_port,
                public_key=keys.nodes[each.name],
            ) for each in config.nodes if each.name in keys.nodes
        ),
    )


def client_file_text(
    config: ClusterConfig, keys: PublicKeys, texts: Mapping[str, str],
) -> str:
    return to_json(describe(config, keys, texts)).decode() + "\n"


def checksum_of(texts: Mapping[str, str]) -> int:
    return zlib.crc32("\0".join(texts[name] for name in MADE_FROM).encode())
