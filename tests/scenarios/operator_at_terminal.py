"""The command line, asked of a simulated cluster: what is printed there is typed here."""

import asyncio
import contextlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.main import run
from cluster.api import messages as ask
from cluster.api.roles import Caller
from packages.core.values import changed
from tests.commands.recorded_cluster import RecordedCluster, make_folders
from tests.scenarios.pains.farm import Farm

STEP_S = 1.0
"""Goes by in the cluster between two questions: a person looks twice a second, and waits."""


class Terminal(RecordedCluster):
    """Answers with what the simulated cluster does, on a thread of its own while a command waits.
    """

    def __init__(self, told: Farm, etc: Path, run_folder: Path) -> None:
        super().__init__(etc, run_folder)
        self.told = told
        self._env = {"VMSG_ETC": str(etc), "VMSG_RUN": str(run_folder)}

    async def _answer(self, caller: Caller, request: ask.AnyRequest) -> ask.Reply:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._simulated, request)

    def _simulated(self, request: ask.AnyRequest) -> ask.Reply:
        reply = self.told.answer(changed(request, current=False))
        self.told.run(STEP_S)
        return changed(reply, number=0)

    def type(self, *words: str) -> tuple[int, Any]:
        """A command's exit code, and the tree that it prints."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = run([*words, "-o", "json"])
        text = out.getvalue()
        return code, json.loads(text) if text.strip() else None


@contextmanager
def terminal(
    told: Farm, folder: Path, setenv: Callable[[str, str], None],
) -> Iterator[Terminal]:
    etc = make_folders(folder / "keys")
    setenv("VMSG_ETC", str(etc))
    setenv("VMSG_RUN", str(folder))
    with Terminal(told, etc, folder) as typed:
        yield typed
