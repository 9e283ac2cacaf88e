"""Bytes that are nearly a message: somebody's, with a few of them changed, taken out or put in."""

import random

ODD = (
    b"\xc1", b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff", b"\x91" * 2000, b"\x81\xa1a" * 1000, b"\xcb\x7f\xf8\0\0\0\0\0\0",
    b"\xcb\x7f\xf0\0\0\0\0\0\0", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\0\0\0\0\0\0\0", b"\xd9\x01\xff", b"\xc0", b"\x80", b"\x90", b"\0", b"",
)
"""What decoders of msgpack have to be careful of: lengths beyond the end, depth, numbers that are
none, texts that are not UTF-8."""


def mutated(raw: bytes, dice: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at, how = dice.randrange(len(found) + 1), dice.randrange(6)
        if how == 0 and found:
            found[at % len(found)] ^= 1 << dice.randrange(8)
        elif how == 1 and found:
            found[at % len(found)] = dice.randrange(256)
        elif how == 2:
            found[at:at] = dice.choice(ODD)
        elif how == 3:
            del found[at:at + dice.randrange(1, 20)]
        elif how == 4:
            found[at:at] = bytes(found[at:at + dice.randrange(1, 40)])
        else:
            found[at:at + 1] = dice.choice(ODD)
    return bytes(found)
