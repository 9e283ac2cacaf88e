"""Where a move goes on after its agent was restarted: the record and the surviving guest decide.
PURE.

Rows are MOVES.md's "states by phase", seen on real QEMU. What must never happen: the source's
copy continued after the commit; a target continued before it.
"""

from typing import Literal

SourceStep = Literal["land", "send", "copy", "quiesce", "complete", "commit", "abort", "lost"]

SOURCE: dict[tuple[str, str], SourceStep] = {
    ("running", "none"): "send",
    # A guest that arrived here by an earlier move still says "completed" about that one.
    ("running", "completed"): "send",
    ("running", "setup"): "copy",
    ("running", "active"): "copy",
    ("running", "failed"): "abort",
    ("running", "cancelling"): "abort",
    ("running", "cancelled"): "abort",
    ("switchover", "active"): "quiesce",
    ("switchover", "pre-switchover"): "quiesce",
    ("switchover", "device"): "complete",
    ("switchover", "completed"): "commit",
    ("postmigrate", "completed"): "commit",
    ("gone", "none"): "lost",
}


def source_step(stage: str, state: str, migration: str) -> SourceStep:
    """The step at which the source's agent takes its move up again; what the table does not name
    is aborted, which before the commit always leaves one guest, at the source."""
    if stage == "aborting":
        return "abort"
    if state == "gone":
        return "lost"
    if stage == "opened":
        return "land"
    return SOURCE.get((state, migration), "abort")


BEFORE_SWITCH = frozenset({"none", "setup", "active", "pre-switchover"})
"""What a source that was never told to switch says of its migration."""


def may_have_switched(stage: str, state: str, migration: str) -> bool:
    """Whether the source may have been told to switch, so that the target may hold the whole
    memory: then an abort is agreed before anything is called off, and a source that is gone is
    not the end of its memory. The record's *frozen* comes before the order to switch."""
    if stage not in ("frozen", "aborting"):
        return False
    return state in ("gone", "unanswered") or migration not in BEFORE_SWITCH


TargetAnswer = Literal["claim", "wait", "give-up"]

CLAIM: dict[str, TargetAnswer] = {
    # Loaded completely and never run.
    "paused": "claim",
    "running": "claim",
    "incoming": "give-up",
    "gone": "give-up",
    "unanswered": "wait",
}


def target_answer(state: str, *, ended_well: bool) -> TargetAnswer:
    """What a target says of its copy when the source is lost in the switch (MOVES.md, rule 3). The
    copy is the last of the memory if no abort was agreed and the channel did not break: a source
    whose channel breaks lets its guest run on by itself, and what that wrote would be undone
    (simulation, seeds 3297 and 5000154)."""
    answer = CLAIM.get(state, "give-up")
    return "give-up" if answer == "claim" and not ended_well else answer
