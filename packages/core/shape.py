"""What a configuration text must look like, said as a table of small readers.

A reader takes a piece of the tree and returns the value it stands for, or BAD after noting what
is wrong with it. Readers are put together like the text itself: `block` of fields, `many` of one
kind, `text`, `whole`, `number`, `truth`, `choice`. Nothing stops at the first fault: whoever
mends a file wants to hear everything once. Nothing here knows what a package or a cluster is.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, get_args

from packages.core.problem import Problem, problem
from packages.core.tree import Listing, Mapping, Scalar, Tree, is_null

BAD: Final = object()
"""What a reader returns for a piece it has complained about."""

# A file with more faults than this is the wrong file; naming more of them helps nobody.
MOST_PROBLEMS = 50
# Longer words are cut in messages and not compared with known keys.
LONGEST_QUOTE = 60

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_LEADING_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")
# Spellings that one version of YAML takes for a number and another for text, or for another number.
_NUMBER_READS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), why) for pattern, why in (
        (r"[+-]?0x[0-9a-f_]+|[+-]?0o?[0-7_]*_[0-7_]*|[+-]?0o[0-7]+|[+-]?0b[01_]+",
         "it is written to another base than ten, which not every reader of YAML knows"),
        (r"[+-]?[0-9][0-9_]*(\.[0-9_]*)?", "some readers of YAML take the '_' for text"),
        (r"[+-]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?",
         "some readers of YAML take it for sixties: 1:30 is 90 to them"),
        (r"[+-]?\.?inf|\.?nan", "it is without bounds, or no number"),
    )
)
_WHOLE_READS = (*_NUMBER_READS, (
    re.compile(r"[+-]?[0-9]+(\.[0-9]*)?e[+-]?[0-9]+", re.IGNORECASE),
    "with an exponent some readers of YAML take it for text, others for a fraction",
))
# Inside a character class: what no text of ours holds, or what YAML does not give back as it was.
CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff"
_LINE_OF_TEXT = re.compile(f"[^{CONTROLS}]*")

Reader = Callable[[Tree, str, "Faults"], Any]
Check = Callable[[dict[str, Any], Mapping, str, "Faults"], None]


class Faults:
    """What was found wrong with one file or document so far."""

    def __init__(self, *, subject: str, source: str) -> None:
        self.subject = subject
        self.source = source
        self.problems: list[Problem] = []
        self.count = 0

    def add(self, code: str, line: int, *, what: str, because: str, fix: str) -> None:
        self.count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem(
                code, self.subject,
                what=f"{self.source} line {line}: {what}",
                because=f"line {line}: {because}", fix=fix,
            ))

    @property
    def is_full(self) -> bool:
        return len(self.problems) >= MOST_PROBLEMS


class Field(NamedTuple):
    """One key of a block. A key that is absent, or null, and not required keeps its default."""

    read: Reader
    required: bool = False


def required(read: Reader) -> Field:
    return Field(read, required=True)


def optional(read: Reader) -> Field:
    return Field(read)


def text(
    pattern: str | None = None, *, says: str = "one line of text", longest: int = 1000,
) -> Reader:
    """A scalar that matches the whole pattern; `says` is the pattern in words."""
    compiled = _LINE_OF_TEXT if pattern is None else re.compile(pattern)

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Scalar):
            return _wrong_type(tree, where, faults, wanted="text")
        if len(tree.value) > longest or compiled.fullmatch(tree.value) is None:
            return bad_value(tree, where, faults, says)
        return tree.value

    return read


def whole(least: int, most: int) -> Reader:
    """A whole number within these bounds."""

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Scalar) or not _is_plain(tree, _WHOLE):
            return _wrong_type(tree, where, faults, wanted="a whole number", reads=_WHOLE_READS)
        if _LEADING_ZERO.match(tree.value):
            return _zero_first(tree, where, faults)
        value = int(tree.value)
        if not least <= value <= most:
            return bad_value(tree, where, faults, f"from {least} to {most}")
        return value

    return read


def number(least: float, most: float) -> Reader:
    """A number within these bounds, as a float."""

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Scalar) or not _is_plain(tree, _NUMBER):
            return _wrong_type(tree, where, faults, wanted="a number", reads=_NUMBER_READS)
        if _LEADING_ZERO.match(tree.value):
            return _zero_first(tree, where, faults)
        value = float(tree.value)
        if not least <= value <= most:
            return bad_value(tree, where, faults, f"from {least:g} to {most:g}")
        return value

    return read


def truth() -> Reader:
    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if isinstance(tree, Scalar) and tree.plain and tree.value in ("true", "false"):
            return tree.value == "true"
        return _wrong_type(tree, where, faults, wanted="true or false")

    return read


def choice(literal: Any) -> Reader:
    """One of the words of a typing.Literal."""
    words: tuple[str, ...] = get_args(literal)

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Scalar):
            return _wrong_type(tree, where, faults, wanted="one word")
        if tree.value in words:
            return tree.value
        return bad_value(
            tree, where, faults, f"one of {', '.join(words)}" + _nearest(tree.value, words),
        )

    return read


def many(
    one: Reader, *, least: int = 0, most: int = 64,
    claims: dict[str, Callable[[Any], Iterable[object]]] | None = None,
) -> Reader:
    """A list of one kind, as a tuple. `claims` names what its items must not share: for each
    item the function gives what that item lays claim to, and each claim is good once."""

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Listing):
            return _wrong_type(tree, where, faults, wanted="a list")
        before = faults.count
        if not least <= len(tree.value) <= most:
            faults.add(
                "config-bad-value", tree.line, what=f"{where} has {len(tree.value)} entries",
                because=f"it takes {least} to {most}", fix=f"give {where} {least} to {most}",
            )
            return BAD  # to compare them all with one another would take long
        items = [
            (one(item, f"{where}[{index}]", faults), item)
            for index, item in enumerate(tree.value) if not faults.is_full
        ]
        for named, claim in (claims or {}).items():
            _complain_of_shared(named, claim, items, where=where, faults=faults)
        return tuple(value for value, _ in items) if faults.count == before else BAD

    return read


def table(one: Reader, *, key: str, says: str) -> Reader:
    """A mapping whose keys are the operator's own names, as a dict."""
    compiled = re.compile(key)

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Mapping):
            return _wrong_type(tree, where, faults, wanted="keys with values")
        before = faults.count
        values = {}
        for entry in tree.value:
            if compiled.fullmatch(entry.key) is None:
                named = Scalar(value=entry.key, line=entry.line, column=entry.column)
                bad_value(named, f"a key of {where}", faults, says)
            values[entry.key] = one(entry.value, f"{where}.{_short(entry.key)}", faults)
        return values if faults.count == before else BAD

    return read


def block(
    kind: Callable[..., Any], fields: dict[str, Field], checks: tuple[Check, ...] = (),
) -> Reader:
    """A mapping with known keys, as a value of `kind`. `checks` look at several fields at once;
    they see those that were read well, whether or not others were."""

    def read(tree: Tree, where: str, faults: Faults) -> Any:
        if not isinstance(tree, Mapping):
            return _wrong_type(tree, where, faults, wanted="keys with values")
        before = faults.count
        values = _fields_read(tree, fields, where, faults)
        for check in checks:
            check(values, tree, where, faults)
        return kind(**values) if faults.count == before else BAD

    return read


def path_to(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def read_tree(
    reader: Reader, tree: Tree, *, subject: str, source: str,
) -> tuple[Any, list[Problem]]:
    """The value the tree stands for, or None with everything that is wrong with it."""
    faults = Faults(subject=subject, source=source)
    value = reader(tree, "", faults)
    return (None if value is BAD else value), faults.problems


def _fields_read(
    tree: Mapping, fields: dict[str, Field], where: str, faults: Faults,
) -> dict[str, Any]:
    values = {}
    for entry in tree.value:
        if faults.is_full:
            break
        path = path_to(where, entry.key)
        if entry.key not in fields:
            _complain_of_unknown(entry.key, entry.line, fields, where=where, faults=faults)
        elif not is_null(entry.value):
            values[entry.key] = fields[entry.key].read(entry.value, path, faults)
    for key, field in fields.items():
        if field.required and key not in values:
            faults.add(
                "config-key-missing", tree.line, what=f"{path_to(where, key)} is missing",
                because=f"{where or 'the file'} needs {key}", fix=f"add `{key}:` with its value",
            )
    return {key: value for key, value in values.items() if value is not BAD}


def _complain_of_unknown(
    key: str, line: int, fields: dict[str, Field], *, where: str, faults: Faults,
) -> None:
    faults.add(
        "config-key-unknown", line,
        what=f"unknown key {_quoted(key)}" + (f" in {where}" if where else ""),
        because=f"{where or 'the file'} knows {', '.join(fields)}",
        fix=(_nearest(key, fields) or "take it out").lstrip(",; "),
    )


def _complain_of_shared(
    named: str, claim: Callable[[Any], Iterable[object]], items: list[tuple[Any, Tree]],
    *, where: str, faults: Faults,
) -> None:
    first: dict[object, int] = {}
    for value, tree in items:
        for claimed in () if value is BAD else claim(value):
            if claimed not in first:
                first[claimed] = tree.line
                continue
            faults.add(
                "config-duplicate", tree.line,
                what=f"{where} gives {named} {claimed} twice",
                because=f"it stands in line {first[claimed]} already",
                fix=f"give each its own {named}",
            )


def _is_plain(scalar: Scalar, pattern: re.Pattern[str]) -> bool:
    return scalar.plain and pattern.fullmatch(scalar.value) is not None


def _wrong_type(
    tree: Tree, where: str, faults: Faults, *, wanted: str,
    reads: Iterable[tuple[re.Pattern[str], str]] = (),
) -> Any:
    """`reads` are spellings of a number that not everybody reads alike, each with the reason."""
    place = where or "the file"
    word = tree.value if isinstance(tree, Scalar) and tree.plain else ""
    why = next((f": {says}" for each, says in reads if each.fullmatch(word)), "")
    digits = " in plain digits" if why else ""
    faults.add(
        "config-wrong-type", tree.line, what=f"{place} is {_kind(tree)}",
        because=f"{place} takes {wanted}{why}", fix=f"write {wanted} there{digits}",
    )
    return BAD


def _zero_first(tree: Scalar, where: str, faults: Faults) -> Any:
    """`0100` is 64 to readers of YAML 1.1, and 100 to those of 1.2."""
    meant = _LEADING_ZEROS.sub("", _short(tree.value))
    return bad_value(
        tree, where, faults, "a number",
        because=f"{where} begins with a zero, and some readers of YAML count it to the base eight",
        fix=f"write {meant}, if that is meant",
    )


def bad_value(
    tree: Scalar, where: str, faults: Faults, says: str, *, because: str = "", fix: str = "",
) -> Any:
    """Complain of the value; `says` is what would be right. Returns BAD."""
    faults.add(
        "config-bad-value", tree.line, what=f"{where} is {_quoted(tree.value)}",
        because=because or f"{where} takes {says}", fix=fix or f"write {says}",
    )
    return BAD


def _kind(tree: Tree) -> str:
    if isinstance(tree, Mapping):
        return "a block of keys"
    if isinstance(tree, Listing):
        return "a list"
    return f"{_quoted(tree.value)}" + ("" if tree.plain else " in quotes")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word[:LONGEST_QUOTE], list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def _quoted(word: str) -> str:
    return repr(_short(word))


def _short(word: str) -> str:
    return word if len(word) <= LONGEST_QUOTE else f"{word[:LONGEST_QUOTE]}..."
