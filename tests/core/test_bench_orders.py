"""The measurement of moves gives the product's relay every order that it reads."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_relay_that_is_ordered_by_hand_lacks_nothing() -> None:
    read = set(re.findall(r'orders\["(\w+)"\]', (ROOT / "packages/vm/relay.py").read_text()))
    assert "ended_path" in read
    given = {}
    for call in ast.walk(ast.parse((ROOT / "tests/bench/rig/by_hand.py").read_text())):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".order"):
            words = {each.arg: ast.unparse(each.value) for each in call.keywords}
            given[words["role"].strip("'")] = set(words) | {"transport", "etc", "token"}
    assert read - {"port"} <= given["land"], "where it listens is for the relay to say"
    assert read - {"ended_path"} <= given["launch"], "the target's relay notes how it ended"
