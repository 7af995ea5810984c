"""The base class of the ledger's records, and their conversion to and from CBOR values by the types of their fields."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from functools import cache
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from consensus.encoding import Decoded, Encoded, Value, encode_values
from consensus.settings import Section, SettingsError

T = TypeVar("T")
LARGEST = 2**63 - 1
_PLAIN_TYPES = frozenset({bool, int, str, bytes, type(None)})
_PLAIN = (bool, int, str, bytes)  # a union would be made anew in each call

_Parser: TypeAlias = Callable[[Decoded], Any]
"""Returns what is in a decoded CBOR value; raises `_MisshapenError` if it is not that."""


class Once(Generic[T]):
    """A property that is computed once for each record, as `functools.cached_property`, without its lock.

    Python 3.11 takes that lock for each value of each record. Records never change, so whoever computes a value twice
    at the same time gets the same.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: object, owner: type) -> T:
        value = record.__dict__[self._name] = self._compute(record)
        return value


class Entity:
    """A record whose fingerprint goes into the ledger's digest. It is computed once, because records never change."""

    LATER: ClassVar[int] = 0
    """How many of the last fields came when swarms were in use. At the end they are left out while they have their
    defaults, so that those swarms' ledgers keep their digests. Their defaults are plain values."""

    @Once
    def encoded(self) -> Encoded:
        """The canonical encoding of all fields in their order. Records within it that have not changed have theirs."""
        return encode_values([part if type(part) in _PLAIN_TYPES else _encodable(part) for part in _parts(self)])

    @Once
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical encoding."""
        return hashlib.sha256(self.encoded).digest()


if TYPE_CHECKING:
    from dataclasses import replace as replace  # so that the fields are checked
else:

    def replace(record, /, **changes):
        """Return the record with other values in some fields, as `dataclasses.replace` does, in a third of its time.

        The class must not have a `__post_init__`. Nothing that was computed from the record before is in the new one.
        """
        kind, values = type(record), record.__dict__
        names = _names(kind)
        changed = {name: values[name] for name in names} | changes
        if len(changed) != len(names):
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(changed.keys() - set(names)))}")
        new = object.__new__(kind)  # frozen, so that `__init__` would set each field by a call
        new.__dict__.update(changed)
        return new


class ShapeError(ValueError):
    """A value that is not of the type that it should have: one line that says where."""


class _MisshapenError(ValueError):
    """The same inside a value; `path` leads from there to the part that is wrong."""

    path = ""


def to_value(value: object) -> Value:
    """Return a record, or the value of a field, as a CBOR value. The names of fields and types are not in it."""
    if value is None or isinstance(value, _PLAIN):  # most of all
        return value
    if isinstance(value, Entity):
        return [part if type(part) in _PLAIN else to_value(part) for part in _parts(value)]
    if isinstance(value, tuple):
        return [to_value(entry) for entry in value]
    if isinstance(value, Section):
        return value.table()
    if isinstance(value, Mapping):
        return {str(key): to_value(entry) for key, entry in value.items()}
    assert isinstance(value, Fraction), type(value)
    return [value.numerator, value.denominator]


def _encodable(value: object) -> Value:
    """Return what has the same encoding as `to_value` of it: a record as the bytes that it keeps."""
    if isinstance(value, (Entity, Section)):  # a union would be made anew in each call
        return value.encoded
    if isinstance(value, tuple):
        return [entry if type(entry) in _PLAIN_TYPES else _encodable(entry) for entry in value]
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {str(key): _encodable(entry) for key, entry in value.items()}
    return to_value(value)


def parse_value(kind: type[T], value: Decoded, where: str) -> T:
    """Return the `kind` that is in a decoded CBOR value, the inverse of `to_value`. Raise ShapeError if it is not one.

    `kind` may be int (64 bits), bool, bytes, str, None, a union with None, Literal, a tuple, a mapping with text keys,
    a settings section, an entity with fields of such types, or a union of entities that begin with their kind. `where`
    names the value in errors.
    """
    try:
        return _parser(kind)(value)  # type: ignore[no-any-return, arg-type]  # types are hashable
    except _MisshapenError as error:
        raise ShapeError(f"{where}{error.path}: {error}") from None


def parse_values(kind: type[T], value: Decoded, where: str) -> tuple[T, ...]:
    """Return the values of one kind that are in a decoded CBOR array. Raise ShapeError if they are not that."""
    return parse_value(tuple[kind, ...], value, where)  # type: ignore[valid-type]


@cache
def _parser(kind: Any) -> _Parser:
    """Return what parses a kind of value. It is made once, as looking at types takes longer than at values."""
    origin = get_origin(kind)
    if origin is tuple:
        return _tuple_parser(get_args(kind))
    if origin in (Union, types.UnionType):
        return _union_parser(get_args(kind))
    if origin is Literal:
        return _literal_parser(get_args(kind))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_parser(get_args(kind)[1])
    if issubclass(kind, Entity):
        return _entity_parser(kind)
    if issubclass(kind, Section):
        return _section_parser(kind)
    if kind not in (int, bool, bytes, str):
        raise TypeError(f"values of type {kind} are not read")
    return _parse_int if kind is int else _scalar_parser(kind)


def _parse_int(value: Decoded) -> int:
    if type(value) is not int or not -LARGEST <= value <= LARGEST:
        raise _MisshapenError("must be int")
    return value


def _scalar_parser(kind: type) -> _Parser:
    def parse(value: Decoded) -> Decoded:
        if type(value) is not kind:
            raise _MisshapenError(f"must be {kind.__name__}")
        return value

    return parse


def _union_parser(kinds: Sequence[Any]) -> _Parser:
    options = [option for option in kinds if option is not type(None)]
    admits_none = len(options) < len(kinds)
    parse_option = _parser(options[0]) if len(options) == 1 else _option_parser(options)

    def parse(value: Decoded) -> Any:
        return None if value is None and admits_none else parse_option(value)

    return parse


def _option_parser(options: Sequence[Any]) -> _Parser:
    """Return what parses one of several entities: the first field of each is its kind, and no kind is of two."""
    parsers = {kind: _parser(option) for option in options for kind in get_args(next(iter(_shape(option).values())))}

    def parse(value: Decoded) -> Any:
        kind = value[0] if isinstance(value, list) and value else None
        if not isinstance(kind, str) or kind not in parsers:
            raise _MisshapenError("is of an unknown kind")
        return parsers[kind](value)

    return parse


def _literal_parser(texts: tuple[str, ...]) -> _Parser:
    def parse(value: Decoded) -> str:
        if not isinstance(value, str) or value not in texts:
            raise _MisshapenError(f"must be one of {', '.join(texts)}")
        return value

    return parse


def _tuple_parser(kinds: tuple[Any, ...]) -> _Parser:
    if kinds[-1] is Ellipsis:
        return _list_parser(_parser(kinds[0]))
    parsers = tuple(_parser(kind) for kind in kinds)

    def parse(value: Decoded) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _MisshapenError("must be a list")
        if len(value) != len(parsers):
            raise _MisshapenError(f"must be a list of {len(parsers)}")
        return tuple([parse_item(item) for parse_item, item in zip(parsers, value, strict=True)])

    return parse


def _list_parser(parse_item: _Parser) -> _Parser:
    def parse(value: Decoded) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _MisshapenError("must be a list")
        return tuple([parse_item(item) for item in value])

    return parse


def _mapping_parser(kind: Any) -> _Parser:
    parse_item = _parser(kind)

    def parse(value: Decoded) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _MisshapenError("must be a map")
        return {name: parse_item(value[name]) for name in sorted(value)}

    return parse


def _entity_parser(kind: type[Entity]) -> _Parser:
    shape, defaults = _shape(kind), _reader(kind)[1]  # type: ignore[arg-type]  # a class is hashable
    names, parsers = tuple(shape), [_parser(field) for field in shape.values()]
    most, least = len(parsers), len(parsers) - kind.LATER

    def parse(value: Decoded) -> Entity:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _MisshapenError(f"must be a list of {most}")
        items: list[Any] = []
        try:
            for parse_field, item in zip(parsers, value, strict=False):
                items.append(parse_field(item))
        except _MisshapenError as error:
            error.path = f".{names[len(items)]}{error.path}"
            raise
        count = len(items)
        if count > least and items[-1] == defaults[count - 1]:
            raise _MisshapenError("has fields at its end that are to be left out")
        entity = object.__new__(kind)  # frozen, so that `__init__` would take several times as long
        entity.__dict__.update(zip(names, (*items, *defaults[count:]), strict=True))
        return entity

    return parse


def _section_parser(kind: type[Section]) -> _Parser:
    def parse(value: Decoded) -> Section:
        try:
            return kind.parse_table(value)
        except SettingsError as error:
            raise _MisshapenError(str(error)) from None

    return parse


def _parts(entity: Entity) -> list[Any]:
    """Return the values of the fields, in their order, without those that `Entity.LATER` leaves out."""
    read, defaults = _reader(type(entity))  # type: ignore[arg-type]  # a class is hashable
    parts = list(read(entity))
    least = len(parts) - entity.LATER
    while len(parts) > least and parts[-1] == defaults[len(parts) - 1]:
        parts.pop()
    return parts


@cache
def _reader(kind: type[Entity]) -> tuple[Callable[[Entity], Iterable[Any]], tuple[object, ...]]:
    """Return what reads all fields of an entity in their order, and their defaults."""
    items = fields(kind)  # type: ignore[arg-type]
    names = [item.name for item in items]
    read = attrgetter(*names)  # of one name it returns the value itself
    return (lambda entity: (read(entity),)) if len(names) == 1 else read, tuple(item.default for item in items)


@cache
def _names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields, in their order."""
    return tuple(item.name for item in fields(kind))


@cache
def _shape(kind: type[Entity]) -> dict[str, Any]:
    """Return the types of the fields by name, in their order."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}  # type: ignore[arg-type]
