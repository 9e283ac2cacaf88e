"""Following a move to its end: one line redrawn on a terminal, a line for each phase elsewhere.

The move itself needs nobody to watch it. An answer that does not come is no news about the move:
the node asked may be the one that just died, so it is asked for again until patience ends.
"""

import asyncio
from typing import Any

from cli.live import Screen, is_shown_live, progress
from cli.output import size, span
from cli.session import Session
from cluster.api.messages import GetMove
from packages.core.problem import Problem, problem

LOOK_S = 0.25
"""Quicker than the eye wants it, slower than the cluster minds."""

ANSWER_S = 5.0
AWAY_S = 60.0
"""A dead coordinator is replaced within seconds; after a minute nobody is there to answer."""

PHASES = ("init", "copy", "io_quiesce", "frozen", "thaw", "done")


class Progress:
    """What is shown: never a phase or a percent before one that was shown already."""

    def __init__(self, screen: Screen, *, is_live: bool) -> None:
        self._screen = screen
        self._is_live = is_live
        self._phase = -1
        self._percent = 0.0
        self._bytes = 0.0
        self._bytes_at_s = 0.0
        self._rate = 0.0

    def tell(self, move: dict[str, Any], now_s: float) -> None:
        phase = PHASES.index(move["phase"]) if move["phase"] in PHASES else 0
        if phase > self._phase:
            self._phase, self._percent = phase, 0.0
        elif not self._is_live:
            return
        self._percent = max(self._percent, float(move["percent"]))
        self._measure(float(move["transferred_bytes"]), now_s)
        self._screen.draw([self._line(move)])

    def say(self, text: str) -> None:
        self._screen.draw([text])

    def _measure(self, transferred: float, now_s: float) -> None:
        """Bytes per second, smoothed over a few looks, so that the number can be read."""
        passed_s = now_s - self._bytes_at_s
        if self._bytes_at_s and passed_s > 0 and transferred >= self._bytes:
            self._rate += 0.3 * ((transferred - self._bytes) / passed_s - self._rate)
        self._bytes, self._bytes_at_s = transferred, now_s

    def _line(self, move: dict[str, Any]) -> str:
        """In a log only what stands still; on a terminal all that moves."""
        phase = PHASES[self._phase]
        parts = [f"{move['package']}: {move['source']} -> {move['target']}  {phase}"]
        if phase == "copy" and self._is_live:
            parts.append(f"{self._percent:.0f} %")
        if move.get("queued"):
            parts.append("waits for its turn")
        if move["transferred_bytes"]:
            parts.append(size(move["transferred_bytes"]))
        if phase == "copy" and self._is_live:
            parts += self._speed(move)
        if move["freeze_ms"]:
            parts.append(f"freeze {span(move['freeze_ms'])}")
        return "  ".join(parts)

    def _speed(self, move: dict[str, Any]) -> list[str]:
        parts = [f"{size(self._rate)}/s"] if self._rate > 0 else []
        left = move.get("remaining_bytes")
        return [*parts, f"{size(left)} left"] if left else parts


def follow_move(session: Session, opened: dict[str, Any]) -> dict[str, Any] | Problem:
    """The MOVE when it has its result; a Problem when nobody answers any more."""
    found: dict[str, Any] | Problem
    with progress() as screen:
        found = session.run(watched(session, opened, Progress(screen, is_live=is_shown_live())))
    return found


async def watched(
    session: Session, move: dict[str, Any], shown: Progress,
) -> dict[str, Any] | Problem:
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    while True:
        shown.tell(move, loop.time())
        if move["result"] is not None:
            return move
        if session.is_late:
            return session.late(
                f"package:{move['package']}", f"The move of {move['package']} has not ended yet.",
                follow=f"vmsg move {move['package']} --status; end it with: "
                       f"vmsg move {move['package']} --abort")
        await asyncio.sleep(session.at_most_s(LOOK_S))
        asked = GetMove(package=move["package"], current=True)
        answer = await session.try_to_ask(
            asked, deadline_s=session.at_most_s(ANSWER_S))
        if not isinstance(answer, Problem) and isinstance(answer.result, dict):
            if answer.result["id"] != move["id"]:
                return overtaken(move)
            move, heard_s = answer.result, loop.time()
        elif loop.time() - heard_s > AWAY_S:
            return nobody_left(move)
        else:
            shown.say(f"{move['package']}: waiting for the cluster to answer")


def overtaken(move: dict[str, Any]) -> Problem:
    return problem(
        "timed-out", f"package:{move['package']}", what="The end of the move was missed.",
        because="Another move of the package has begun since.",
        fix=f"Look at: vmsg events --package {move['package']}",
    )


def nobody_left(move: dict[str, Any]) -> Problem:
    return problem(
        "timed-out", f"package:{move['package']}",
        what=f"The cluster has not answered for {AWAY_S:.0f} s.",
        because="No node with quorum could be asked. The move goes on or is undone without us.",
        fix=f"Follow it with: vmsg move {move['package']} --status",
    )
