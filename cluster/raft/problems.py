"""Why a replica refuses, cannot take part, or can no longer, and what its operator is to do.

A replica that cannot trust its own disk, or disagrees about an entry it has applied, steps out: it
stops talking before it says anything that is not so.
"""

from pathlib import Path

from cluster.raft.replica import MAX_COMMAND_BYTES
from packages.core.problem import Problem, problem


class Fatal(Exception):
    """Unwinds through the engine's frames to the pump, which reports the problem and stops."""

    def __init__(self, found: Problem) -> None:
        super().__init__(f"{found.what} {found.because}")
        self.problem = found


def disk_failed(name: str, error: OSError) -> Problem:
    return problem(
        "journal-not-writable", f"node:{name}",
        what="The journal of agreement cannot be written; this node has stepped out.",
        because=str(error),
        fix="Free space or repair the disk; the node comes back by itself. Nothing acknowledged is "
            "lost.",
    )


def journal_damaged(name: str, because: str) -> Problem:
    return problem(
        "journal-damaged", f"node:{name}",
        what="The journal holds acknowledged decisions that cannot be read any more.",
        because=because, fix=how_to_rejoin(name),
    )


def journal_missing(name: str, because: str) -> Problem:
    return problem(
        "journal-missing", f"node:{name}",
        what="This node took part before, and its journal is gone.", because=because,
        fix=f"Mount or restore it if it is only elsewhere; if it is lost: {how_to_rejoin(name)}",
    )


def journal_older(name: str, because: str) -> Problem:
    return problem(
        "journal-rolled-back", f"node:{name}",
        what="The journal is an earlier copy: since then this node has promised more.",
        because=because,
        fix="Put the newest folder back if it is only elsewhere; never one from a backup. If it is "
            f"lost: {how_to_rejoin(name)}",
    )


def journal_of_another(name: str, owner: str) -> Problem:
    return problem(
        "journal-of-another", f"node:{name}",
        what=f"The state folder of agreement is {owner}'s, not {name}'s.",
        because="Folders of two hosts were exchanged, or one was copied. What it promised is not "
                "this node's word, and its vote would count twice.",
        fix=f"Put this node's own folder back. If it is lost: {how_to_rejoin(name)}",
    )


def how_to_rejoin(name: str) -> str:
    return (
        f"On this host: vmsg node rejoin {name}. It sets the folder aside, and the node begins "
        "again from the others, if they can do without what it has lost."
    )


def snapshot_damaged(name: str, because: str) -> Problem:
    return problem(
        "snapshot-damaged", f"node:{name}",
        what="The snapshot cannot be read, so the state of the cluster is not known here.",
        because=because, fix=how_to_rejoin(name),
    )


def members_unreadable(name: str, because: str) -> Problem:
    return problem(
        "node-version-differs", f"node:{name}",
        what="A change of the cluster's membership cannot be read here; this node has stepped out.",
        because=because, fix="Bring this node to the version of the others, then start it again.",
    )


def diverged(name: str, because: str) -> Problem:
    return problem(
        "replica-diverged", f"node:{name}",
        what="This node has applied an entry that its leader does not have.",
        because=because, fix=how_to_rejoin(name),
    )


def apply_failed(name: str, error: BaseException) -> Problem:
    return problem(
        "host-exhausted", f"node:{name}",
        what="An agreed entry could not be applied for want of the host's resources.",
        because=repr(error), fix="Give the host memory, then start the daemon again.",
    )


def folder_in_use(name: str, folder: Path) -> Problem:
    return problem(
        "journal-in-use", f"node:{name}", what="Another daemon uses this node's folder.",
        because=f"{folder} is locked.", fix="Stop the other daemon first.",
    )


def no_quorum(name: str) -> Problem:
    return problem(
        "no-quorum", f"node:{name}", what="Nothing can be decided now.",
        because="This node reaches no leader that has a majority of the cluster.",
        fix="Ask again in a few seconds: a majority that runs elects a leader. Else see who is "
            "missing, and start vmsgd there or repair the network: vmsg status",
    )


def timed_out(name: str) -> Problem:
    return problem(
        "timed-out", f"node:{name}", what="It is not known whether this was decided.",
        because="The leader changed or did not answer in time.",
        fix="Ask again with the same id: a decision taken twice is the same as once.",
    )


def too_large(name: str, size: int) -> Problem:
    return problem(
        "bad-request", f"node:{name}", what="The command is too large.",
        because=f"It has {size} bytes; at most {MAX_COMMAND_BYTES} can be decided at once.",
        fix="Split the request.",
    )
