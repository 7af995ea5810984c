"""A table of settings: how it is read, checked, and written into the genesis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

from consensus.encoding import Encoded, Value, encode
from consensus.settings.errors import SettingsError, format_value

LARGEST = 2**53 - 1
LONGEST_S = 10**9
_FRACTION = re.compile(r"[0-9]{1,20}([./][0-9]{1,20})?")  # no exponent: 1e999999999 would take for ever to compute


class Section:
    """A table of settings: whole numbers from 1 (some from 0), fractions between 0 and 1, and short texts."""

    NAME: ClassVar[str] = ""
    MAY_BE_ZERO: ClassVar[frozenset[str]] = frozenset()
    MAY_BE_ONE: ClassVar[frozenset[str]] = frozenset()  # fractions
    EARLIER: ClassVar[Mapping[str, int | Fraction | str]] = MappingProxyType({})
    """The settings that genesis version 3 did not have, with the values that mean what it did. Each is the default,
    too, and never changes: the digest of a genesis leaves it out. A better value for new swarms is in `NEW_SWARM`."""
    SWARM_WIDE: ClassVar[frozenset[str]] = frozenset()
    """The settings that have one value in the whole swarm: none of a single configuration can be set."""
    UNCHECKED: ClassVar[frozenset[str]] = frozenset()
    """The settings that came when swarms with `steering.rules` 1 were in use. A program without them cannot check a
    proposal to set one, so no program does before it passes: else their ledgers would differ (docs/steering.md)."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # every Section is a dataclass
            self.check(item.name, item.default, getattr(self, item.name))

    @classmethod
    def check(cls, name: str, default: object, value: object) -> None:
        """Raise SettingsError if a setting, which has this default, cannot have a value whatever the others are."""
        where = cls.NAME, name
        if isinstance(default, Fraction):
            may_be_one = name in cls.MAY_BE_ONE
            if not isinstance(value, Fraction) or not (0 < value < 1 or (may_be_one and value == 1)):
                bounds = "above 0 and at most 1" if may_be_one else "between 0 and 1"
                raise SettingsError(f"must be {bounds}, not {format_value(value)}", *where)
            if max(value.numerator, value.denominator) > LARGEST:
                raise SettingsError("has too many digits", *where)
        elif isinstance(default, str):
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
                raise SettingsError(f"must be 1 to 64 of letters, digits and ._-, not {format_value(value)}", *where)
        else:
            least = 0 if name in cls.MAY_BE_ZERO else 1
            if type(value) is not int or not least <= value <= LARGEST:
                raise SettingsError(f"must be a whole number of {least} or more, not {format_value(value)}", *where)

    def table(self) -> dict[str, Value]:
        """Return the section as a CBOR map; a fraction is [numerator, denominator] in lowest terms.

        A setting of `EARLIER` with the value there is left out. So what version 3 digested still has the same digest.
        """
        table: dict[str, Value] = {}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.name not in self.EARLIER or value != self.EARLIER[item.name]:
                table[item.name] = [value.numerator, value.denominator] if isinstance(value, Fraction) else value
        return table

    @cached_property
    def encoded(self) -> Encoded:
        """The encoding of `table`."""
        return Encoded(encode(self.table()))

    @property
    def is_earlier(self) -> bool:
        """Whether genesis version 3 could say all of this."""
        return all(getattr(self, name) == value for name, value in self.EARLIER.items())

    @classmethod
    def parse_table(cls, table: object) -> Self:
        """Return the section of which `table` returned this map. Raise SettingsError as `parse` does."""
        return cls.parse({**cls.EARLIER, **table} if isinstance(table, Mapping) else table)

    @classmethod
    def parse(cls, table: object) -> Self:
        """Return the section in CBOR values or in a table that a person wrote; absent settings keep their defaults.

        A fraction is given as [numerator, denominator], as text ("0.65", "13/20") or as a Fraction. Raise SettingsError
        for an unknown setting or an unusable value.
        """
        if not isinstance(table, Mapping):
            raise SettingsError("must be a table", cls.NAME)
        defaults = {item.name: item.default for item in fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for name in sorted(table, key=str):
            if name not in defaults:
                known = ", ".join(defaults)
                raise SettingsError(f"unknown setting; known are {known}", cls.NAME, str(name)[:80])
            value = table[name]
            values[name] = read_fraction(value) if isinstance(defaults[name], Fraction) else value
        return cls(**values)


def read_fraction(value: object) -> object:
    """Return the fraction that a text or a pair of whole numbers means; the value as it is where it means none."""
    try:
        if isinstance(value, str) and _FRACTION.fullmatch(value):
            return Fraction(value)
        if isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value):
            return Fraction(value[0], value[1])
    except (ValueError, ZeroDivisionError):
        return value
    return value
