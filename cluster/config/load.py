"""The one file that knows YAML: text to a tree with line numbers, values to text.

The text comes from operators and over the network, so it is taken for an attack: its size and
depth are limited, nothing in it can refer to another part of it, no tag can make anything but
text, and the parser's events are read one by one without recursion. What a key means is not known
here (packages/core/config.py, cluster/config/cluster_file.py).
"""

from typing import Any

import yaml

from packages.core.problem import Problem, problem
from packages.core.shape import MOST_PROBLEMS
from packages.core.tree import Entry, Listing, Mapping, Scalar, Tree, is_null
from packages.core.values import sparse

# A cluster of 64 nodes takes some 10 KiB, a thousand packages some 700 KiB.
LARGEST_BYTES = 1024 * 1024
# A package with twenty disks takes 3 KiB. Of a cluster file one document is all there may be.
LARGEST_DESCRIPTION = 64 * 1024
# The deepest text of ours has six levels.
DEEPEST = 32

# The C parser takes a mebibyte in a fraction of a second, the Python one in many.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(
    text: str | bytes, *, source: str = "the file", largest: int = LARGEST_BYTES,
) -> tuple[tuple[Tree, ...], list[Problem]]:
    """Each document of the text as a tree, and what is wrong with the text as YAML; `largest` is
    how many characters one of them may have.

    Empty documents are left out; a text without any document is a problem.
    """
    raw = _undamaged(text, source)
    if isinstance(raw, Problem):
        return (), [raw]
    builder = _Builder(source, largest)
    try:
        for event in yaml.parse(raw, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        builder.complain(line, what="the text breaks off", because=error.problem or "not YAML")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        builder.complain(1, what="the text is not YAML", because=str(error).splitlines()[0])
    documents = tuple(each for each in builder.documents if not is_null(each))
    if not documents and not builder.problems:
        builder.complain(1, what="the text is empty", because="there is nothing but comments")
    return documents, builder.problems


def dump(value: Any) -> str:
    """A value as YAML that reads back as the same value; fields at their default are left out."""
    text: str = yaml.dump(
        sparse(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6,
    )
    return text


class _TooMuch(yaml.MarkedYAMLError):
    """Ends the reading; caught where the parser's own complaints are."""


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, event: Any) -> None:
        self.line, self.column = _position(event)
        self.items: list[Tree] = []
        self.entries: dict[str, Entry] = {}
        self.is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.key: Tree | None = None

    def closed(self) -> Tree:
        if self.is_mapping:
            return Mapping(
                value=tuple(self.entries.values()), line=self.line, column=self.column,
            )
        return Listing(value=tuple(self.items), line=self.line, column=self.column)


class _Builder:
    """Puts the parser's events together; holds no more than one open branch."""

    def __init__(self, source: str, largest: int) -> None:
        self.documents: list[Tree] = []
        self.problems: list[Problem] = []
        self._source, self._largest, self._began = source, largest, 0
        self._open: list[_Open] = []

    def take(self, event: Any) -> None:
        line, column = _position(event)
        self._measure(event)
        if getattr(event, "anchor", None) is not None:
            self.complain(
                line, what="the text uses an anchor or alias",
                because="one part of the text must not stand for another here",
            )
        if getattr(event, "tag", None) is not None:
            self.complain(
                line, what=f"the text uses the tag {str(event.tag)[:60]!r}",
                because="tags have no meaning here",
            )
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and not event.style
            self._add(Scalar(value=event.value, line=line, column=column, plain=plain))
        elif isinstance(event, yaml.AliasEvent):
            self._add(Scalar(value="", line=line, column=column))
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._add(self._open.pop().closed())

    def _measure(self, event: Any) -> None:
        size = event.end_mark.index - self._began
        if isinstance(event, yaml.DocumentStartEvent):
            self._began += size
        elif size > self._largest:
            raise _TooMuch(
                problem=f"one description has more than {self._largest} characters",
                problem_mark=event.start_mark)

    def complain(self, line: int, *, what: str, because: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(_unreadable(self._source, line, what=what, because=because))

    def _begin(self, event: Any) -> None:
        if len(self._open) >= DEEPEST:
            raise _TooMuch(
                problem=f"it is nested deeper than {DEEPEST} levels", problem_mark=event.start_mark,
            )
        self._open.append(_Open(event))

    def _add(self, tree: Tree) -> None:
        if not self._open:
            self.documents.append(tree)
            return
        parent = self._open[-1]
        if not parent.is_mapping:
            parent.items.append(tree)
        elif parent.key is None:
            parent.key = tree
        else:
            self._add_entry(parent, parent.key, tree)
            parent.key = None

    def _add_entry(self, parent: _Open, key: Tree, value: Tree) -> None:
        if not isinstance(key, Scalar):
            self.complain(key.line, what="a list or block is used as a key",
                          because="keys are words")
            return
        first = parent.entries.get(key.value)
        if first is not None:
            self.complain(
                key.line, what=f"the key {key.value[:60]!r} is given twice",
                because=f"it stands in line {first.line} already",
            )
            return
        parent.entries[key.value] = Entry(
            key=key.value, value=value, line=key.line, column=key.column,
        )


def _position(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _undamaged(text: str | bytes, source: str) -> bytes | Problem:
    """The text as UTF-8, when it is text and not too much of it."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        raw.decode()
    except UnicodeError:
        return _unreadable(source, 1, what="the text is not UTF-8", because="bytes in it are not")
    if len(raw) > LARGEST_BYTES:
        return _unreadable(
            source, 1, what="the text is too large",
            because=f"it has {len(raw)} bytes, and {LARGEST_BYTES} are read",
        )
    if b"\0" in raw:
        line = raw[:raw.index(b"\0")].count(b"\n") + 1
        return _unreadable(source, line, what="the text is binary", because="it holds a NUL byte")
    return raw


def _unreadable(source: str, line: int, *, what: str, because: str) -> Problem:
    return problem(
        "config-unreadable", f"file:{source}", what=f"{source} line {line}: {what}",
        because=f"line {line}: {because}",
        fix="write plain YAML: keys, lists and text; conf/ holds annotated examples",
    )
