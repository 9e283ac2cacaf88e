"""What a node and a package may be called.

A node may have its host's whole name (RFC 1035: 253 characters, 63 a label); a package's name is
part of names that others limit (a guest's, a socket's). Words that stand for something else, on a
command line, in what is printed or to readers of YAML, name nobody.
"""

import ipaddress
from typing import Any

from packages.core.shape import Faults, Reader, bad_value, text
from packages.core.tree import Scalar, Tree

NAME_PATTERN = r"(?!.*\.\.)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,37}[A-Za-z0-9])?"
NAME_SAYS = (
    "1 to 39 letters, digits, '.', '-' or '_', beginning and ending with a letter or digit"
)
NODE_NAME_PATTERN = (
    r"(?!.*\.\.)(?!.*[^.]{64})[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
)
NODE_NAME_SAYS = (
    "a host's name, short or whole: 1 to 253 letters, digits, '.', '-' or '_', beginning and "
    "ending with a letter or digit, at most 63 between two dots"
)

_ELSEWHERE = "to some readers of YAML it is no text"
RESERVED: dict[str, str] = {
    "all": "it stands for all of them", "any": "it stands for any of them",
    "every": "it stands for all of them", "none": "it stands for none of them",
    "nobody": "it stands for none of them",
    "unowned": "it stands for no node", "unknown": "it stands for what is not known",
    "localhost": "it means another host on each host",
    **dict.fromkeys(("null", "true", "false", "yes", "no", "on", "off"), _ELSEWHERE),
}


def _named(read: Reader) -> Reader:
    def named(tree: Tree, where: str, faults: Faults) -> Any:
        value = read(tree, where, faults)
        if not isinstance(tree, Scalar) or not isinstance(value, str):
            return value
        why = RESERVED.get(value.lower()) or (
            "it is an address, and would be taken for one" if _is_address(value) else "")
        if not why:
            return value
        return bad_value(tree, where, faults, "another word", because=why)

    return named


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


NAME = text(NAME_PATTERN, says=NAME_SAYS)
"""Of what is named nowhere but in its own file or group: a cluster, a monitor."""
PACKAGE_NAME = _named(NAME)
NODE_NAME = _named(text(NODE_NAME_PATTERN, says=NODE_NAME_SAYS))
