"""The refusals that several rules share, each worded once."""

from cluster.core.hold_records import NotedFailure
from cluster.core.model import PackageRecord
from packages.core.preflight_rules.placement import GUARDIAN_AGAIN
from packages.core.problem import Problem, problem
from packages.core.sightings import Sighting

PASSING = ("starting", "halting", "failing")
"""States of a package that come to an end by themselves."""

NODE_FIXES: dict[str, str] = {
    "running": "Nothing needs to be done: it runs.",
    "draining": "Wait until it is empty, or: vmsg node drain {name} --cancel",
    "maintenance": "vmsg node resume {name}",
    "quarantined": "vmsg node unquarantine {name}",
    "halting": "Wait until its packages are down, then: vmsg node run {name}",
    "halted": "vmsg node run {name}",
}
"""What ends the state that a node is in; it comes out of the others by itself."""
JOINS_ITSELF = "Start its host and its daemon: it joins by itself. Look at: vmsg node list"


def unknown_node(name: str) -> Problem:
    return problem(
        "unknown-node", f"node:{name}", what=f"There is no node {name} in the cluster.",
        because="The cluster file does not name it.",
        fix="List the nodes with: vmsg node list",
    )


def node_not_heard(name: str, what: str, *, ends_s: float | None = None) -> Problem:
    """An order that the node itself carries out; `ends_s` is when its lease is over."""
    by = f" within {ends_s:.0f} s" if ends_s is not None else ""
    return problem(
        "node-not-heard", f"node:{name}", what=what,
        because=f"{name} is not heard now, so it would not hear of this either. Its guests stand "
                f"frozen when its lease is over,{by or ' soon'}, and are then started elsewhere.",
        fix="Wait for that (vmsg status), or mend its network and ask again. If it is off: "
            f"vmsg node confirm-dead {name} --reason TEXT",
    )


def unknown_package(name: str) -> Problem:
    return problem(
        "unknown-package", f"package:{name}", what=f"There is no package {name}.",
        because="No package of that name was applied.",
        fix="List the packages with: vmsg status",
    )


def stale_order(subject: str, because: str) -> Problem:
    return problem(
        "stale-order", subject, what="The order or answer was ignored.", because=because,
        fix="Nothing needs to be done: the record has moved on.",
    )


def not_in_state(record: PackageRecord, wanted: str) -> Problem:
    """`wanted` completes the sentence "It cannot ..."."""
    if record.state == "detached":
        return package_detached(record, wanted)
    running = record.owner is not None
    code = "package-running" if running else "package-not-running"
    where = f" on {record.owner}" if record.owner else ""
    fix = f"vmsg package {'halt' if running else 'run'} {record.name}"
    return problem(
        code, f"package:{record.name}",
        what=f"Package {record.name} cannot {wanted}.",
        because=f"It is {record.state}{where}.",
        fix="Wait for the end of that: vmsg status" if record.state in PASSING else fix,
    )


def package_detached(record: PackageRecord, wanted: str) -> Problem:
    return problem(
        "package-detached", f"package:{record.name}",
        what=f"Package {record.name} cannot {wanted}.",
        because=f"It is detached: it runs on {record.owner}, unwatched, and nobody orders it "
                "about.",
        fix=f"Have it taken up again first: vmsg node run {record.owner} (vmsg cluster run, where "
            "the cluster is halted)",
    )


def package_moving(record: PackageRecord) -> Problem:
    move = record.move
    route = f"from {move.source} to {move.target}" if move else ""
    return problem(
        "package-moving", f"package:{record.name}",
        what=f"Package {record.name} is being moved.",
        because=f"A move {route} is under way.",
        fix=f"Wait for it, or end it with: vmsg move {record.name} --abort",
    )


def package_not_moving(name: str) -> Problem:
    return problem(
        "package-not-moving", f"package:{name}", what=f"Package {name} is not being moved.",
        because="No move of it is under way.",
        fix=f"Look at its last move with: vmsg move {name} --status",
    )


def runs_elsewhere(name: str, owner: str, node: str) -> Problem:
    return problem(
        "package-running", f"package:{name}", what=f"Package {name} cannot be started on {node}.",
        because=f"It runs on {owner}.", fix=f"Move it there: vmsg move {name} {node}",
    )


def already_there(name: str, node: str) -> Problem:
    return problem(
        "package-already-there", f"package:{name}", what=f"Package {name} need not be moved.",
        because=f"It runs on {node} already.", fix="Name another node.",
    )


def lease_alone_proves(package: str) -> Problem:
    return problem(
        "lease-alone-proves", f"package:{package}",
        what=f"Package {package} may be taken over because a lease is over, and by nothing more.",
        because="A host that hangs as a whole and goes on later cannot freeze its guests in time: "
                "for a moment they run, and write, beside those that took over.",
        fix="With a fence or a watchdog on its nodes, set lease_is_proof: false; without one it "
            "would wait for an operator.", severity="warn",
    )


def one_node(package: str, node: str) -> Problem:
    return problem(
        "package-on-one-node", f"package:{package}",
        what=f"Package {package} may run on {node} alone.",
        because="No other node stands in its list: when that one fails, or is emptied, it runs "
                "nowhere.",
        fix="Add a second node to its nodes.", severity="warn",
    )


def nowhere_else(package: str, node: str) -> Problem:
    return problem(
        "package-on-one-node", f"package:{package}",
        what=f"Package {package} cannot leave {node}.",
        because="No other node stands in its list.",
        fix=f"Add a second node to its nodes and apply it (vmsg package get {package} prints it), "
            f"or stop it for the time: vmsg package halt {package}",
    )


def seen_elsewhere(record: PackageRecord, node: str, sighting: Sighting) -> Problem:
    """Its guest is there although nobody may know of it: a second one would ruin its disks."""
    where = f"process {sighting.pid} on {node}" if sighting.pid else node
    twice = record.owner is not None
    return problem(
        "guest-twice" if twice else "guest-misplaced", f"package:{record.name}",
        what=f"A guest of package {record.name} is seen {'a second time' if twice else 'astray'}.",
        because=f"It is {where}, and {sighting.because}.",
        fix=f"End {where} (nobody ends what was started by hand but you); the record follows.",
    )


def agent_stuck(record: PackageRecord, node: str, sighting: Sighting) -> Problem:
    return problem(
        "agent-stuck", f"package:{record.name}",
        what=f"Nothing goes on with package {record.name} on {node}.", because=sighting.because,
        fix=f"Mend what is said there; if it is a failure of the agent itself, restart vmsgd on "
            f"{node} (its guests run on) and report what its log says.",
    )


def not_asked(record: PackageRecord, node: str, sighting: Sighting) -> Problem:
    return problem(
        "check-not-made", f"package:{record.name}",
        what=f"A monitor of package {record.name} learns nothing on {node}.",
        because=f"{sighting.because}.",
        fix=f"Give the bridge of that network an address on {node}, or {node} a route there.",
    )


def seen_nowhere(record: PackageRecord) -> Problem:
    return problem(
        "guest-nowhere", f"package:{record.name}",
        what=f"The guest of package {record.name} is not where the record says.",
        because=f"{record.owner} does not see its process.",
        fix="Its agent starts it again; if it does not within seconds, look at the log of vmsgd "
            f"on {record.owner}.",
    )


def proof_missing(record: PackageRecord) -> Problem:
    """Its owner is called dead, and is not proven to be dead enough for this package."""
    kinds = "its storage, its power, a watchdog or an operator"
    return problem(
        "proof-missing", f"package:{record.name}",
        what=f"Package {record.name} is not started elsewhere.",
        because=f"Only the lease of {record.owner} is over, which does not prove that a host that "
                f"hangs stays away; this package waits for {kinds}.",
        fix=f"See that {record.owner} is off, then: vmsg node confirm-dead {record.owner} "
            "--reason TEXT",
    )


def will_not_end(record: PackageRecord, since: str) -> Problem:
    return problem(
        "guest-will-not-end", f"package:{record.name}",
        what=f"The guest of {record.name} does not end.",
        because=f"{record.owner} was told to end it at {since}; nothing is started elsewhere "
                f"before it is gone. {record.because}",
        fix=f"See what its process on {record.owner} waits for, most likely a disk that does not "
            f"answer; or have the node switched off: vmsg node fence {record.owner}",
        severity="warn",
    )


def owner_lost(record: PackageRecord, because: str, fix: str = "") -> Problem:
    """Nobody was given it, so it stays with a node that is dead by a proof."""
    node = record.lost.node if record.lost else ""
    return problem(
        "owner-lost", f"package:{record.name}",
        what=f"Package {record.name} stays with {node}, which is lost.", because=because,
        fix=f"It goes on by itself when {node} is heard again. " + (
            fix or f"To give its guest there up: vmsg package halt {record.name}"),
    )


def failure_noted(record: PackageRecord, failure: NotedFailure, in_maintenance: bool) -> Problem:
    name = record.name
    lifted = f"vmsg package maintenance {name} off" if in_maintenance else \
        f"vmsg package enable {name}"
    how = "it was in maintenance" if in_maintenance else "its switching was off"
    return problem(
        "failure-noted", f"package:{name}", what=f"Package {name} has failed while {how}.",
        because=f"On {failure.node}: {failure.because}", severity="warn",
        fix=f"It is treated as any failure by: {lifted}",
    )


def node_not_empty(name: str, packages: list[str], fix: str = "") -> Problem:
    return problem(
        "node-not-empty", f"node:{name}", what=f"Packages still run on {name}.",
        because=f"It holds {', '.join(packages)}.",
        fix=fix or f"Move them off with: vmsg node drain {name}",
    )


def node_not_empty_to_halt(name: str, packages: list[str]) -> Problem:
    return node_not_empty(
        name, packages,
        f"Move them off with: vmsg node drain {name} (or stop them: vmsg node halt {name} -f; or "
        f"leave them running unwatched: vmsg node halt {name} -d)")


def node_not_empty_to_remove(name: str, packages: list[str], *, is_up: bool) -> Problem:
    """One that is down holds them until its death is proven."""
    return node_not_empty(name, packages, "" if is_up else (
        f"See that {name} is off, then: vmsg node confirm-dead {name} --reason TEXT"))


def node_is_witness(package: str, node: str) -> Problem:
    return problem(
        "node-is-witness", f"package:{package}",
        what=f"Package {package} may not run on {node}.",
        because=f"{node} is a witness: it votes and runs nothing.",
        fix=f"Take {node} off the package's nodes.",
    )


def witness_is_empty(node: str) -> Problem:
    return problem(
        "node-is-witness", f"node:{node}", what=f"Node {node} is not emptied.",
        because="It is a witness: it votes and runs nothing.",
        fix=f"Take its host down as it is, once the others can do without its vote: "
            f"vmsg plan fail {node}",
    )


def node_not_up(name: str, state: str, wanted: str = "take packages") -> Problem:
    """`wanted` completes the sentence "It cannot ..."."""
    return problem(
        "node-not-up", f"node:{name}", what=f"Node {name} cannot {wanted}.",
        because=f"It is {state}.", fix=node_fix(name, state),
    )


def node_fix(name: str, state: str) -> str:
    return NODE_FIXES.get(state, JOINS_ITSELF).format(name=name)


def node_not_halted(name: str, state: str) -> Problem:
    return problem(
        "node-not-halted", f"node:{name}", what=f"Node {name} was not halted.",
        because=f"It is {state}.", fix=node_fix(name, state),
    )


def node_not_maintained(name: str) -> Problem:
    return problem(
        "node-not-maintained", f"node:{name}", what=f"Node {name} need not be resumed.",
        because="It takes packages already, and none is to be brought home.",
        fix="Nothing needs to be done.",
    )


def node_in_maintenance(name: str, state: str) -> Problem:
    return problem(
        "node-in-maintenance", f"node:{name}", what=f"Node {name} takes no packages.",
        because=f"It is {state}.", fix=f"vmsg node resume {name}",
    )


def package_in_maintenance(name: str) -> Problem:
    return problem(
        "package-in-maintenance", f"package:{name}", what=f"Package {name} is in maintenance.",
        because="Somebody works on it, and its health is not watched.",
        fix=f"vmsg package maintenance {name} off",
    )


def guardian_unreachable(name: str) -> Problem:
    return problem(
        "guardian-unreachable", f"node:{name}", what=f"Node {name} takes no packages.",
        because="Its guardian does not answer its daemon, so it renews no lease.",
        fix=f"On {name}: {GUARDIAN_AGAIN}; or choose another node.",
    )


def node_quarantined(name: str) -> Problem:
    return problem(
        "node-quarantined", f"node:{name}", what=f"Node {name} takes no packages for a time.",
        because="It has failed too often lately.", fix=f"vmsg node unquarantine {name}",
    )


def node_not_draining(name: str, state: str) -> Problem:
    return problem(
        "node-not-draining", f"node:{name}", what=f"Node {name} is not being emptied.",
        because=f"It is {state}.",
        fix=f"vmsg node resume {name} ends its maintenance, vmsg node drain {name} begins it.",
    )


def move_limit_reached(package: str, because: str) -> Problem:
    return problem(
        "move-limit-reached", f"package:{package}",
        what=f"The move of {package} cannot begin yet.", because=because,
        fix="Leave --no-wait out to have it wait for its turn, or raise `limits` in the cluster "
            "file.",
    )


def node_not_eligible(package: str, node: str, nodes: tuple[str, ...]) -> Problem:
    return problem(
        "node-not-eligible", f"package:{package}",
        what=f"Package {package} may not run on {node}.",
        because=f"Its node list is {', '.join(nodes)}.",
        fix=f"Choose one of those, or add {node} to the package's nodes and apply it.",
    )


def node_switching_disabled(package: str, node: str) -> Problem:
    return problem(
        "node-switching-disabled", f"package:{package}",
        what=f"Package {package} may not run on {node} now.",
        because=f"Its switching is disabled on {node}.",
        fix=f"vmsg package enable {package} --node {node}",
    )


def cluster_halted(name: str) -> Problem:
    return problem(
        "cluster-halted", f"cluster:{name}", what="Nothing is started.",
        because="The cluster was halted by an operator.", fix="vmsg cluster run",
    )


def no_target(record: PackageRecord) -> Problem:
    if record.owner is not None and record.spec.nodes == (record.owner,):
        return nowhere_else(record.name, record.owner)
    meanwhile = "; the package runs on meanwhile" if record.owner else ""
    return problem(
        "no-node-available", f"package:{record.name}",
        what=f"No node can take package {record.name}.",
        because=f"None of {', '.join(record.spec.nodes)} is up, eligible and not being emptied.",
        fix=f"Start or resume one of them{meanwhile}: vmsg node list",
    )


def too_late(package: str, target: str) -> Problem:
    return problem(
        "move-completed", f"package:{package}", what=f"The move of {package} was completed.",
        because=f"The order came after {target} had taken it over.",
        fix="Move it back if it should not be there.",
    )
