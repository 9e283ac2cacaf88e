"""One command's conversation with the cluster.

Finds a node, asks, and ends the command with Problems and the right exit code when there is no
good answer. Ctrl-C never undoes what was begun: it ends the waiting, and says how to follow.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

import click

from cli.output import Lines, Output, show
from cli.problems import EXIT_OF_VERDICT, REFUSED, stop, warn
from cluster.api.client import Client
from cluster.api.find import Access, find_cluster
from cluster.api.messages import AnyRequest, Changing, Reply
from cluster.api.peer import Endpoint
from cluster.sockets import CurveKeys
from packages.core.problem import Problem, problem
from packages.core.values import changed

QUESTION_S = 10.0
"""Two nodes that are stuck, and a third that answers."""

CHANGE_S = 40.0
"""A node gives up on the agreement of the others after 30 s, and says so itself."""

INTERRUPTED = 130

UNREACHED = frozenset({"no-cluster", "node-unreachable"})
"""Problems that a little more time might have spared."""

UNHEARD = frozenset({"no-cluster", "not-authorised"})
"""Problems of whoever knows the nodes by keys that they had before."""


class Session:
    """Used as a context manager around one command."""

    def __init__(
        self, *, output: Output, endpoint: str | None = None, timeout_s: float | None = None,
    ) -> None:
        self.output = output
        self.if_interrupted = ""
        """What a person who pressed Ctrl-C should know, where something goes on without them."""
        self.endpoint = endpoint
        self.consent: Literal["given", "asked for", "not needed"] = "not needed"
        """To what cannot be taken back: by --yes, or by a person at a terminal."""
        self._timeout_s = timeout_s
        self._runner = asyncio.Runner()
        self._began_s = self._runner.get_loop().time()
        self._client: Client | None = None
        self._found: Access | None = None
        self._request_id = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        self._runner.close()
        if isinstance(error, KeyboardInterrupt):
            if self.if_interrupted:
                click.echo(f"\n{self.if_interrupted}", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    @property
    def lab(self) -> str:
        """The folder of the lab that was asked; "" for a cluster of real hosts."""
        return self._found.lab if self._found is not None else ""

    @property
    def request_id(self) -> str:
        """This command's own id, under which the cluster records what it changes."""
        if not self._request_id:
            from cluster.clock import HostClock  # questions roll no dice
            self._request_id = HostClock().token()
        return self._request_id

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something that waits, on the session's own event loop."""
        return self._runner.run(work)

    def pause(self, seconds: float) -> None:
        self.run(asyncio.sleep(self.at_most_s(seconds)))

    # --timeout is for the whole command, however often it asks

    @property
    def has_timeout(self) -> bool:
        return self._timeout_s is not None

    @property
    def is_late(self) -> bool:
        return self.at_most_s(1.0) <= 0.0

    def waiting_s(self, usual_s: float) -> float:
        """What is left of --timeout, which may be longer than usual; the usual without it."""
        return usual_s if self._timeout_s is None else self._left_s(self._timeout_s)

    def at_most_s(self, seconds: float) -> float:
        """So long, or less where --timeout is over before."""
        return seconds if self._timeout_s is None else min(seconds, self._left_s(self._timeout_s))

    def _left_s(self, timeout_s: float) -> float:
        return max(0.0, self._began_s + timeout_s - self._runner.get_loop().time())

    def late(self, subject: str, what: str, *, follow: str = "", request: str = "") -> Problem:
        """Why the command ends while what it began goes on; `follow` is how to see more."""
        request = request or self._request_id
        events = f"vmsg events --request {request}" if request else "vmsg status"
        return problem(
            "timed-out", subject, what=what,
            because=f"--timeout {self._timeout_s or 0.0:g}s is over; what was begun goes on.",
            fix=f"Follow it with: {events}" + (f"; {follow}" if follow else ""),
        )

    def answer(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        """What the cluster says, whatever it is, a Problem where it cannot be found or there is no
        time left to ask it."""
        if self.is_late:
            return self.late("cluster", "The cluster was not asked any more.")
        if self._client is None:
            access = find_cluster(self.endpoint, os.environ)
            if isinstance(access, Problem):
                return access
            self.connect(access.endpoints, access.keys)
            self._found = access
        if isinstance(request, Changing) and not request.dry_run and not self.if_interrupted:
            self.if_interrupted = (
                "The request goes on in the cluster. Follow it with: "
                f"vmsg events --request {request.request}"
            )
        answer: Reply | Problem = self.run(
            self.try_to_ask(request, deadline_s=self.at_most_s(deadline_s)))
        if isinstance(answer, Problem) and answer.code in UNREACHED and self.is_late:
            return self.late("cluster", "No node has answered yet.", request=request.request)
        return answer

    def connect(self, endpoints: Sequence[Endpoint], keys: CurveKeys) -> None:
        """Ask these nodes, with this key, and no others whatever happens."""
        self._close()
        self._found = None
        self._client = self.run(connected(endpoints, keys))

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()

    async def try_to_ask(self, request: AnyRequest, *, deadline_s: float) -> Reply | Problem:
        """Like `answer`, within something that waits already.

        Keys change while commands wait, and with all nodes' keys changed nobody is left to answer
        one that knows the old: it reads them again.
        """
        assert self._client is not None, "asked before the cluster was found"
        answer = await self._client.ask(request, deadline_s=deadline_s)
        if is_good(answer) or not self._finds_other_keys():
            return answer
        return await self._client.ask(request, deadline_s=deadline_s)

    def _finds_other_keys(self) -> bool:
        """Look for the cluster anew; is it not where, or who, it was at the last look?"""
        if self._found is None:
            return False
        access = find_cluster(self.endpoint, os.environ)
        if isinstance(access, Problem) or access == self._found:
            return False
        self._close()
        self._found, self._client = access, Client(access.endpoints, access.keys)
        return True

    def ask(self, request: AnyRequest, *, deadline_s: float = QUESTION_S) -> Reply:
        """A good answer; anything else ends the command."""
        if self.consent == "asked for" and isinstance(request, Changing):
            request = changed(request, confirmed=False)
        answer = self.answer(request, deadline_s=self.waiting_s(deadline_s))
        if isinstance(answer, Reply) and needs_consent(answer) and may_be_asked():
            warn(explained(answer)[1:])
            if not click.confirm("Do it all the same?", err=True):
                click.echo("Nothing was done.", err=True)
                raise click.exceptions.Exit(REFUSED)
            answer = self.answer(
                changed(request, confirmed=True), deadline_s=self.waiting_s(deadline_s))
        if isinstance(answer, Problem):
            self.stop([answer])
        if answer.verdict != "done":
            self.stop(explained(answer), code=EXIT_OF_VERDICT[answer.verdict])
        warn(answer.problems)
        return answer

    def change(
        self, request: AnyRequest, said: Callable[[dict[str, Any]], str], *,
        deadline_s: float = CHANGE_S,
    ) -> None:
        """Ask for a change and print what came of it; `said` makes a sentence of the result."""
        reply = self.ask(request, deadline_s=deadline_s)
        result = reply.result if isinstance(reply.result, dict) else {}
        dry = isinstance(request, Changing) and request.dry_run
        tree = {"request": reply.request, "verdict": reply.verdict, "dry_run": dry, **result}
        self.show(tree, lambda: would(result) if dry else [
            result.get("already") or said(result)])

    def show(self, tree: Any, lines: Lines) -> None:
        show(self.output, tree, lines)

    def stop(self, problems: list[Problem], *, code: int | None = None) -> NoReturn:
        stop(problems, self.output, code=code)


def needs_consent(answer: Reply) -> bool:
    return answer.verdict == "refused" and explained(answer)[0].code == "not-confirmed"


def may_be_asked() -> bool:
    """Whether a person is there, who sees the question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def is_good(answer: Reply | Problem) -> bool:
    """Nothing is to be gained from asking with other keys."""
    if isinstance(answer, Problem):
        return answer.code not in UNHEARD
    return answer.verdict != "no-quorum"


async def connected(endpoints: Sequence[Endpoint], keys: CurveKeys) -> Client:
    """A client belongs to the event loop it was made on."""
    return Client(endpoints, keys)


def would(result: dict[str, Any]) -> list[str]:
    """What a dry run found that would be done."""
    lines = [str(each) for each in result.get("would", [])]
    return ["This would be done:", *(f"  {each}" for each in lines)] if lines \
        else [result.get("already") or "Nothing would be done."]


def explained(reply: Reply) -> list[Problem]:
    """Its Problems; where a node gave none, at least what its verdict means."""
    if reply.problems:
        return list(reply.problems)
    code = reply.verdict if reply.verdict in ("no-quorum", "timed-out", "not-authorised") \
        else "bad-reply"
    return [problem(
        code, "cluster", what=f"The cluster's answer was: {reply.verdict}.",
        because="The node that answered gave no reason.",
        fix=f"Look at: vmsg events --request {reply.request}" if reply.request
        else "Look at: vmsg status",
    )]
