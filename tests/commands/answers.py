"""What the recorded cluster answers: one of everything an operator can meet."""

from typing import Any

from cluster.api import messages as ask
from packages.core.problem import Problem, problem
from packages.core.values import plain

DISK = problem(
    "disk-not-visible", "package:web", what="disk /dev/mapper/web is not seen on n3",
    because="there is no such device on n3", fix="present the LUN to n3",
)
SHARED = problem(
    "migration-network-shared", "node:n2", what="guest memory would share the cluster network",
    because="n2 has no migration address of its own", fix="give n2 a migration_address",
    severity="warn",
)
NODE_FAILED = problem(
    "node-failed", "node:n3", what="Node n3 failed.", because="silent for 4.2 s",
    fix="Start it again; it joins by itself when nothing foreign runs there.", severity="warn",
)
WORD = problem(
    "operator-word", "node:n3", what="Nothing but your word says that n3 is off.",
    because="If a guest still runs there, it is started a second time.", fix="See that n3 is off.",
    severity="warn",
)
NO_ANSWER = problem(
    "fence-failed", "fence:fence_ipmilan", what="fence_ipmilan did not do what it was asked.",
    because="It had not ended after 20 s.", fix="See the device it talks to.", severity="warn",
)
HEARD = problem(
    "node-heard", "node:n2", what="Node n2 is not called dead.", because="It is heard.",
    fix="Empty it with: vmsg node drain n2",
)
ABORTED = problem(
    "move-aborted", "package:web", what="The move was cancelled.", because="root asked for it",
    fix="Nothing needs to be done: the guest runs on at n1.",
)


def move(**changes: Any) -> dict[str, Any]:
    return {
        "id": "m1", "package": "web", "source": "n1", "target": "n2", "result": None,
        "problem": None, "phase": "copy", "percent": 42.0, "total_ms": 812.0, "freeze_ms": 0.0,
        "monitoring_suspended_ms": 0.0, "transferred_bytes": 57 << 20,
        "phases": {
            "init": {"ms": 310.2}, "copy": {"ms": 501.8}, "io_quiesce": {"ms": 0.0},
            "frozen": {"ms": 0.0},
        },
        "forecast": {"total_ms": 2700.0, "freeze_ms": 38.0},
        "remaining_bytes": 71 << 20,
    } | changes


COMPLETED = move(
    result="completed", phase="done", percent=100, total_ms=2788.4, freeze_ms=41.3,
    monitoring_suspended_ms=60.1, transferred_bytes=137_625_600,
    phases={
        "init": {"ms": 812.0}, "copy": {"ms": 1932.1}, "io_quiesce": {"ms": 3.1},
        "frozen": {"ms": 41.3},
    },
)
CALLED_OFF = move(result="aborted", phase="done", problem=plain(ABORTED))


def package(name: str, node: str | None, **changes: Any) -> dict[str, Any]:
    up = node is not None
    return {
        "name": name, "status": "up" if up else "down", "state": "running" if up else "halted",
        "node": node, "auto_run": up, "epoch": 3, "boot_id": "life1" if up else "",
        "monitoring": "active" if up else "off", "suspended_until": None, "move": None,
        "because": "asked for by root", "holds": [],
        "switching": [{"node": each, "enabled": each != "n3"} for each in ("n1", "n2", "n3")],
    } | changes


PROOF = {
    "kind": "lease", "because": "its lease ended at 09:59:58", "node": "n3",
    "at_ms": 1935396000000, "by": "coordinator",
}
MORE = {
    "description": "The shop's front", "since": "2031-05-01T10:00:00.000Z", "service_restart": 1,
    "proof": PROOF, "lease_is_proof": True, "machine": "pc-q35-7.2",
    "disks": ["/dev/mapper/web"], "not_runnable_on": "n3", "last_move": COMPLETED,
    "monitors": [{"name": "http", "kind": "http", "interval_s": 5.0, "retries": 2}],
}
HOLD = {
    "kind": "maintenance", "by": "root", "reason": "new kernel", "since_ms": 1935396000000,
    "node": None, "until_ms": 1935403200000,
}

STATUS = {
    "cluster": {
        "name": "farm", "status": "up", "leader": "n1", "quorum": True, "term": 4, "entry": 77,
    },
    "nodes": [
        {"name": "n1", "status": "up", "state": "running", "address": "10.1.0.1"},
        {"name": "n2", "status": "up", "state": "draining", "address": "10.1.0.2"},
        {"name": "n3", "status": "down", "state": "failed", "address": "10.1.0.3"},
    ],
    "packages": [
        package("db", "n2", state="maintenance", monitoring="off", holds=[HOLD]),
        package("mail", None),
        package(
            "web", "n1", move=move(), monitoring="suspended",
            suspended_until="2031-05-01T10:00:01.000Z",
        ),
    ],
    "problems": [plain(NODE_FAILED)],
}
VERBOSE = STATUS | {
    "nodes": [
        node | {"since": "2031-05-01T09:00:00.000Z", "because": "it joined", "version": "0.1.0",
                "proof": PROOF if node["name"] == "n3" else None, "packages": [], "stuck": [],
                "watchdog": "iTCO_wdt" if node["name"] == "n1" else "", "watchdog_s": 10.0}
        for node in STATUS["nodes"]
    ],
    "packages": [each | MORE for each in STATUS["packages"]],
}
WAITING = STATUS | {
    "nodes": [
        {"name": "n1", "status": "unknown", "state": "running", "address": "10.1.0.1", "awaited": {
            "for": ["lease", "operator"], "until": "2031-05-01T10:00:04.100Z",
            "packages": ["web"]}},
        {"name": "n3", "status": "down", "state": "failed", "address": "10.1.0.3", "awaited": {
            "for": ["operator"], "until": None, "packages": ["db"]}},
    ],
    "packages": [package("db", "n3", status="unknown"), package("web", "n1", status="unknown")],
}
WITNESSED = STATUS | {
    "nodes": [
        *({**node, "role": "voter", "votes": True} for node in STATUS["nodes"][:2]),
        {"name": "w", "status": "up", "state": "running", "address": "10.1.0.9", "role": "witness",
         "votes": True},
    ],
}
EMPTYING = VERBOSE | {"nodes": [
    VERBOSE["nodes"][0] | {"returning": ["web"]},
    VERBOSE["nodes"][1] | {
        "drain": {"moves": [{}, {}, {}], "waves": [{}, {}]}, "packages": ["db", "mail"],
        "stuck": [{"package": "db"}]},
    VERBOSE["nodes"][2] | {
        "status": "up", "state": "quarantined", "quarantined_until": "2031-05-01T10:30:00.000Z"},
]}
CUT_OFF = STATUS | {
    "cluster": STATUS["cluster"] | {"status": "unknown", "leader": None, "quorum": False},
}


def drained(state: str, *, left: tuple[str, ...], stuck: tuple[str, ...] = ()) -> dict[str, Any]:
    """A status in which n1 is being emptied."""
    return STATUS | {
        "nodes": [{
            "name": "n1", "status": "up", "state": state, "address": "10.1.0.1",
            "stuck": [{"package": each, "problem": plain(DISK)} for each in stuck],
        }],
        "packages": [package("db", "n2")] + [package(each, "n1") for each in left],
    }


def rolled(
    state: str, *, left: tuple[str, ...] = (), stuck: tuple[str, ...] = (), lost: bool = False,
) -> dict[str, Any]:
    """A status of two nodes, both in this state."""
    told = drained(state, left=left, stuck=stuck)
    node = told["nodes"][0]
    db = package("db", "n3", state="starting") if lost else package("db", "n3")
    return told | {
        "nodes": [node, node | {"name": "n2", "address": "10.1.0.2", "stuck": []}],
        "packages": [db, *told["packages"][1:]],
    }


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "entry": 70 + number, "at": f"2031-05-01T10:00:0{number}.000Z", "subject": "package:web",
        "what": "moved", "from": "n1", "to": "n2", "because": "asked for by root", "by": "root",
        "request": "r1", "seq": number,
    } | changes


EVENTS = [
    event(1), event(2, what="monitoring resumed", **{"from": "", "to": ""}),
    event(3, subject="node:n3", what="node failed", because="silent for 4.2 s", by="n1"),
]


def done(result: Any = None, *problems: Problem) -> ask.Reply:
    return ask.Reply(result=result, problems=problems)


def refused(*problems: Problem, verdict: ask.Verdict = "refused") -> ask.Reply:
    return ask.Reply(verdict=verdict, problems=problems)


WOULD = done({"would": ["package:web: started (halted -> starting)"]})

KEYS = {
    "nodes": [
        {"node": "n1", "key": "1" * 40, "next_key": "", "rotation": ""},
        {"node": "n2", "key": "2" * 40, "next_key": "", "rotation": ""},
    ],
    "operators": [
        {"name": "ann", "role": "monitor", "key": "a" * 40},
        {"name": "root", "role": "full-admin", "key": "r" * 40},
    ],
    "invitations": [],
}

HAPPY: dict[type[ask.Request], Any] = {
    ask.GetStatus: done(STATUS),
    ask.InviteNode: done({
        "node": "n2", "cluster": "farm", "until_ms": 1, "until": "2031-01-02T03:04:05.000Z",
        "doors": [{"address": "tcp://10.1.0.1:5471", "key": "1" * 40}],
    }),
    ask.RotateNode: done({"node": "n2", "rotation": "r1"}),
    ask.GetKeys: done(KEYS),
    ask.AddOperator: done({"operator": "ann", "role": "monitor"}),
    ask.RemoveOperator: done({"operator": "ann"}),
    ask.GetConfig: done({"text": (
        "name: farm\nnodes:\n- name: n1\n  address: 10.1.0.1\n- name: n2\n  address: 10.1.0.2\n"
    )}),
    ask.CheckCluster: done(),
    ask.ApplyCluster: done({"applied": "farm"}),
    ask.BackUpCluster: done({"text": "the record", "packages": 2, "entry": 41}),
    ask.RestoreCluster: done({"packages": ["mail", "web"], "cluster_file_differs": True}),
    ask.RunCluster: done({"running": True}),
    ask.HaltCluster: done({"running": False, "detached": []}),
    ask.AddNode: done({"applied": "farm", "added": ["n4"], "removed": [], "settled": True}),
    ask.RemoveNode: done({"applied": "farm", "added": [], "removed": ["n2"], "settled": True}),
    ask.RunNode: done({"node": "n2", "state": "running"}),
    ask.HaltNode: done({"node": "n2", "state": "halted", "detached": []}),
    ask.LeaveNode: done({"node": "n1", "state": "halted"}),
    ask.DrainNode: done({
        "node": "n1", "stuck": [{"package": "db", "problem": plain(DISK)}],
        "moves": [
            {"package": "web", "target": "n2", "because": "n2 is first", "how": "move", "wave": 1,
             "seconds": 2.4},
            {"package": "mail", "target": "n3", "because": "halted and started there",
             "how": "restart", "wave": 2, "seconds": 90.0},
        ],
        "waves": [
            {"seconds": 2.4, "packages": ["web"], "without_spare": []},
            {"seconds": 90.0, "packages": ["mail"], "without_spare": ["web", "mail"]},
        ],
        "without_spare": ["ldap"], "seconds": 92.4, "state": "draining",
        "packages": ["db", "mail", "web"],
    }),
    ask.PlanFailure: done({
        "nodes": ["n1", "n2"], "quorum": True, "lease_proves_s": 4.1,
        "starts": [{"package": "web", "from": "n1", "node": "n3", "turn": 1, "proof": "lease",
                    "because": "n3 is the next of its nodes that can"}],
        "stuck": [{"package": "db", "problem": plain(DISK)}],
    }),
    ask.UnquarantineNode: done({"node": "n1"}),
    ask.CancelDrain: done({"node": "n1", "state": "running"}),
    ask.ResumeNode: done({"node": "n1", "state": "running", "returned": ["web"]}),
    ask.FenceNode: done({"node": "n3", "power": "off", "tests": [
        {"from": "n1", "agent": "fence_ipmilan", "level": 1, "power": "on", "problems": []},
        {"from": "n2", "agent": "fence_ipmilan", "level": 1, "power": None,
         "problems": [plain(NO_ANSWER)]},
    ]}),
    ask.ConfirmDead: [
        done({"node": "n3", "state": "running", "waits_s": 2.9}, WORD),
        done({"node": "n3", "state": "failed", "waits_s": 0.0}),
    ],
    ask.CheckPackages: done(None, SHARED),
    ask.ApplyPackages: done({"applied": ["web"], "unchanged": ["db"]}),
    ask.GetPackages: done({"text": "name: web\n", "packages": [{"name": "web"}]}),
    ask.DeletePackage: done(),
    ask.RunPackage: done({"node": "n1"}, SHARED),
    ask.HaltPackage: done(),
    ask.SetSwitching: done(),
    ask.SetMaintenance: done(),
    ask.ResizeDisks: done({"package": "web", "disks": [
        {"path": "/dev/mapper/web", "before_bytes": 1 << 30, "bytes": 2 << 30}]}),
    ask.MovePackage: done(move(phase="init", percent=0, transferred_bytes=0)),
    ask.GetMove: [done(move()), done(move(percent=90.0)), done(COMPLETED)],
    ask.AbortMove: done(CALLED_OFF),
    ask.Preflight: done({"package": "web", "nodes": [
        {"node": "n2", "allowed": True, "problems": [plain(SHARED)]},
        {"node": "n3", "allowed": False, "problems": [plain(DISK)]},
    ]}),
    ask.GetEvents: done({"events": EVENTS, "next": 3}),
}
