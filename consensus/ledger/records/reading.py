"""CBOR values as the frozen records that they stand for, by the types of their fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from consensus.encoding import Decoded
from consensus.ledger.records.entities import Entity
from consensus.settings import Section, SettingsError

T = TypeVar("T")
LARGEST = 2**63 - 1


class ShapeError(ValueError):
    """A value that is not of the type it should have; one line with the place."""


def read(kind: type[T], value: Decoded, where: str) -> T:
    """`value` as a `kind`, the inverse of `consensus.ledger.records.entities.plain`; ShapeError if it is none.

    Known are int (64 bits), bool, bytes, str, None, unions, Literal, tuples, mappings with text keys,
    settings, and entities with fields of such types.
    """
    return _read(kind, value, where)  # type: ignore[no-any-return]


def read_all(kind: type[T], value: Decoded, where: str) -> tuple[T, ...]:
    """A list of values of one kind."""
    return _read_tuple((kind, ...), value, where)


def _read(kind: Any, value: Decoded, where: str) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        return _read_tuple(get_args(kind), value, where)
    if origin in (Union, types.UnionType):
        (inner,) = (option for option in get_args(kind) if option is not type(None))
        return None if value is None else _read(inner, value, where)
    if origin is Literal:
        if value not in get_args(kind) or not isinstance(value, str):
            raise ShapeError(f"{where}: must be one of {', '.join(get_args(kind))}")
        return value
    if origin is not None and issubclass(origin, Mapping):
        return _read_mapping(get_args(kind)[1], value, where)
    if issubclass(kind, Entity):
        return _read_entity(kind, value, where)
    if issubclass(kind, Section):
        return _read_section(kind, value, where)
    return _read_scalar(kind, value, where)


def _read_scalar(kind: Any, value: Decoded, where: str) -> Any:
    if kind not in (int, bool, bytes, str):
        raise TypeError(f"{where}: values of type {kind} are not read")
    if type(value) is not kind or (kind is int and not -LARGEST <= value <= LARGEST):  # type: ignore[operator]
        raise ShapeError(f"{where}: must be {kind.__name__}")
    return value


def _read_tuple(kinds: tuple[Any, ...], value: Decoded, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ShapeError(f"{where}: must be a list")
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], item, where) for item in value)
    if len(value) != len(kinds):
        raise ShapeError(f"{where}: must be a list of {len(kinds)}")
    return tuple(_read(kind, item, where) for kind, item in zip(kinds, value, strict=True))


def _read_mapping(kind: Any, value: Decoded, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ShapeError(f"{where}: must be a map")
    return {name: _read(kind, value[name], where) for name in sorted(value)}


def _read_entity(kind: type[Entity], value: Decoded, where: str) -> Entity:
    shape = _shape(kind)  # type: ignore[arg-type]  # a class is hashable
    if not isinstance(value, list) or len(value) != len(shape):
        raise ShapeError(f"{where}: must be a list of {len(shape)}")
    items = zip(shape.items(), value, strict=True)
    return kind(**{name: _read(field, item, f"{where}.{name}") for (name, field), item in items})


@cache
def _shape(kind: type[Entity]) -> dict[str, Any]:
    """The types of the fields in their order."""
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in fields(kind)}  # type: ignore[arg-type]


def _read_section(kind: type[Section], value: Decoded, where: str) -> Section:
    try:
        section = kind.read(value)
    except SettingsError as error:
        raise ShapeError(f"{where}: {error}") from None
    return section
