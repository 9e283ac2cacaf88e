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
    "cluster-halted": "the cluster was halted by an operator: nothing is started",
    "guest-not-given": "a node that wants to join runs a guest that the record gives to another",
    "node-not-halted": "the node was not halted by an operator, so it need not be run",
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
    # preflight: the target against what the guest needs
    "facts-missing": "a node did not tell what it has, so nothing can be compared",
    "node-version-differs": "the nodes run versions of the product that do not work together",
    "accelerator-missing": "the guest runs under KVM and the node cannot",
    "cpu-family-differs": "the processors differ in vendor or family",
    "cpu-feature-missing": "the node's processor lacks features the guest was started with",
    "machine-type-unknown": "the node's QEMU does not know the machine type of the guest",
    "memory-short": "the node has too little free memory for the guest",
    "vswitch-missing": "the node has no virtual switch of that name",
    "vswitch-subnet-differs": "the virtual switch of that name carries another subnet there",
    "device-attached": "a device of the host is attached to the guest",
    "migration-channel-insecure": "guest memory would travel unencrypted on a shared network",
    "migration-network-shared": "guest memory would share the cluster network",
    # disks
    "disk-not-paravirtual": "the disk is attached by an emulated controller",
    "disk-not-visible": "the node does not see the disk",
    "disk-not-whole": "the disk is a part of a device, or a directory, not a whole LUN",
    "disk-is-logical-volume": "the disk is a logical volume",
    "disk-is-file": "the disk is a file",
    "disk-read-only": "the node may not write to the disk",
    "disk-identity-differs": "the device is not provably the package's disk",
    "disk-in-use": "something other than the package uses the disk",
    # configuration files
    "config-unreadable": "the text is not YAML of the kind this product reads",
    "config-key-unknown": "a key nobody knows stands in the file",
    "config-key-missing": "a required key is absent",
    "config-wrong-type": "a value is of another kind than its key takes",
    "config-bad-value": "a value is outside what its key takes",
    "config-duplicate": "something that must be given once is given twice",
    # a node's folder
    "key-file-exposed": "a secret can be read by others than its owner",
    "key-file-missing": "a file of the node's folder is absent or cannot be read",
    "key-file-broken": "a file of the node's folder does not hold what it should",
    "key-files-exist": "keys are there already and are never overwritten",
    "key-file-unwritable": "a file of the node's folder could not be written",
    # the guardian
    "guardian-unreachable": "the process that freezes guests without a lease does not answer",
    # health of a guest
    "guest-gone": "the guest's process ended without the guest having powered off",
    "guest-powered-off": "the guest powered itself off",
    "guest-io-error": "the guest stands still after an error of its storage",
    "guest-panicked": "the guest's kernel panicked",
    "guest-watchdog": "the guest's watchdog ran out",
    "guest-unanswered": "the guest's process lives, but its monitor does not answer",
    "guest-not-running": "the guest's processors are stopped",
    "check-no-connection": "the monitored port does not take connections",
    "check-no-answer": "the monitored server did not answer as asked",
    "check-bad-status": "the monitored server answered with a status of 400 or above",
    "check-timed-out": "the check did not end in its time",
    "check-failed": "the operator's health-check program ended with a failure",
    "check-not-started": "the operator's health-check program could not be started",
    "check-without-host": "a monitor names no host, and the guest's own address is not known",
    "check-broken": "the check itself failed, by a bug",
}
