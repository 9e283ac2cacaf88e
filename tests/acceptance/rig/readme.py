"""README.md as somebody follows it: its commands, one after the other, as they stand there.

A command is a line of a block of code, or a `make` or `vmsg` in backticks; a comment behind it is
the shell's to leave out. They are taken in the order in which they stand; one that is passed over
fails the reading at once, and one that is left over when it ends.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.rig.hosts import ROOT

README = ROOT / "README.md"
INLINE = re.compile(r"`((?:make|vmsg) [^`]+)`", re.DOTALL)
BLOCK = re.compile(r"^ {4,}(\S.*)$")
COMMENT = re.compile(r"\s+#.*$")


def commands(text: str, *, since: str, until: str) -> Iterator[str]:
    """Those between two headings, with their comments."""
    part = text[text.index(f"\n## {since}\n"):text.index(f"\n## {until}\n")]
    prose: list[str] = []
    for line in [*part.splitlines(), ""]:
        block = BLOCK.match(line)
        if block is None and line.strip():
            prose.append(line.strip())
            continue
        yield from INLINE.findall(" ".join(prose))
        prose = []
        if block is not None:
            yield block[1]


def bare(command: str) -> str:
    return COMMENT.sub("", command)


class Reading:
    def __init__(self, *, since: str, until: str, path: Path = README) -> None:
        self._left = list(commands(path.read_text(encoding="utf-8"), since=since, until=until))

    def next(self, expected: str) -> str:
        """The next command as it stands there, which without its comment has to be this one."""
        assert self._left, f"README has no more commands: {expected}"
        found = self._left.pop(0)
        assert bare(found) == expected, f"README goes on with {found!r} in place of {expected!r}"
        return found

    def block(self, *expected: str) -> list[str]:
        return [self.next(each) for each in expected]

    def passes_over(self, command: str, *, because: str) -> None:
        """What a reader is told of and has no cause to do here."""
        assert because
        self.next(command)

    def ends(self) -> None:
        assert not self._left, f"nobody has done what README says: {self._left}"
