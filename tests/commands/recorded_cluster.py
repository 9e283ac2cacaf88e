"""A node that answers over a real socket with what it was told to, for testing the command line.

It runs on a thread of its own, because a command runs its own event loop.
"""

import asyncio
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from cluster.api import messages as ask
from cluster.api.roles import Caller
from cluster.api.server import ApiServer
from cluster.config.keys import init_cluster, load_node_folder
from cluster.config.schema import ClusterConfig, NodeConfig
from cluster.sockets import keys_of, make_keys

CONFIG = ClusterConfig(
    name="farm",
    # Nothing listens on port 9, so the other nodes are as good as dead.
    nodes=tuple(
        NodeConfig(name=f"n{each}", address=f"127.0.0.{each}", api_port=9) for each in (1, 2, 3)
    ),
)

ROOT = Path(__file__).parents[2]


def make_folders(parent: Path) -> Path:
    """The folder of node n1, as /etc/vmsg would be."""
    assert init_cluster(CONFIG, parent, make_keys) is None
    return parent / "n1"


class RecordedCluster:
    """Answers each type of request from a table of its replies; `heard` keeps what was asked."""

    def __init__(self, etc: Path, run: Path) -> None:
        self.replies: dict[type[ask.Request], ask.Reply | list[ask.Reply] | None] = {}
        """A list is given out one by one, its last for ever; None is silence."""
        self.heard: list[ask.AnyRequest] = []
        self.callers: list[Caller] = []
        """Who asked each of them."""
        self._etc, self._run = etc, run
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> "RecordedCluster":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._server.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        folder = load_node_folder(self._etc)
        keys = keys_of(folder.curve_secret)
        self._server = ApiServer(
            [f"ipc://{self._run}/api.sock"], keys=keys, answer=self._answer,
        )
        self._server.allow(folder.keys)
        assert self._server.start() is None

    async def _answer(self, caller: Caller, request: ask.AnyRequest) -> ask.Reply:
        self.heard.append(request)
        self.callers.append(caller)
        reply = self.replies.get(type(request))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if reply is None:
            await asyncio.Event().wait()
        return reply


def start_command(*args: str, **settings: Any) -> "subprocess.Popen[str]":
    """The command as a process of its own, its output to be read."""
    return subprocess.Popen(
        [sys.executable, "-c", "from cli.main import main; main()", *args], text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings},
    )


def steady(text: str, *folders: Path) -> str:
    """The text without what differs from run to run: ids and keys that were drawn, temporary
    folders."""
    for each in folders:
        text = text.replace(str(each), "<folder>")
    text = re.sub(r"vmsg-join-1\.[\w-]+", "<line>", text)
    # YAML puts quotes round an id that would read as a number.
    return re.sub(r"\b[0-9a-f]{16}\b|'[0-9a-f]{16}'", "<drawn-id>", text)
