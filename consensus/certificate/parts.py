"""Checked access to the JSON in a sealed statement."""

from __future__ import annotations

import re
from typing import Any

from consensus.event import MAX_INT
from consensus.keys import MemberId, parse_id
from consensus.statement import Json, canonical_json

HEX = re.compile(r"[0-9a-f]{64}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class CertificateError(ValueError):
    """A certificate that must not be believed: one line that says why."""


class Part:
    """A piece of the statement with its path. Every getter raises CertificateError for a value of another shape."""

    def __init__(self, value: Any, path: str = "statement") -> None:
        self.value = value
        self.path = path

    def __getitem__(self, name: str) -> Part:
        if not isinstance(self.value, dict) or name not in self.value:
            raise CertificateError(f"{self.path}: has no field {name}")
        return Part(self.value[name], f"{self.path}.{name}")

    def refuse(self, what: str) -> CertificateError:
        """Return the error to raise about this part."""
        return CertificateError(f"{self.path}: {what}")

    def must_be(self, expected: Json, why: str) -> None:
        """Raise CertificateError if the value is not `expected`, by its canonical form (in Python, True equals 1)."""
        if canonical_json(self.value) != canonical_json(expected):
            raise self.refuse(why)

    def items(self) -> list[Part]:
        """Return the elements of a list."""
        if not isinstance(self.value, list):
            raise self.refuse("must be a list")
        return [Part(value, f"{self.path}[{number}]") for number, value in enumerate(self.value)]

    def text(self) -> str:
        """Return a text that has a UTF-8 form."""
        if not isinstance(self.value, str):
            raise self.refuse("must be text")
        if _LONE_SURROGATE.search(self.value):
            raise self.refuse("must be text without lone surrogates")
        return self.value

    def whole(self) -> int:
        """Return a whole number from 0 that fits 63 bits."""
        if type(self.value) is not int or not 0 <= self.value <= MAX_INT:
            raise self.refuse("must be a whole number")
        return self.value

    def wholes(self) -> tuple[int, ...]:
        """Return a list of whole numbers from 0."""
        return tuple(item.whole() for item in self.items())

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.refuse("must be true or false")
        return self.value

    def digest(self) -> bytes:
        """Return the 32 bytes of a SHA-256 in hex."""
        if not isinstance(self.value, str) or HEX.fullmatch(self.value) is None:
            raise self.refuse("must be a SHA-256 in lower-case hex")
        return bytes.fromhex(self.value)

    def maybe_digest(self) -> bytes | None:
        """Return the 32 bytes of a SHA-256 in hex, or None for null."""
        return None if self.value is None else self.digest()

    def member(self) -> MemberId:
        """Return the id of a member."""
        try:
            return parse_id(self.text())
        except ValueError:
            raise self.refuse("must be a member id") from None
