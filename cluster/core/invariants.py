"""What must hold in every state, whatever entries led to it. PURE.

Checked by the tests after each step, and cheap enough for a daemon to check what it was sent.
"""

from cluster.core.claims import claims_of
from cluster.core.model import State, named_nodes
from packages.core.values import Map

OWNED = {"starting", "running", "halting", "failing", "detached"}


def broken(state: State) -> list[str]:
    """Sentences about what does not hold; empty for a sound state."""
    found = []
    for name, record in sorted(state.packages.items()):
        if (record.owner is not None) != (record.state in OWNED):
            found.append(f"{name} is {record.state} with owner {record.owner}")
        if record.lost is not None and (
                record.owner is not None or record.lost.epoch != record.epoch):
            found.append(f"{name} is lost with {record.lost.node}, and owned by {record.owner}")
        if record.owner is not None and record.owner not in state.nodes:
            found.append(f"{name} is owned by {record.owner}, which is no member")
        if (record.owner is None) != (name in state.waiting):
            found.append(f"{name}: the index of waiting packages is wrong")
        if (record.moving or record.queued is not None) != (name in state.moves):
            found.append(f"{name}: the index of moves is wrong")
        if any(key not in state.claims for key in claims_of(record.spec)):
            found.append(f"{name}: the index of disks is wrong")
        for node in named_nodes(record):
            if name not in state.placed.get(node, Map()):
                found.append(f"{name}: the index of {node} is wrong")
        move = record.move
        if move is not None and move.stage == "committed" and record.owner == move.source:
            found.append(f"{name} is owned by the source of a committed move")
        if record.freeze is not None and not record.moving:
            found.append(f"{name}: monitoring is suspended without a move")
    return found
