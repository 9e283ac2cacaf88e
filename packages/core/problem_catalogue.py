"""Every code an operator can meet, with the one line that says when.

The codes of preflight come from the rules the product demands (docs/rules.md); the others are
grouped by the room that raises them. A code is kebab-case and is never reused for another thing.
"""

CATALOGUE: dict[str, str] = {
    # asking the cluster
    "no-cluster": "no node of the cluster answered",
    "no-quorum": "the node asked is cut off from a majority of the cluster",
    "timed-out": "the answer did not come in time; the request may still complete",
    "not-authorised": "the key is not on the cluster's allow list, or its role forbids this",
    "bad-request": "the request could not be understood",
    "internal-error": "a bug: the daemon's log holds the details",
    "unknown-node": "no node of that name is in the cluster",
    "unknown-package": "no package of that name is in the cluster",
    "stale-order": "the answer belongs to an older epoch or order and was ignored",
    # sockets and keys
    "cannot-listen": "a socket could not be bound to its address",
    "bad-key": "a CURVE key is not one",
    # packages
    "package-not-running": "the package does not run, so it cannot be moved",
    "package-running": "the package runs, and what was asked needs it halted",
    "package-already-there": "the package runs on that node already",
    "package-moving": "a move of the package is under way",
    "package-not-moving": "no move of the package is under way",
    "package-in-maintenance": "the package is in maintenance",
    "package-start-failed": "the guest could not be started",
    "move-failed": "the move ended without moving the package; the guest runs on at the source",
    "move-aborted": "the move was cancelled by an operator; the guest runs on at the source",
    # nodes and placement
    "node-not-eligible": "the node is not in the package's node list",
    "node-switching-disabled": "the package's switching is disabled on that node",
    "node-in-maintenance": "the node is being emptied or is in maintenance",
    "node-not-up": "the node is down, halted or unheard",
    "node-not-empty": "packages still run on the node",
    "no-node-available": "no node may run the package now",
}
