"""vmsg-guard: freezes this node's guests when the node's lease runs out.

A node that has lost the cluster may run its guests only until the expiry its daemon was last told;
after that somebody else may run them. This process holds that expiry and acts on it alone, so
that a daemon which is hung, stopped, being upgraded or cut off cannot delay it. It decides one
thing: `wanted`. Standard library only, and of ours only its other parts (guardian_guests.py,
guardian_host.py): what needs little is sure to run.

What must never happen here: a guest that runs past the expiry; a wait without an end (a full
socket, a stuck log, an endless line); a guest stopped or killed that is not the registered one.

Protocol, one JSON object a line, on DIR/guardian.sock, from this process's own uid only:

    {"lease": {"expiry_s": E, "kill_at_s": K}}   on CLOCK_BOOTTIME. An expiry not later
            than the one held is ignored, unless "revoke": true stands beside it.
    {"guests": [{"package", "epoch", "pid", "start_ticks"}...]}     the full list; one that is
            left out and stands frozen is let go on, for nobody else would continue it. One with
            "frozen": true was stopped by the daemon itself, and is continued with a good lease.
    {"ask": N}  is answered {"ask": N, "frozen", "killed", "guarded": guests, "expiry_s",
            "kill_at_s", "ending", "watchdog", "watchdog_s"}, after everything sent before it.
    {"heard": N}    is answered {"heard": N, "expiry_s": E} in the same way. The daemon counts a
            lease as good only after this: what is not held here is enforced by nobody.

and, unasked, {"event": "frozen|thawed|killed|gone|absent", "guests", "at_s", "because"}.

Precision: a CLOCK_BOOTTIME timer of the kernel ends the wait at the expiry (milliseconds; at once
on waking from suspend), and the wait ends every second by itself, so that a failed timer costs a
second and not everything. A host that wakes from suspend runs its guests until this process is
scheduled: real-time priority keeps that short, only a storage fence takes it away.

DIR must be on a tmpfs (/run): the record is written as the lease is renewed, and must not wait for
a disk; freezing does not wait for it. A guardian that starts enforces what is on record before it
answers anybody; where there is no record it finds the guests of this node's run folder by their
names, and they stand until the daemon says more.

A signal to end (TERM, INT) is obeyed only when no guest is registered; until then it is answered
loudly and guarding goes on. To upgrade the guardian send it HUP (`systemctl reload vmsg-guard`): it
becomes, as the same process, the one that is installed now, which takes up lease and guests from
this boot's record. SIGKILL and a new one come to the same.
"""

import argparse
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from cluster.guardian_guests import Garbage, Guest, found_guests, number
from cluster.guardian_host import (
    CONNECTIONS, NEVER_S, Alarm, Json, Place, Record, ToEnd, Watchdog, begin_again, boottime_s,
    harden, say
)
from cluster.supervision import ERROR, INFO, WARNING, Supervisor

LINE_BYTES = 1 << 20  # a list of 5,000 guests is 500 KB: nobody sends more
AHEAD_S = 600.0  # no profile's lease comes near: an expiry further off is a mistake of units
RECORD_STEP_S = 0.5  # a successor may hold a lease that much too short: safe, and fewer writes
WAKE_S = 1.0  # the second string beside the kernel's timer
AGAIN_S = 0.05  # while guests stand: for so long one runs on that somebody continues


class Lease(NamedTuple):
    """Both on CLOCK_BOOTTIME. A guardian that was told nothing holds a lease that is over."""

    expiry_s: float = 0.0
    kill_at_s: float = NEVER_S


def wanted(lease: Lease, now_s: float) -> str:
    """The one decision: what all guests of this node have to be now."""
    if now_s >= lease.kill_at_s:
        return "killed"
    return "thawed" if now_s < lease.expiry_s else "frozen"


def is_well(wish: str, states: list[str]) -> bool:
    """Whether the watchdog is petted: while the lease is good, or nothing runs without one. A host
    whose guests stand frozen waits to be heard again, and is not reset for its network's sake."""
    return wish == "thawed" or "thawed" not in states


def told(held: Lease, said: Any) -> Lease:
    """The lease after a message: it only grows, unless the daemon itself gives it back."""
    if not isinstance(said, dict) or set(said) - {"expiry_s", "kill_at_s", "revoke"}:
        raise Garbage("lease")
    new = Lease(number(said.get("expiry_s")), number(said.get("kill_at_s")))
    if new.kill_at_s < new.expiry_s or new.expiry_s > boottime_s() + AHEAD_S:
        raise Garbage("lease")
    return new if new.expiry_s > held.expiry_s or said.get("revoke") is True else held


def parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Garbage("not JSON") from error


def remembered(kept: Json | None, folder: str) -> tuple[Lease, list[Guest], list[Guest]]:
    """Lease, guests and killed from a predecessor's record. Where there is none, or none that can
    be read, no lease is known: whatever guest runs in this folder is taken up and frozen."""
    if kept is None:
        return Lease(), found_guests(folder), []
    try:
        guests = list(map(Guest, kept["guests"]))
        for guest, said in zip(guests, kept["guests"]):
            guest.state = said["state"]
        return told(Lease(), kept["lease"]), guests, list(map(Guest, kept["killed"]))
    except (Garbage, KeyError, TypeError) as error:
        say(f"the record is unreadable ({error!r}): taken as a lease that is over", ERROR)
        return Lease(), found_guests(folder), []


def noted(folder: str) -> tuple[Lease, list[Guest]]:
    """What a guardian that started now in this folder would hold; for a daemon that starts."""
    lease, guests, _ = remembered(Record(folder).read(), folder)
    return lease, guests


class Connection:
    """One peer: whole lines in, whole lines out, both bounded, never waited for."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.coming = b""

    def lines(self) -> list[bytes]:
        """The whole lines that have come; Garbage at the peer's end or on an endless line."""
        try:
            arrived = self.sock.recv(1 << 16)
        except BlockingIOError:
            return []
        *whole, self.coming = (self.coming + arrived).split(b"\n")
        if not arrived or len(self.coming) > LINE_BYTES:
            raise Garbage("endless line" if arrived else "closed")
        return whole

    def send(self, message: Json) -> None:
        """All of it or Garbage: a peer that does not read asks again when it reads."""
        line = json.dumps(message).encode() + b"\n"
        if self.sock.send(line) < len(line):
            raise Garbage("does not read")


class Guardian:
    """The loop: enforce, record, wait, listen."""

    def __init__(self, place: Place, watchdog: Watchdog, supervisor: Supervisor) -> None:
        self.watchdog, self.supervisor = watchdog, supervisor
        self.place = place
        self.record = Record(place.folder)
        self.alarm = Alarm()
        self.to_end = ToEnd()
        self.listener = place.listening()
        self.connections: list[Connection] = []
        self.guests: dict[tuple[int, int], Guest] = {}
        self.ending = False
        self.unwritten = True
        self.recorded_s = 0.0
        self.selector = selectors.DefaultSelector()
        self.watch(self.listener, self.accept)
        self.watch(self.to_end, self.asked_to_end)
        self.watch(self.alarm, lambda: None)
        self.lease, guests, killed = remembered(self.record.read(), place.folder)
        self.killed = {guest.key: guest for guest in killed}
        self.take(guests)

    def watch(self, source: Any, then: Callable[[], None]) -> None:
        self.selector.register(source, selectors.EVENT_READ, then)

    def run(self) -> None:
        """Until asked to end with nobody left to guard."""
        left_s = self.lease.expiry_s - boottime_s()
        say(f"guarding {len(self.guests)} guests, lease ends in {left_s:.3f} s")
        self.supervisor.ready()
        while self.guests or not self.ending:
            self.enforce()
            self.pet()
            self.keep_place()
            self.write_down()
            self.tell_supervisor()
            wake_s = AGAIN_S if any(each.state == "frozen" for each in self.all()) else WAKE_S
            wake_s = min(wake_s, self.watchdog.timeout_s / 3 or WAKE_S)  # two pets may be late
            for key, _ in self.selector.select(wake_s):
                key.data()
        self.watchdog.close()

    def tell_supervisor(self) -> None:
        now_s = boottime_s()
        self.supervisor.alive(now_s)
        lease = "good" if wanted(self.lease, now_s) == "thawed" else "over"
        self.supervisor.show(f"guards {len(self.guests)} guests; the lease is {lease}; "
                             f"watchdog: {self.watchdog.identity or 'none'}")

    def keep_place(self) -> None:
        """What lies in the folder is made again when somebody has cleaned it up."""
        if self.place.is_whole():
            return
        listener = self.place.made_again()
        if listener is None:
            return
        say(f"{self.place.folder} was cleaned up: it listens there again", WARNING)
        self.selector.unregister(self.listener)
        self.listener.close()
        self.listener, self.unwritten = listener, True
        self.watch(listener, self.accept)

    def write_down(self) -> bool:
        """What a successor has to know, if it changed; whether it is there."""
        if not self.unwritten:
            return True
        self.unwritten, self.recorded_s = False, self.lease.expiry_s
        return self.record.write({
            "lease": self.lease._asdict(), "killed": shown(self.killed.values()),
            "guests": [{**each.shown, "state": each.state} for each in self.all()],
        })

    def pet(self) -> None:
        if is_well(wanted(self.lease, boottime_s()), [guest.state for guest in self.all()]):
            self.watchdog.pet()

    def all(self) -> list[Guest]:
        return list(self.guests.values())

    def enforce(self) -> None:
        now_s = boottime_s()
        wish = wanted(self.lease, now_s)
        changed = [guest for guest in self.all() if guest.bring(wish)]
        ends = {"thawed": self.lease.expiry_s, "frozen": self.lease.kill_at_s, "killed": NEVER_S}
        self.alarm.set(ends[wish])
        if wish == "killed":
            self.killed.update((guest.key, guest) for guest in changed)
        if changed:
            self.unwritten = True
            over_s = now_s - self.lease.expiry_s
            because = "it was renewed" if wish == "thawed" else f"it ended {over_s:.3f} s ago"
            self.tell(wish, changed, because=f"the lease: {because}")

    def tell(self, event: str, guests: list[Guest], *, because: str) -> None:
        """To every listener and the log: after the deed, never before it."""
        names = ", ".join(f"{each.shown['package']} (pid {each.pid})" for each in guests)
        say(f"{event} {names}; {because}", WARNING if event in ("frozen", "killed") else INFO)
        message = {
            "event": event, "guests": shown(guests), "at_s": boottime_s(), "because": because,
        }
        for connection in list(self.connections):
            self.contained(connection, Connection.send, message)

    def contained(self, connection: Connection, act: Callable[..., None], *said: Json) -> None:
        """Whatever is wrong with one connection ends that connection only."""
        try:
            act(connection, *said)
        except (Garbage, OSError) as error:
            if str(error) != "closed":
                say(f"a connection was dropped: {error!r}", WARNING)
            if connection in self.connections:
                self.connections.remove(connection)
                self.selector.unregister(connection.sock)
                connection.sock.close()

    def accept(self) -> None:
        sock = self.place.accepted(self.listener)
        if sock is None:
            return
        if len(self.connections) >= CONNECTIONS:
            say("refused a connection: too many", WARNING)
            sock.close()
            return
        connection = Connection(sock)
        self.connections.append(connection)
        self.watch(sock, lambda: self.contained(connection, self.listen))

    def listen(self, connection: Connection) -> None:
        for line in connection.lines():
            message = parsed(line)
            if not isinstance(message, dict) or len(message) != 1:
                raise Garbage("not a message")
            [(kind, said)] = message.items()
            if kind == "lease":
                self.lease = told(self.lease, said)
                if not 0 <= self.lease.expiry_s - self.recorded_s < RECORD_STEP_S:
                    self.unwritten = True
            elif kind == "guests" and isinstance(said, list):
                self.register([Guest(each) for each in said])
            elif kind == "ask" and isinstance(said, int):
                self.enforce()
                self.write_down()  # a guest runs because of this answer, and must stay guarded
                connection.send(self.report(said))
            elif kind == "heard" and isinstance(said, int):
                connection.send({"heard": said, "expiry_s": self.lease.expiry_s})
            else:
                raise Garbage("unknown message")

    def register(self, listed: list[Guest]) -> None:
        """The full list. A killed guest stays reported until the daemon's list leaves it out."""
        keys = {guest.key for guest in listed}
        for guest in self.all():
            if guest.key not in keys:
                if guest.bring("thawed"):
                    self.tell("thawed", [guest], because="nobody's lease counts for it any more")
                self.forget(guest)
                say(f"NO LONGER GUARDED, by the daemon's word: {guest.shown} ({guest.state})")
        self.killed = {key: guest for key, guest in self.killed.items() if key in keys}
        self.take(listed)

    def take(self, listed: list[Guest]) -> None:
        """Hold each; one that is new is brought to the lease's wish before anything else."""
        absent: list[Guest] = []
        unheld: list[OSError] = []
        for guest in listed:
            try:
                self.take_one(guest, absent)
            except OSError as error:  # no descriptor or memory left: it may run, and unguarded
                unheld.append(error)
        self.unwritten = True
        self.enforce()
        if absent:
            self.tell("absent", absent, because="there is no process of that pid and start time")
        if unheld:
            raise Garbage(f"{len(unheld)} guests cannot be held: {unheld[0]}")

    def take_one(self, guest: Guest, absent: list[Guest]) -> None:
        held = self.guests.get(guest.key)
        if held is not None:  # a move that ended here: same life, a new epoch
            held.shown = guest.shown
            if guest.state == "frozen" and held.state == "thawed":
                held.state = "frozen"
        elif guest.held():
            self.guests[guest.key] = guest
            self.watch(guest.pidfd, partial(self.ended, guest.key))
        elif guest.key not in self.killed:
            absent.append(guest)

    def ended(self, key: tuple[int, int]) -> None:
        """Called for a pidfd; the same turn of the loop may have let the guest go before."""
        guest = self.guests.get(key)
        if guest is not None:
            self.forget(guest)
            self.unwritten = True
            self.tell("gone", [guest], because="its process ended")

    def forget(self, guest: Guest) -> None:
        del self.guests[guest.key]
        self.selector.unregister(guest.pidfd)
        os.close(guest.pidfd)

    def report(self, asked: int) -> Json:
        frozen = [guest for guest in self.all() if guest.state == "frozen"]
        return {
            "ask": asked, "frozen": shown(frozen), "killed": shown(self.killed.values()),
            "guarded": shown(self.all()), "ending": self.ending, **self.lease._asdict(),
            "acknowledges": True,
            "watchdog": self.watchdog.identity, "watchdog_s": self.watchdog.timeout_s,
        }

    def asked_to_end(self) -> None:
        if self.to_end.taken() == {signal.SIGHUP}:
            self.begin_anew()
            return
        self.ending = True
        if self.guests:
            say(f"ASKED TO END, but {len(self.guests)} guests would run unguarded: "
                "stays until they have ended (SIGKILL overrules)", WARNING)

    def begin_anew(self) -> None:
        """As the same process, so that nobody counts it as ended. Not without a record, by which
        alone the next one knows that the lease is good."""
        self.unwritten = True
        if self.write_down():
            begin_again(self.supervisor.taken)


def shown(guests: Any) -> list[Json]:
    return [guest.shown for guest in guests]


def main() -> int:
    parser = argparse.ArgumentParser(prog="vmsg-guard", description="freezes guests without lease")
    parser.add_argument("--run", required=True, metavar="DIR", help="on a tmpfs; holds the socket")
    parser.add_argument("--node", default="", help="for people who read the process list")
    parser.add_argument("--watchdog", default="", metavar="DEVICE", help="pet it; none: do without")
    parser.add_argument("--watchdog-s", type=float, default=10.0, help="its timeout")
    options = parser.parse_args()
    place = Place(options.run)
    if not place.locked():
        say(f"another guardian guards {place.folder}: this one refuses to run", ERROR)
        return 1
    harden()
    watchdog = Watchdog(options.watchdog, options.watchdog_s)
    Guardian(place, watchdog, Supervisor(os.environ)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
