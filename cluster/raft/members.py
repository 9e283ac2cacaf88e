"""Who belongs to agreement, and who of them votes: part of the log itself.

Each entry of this kind holds the whole membership, and the latest one in a node's log is in force
there from the moment it is in the log, agreed upon or not (Raft thesis 4.1). Two memberships that
follow one another differ by one node's vote, so that every majority of the one shares a node with
every majority of the other; and a third is not begun before the second is agreed upon, and not
before the leader's term has an agreed entry of its own (ongaro, raft-dev, 10 July 2015).

Why not the engine's own change of membership: its rule of one change at a time is dead code (hole
16); it keeps changes as differences, and undoes one that had no effect; and after a restart it
counts by the command line until it has applied its log again. Why not at the moment an entry is
applied, as others do: a node that holds two changes and does not know that they are agreed upon
would still stand by the membership of two changes ago, and majorities two changes apart may share
nobody. Here there is no difference to undo and nothing to remember: what counts is a function of
the log, so truncation, restart and snapshot cannot disagree with it. The engine counts what its
set of other nodes holds; `GuardedEngine.adopt_members` sets it before anything is counted.

A new node first listens: it is sent the log and counts for nothing. It is given its vote when it
has caught up, so that adding a node never costs a majority. More than seven never vote.

What must never happen here: a membership that does not share a majority with the one before; one
that is counted by before it is in the log, or after it was cut off it.
"""

from collections.abc import Collection, Iterable, Iterator

from packages.core.values import Undecodable, Value, changed, from_msgpack, to_msgpack

KIND = b"\4"
"""First byte of such an entry; the engine's own kinds end at 3."""


class MembersUnreadable(Exception):
    """An entry of membership that this release cannot read: it must not count by guesswork."""


class Peer(Value, array_like=True):
    name: str
    votes: bool = True
    endpoint: str = ""
    """Where its voter listens; empty where those who carry messages know it anyway."""


class Members(Value, array_like=True):
    peers: tuple[Peer, ...] = ()
    """By name."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(peer.name for peer in self.peers)

    @property
    def voters(self) -> frozenset[str]:
        return frozenset(peer.name for peer in self.peers if peer.votes)

    @property
    def endpoints(self) -> dict[str, str]:
        return {peer.name: peer.endpoint for peer in self.peers}

    def peer(self, name: str) -> Peer | None:
        return next((each for each in self.peers if each.name == name), None)


class Change(Value, array_like=True):
    """The entry: the members from here on, and a command for the machine, applied with it."""

    members: Members
    command: bytes = b""


def members_of(peers: Iterable[Peer]) -> Members:
    return Members(peers=tuple(sorted(peers, key=lambda peer: peer.name)))


def all_voting(names: Iterable[str]) -> Members:
    return members_of(Peer(name=name) for name in names)


def encoded_change(change: Change) -> bytes:
    return KIND + to_msgpack(change)


def change_in(command: bytes) -> Change | None:
    """None for an entry of another kind; raises MembersUnreadable."""
    if command[:1] != KIND:
        return None
    try:
        change: Change = from_msgpack(command[1:], Change)
    except Undecodable as error:
        raise MembersUnreadable(str(error)) from error
    if not change.members.voters:
        raise MembersUnreadable("nobody would vote")
    return change


class MemberHistory:
    """What one node's log says about membership, oldest first. Before the first entry of this
    kind the members are those the cluster was founded with, or a snapshot's."""

    def __init__(self) -> None:
        self._base = Members()
        self._base_index = 0
        self._is_base_agreed = False
        self._found: list[tuple[int, Members]] = []

    def founded(self, members: Members) -> None:
        """By this node's own files."""
        if not self._is_base_agreed:
            self._base = members

    def rebased(self, members: Members, index: int) -> None:
        """By a snapshot, which is the log up to this index."""
        self._base, self._base_index, self._is_base_agreed = members, index, True
        self._found = [each for each in self._found if each[0] > index]

    def added(self, index: int, command: bytes) -> None:
        change = change_in(command)
        if change is not None:
            self._found.append((index, change.members))

    def cut(self, index: int) -> None:
        """The log has lost its entries from here on."""
        while self._found and self._found[-1][0] >= index:
            self._found.pop()

    @property
    def latest(self) -> Members:
        return self._found[-1][1] if self._found else self._base

    @property
    def latest_index(self) -> int:
        """Of the entry that is in force, or of the snapshot that holds it; 0 when none is."""
        return self._found[-1][0] if self._found else self._base_index

    @property
    def is_in_log(self) -> bool:
        """Whether they come from the log, and not from this node's own files."""
        return bool(self._found) or self._is_base_agreed

    def at(self, index: int) -> Members:
        """Those in force at this place of the log."""
        return next((each for at, each in reversed(self._found) if at <= index), self._base)

    def stored_at(self, index: int) -> Members | None:
        """The same for a snapshot; None where they are those of the node's own files."""
        found = self.at(index)
        return None if found is self._base and not self._is_base_agreed else found

    def names_since(self, index: int) -> frozenset[str]:
        """Everybody who belongs or belonged from there on: until a removal is agreed upon, the
        node removed may yet be needed, or lead."""
        names = set(self.at(index).names)
        for at, each in self._found:
            if at > index:
                names |= each.names
        return frozenset(names)

    def endpoint(self, name: str) -> str:
        """Where it listens, as last known; empty when the log does not say."""
        known = [self._base, *(each for _, each in self._found)]
        found = (each.peer(name) for each in reversed(known))
        return next((peer.endpoint for peer in found if peer is not None), "")


# The next step on the way to the members that are wanted

def next_members(
    now: Members, wanted: Members, *, alive: Collection[str], caught_up: Collection[str],
) -> Members | None:
    """One change that may be made now, or None. `alive` has answered lately; who loses its vote is
    let go first, so that a place is free for who gets one."""
    for step in _steps(now, wanted, caught_up):
        voters = step.voters
        reached = len(voters.intersection(alive))
        if voters == now.voters or reached * 2 > len(voters):
            return step
    return None


def _steps(now: Members, wanted: Members, caught_up: Collection[str]) -> Iterator[Members]:
    wanted_voters = wanted.voters
    for peer in now.peers:
        if peer.name not in wanted.names:
            yield members_of(each for each in now.peers if each is not peer)
    for peer in now.peers:
        if peer.votes and peer.name in wanted.names and peer.name not in wanted_voters:
            yield _with(now, changed(peer, votes=False))
    for peer in wanted.peers:
        if peer.name not in now.names:
            yield _with(now, changed(peer, votes=False))
    for peer in now.peers:
        if not peer.votes and peer.name in wanted_voters and peer.name in caught_up:
            yield _with(now, changed(peer, votes=True))
    for peer in now.peers:
        found = wanted.peer(peer.name)
        if found is not None and found.endpoint != peer.endpoint:
            yield _with(now, changed(peer, endpoint=found.endpoint))


def endpoints_renewed(now: Members, wanted: Members) -> Members:
    """The same members and votes, with the endpoints that are wanted: the first entry, which puts
    into the log what came from the nodes' own files."""
    found = {peer.name: peer.endpoint for peer in wanted.peers}
    return members_of(
        changed(peer, endpoint=found.get(peer.name, peer.endpoint)) for peer in now.peers)


def _with(now: Members, peer: Peer) -> Members:
    return members_of([*(each for each in now.peers if each.name != peer.name), peer])


def is_single_change(before: Members, after: Members) -> bool:
    """Whether every majority of the one shares a node with every majority of the other."""
    return bool(after.voters) and len(before.voters ^ after.voters) <= 1
