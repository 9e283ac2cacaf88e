"""The one door to msgspec and to persistent maps: what a value is in this project.

A value is frozen, compares by content and has one encoding, so that state, entries, plans and
facts can be replicated, compared and printed without a line of code of their own. Nothing here
may ever run code that arrived from outside: only declared types are decoded.
"""

from functools import cache
from typing import Annotated, Any, TypeVar, dataclass_transform

import msgspec
from immutables import Map

__all__ = [
    "Bound", "Map", "Natural", "Undecodable", "Value", "changed", "from_json", "from_msgpack",
    "plain", "shaped", "sparse", "to_json", "to_msgpack",
]

T = TypeVar("T")
V = TypeVar("V", bound="Value")

Bound = msgspec.Meta
"""Of a declared type: Annotated[str, Bound(max_length=64)]; what is beyond it is not decoded."""

Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 62))]
"""A count or an index from the wire; bounded, so that adding one to it stays a 64-bit number."""

Undecodable = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises on bytes that are not of the type asked for."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class ValueType(msgspec.StructMeta):
    """Makes every subclass frozen with keyword fields, also where it does not say so itself."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **settings: Any,
    ) -> Any:
        settings.setdefault("frozen", True)
        settings.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **settings)


class Value(msgspec.Struct, metaclass=ValueType):
    """Base of everything that is decided upon, replicated or sent."""


def changed(value: V, **fields: Any) -> V:
    """The same value with some fields replaced."""
    return msgspec.structs.replace(value, **fields)


def to_msgpack(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def from_msgpack(raw: bytes | memoryview, kind: type[T] | Any) -> T:
    """Decode to the declared type; raises one of `Undecodable`, nothing else."""
    decoded: T = _msgpack_decoder(kind).decode(raw)  # type: ignore[arg-type]  # is hashable
    return decoded


@cache
def _msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """Made once: looking through the union of all entries costs a hundred times what decoding one
    does, and every node decodes every entry."""
    return msgspec.msgpack.Decoder(kind)


def to_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def from_json(raw: bytes | str, kind: type[T] | Any) -> T:
    """Decode to the declared type; raises one of `Undecodable`, nothing else."""
    decoded: T = msgspec.json.decode(raw, type=kind)
    return decoded


def plain(value: Any) -> Any:
    """A value as dicts, lists, strings and numbers: what JSON and YAML printers take."""
    return msgspec.to_builtins(value)


def shaped(tree: Any, kind: type[T] | Any) -> T:
    """A tree of dicts and lists as a value of the declared type; raises `Undecodable`."""
    made: T = msgspec.convert(tree, type=kind)
    return made


def sparse(value: Any) -> Any:
    """Like `plain`, leaving out the fields that have their default value."""
    if isinstance(value, Value):
        return {
            field.name: sparse(held) for field in msgspec.structs.fields(value)
            if (held := getattr(value, field.name)) != field.default
            and not (not held and field.default_factory in (dict, list, set))
        }
    if isinstance(value, (tuple, list)):
        return [sparse(each) for each in value]
    if isinstance(value, (dict, Map)):
        return {str(key): sparse(held) for key, held in value.items()}
    return plain(value)
