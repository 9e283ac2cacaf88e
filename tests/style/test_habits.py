"""Habits that a machine can watch: names, exceptions, clocks, and tests that prove something."""

import ast
import configparser
import re
from collections.abc import Iterator

from tests.style.sources import (
    ROOT, Source, dotted, everything, functions, imports, product, sources
)

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "data", "info", "stuff"}

CLOCKS = re.compile(
    r"time\.(time|monotonic|perf_counter|clock_gettime|process_time|localtime|gmtime)(_ns)?"
    r"|(datetime\.)+(now|utcnow|today)|date\.today|os\.urandom|uuid\.uuid[14]|random\.\w+"
    r"|secrets\.\w+"
)
CLOCK_READERS = {
    "cluster/clock.py": "the one file that reads the clock and rolls dice",
    "cluster/guardian_host.py": "the guardian imports nothing of ours: the less, the surer",
    "cluster/raft/pin.py": "gives the engine its own dice, seeded by our clock",
    "packages/vm/relay.py": "a process of its own that imports nothing of ours, to start fast",
    "packages/vm/hall.py": "a part of that process",
}


def test_file_names_say_what_is_inside():
    wrong = [str(each.path) for each in everything() if each.path.stem in BANNED_NAMES]
    assert not wrong


def test_every_module_says_what_it_is_for():
    wrong = [
        str(each.path) for each in everything()
        if each.tree.body and not ast.get_docstring(each.tree)
    ]
    assert not wrong


def test_no_except_catches_everything():
    """`except Exception` stands where one broken part must not take the rest along, and says so:
    in a comment beside it, or in the docstring of its function."""
    wrong = [
        f"{source.where(handler)}: except without a type, or without a reason"
        for source in product() for function in functions(source)
        for handler in ast.walk(function) if isinstance(handler, ast.ExceptHandler)
        if catches_everything(handler) and not gives_reason(source, function, handler)
    ]
    assert not wrong, "\n".join(wrong)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or dotted(handler.type) in ("Exception", "BaseException")


def gives_reason(
    source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef, handler: ast.ExceptHandler,
) -> bool:
    near = source.text.splitlines()[handler.lineno - 2:handler.lineno + 1]
    return handler.type is not None and (
        any("#" in line for line in near) or ast.get_docstring(function) is not None
    )


def test_one_file_reads_the_clock_and_rolls_dice():
    wrong = [
        f"{source.where(node)}: {name}" for source in product()
        if str(source.path) not in CLOCK_READERS for name, node in names(source)
        if CLOCKS.fullmatch(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_nobody_selects():
    """`select` raises for a descriptor above 1023, which a node with many guests has."""
    wrong = [
        f"{source.where(node)}: {name}" for source in product()
        for name, node in names(source)
        if name in ("select.select", "selectors.SelectSelector", "asyncio.SelectorEventLoop")
    ]
    assert not wrong, "\n".join(wrong)


def test_tests_mock_nothing():
    banned = re.compile(r"unittest\.mock.*|mock(\..*)?|pytest_mock.*")
    wrong = [
        f"{source.where(node)}: {name}" for source in sources("tests")
        for name, node in imports(source) if banned.fullmatch(name)
    ] + [
        f"{source.where(node)}: {name}" for source in sources("tests")
        for name, node in names(source) if name == "monkeypatch.setattr"
    ]
    assert not wrong, "\n".join(wrong)


def test_tests_wait_for_events_and_are_never_skipped():
    banned = re.compile(
        r"time\.sleep|pytest\.(skip|importorskip|xfail)|pytest\.mark\.(skip|skipif|xfail)"
    )
    wrong = [
        f"{source.where(node)}: {name}" for source in sources("tests")
        # The benches play slow disks, which block.
        if not str(source.path).startswith("tests/bench/")
        for name, node in names(source) if banned.fullmatch(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_to_do():
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    wrong = [
        f"{each.path}:{number}" for each in everything()
        for number, line in enumerate(each.text.splitlines(), 1) if marks.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_tests_folders_shadow_no_room_of_the_product():
    """tests/cluster without tests/__init__.py would hide the package `cluster`."""
    assert not [each for each in (ROOT / "tests").rglob("__init__.py")]
    assert not {each.name for each in (ROOT / "tests").iterdir()} & {"cluster", "packages", "cli"}


def test_every_folder_of_tests_is_run():
    """setup.cfg names them in order, the cheapest first; measurements are made by `make bench`."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    named = set(settings["tool:pytest"]["testpaths"].split())
    there = {"/".join(each.path.parts[:2]) for each in sources("tests")
             if each.path.name.startswith("test_")}
    assert there - {"tests/bench"} <= named


def names(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """Dotted names that are used; not those of a name's own parts."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            name = dotted(node)
            if name:
                yield name, node
