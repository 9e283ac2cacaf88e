"""What a fence agent tells about itself, from the XML its action `metadata` prints.

Most agents name an option twice: as it is called today (`ip`), with `obsoletes` saying its old
name, and as it was called (`ipaddr`), marked `deprecated`; both with the same words of the command
line, and both as required where one is. Either name serves, and one of them is enough. An agent
reads its standard input with `-` and `_` as the same, and knows an option by its long word as well
(fence-agents' lib/fencing.py).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree

LARGEST_CHARACTERS = 1 << 20
"""The longest of the project has some 30,000."""
OURS = "action"
"""The parameter that vmsg itself fills in."""

LONG_WORD = re.compile(r"--([a-z0-9][a-z0-9-]*)")


class Option(NamedTuple):
    """One option, by every name under which it may be given."""

    name: str
    """As it is called today."""
    names: frozenset[str]
    """As `plain_name` has them."""
    is_required: bool
    """And has no value unless it is given one."""


class AgentMetadata(NamedTuple):
    options: tuple[Option, ...]
    """All but those that vmsg fills in."""
    actions: frozenset[str]

    def unknown(self, given: Iterable[str]) -> list[str]:
        """Those given names that no option has."""
        known = frozenset[str]().union(*(each.names for each in self.options))
        return sorted(name for name in given if plain_name(name) not in known)

    def missing(self, given: Iterable[str]) -> list[str]:
        """Required options that are given under none of their names, each as it is called today."""
        there = {plain_name(name) for name in given}
        return sorted(
            each.name for each in self.options if each.is_required and not each.names & there)


class Unreadable(NamedTuple):
    because: str


def plain_name(name: str) -> str:
    return name.replace("-", "_")


def metadata_of(text: str) -> AgentMetadata | Unreadable:
    """The agent is a program the operator trusts with root; that it may be wrong is all that is
    guarded against."""
    if len(text) > LARGEST_CHARACTERS:
        return Unreadable(f"it has {len(text)} characters")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return Unreadable(str(error))
    options: list[Option] = []
    # Those called so today come first: an old name joins the option that replaced it.
    for each in sorted(root.iter("parameter"), key=_is_deprecated):
        option = _option(each)
        same = next((known for known in options if known.names & option.names), None)
        if same is None:
            options.append(option)
        else:
            # The old name is required as well where the option is, and has its own default.
            required = same.is_required if _is_deprecated(each) else (
                same.is_required or option.is_required)
            options[options.index(same)] = Option(
                same.name, same.names | option.names, required)
    return AgentMetadata(
        options=tuple(each for each in options if OURS not in each.names),
        actions=frozenset(each.get("name", "") for each in root.iter("action")),
    )


def _is_deprecated(parameter: ElementTree.Element) -> bool:
    return parameter.get("deprecated") == "1"


def _option(parameter: ElementTree.Element) -> Option:
    name = parameter.get("name", "")
    words = parameter.find("getopt")
    long = LONG_WORD.findall(words.get("mixed", "")) if words is not None else []
    content = parameter.find("content")
    has_value = content is not None and bool(content.get("default"))
    return Option(
        name=name,
        names=frozenset(map(plain_name, (name, parameter.get("obsoletes", name), *long))),
        is_required=parameter.get("required") == "1" and not has_value,
    )
