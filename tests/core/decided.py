"""Decides a log with the code of the tree that this is run in, in a process of its own.

From its input an entry a line, base64; to its output for each the state's packages and nodes and
what was taken, as JSON, and last the whole state, base64. Asked for `fields` it says which every
kind of value has that an entry may hold.
"""

import json
import sys
import typing
from base64 import b64decode, b64encode

import msgspec

from cluster.core import entries
from cluster.core.codec import encode_state
from cluster.core.machine import StateMachine


def main() -> None:
    machine = StateMachine()
    for index, line in enumerate(sys.stdin, start=1):
        machine.apply(index, b64decode(line))
        state = machine.state
        print(json.dumps([
            state.running, sorted(
                name for name, each in state.outcomes.items() if each.problem is None),
            msgspec.to_builtins([state.packages[name] for name in sorted(state.packages)]),
            msgspec.to_builtins([state.nodes[name] for name in sorted(state.nodes)]),
        ]))
    print(b64encode(encode_state(machine.state)).decode())


def fields() -> None:
    found: dict[str, list[str]] = {}

    def walk(of: typing.Any) -> None:
        for part in typing.get_args(of):
            walk(part)
        if isinstance(of, type) and issubclass(of, msgspec.Struct) and of.__name__ not in found:
            found[of.__name__] = [each.name for each in msgspec.structs.fields(of)]
            for each in msgspec.structs.fields(of):
                walk(each.type)

    walk(entries.AnyEntry)
    print(json.dumps(found))


if __name__ == "__main__":
    fields() if "fields" in sys.argv else main()
