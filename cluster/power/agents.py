"""Fence agents of the fence-agents project, each run as a process of its own.

An agent reads `key=value` lines from its standard input, `action` among them, does one thing and
ends: 0 done, anything else not done; `status` ends with 0 for on and 2 for off (the project's Fence
Agent API). Parameters never stand on a command line, where every user of the host could read them;
secrets are read from files at the last moment. Agents silently ignore parameters they do not know,
so what their metadata tells is held against the configuration by `check`.

What must never happen here: an agent, or what it started, that outlives its deadline; a secret in
a Problem.
"""

import asyncio
import shutil
from pathlib import Path
from typing import NamedTuple

from cluster.config.node_files import exposure_of
from cluster.config.schema import FenceConfig
from cluster.power.fence import Power, fence_failed
from cluster.power.metadata import AgentMetadata, Unreadable, metadata_of
from packages.core.problem import Problem, problem
from packages.vetting import why_foreign
from packages.vm.processes import told

STATUS_OFF = 2
"""What `status` ends with for a host that is off."""
CHECK_S = 20.0
"""For the metadata: an interpreter with all that some agents import starts within two seconds on an
idle machine; this is for a starved one."""
SAID_BYTES = 300
"""An agent's last words are one or two lines."""
SEARCHED = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/sbin:/bin"


class Ended(NamedTuple):
    code: int
    out: str
    said: str
    """On standard error."""


class FenceAgents:
    """The PowerFence of a real node."""

    async def switch_off(self, fence: FenceConfig) -> Problem | None:
        ended = await self._asked(fence, "off")
        if isinstance(ended, Problem):
            return ended
        return None if ended.code == 0 else fence_failed(fence, _why(ended))

    async def power(self, fence: FenceConfig) -> Power | Problem:
        ended = await self._asked(fence, "status")
        if isinstance(ended, Problem):
            return ended
        if ended.code not in (0, STATUS_OFF):
            return fence_failed(fence, _why(ended))
        return "off" if ended.code == STATUS_OFF else "on"

    async def check(self, fence: FenceConfig) -> list[Problem]:
        found = [each for each in map(exposure_of, map(Path, fence.secrets.values())) if each]
        ended = await _run(fence, "action=metadata\n", deadline_s=CHECK_S)
        if isinstance(ended, Problem):
            return [*found, ended]
        metadata = metadata_of(ended.out)
        if isinstance(metadata, Unreadable):
            return [*found, fence_failed(fence, f"Its metadata makes no sense: {metadata.because}")]
        return [*found, *_against(fence, metadata)]

    async def _asked(self, fence: FenceConfig, action: str) -> Ended | Problem:
        lines = {"action": action, **fence.options}
        for name, path in sorted(fence.secrets.items()):
            try:
                lines[name] = Path(path).read_text(encoding="utf-8").strip("\n")
            except (OSError, UnicodeDecodeError) as error:
                return fence_failed(fence, f"The secret in {path} cannot be read: {error}")
        said = "".join(f"{name}={value}\n" for name, value in lines.items())
        return await _run(fence, said, deadline_s=fence.timeout_s)


async def _run(fence: FenceConfig, said: str, *, deadline_s: float) -> Ended | Problem:
    """Start the agent, tell it, and see it end: whatever it started ends with it."""
    program = shutil.which(fence.agent, path=SEARCHED)
    if program is None:
        return problem(
            "program-missing", f"fence:{fence.agent}", what=f"{fence.agent} could not be started",
            because=f"it is in none of {SEARCHED}, or not executable",
            fix="apt-get install fence-agents, on every node",
        )
    foreign = await asyncio.to_thread(why_foreign, program)
    if foreign is not None:
        return fence_failed(fence, f"It is not started as root: {foreign}")
    try:
        agent = await asyncio.create_subprocess_exec(
            program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
            env={"PATH": SEARCHED, "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        return fence_failed(fence, error.strerror or str(error))
    try:
        out, complaint = await told(
            agent, said.encode(), deadline_s=deadline_s, is_group=True)
    except TimeoutError:
        return fence_failed(fence, f"It had not ended after {deadline_s:g} s.")
    assert agent.returncode is not None
    return Ended(
        agent.returncode, out.decode(errors="replace"), complaint.decode(errors="replace"))


def _why(ended: Ended) -> str:
    words = (ended.said or ended.out).strip()[-SAID_BYTES:]
    return f"It ended with {ended.code}" + (f": {words}" if words else ".")


def _against(fence: FenceConfig, metadata: AgentMetadata) -> list[Problem]:
    given = [*fence.options, *fence.secrets]
    subject = f"fence:{fence.agent}"
    found = [
        problem(
            "fence-parameter-unknown", subject, what=f"{fence.agent} has no parameter {name}.",
            because="Its metadata does not name it, and agents ignore what they do not know.",
            fix=f"Take it out, or write it as `{fence.agent} -o metadata` does.",
        )
        for name in metadata.unknown(given)
    ] + [
        problem(
            "fence-parameter-missing", subject, what=f"{fence.agent} needs the parameter {name}.",
            because="Its metadata calls it required.", fix=f"Add {name} to the fence's options.",
        )
        for name in metadata.missing(given)
    ]
    if "off" not in metadata.actions:
        found.append(fence_failed(fence, "Its metadata does not know the action off."))
    return found
