"""Nothing in a request is without a bound: neither a text, nor a list, nor a number."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import msgspec.inspect as inspect
import pytest

from cluster.api.messages import AnyRequest, Call
from cluster.api.roles import LEAST_ROLE
from packages.core.facts import Wanted
from packages.core.model import FenceSpec
from packages.core.values import Bound, Value

OF_THE_RECORD = {Wanted, FenceSpec}
"""What nodes ask of each other about packages, whose descriptions were bounded when they were read
(packages/core/config.py); nobody else may ask it."""


def unbounded(kind: Any, where: str, *, is_nodes: bool) -> Iterator[str]:
    """Places within the type of which decoding would take any length, or any number."""
    if isinstance(kind, (inspect.StrType, inspect.BytesType)) and kind.max_length is None:
        yield f"{where}: a text of any length"
    if isinstance(kind, (inspect.IntType, inspect.FloatType)) and None in (kind.ge, kind.le):
        yield f"{where}: any number"
    if isinstance(kind, (inspect.VarTupleType, inspect.ListType, inspect.DictType,
                         inspect.SetType, inspect.FrozenSetType)) and kind.max_length is None:
        yield f"{where}: any number of items"
    if isinstance(kind, (inspect.AnyType, inspect.RawType)):
        yield f"{where}: anything"
    if isinstance(kind, inspect.StructType) and is_nodes and kind.cls in OF_THE_RECORD:
        return
    for name, inner in inside(kind):
        yield from unbounded(inner, f"{where}{name}", is_nodes=is_nodes)


def inside(kind: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(kind, inspect.StructType):
        yield from ((f".{field.name}", field.type) for field in kind.fields)
    if isinstance(kind, inspect.UnionType):
        yield from (("", each) for each in kind.types)
    if isinstance(kind, inspect.TupleType):
        yield from (("[]", each) for each in kind.item_types)
    if isinstance(kind, inspect.DictType):
        yield from (("{key}", kind.key_type), ("{}", kind.value_type))
    elif hasattr(kind, "item_type"):
        yield "[]", kind.item_type


@pytest.mark.parametrize("kind", get_args(AnyRequest), ids=lambda kind: kind.__name__)
def test_a_request_is_bounded(kind: Any) -> None:
    is_nodes = LEAST_ROLE.get(kind, "node") == "node"
    wrong = list(unbounded(inspect.type_info(kind), kind.__name__, is_nodes=is_nodes))
    assert not wrong, "\n".join(wrong)


def test_a_call_is_bounded() -> None:
    fields = {field.name: field.type for field in inspect.type_info(Call).fields}
    assert not list(unbounded(fields["number"], "number", is_nodes=False))


class Odd(Value):
    text: str = ""
    texts: tuple[Annotated[str, Bound(max_length=1)], ...] = ()
    deep: Annotated[tuple[str, ...], Bound(max_length=1)] = ()
    number: float | None = None
    half: Annotated[int, Bound(ge=0)] = 0
    tree: Any = None
    raw: bytes = b""
    good: Annotated[int, Bound(ge=0, le=1)] = 0
    table: Annotated[dict[str, bool], Bound(max_length=1)] = {}


def test_the_look_finds_each_kind() -> None:
    found = {each.partition(":")[0] for each in unbounded(
        inspect.type_info(Odd), "Odd", is_nodes=False)}
    assert found == {
        "Odd.text", "Odd.texts", "Odd.deep[]", "Odd.number", "Odd.half", "Odd.tree", "Odd.raw",
        "Odd.table{key}",
    }
