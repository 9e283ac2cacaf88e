"""A peer's snapshot looked at before it is unpacked: how large it says it is.

A megabyte of deflated zeroes is a gigabyte of memory and seconds of work before anybody can say
that it is no state. But the state stands behind its own length, in the first bytes; whatever is
deflated so far beyond what states are is refused there. Nobody's honest snapshot is: `allowance`
also says when its writer is to store it plainly (snapshot.py).

What must never happen here: more unpacked than was allowed; a guess where the bytes do not say.
"""

import zlib

MOST_TIMES, MOST_SPARE_BYTES = 32, 32 << 20
"""A usual state deflates to about half, one of a thousand equal packages to a twentieth."""

AROUND_BYTES = 20 << 20
"""What stands beside the state: two entries of the log and the members."""

STEP_BYTES = 1 << 12


class Oversized(Exception):
    """It says that it is, or is, larger than so many bytes can be."""


def allowance(deflated_bytes: int) -> int:
    """Bytes that so many may become."""
    return MOST_TIMES * deflated_bytes + MOST_SPARE_BYTES


def unpacked(body: memoryview, *, most: int) -> bytearray:
    """What was deflated to `body`, whose state may have `most` bytes. Raises Oversized, or
    zlib.error or ValueError where it is not an intact snapshot."""
    unpacking = Unpacking(body)
    state_bytes = unpacking.declared_state_bytes()
    if state_bytes > most:
        raise Oversized(f"it says that its state has {state_bytes} bytes; {most} are the most")
    return unpacking.rest(state_bytes + AROUND_BYTES)


class Unpacking:
    """Inflates as far as it is asked to. The layout is that of snapshot.Snapshot: an array of two
    entries, each (bytes, integer, integer), and the state's bytes."""

    def __init__(self, body: memoryview) -> None:
        self._inflater = zlib.decompressobj()
        self._deflated: bytes | memoryview = body
        self._plain = bytearray()
        self._at = 0

    def declared_state_bytes(self) -> int:
        if self._number(1) not in (0x93, 0x94):
            raise ValueError("it is no snapshot")
        for _ in range(2):
            if self._number(1) != 0x93:
                raise ValueError("it does not begin with two entries")
            self._skip(self._length())
            self._integer()
            self._integer()
        return self._length()

    def rest(self, most: int) -> bytearray:
        """All of it; raises Oversized beyond so many bytes."""
        self._plain += self._inflater.decompress(
            self._deflated, max(1, self._at + most - len(self._plain)))
        if self._inflater.unconsumed_tail or not self._inflater.eof:
            raise Oversized("it is larger than it says, or incomplete")
        return self._plain

    def _skip(self, count: int) -> None:
        if count > AROUND_BYTES:
            raise Oversized(f"one entry would have {count} bytes")
        self._at += count

    def _number(self, count: int) -> int:
        end = self._at + count
        while len(self._plain) < end:
            wanted = max(STEP_BYTES, end - len(self._plain))
            piece = self._inflater.decompress(self._deflated, wanted)
            self._deflated = self._inflater.unconsumed_tail
            if not piece:
                raise ValueError("it is incomplete")
            self._plain += piece
        self._at = end
        return int.from_bytes(self._plain[end - count:end], "big")

    def _length(self) -> int:
        """Of bytes (msgpack's bin 8, 16 and 32)."""
        width = {0xc4: 1, 0xc5: 2, 0xc6: 4}.get(self._number(1))
        if width is None:
            raise ValueError("there are no bytes where an entry or the state would be")
        return self._number(width)

    def _integer(self) -> None:
        kind = self._number(1)
        if kind >= 0x80:  # below: the number itself
            width = {0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8}.get(kind)
            if width is None:
                raise ValueError("there is no number where an entry has one")
            self._number(width)
