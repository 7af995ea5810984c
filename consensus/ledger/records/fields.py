"""Checked access to the fields of a transaction, which are data of unknown shape."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from consensus.encoding import Decoded

T = TypeVar("T")
LARGEST = 2**63 - 1
NAME = re.compile(r"[a-z0-9][A-Za-z0-9._-]{0,63}")
# Code points, not isprintable(), which changes with the Unicode tables of each Python version.
LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class MalformedError(ValueError):
    """A transaction of a known type whose fields are not as its type requires: one line that names the field."""


class Fields:
    """The fields of a transaction. Getters name the field that they refuse; `done` refuses unread fields.

    `rules` is the swarm's setting `steering.rules`, and `names` is `membership.names`, by which some fields and values
    are new.
    """

    def __init__(self, table: Mapping[str, Decoded], rules: int = 1, names: int = 1) -> None:
        self.rules, self.names = rules, names
        self._table = table
        self._read: set[str] = set()

    def raw(self, name: str) -> Decoded:
        """Return the value of a field; it must be present, so that optional values are explicit nulls."""
        if name not in self._table:
            raise MalformedError(f"field {name} is missing")
        self._read.add(name)
        return self._table[name]

    def has(self, name: str) -> bool:
        """Return whether a field is there, of those that may be left out."""
        return name in self._table

    def done(self) -> None:
        """Raise MalformedError if a field was not read."""
        for name in self._table:
            if name not in self._read:
                raise MalformedError("unknown field")

    def whole(self, name: str, least: int = 0, most: int = LARGEST) -> int:
        """Return a whole number within bounds."""
        return whole(self.raw(name), name, least, most)

    def digest(self, name: str) -> bytes:
        """Return 32 bytes."""
        return sized(self.raw(name), name, 32)

    def maybe(self, name: str, read: Callable[[Decoded, str], T]) -> T | None:
        """Return None for null, else what `read` makes of the value."""
        value = self.raw(name)
        return None if value is None else read(value, name)

    def signature(self, name: str) -> bytes:
        """Return 64 bytes."""
        return sized(self.raw(name), name, 64)

    def boolean(self, name: str) -> bool:
        """Return true or false."""
        value = self.raw(name)
        if not isinstance(value, bool):
            raise MalformedError(f"field {name} must be true or false")
        return value

    def name(self, name: str) -> str:
        """Return a name: 1 to 64 letters, digits and ._-, the first a lower-case letter or a digit."""
        return matching(self.raw(name), name, NAME)

    def text(self, name: str, most: int = 200) -> str:
        """Return one line of text for people."""
        return line(self.raw(name), name, most)

    def items(self, name: str, most: int, read: Callable[[Decoded, str], T]) -> tuple[T, ...]:
        """Return the elements of a list, each as `read` makes it."""
        value = self.raw(name)
        if not isinstance(value, list) or len(value) > most:
            raise MalformedError(f"field {name} must be a list of at most {most}")
        return tuple(read(entry, name) for entry in value)

    def table(self, name: str, most: int, key: re.Pattern[str], read: Callable[[Decoded, str], T]) -> Mapping[str, T]:
        """Return a map whose keys match the pattern, sorted by key and read-only."""
        value = self.raw(name)
        if not isinstance(value, dict) or len(value) > most:
            raise MalformedError(f"field {name} must be a map of at most {most}")
        table = {matching(entry, name, key): read(value[entry], name) for entry in sorted(value)}
        return MappingProxyType(table)


def whole(value: Decoded, name: str, least: int = 0, most: int = LARGEST) -> int:
    """Return a whole number within bounds; true and false are not numbers."""
    if type(value) is not int or not least <= value <= most:
        raise MalformedError(f"field {name} must be a whole number from {least} to {most}")
    return value


def signed(value: Decoded, name: str) -> int:
    """Return a whole number of either sign."""
    return whole(value, name, -LARGEST, LARGEST)


def sized(value: Decoded, name: str, size: int) -> bytes:
    """Return bytes of this length."""
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedError(f"field {name} must be {size} bytes")
    return value


def digest(value: Decoded, name: str) -> bytes:
    """Return 32 bytes."""
    return sized(value, name, 32)


def matching(value: Decoded, name: str, pattern: re.Pattern[str]) -> str:
    """Return text that matches the whole pattern."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise MalformedError(f"field {name} has text that is not allowed there")
    return value


def line(value: Decoded, name: str, most: int) -> str:
    """Return text without control characters."""
    if not isinstance(value, str) or len(value) > most or LINE.fullmatch(value) is None:
        raise MalformedError(f"field {name} must be one line of at most {most} characters")
    return value


def score(value: Decoded, name: str) -> tuple[int, int]:
    """Return a block number and its score."""
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedError(f"field {name} must hold pairs [block, score]")
    return whole(value[0], name), whole(value[1], name)
