"""vmsg cluster roll --run CMD: the same work on every node, one after the other.

The command line leads, so that whoever pressed Ctrl-C has stopped it: what was begun in the cluster
is a drain or a maintenance like any other, and is said by name. What must never happen here: the
next node begun while the last one is not well.
"""

import math
import os
import shlex
import signal
import subprocess
from typing import Any, NoReturn

import click

from cli.live import progress
from cli.node.drain import PLAN_S, watched
from cli.options import Duration, changing
from cli.problems import EXIT_OF_VERDICT, TIMED_OUT, exit_code, warn
from cli.session import CHANGE_S, Session, explained
from cluster.api.messages import AnyRequest, DrainNode, GetStatus, ResumeNode
from packages.core.problem import Problem, problem
from packages.core.values import Value, changed, plain

LOOK_S = 0.5
STEADY_S = 5.0
"""A node that is about to be rebooted looks well for a moment still; within this it is missed."""
HEALTH_S = 1800.0
"""A big host's firmware alone takes ten minutes to count its memory."""
RETURN_S = 3600.0

READY = {
    "draining": "vmsg node drain {node} --cancel", "maintenance": "vmsg node resume {node}",
    "quarantined": "vmsg node unquarantine {node}", "halted": "vmsg node run {node}",
    "halting": "wait until {node} is halted, then: vmsg node run {node}",
}
"""What makes a node ready to be rolled over; in any other state its host or daemon is down."""


@click.command()
@changing
@click.argument("nodes", nargs=-1)
@click.option(
    "--run", "work", required=True, metavar="CMD",
    help="A shell command, run here once for each node; VMSG_NODE and VMSG_ADDRESS name it.",
)
@click.option("--allow-restart", is_flag=True, help="As with vmsg node drain.")
@click.option(
    "--return", "bring_back", is_flag=True, help="Bring each node's packages home, online.",
)
@click.option(
    "--health-timeout", "health_s", type=Duration(), default=HEALTH_S, show_default="30m",
    help="How long a node may take to be well again after CMD.",
)
@click.option(
    "--steady", "steady_s", type=Duration(), default=STEADY_S, show_default="5s",
    help="How long it must look well to count as well.",
)
def command(
    session: Session, nodes: tuple[str, ...], work: str, allow_restart: bool, bring_back: bool,
    health_s: float, steady_s: float, dry_run: bool, reason: str,
) -> None:
    """Drain each node, run CMD for it, wait for its health, resume it.

    One node after the other, the coordinator's last; the first failure stops everything. CMD is run
    here, not on the node: --run 'ssh $VMSG_NODE apt-get -y upgrade'.
    """
    if not work.strip():
        raise click.UsageError("--run wants a command.", click.get_current_context())
    roll = Roll(session, Wanted(
        work=work, allow_restart=allow_restart, bring_back=bring_back, health_s=health_s,
        steady_s=steady_s, reason=reason or "vmsg cluster roll"))
    order = roll.order(nodes)
    if dry_run:
        session.show({"order": order, "run": work, "dry_run": True}, lambda: [
            f"Would be drained, worked on and resumed, in this order: {', '.join(order)}",
            f"The plan of each is made when its turn comes; now: vmsg node drain {order[0]} "
            "--dry-run",
        ])
        return
    for node in order:
        roll.over(node)
        roll.done.append(node)
        click.echo(f"{node}: done", err=True)
    session.if_interrupted = ""
    session.show(
        {"done": roll.done, "failed": None, "problems": []},
        lambda: [f"All are done: {', '.join(roll.done)}."])


class Wanted(Value):
    """What is to be done with each node."""

    work: str
    allow_restart: bool
    bring_back: bool
    health_s: float
    steady_s: float
    reason: str

    def line(self, nodes: list[str]) -> str:
        """The command that does the same with these nodes."""
        words = ["vmsg", "cluster", "roll", *nodes, "--run", self.work]
        words += ["--allow-restart"] if self.allow_restart else []
        words += ["--return"] if self.bring_back else []
        words += [f"--health-timeout={self.health_s:g}s"] if self.health_s != HEALTH_S else []
        words += [f"--steady={self.steady_s:g}s"] if self.steady_s != STEADY_S else []
        return shlex.join(words)


class Roll:
    def __init__(self, session: Session, wanted: Wanted) -> None:
        self._session, self._wanted = session, wanted
        self._addresses: dict[str, str] = {}
        self._running: set[str] = set()
        """The packages that ran when it began, and are to run whenever a node is done."""
        self._order: list[str] = []
        self.done: list[str] = []

    def order(self, wanted: tuple[str, ...]) -> list[str]:
        """The nodes in their order, where all of the cluster is well; else the command ends."""
        status = self._session.ask(GetStatus()).result
        known = [each["name"] for each in status["nodes"]]
        for name in wanted:
            if name not in known:
                self._session.stop([problem(
                    "unknown-node", f"node:{name}", what=f"There is no node {name}.",
                    because=f"The cluster has {', '.join(known)}.", fix="Name one of these.",
                )])
        ill = against(status)
        if ill:
            self._session.stop(ill)
        self._addresses = {each["name"]: each["address"] for each in status["nodes"]}
        self._running = {each["name"] for each in status["packages"] if each["state"] == "running"}
        names = [name for name in known if name in wanted or not wanted]
        self._order = sorted(names, key=lambda name: name == status["cluster"]["leader"])
        return self._order

    def over(self, node: str) -> None:
        """All that is done for one node; the command ends at the first failure."""
        self._drain(node)
        self._run(node)
        self._wait_for_health(node, "maintenance", f"vmsg node resume {node}")
        self._resume(node)
        self._wait_for_health(node, "running", "vmsg status")

    def _then(self, fix: str, node: str, *, again: bool) -> str:
        """The fix, and what goes on with the nodes that are left; `again`: with this one, too."""
        left = [each for each in self._order if each not in self.done]
        left = left if again else [each for each in left if each != node]
        return f"{fix}; for the rest: {self._wanted.line(left)}" if left else fix

    def _drain(self, node: str) -> None:
        cancel = f"vmsg node drain {node} --cancel"
        self._says(node, "is being emptied", self._then(
            f"{cancel} (once it is empty: vmsg node resume {node})", node, again=True))
        self._ask(node, DrainNode(
            request=f"{self._session.request_id}-{node}-drain", node=node,
            reason=self._wanted.reason, allow_restart=self._wanted.allow_restart,
        ), PLAN_S)
        _, left = watched(
            self._session, node, request=f"{self._session.request_id}-{node}-drain")
        if left:
            self._stop(
                node, f"{', '.join(left)} could not be moved away: see vmsg status.",
                f"Mend that, and: {self._then(cancel, node, again=True)}")

    def _run(self, node: str) -> None:
        """Its output is for whoever looks, never between the lines of a program's input."""
        fix = self._then(f"vmsg node resume {node}", node, again=True)
        self._says(node, "is in maintenance, and its command was interrupted", fix)
        work = subprocess.Popen(
            ["/bin/sh", "-c", self._wanted.work],
            stdout=None if self._session.output == "table" else 2,
            env={**os.environ, "VMSG_NODE": node, "VMSG_ADDRESS": self._addresses[node]},
        )
        left_s = self._session.waiting_s(math.inf)
        try:
            ended = work.wait(None if left_s == math.inf else left_s)
        except subprocess.TimeoutExpired:  # half a command's work is worse than a late one
            self._late(node, f"Its command goes on as process {work.pid}. When it has ended and "
                             f"{node} is well: {fix}")
        except BaseException:
            work.kill()  # as subprocess.run does
            work.wait()
            raise
        if ended:
            self._stop(node, f"Its command {how_it_ended(ended)}.",
                       f"{node} stays empty, in maintenance. When it is well: {fix}")

    def _resume(self, node: str) -> None:
        self._says(node, "is being resumed", self._then(
            f"vmsg node resume {node}", node, again=False))
        self._ask(node, ResumeNode(
            request=f"{self._session.request_id}-{node}-resume", node=node,
            reason=self._wanted.reason, bring_back=self._wanted.bring_back,
        ), RETURN_S if self._wanted.bring_back else CHANGE_S)

    def _wait_for_health(self, node: str, state: str, fix: str) -> None:
        """Until it has looked well for a while."""
        fix = self._then(fix, node, again=False)
        self._says(node, f"is waited for, to be {state}", fix)
        left_s, well_s, why = self._wanted.health_s, 0.0, "nobody has answered"
        with progress() as screen:
            while well_s < self._wanted.steady_s and left_s > 0:
                if self._session.is_late:
                    self._late(node, f"Look at it; when it is well: {fix}")
                answer = self._session.answer(GetStatus(), deadline_s=LOOK_S * 10)
                if not isinstance(answer, Problem) and answer.result is not None:
                    why = self._ill(answer.result, node, state)
                well_s = 0.0 if why else well_s + LOOK_S
                screen.draw([f"{node}: {why or 'well'}"])
                left_s -= LOOK_S
                self._session.pause(LOOK_S)
        if well_s < self._wanted.steady_s:
            self._stop(
                node, f"Not everything was well within {self._wanted.health_s:g} s: {why}.",
                f"Look at it; when it is well: {fix}")

    def _ill(self, status: Any, node: str, state: str) -> str:
        """What is not well; empty when all is."""
        if not is_up(status, node, state):
            return f"{node} is not up and {state}"
        lost = [each["name"] for each in status["packages"] if each["auto_run"]
                and each["name"] in self._running and each["state"] != "running"]
        return f"{', '.join(lost)} do not run" if lost else ""

    def _ask(self, node: str, request: AnyRequest, deadline_s: float) -> None:
        answer = self._session.answer(request, deadline_s=self._session.waiting_s(deadline_s))
        if isinstance(answer, Problem):
            self._refused(node, [answer], None)
        elif answer.verdict != "done":
            self._refused(node, explained(answer), EXIT_OF_VERDICT[answer.verdict])
        else:
            warn(answer.problems)

    def _refused(self, node: str, problems: list[Problem], code: int | None) -> NoReturn:
        tree: dict[str, Any] = {
            "done": self.done, "failed": node, "problems": [plain(each) for each in problems]}
        self._session.show(tree, lambda: [f"Done: {', '.join(self.done) or 'none'}."])
        if self._session.output == "table":
            warn(problems)
        raise click.exceptions.Exit(exit_code(problems) if code is None else code)

    def _stop(self, node: str, because: str, fix: str) -> NoReturn:
        found = [problem(
            "roll-stopped", f"node:{node}", what=f"The roll has stopped at {node}.",
            because=because, fix=fix)]
        self._refused(node, found, 1)

    def _late(self, node: str, fix: str) -> NoReturn:
        found = self._session.late(
            f"node:{node}", f"The roll has stopped at {node}: its time is over.")
        self._refused(node, [changed(found, fix=f"{fix}; {found.fix}")], TIMED_OUT)

    def _says(self, node: str, how: str, fix: str) -> None:
        """What is told to somebody who presses Ctrl-C now."""
        done = f" Done: {', '.join(self.done)}." if self.done else ""
        self._session.if_interrupted = f"Node {node} {how}; no other is begun.{done} Then: {fix}"


def is_up(status: Any, node: str, state: str) -> bool:
    return bool(status["cluster"]["quorum"] and status["cluster"]["leader"]) and any(
        each["name"] == node and (each["status"], each["state"]) == ("up", state)
        for each in status["nodes"])


def against(status: Any) -> list[Problem]:
    """Why no node of this cluster may be taken out now."""
    ill = [each for each in status["nodes"] if not is_up(status, each["name"], "running")]
    alone = [each["name"] for each in status["packages"] if each["state"] == "detached"]
    found = [f"{each['name']} is {each['status']}, {each['state']}" for each in ill]
    found += [f"{', '.join(alone)} {'is' if len(alone) == 1 else 'are'} detached"] if alone else []
    fixes = [
        READY.get(each["state"], "start the host and the daemon of {node}").format(
            node=each["name"]) for each in ill]
    fixes += ["vmsg cluster run"] if alone and not ill else []
    return [problem(
        "roll-unsafe", "cluster", what="No node is taken out now.",
        because=f"{'; '.join(found)}.",
        fix=f"Have every node up and running first: {'; '.join(fixes)}",
    )] if found else []


def how_it_ended(code: int) -> str:
    """A negative code is a signal's number."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
