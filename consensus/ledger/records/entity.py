"""The base class of the ledger's records, and their conversion to and from CBOR values by the types of their fields."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from fractions import Fraction
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from consensus.encoding import Decoded, Encoded, Value, encode
from consensus.settings import Section, SettingsError

T = TypeVar("T")
LARGEST = 2**63 - 1
_PLAIN = (bool, int, str, bytes)  # a union would be made anew in each call


class Entity:
    """A record whose fingerprint goes into the ledger's digest. It is computed once, because records never change."""

    LATER: ClassVar[int] = 0
    """How many of the last fields came when swarms were in use. At the end they are left out while they have their
    defaults, so that those swarms' ledgers keep their digests. Their defaults are plain values."""

    @cached_property
    def encoded(self) -> Encoded:
        """The canonical encoding of all fields in their order. Records within it that have not changed have theirs."""
        return Encoded(encode([part if type(part) in _PLAIN else _encodable(part) for part in _parts(self)]))

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical encoding."""
        return hashlib.sha256(self.encoded).digest()


class ShapeError(ValueError):
    """A value that is not of the type that it should have: one line that says where."""


def to_value(value: object) -> Value:
    """Return a record, or the value of a field, as a CBOR value. The names of fields and types are not in it."""
    if value is None or isinstance(value, _PLAIN):  # most of all
        return value
    if isinstance(value, Entity):
        return [to_value(part) for part in _parts(value)]
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
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Entity | Section):
        return value.encoded
    if isinstance(value, tuple):
        return [_encodable(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): _encodable(entry) for key, entry in value.items()}
    return to_value(value)


def parse_value(kind: type[T], value: Decoded, where: str) -> T:
    """Return the `kind` that is in a decoded CBOR value, the inverse of `to_value`. Raise ShapeError if it is not one.

    `kind` may be int (64 bits), bool, bytes, str, None, a union with None, Literal, a tuple, a mapping with text keys,
    a settings section, an entity with fields of such types, or a union of entities that begin with their kind. `where`
    names the value in errors.
    """
    return _parse(kind, value, where)  # type: ignore[no-any-return]


def parse_values(kind: type[T], value: Decoded, where: str) -> tuple[T, ...]:
    """Return the values of one kind that are in a decoded CBOR array. Raise ShapeError if they are not that."""
    return _parse_tuple((kind, ...), value, where)


def _parse(kind: Any, value: Decoded, where: str) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        return _parse_tuple(get_args(kind), value, where)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        if value is None and len(options) < len(get_args(kind)):
            return None
        return _parse(options[0] if len(options) == 1 else _option(options, value, where), value, where)
    if origin is Literal:
        if value not in get_args(kind) or not isinstance(value, str):
            raise ShapeError(f"{where}: must be one of {', '.join(get_args(kind))}")
        return value
    if origin is not None and issubclass(origin, Mapping):
        return _parse_mapping(get_args(kind)[1], value, where)
    if issubclass(kind, Entity):
        return _parse_entity(kind, value, where)
    if issubclass(kind, Section):
        return _parse_section(kind, value, where)
    return _parse_scalar(kind, value, where)


def _option(options: list[Any], value: Decoded, where: str) -> Any:
    """Return which of several entities a value is: the first field of each is its kind, and no kind is of two."""
    kind = value[0] if isinstance(value, list) and value else None
    for option in options:
        if kind in get_args(next(iter(_shape(option).values()))):
            return option
    raise ShapeError(f"{where}: is of an unknown kind")


def _parse_scalar(kind: Any, value: Decoded, where: str) -> Any:
    if kind not in _PLAIN:
        raise TypeError(f"{where}: values of type {kind} are not read")
    if not _is_scalar(kind, value):
        raise ShapeError(f"{where}: must be {kind.__name__}")
    return value


def _is_scalar(kind: Any, value: Decoded) -> bool:
    """Return whether this is one of the plain types, and the value of it."""
    return kind is type(value) and kind in _PLAIN and (kind is not int or -LARGEST <= value <= LARGEST)  # type: ignore[operator]


def _parse_tuple(kinds: tuple[Any, ...], value: Decoded, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ShapeError(f"{where}: must be a list")
    if kinds[-1] is Ellipsis:
        return tuple(_parse(kinds[0], item, where) for item in value)
    if len(value) != len(kinds):
        raise ShapeError(f"{where}: must be a list of {len(kinds)}")
    return tuple(_parse(kind, item, where) for kind, item in zip(kinds, value, strict=True))


def _parse_mapping(kind: Any, value: Decoded, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{where}: must be a map")
    return {name: _parse(kind, value[name], where) for name in sorted(value)}


def _parse_entity(kind: type[Entity], value: Decoded, where: str) -> Entity:
    shape = _shape(kind)  # type: ignore[arg-type]  # a class is hashable
    if not isinstance(value, list) or not len(shape) - kind.LATER <= len(value) <= len(shape):
        raise ShapeError(f"{where}: must be a list of {len(shape)}")
    parts: dict[str, Any] = {}
    for (name, field), item in zip(shape.items(), value, strict=False):
        parts[name] = item if _is_scalar(field, item) else _parse(field, item, f"{where}.{name}")
    entity = kind(**parts)
    if len(_parts(entity)) != len(value):
        raise ShapeError(f"{where}: has fields at its end that are to be left out")
    return entity


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
def _shape(kind: type[Entity]) -> dict[str, Any]:
    """Return the types of the fields by name, in their order."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}  # type: ignore[arg-type]


def _parse_section(kind: type[Section], value: Decoded, where: str) -> Section:
    try:
        section = kind.parse_table(value)
    except SettingsError as error:
        raise ShapeError(f"{where}: {error}") from None
    return section
