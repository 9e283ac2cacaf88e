"""One disk's identity in the forms that tools write it in. PURE.

The kernel names the kind of a designator by a word (`naa.`, `eui.`, `t10.`), scsi_id, multipath
and /dev/disk/by-id by a digit (SPC-4 7.8.6, scsi_id(8)), others not at all. What must never happen
here: two disks taken for one because a form was cut too far. So a digit is taken off only where
its form says that it is one.
"""

import re
from functools import lru_cache

_PATHS = ("/dev/disk/by-id/", "/dev/mapper/")
_TOOLS = ("dm-uuid-", "part1-", "mpath-", "scsi-", "wwn-", "nvme-")
_DIGIT_FOLLOWS = ("mpath-", "scsi-")
"""After these a digit says what kind of designator it is, where no word does."""
_WORDS = ("naa.", "eui.", "t10.", "uuid.", "0x", "serial:", "virtio-")
_NAA_LENGTHS = (16, 32)
"""Digits of an NAA designator: 8 or 16 bytes. One that begins with a 3 is whole at this length."""
_NAA = re.compile(r"3(?=[2356][0-9a-f]+\Z)")
_EUI = re.compile(r"2(?=[0-9a-f]{16}\Z)")
_T10 = re.compile(r"1(?=.*[g-z_])")
KEPT = 65_536
"""Answers: every disk is compared with every other package's."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@lru_cache(maxsize=KEPT)
def bare_identity(identity: str) -> str:
    """The identity without what says only how it is written: two that are equal are one disk's."""
    bare, says_digit, says_word = _without_words(identity)
    if not says_word:
        bare = _without_digit(bare, certain=says_digit)
    if _UUID.fullmatch(bare):
        bare = bare.replace("-", "")
    # by-id writes `ata-MODEL_SERIAL`, SPC-4's T10 designator `ATA     MODEL   SERIAL`.
    return "ata_" + bare.removeprefix("ata-") if bare.startswith("ata-") else bare


def same_identity(one: str, other: str) -> bool:
    """Whether both certainly name the same disk; nothing is the same as an identity that is not
    known, also not another such one."""
    if not one.strip() or not other.strip():
        return False
    return any(ours == theirs for ours, theirs in zip(forms(one), forms(other), strict=True))


def forms(identity: str) -> tuple[str, str]:
    """Two that are equal in either are one disk's: a serial number may look as if it began with a
    designator's digit."""
    return _without_words(identity)[0], bare_identity(identity)


@lru_cache(maxsize=KEPT)
def _without_words(identity: str) -> tuple[str, bool, bool]:
    """(the rest, a digit may stand before it, a word has said what it is)"""
    bare = re.sub(r"[\s_]+", "_", identity.strip().lower())
    for path in _PATHS:
        bare = bare.removeprefix(path)
    says_digit = False
    for tool in _TOOLS:
        if bare.startswith(tool):
            bare = bare.removeprefix(tool)
            says_digit = says_digit or tool in _DIGIT_FOLLOWS
    says_word = False
    for word in _WORDS:
        if bare.startswith(word):
            bare, says_word = bare.removeprefix(word), True
    return bare, says_digit, says_word


def _without_digit(bare: str, *, certain: bool) -> str:
    if certain and bare[:1] in "01238":
        return _without_words(bare[1:])[0]
    if _NAA.match(bare) and len(bare) not in _NAA_LENGTHS or _EUI.match(bare) or _T10.match(bare):
        return bare[1:]
    return bare
