"""The one door to whoever supervises a process of ours: what sd_notify(3) and sd-daemon(3) say.

For the guardian as for the daemon, so of the standard library alone and without a wait: a word that
finds no room in the supervisor's queue is lost, and the next one is about as good. Where nobody
supervises (a lab, a shell) nothing is said, and a log's lines are as they are.
"""

import os
import socket
from collections.abc import Mapping, MutableMapping

ERROR, WARNING, INFO = 3, 4, 6
"""Of syslog(3), as the journal takes them."""

ADDRESSED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Supervisor:
    """What asks is taken out of the environment: no guest is to answer for its daemon."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self.taken = {
            name: environment.pop(name) for name in ADDRESSED if name in environment}
        """For this process alone, should it begin anew."""
        period_us = self.taken.get("WATCHDOG_USEC", "")
        self.period_s = int(period_us) / 1e6 if period_us.isdigit() else 0.0
        """It is ended unless it says within so long that it lives; 0: nobody asks."""
        self._shown = ""
        self._alive_s = float("-inf")
        self._socket: socket.socket | None = None
        place = self.taken.get("NOTIFY_SOCKET", "")
        self._address = "\0" + place[1:] if place.startswith("@") else place

    @property
    def is_there(self) -> bool:
        return bool(self._address)

    def ready(self) -> None:
        """What was to be started has started."""
        self._send("READY=1")

    def ending(self) -> None:
        self._send("STOPPING=1")

    def alive(self, now_s: float) -> None:
        """Say so, if it has not been said in the last quarter of the period; at each turn."""
        if self.period_s and now_s - self._alive_s >= self.period_s / 4:
            self._alive_s = now_s if self._send("WATCHDOG=1") else self._alive_s

    def show(self, status: str) -> None:
        """What `systemctl status` says of it; said where it has changed."""
        if status != self._shown and self._send(f"STATUS={status}"):
            self._shown = status

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, word: str) -> bool:
        if not self._address:
            return False
        try:
            if self._socket is None:
                self._socket = socket.socket(
                    socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self._socket.sendto(word.replace("\n", " ").encode(), self._address)
        except OSError:
            return False
        return True


def is_journal(environment: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether what is written there goes to the journal itself, which knows the time."""
    try:
        there = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def prioritised(text: str, priority: int) -> str:
    """As the journal takes it: line by line, for it makes an entry of each."""
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
