"""What a fence agent tells about itself, from the XML its action `metadata` prints."""

from typing import NamedTuple
from xml.etree import ElementTree

LARGEST_CHARACTERS = 1 << 20
"""The longest of the project has some 30,000."""
OURS = frozenset({"action"})
"""Parameters that vmsg itself fills in."""


class AgentMetadata(NamedTuple):
    parameters: frozenset[str]
    """Every name that is understood, old names as well."""
    required: frozenset[str]
    actions: frozenset[str]


class Unreadable(NamedTuple):
    because: str


def metadata_of(text: str) -> AgentMetadata | Unreadable:
    """The agent is a program the operator trusts with root; that it may be wrong is all that is
    guarded against."""
    if len(text) > LARGEST_CHARACTERS:
        return Unreadable(f"it has {len(text)} characters")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return Unreadable(str(error))
    names, required = set(), set()
    for each in root.iter("parameter"):
        name = each.get("name", "")
        names |= {name, each.get("obsoletes", name)}
        content = each.find("content")
        has_default = content is not None and content.get("default") is not None
        if each.get("required") == "1" and not has_default:
            required.add(name)
    return AgentMetadata(
        parameters=frozenset(names) - OURS, required=frozenset(required) - OURS,
        actions=frozenset(each.get("name", "") for each in root.iter("action")),
    )
