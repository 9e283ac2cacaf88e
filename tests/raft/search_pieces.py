"""The search of search.py, with snapshots that are too large for one message.

    python -m tests.raft.search_pieces <network> <crash> <first seed> <seeds>
"""

import sys

from cluster.raft.snapshot import SnapshotStore
from cluster.raft.voter import Voter
from cluster.raft.wire import Install, Piece, opened
from tests.raft.search import Crash, Network, Search, main, nodes_of


class SmallPieces(SnapshotStore):
    whole_bytes, piece_bytes = 60, 25


class InPieces(Voter):
    store_type = SmallPieces


class PiecesSearch(Search):
    voter_type = InPieces
    calm_s = 40.0
    """A wild network loses a piece in ten, or its answer, and each is missed for two seconds."""

    def __init__(self, seed: int, network: Network, crash: Crash, *, nodes: int = 3) -> None:
        super().__init__(seed, network, crash, names=("ape", "bee", "cat", "dog", "elk")[:nodes])
        self.pieces = 0

    def carry(self, source: str, target: str, raw: bytes) -> bool:
        envelope = opened(raw)
        assert envelope is not None
        body = envelope.body
        whole = body.snapshot if isinstance(body, Install) else None
        if whole is not None and len(whole) > SmallPieces.whole_bytes:
            raise self._broken(f"{len(whole)} bytes of a snapshot went in one message")
        self.pieces += isinstance(body, Piece)
        return super().carry(source, target, raw)


def search_pieces(seed: int, network: Network, crash: Crash) -> PiecesSearch:
    found = PiecesSearch(seed, network, crash, nodes=nodes_of(seed))
    found.run()
    return found


if __name__ == "__main__":
    sys.exit(main(search_pieces, lambda run: {
        "acknowledged": run.acknowledged(), "crashes": run.crashes, "pieces": run.pieces}))
