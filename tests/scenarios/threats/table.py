"""The threat model: docs/security.md is drawn from it. A row for each who; each has a file's room
(outside, operators, nodes), and a `Never` is added where its protection is."""

from tests.scenarios.threats.nodes import MAJORITY, ONE_NODE
from tests.scenarios.threats.operators import FULL_ADMIN, INVITED, MONITOR, PACKAGE_ADMIN
from tests.scenarios.threats.outside import (
    CLUSTER_NETWORK, GUEST, HOST_USER, MIGRATION_NETWORK, OPERATORS_NETWORK, SUPPLY
)

ACTORS = (
    CLUSTER_NETWORK, MIGRATION_NETWORK, OPERATORS_NETWORK, SUPPLY, GUEST, HOST_USER, MONITOR,
    PACKAGE_ADMIN, FULL_ADMIN, INVITED, ONE_NODE, MAJORITY,
)
