"""Who proposed an entry: the name that its connection proved. PURE.

A node proposes for the operators who ask it, in their names; nobody but that node has seen their
keys. So a node whose key was taken can say that anybody asked for anything. It cannot say so under
another node's name: the leader signs what is forwarded to it with the forwarder's, and the history
shows both. What a leader proposes itself it signs itself.

What must never happen here: an entry in the log that was forwarded by one node and says another.
"""

from cluster.core.codec import Garbled, decode_entry, encode_entry
from cluster.core.floor import V0_2, floor_allows
from cluster.core.model import State
from packages.core.values import changed


def vouched(state: State, peer: str, command: bytes) -> bytes:
    """The entry as that peer's. What is no entry stays as it is, and is refused by every node
    alike when it is applied."""
    if not floor_allows(state, V0_2):
        return command
    try:
        entry = decode_entry(command)
    except Garbled:
        return command
    return command if entry.via == peer else encode_entry(changed(entry, via=peer))
