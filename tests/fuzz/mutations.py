"""Damage with a purpose: from valid bytes to bytes that are nearly valid, from one seed."""

import base64
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import cbor2

from consensus.encoding import MAX_DEPTH, EncodingError, decode

_LIMIT = 1 << 22
_NUMBERS = (0, 1, 2, 23, 24, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)
_TEXTS = ("", "x", "hex8-2", "\0", "é", "\u2028", "9" * 5000, "1e999999999", "1/0", "a" * 300, "-", "null")


class Mutator:
    """Makes one damaged input from samples; all that it does follows from `seed`."""

    def __init__(self, seed: str, samples: Sequence[bytes]) -> None:
        self.chance = random.Random(seed)
        self.samples = samples

    def bytes_input(self) -> bytes:
        """A sample with some damage to its bytes, or to the values that they encode, or both."""
        data = self.chance.choice(self.samples)
        if self.chance.random() < 0.6:
            data = self.structure(data)
        for _ in range(self.chance.choice((0, 1, 1, 2, 4))):
            data = self.chance.choice(_DAMAGE)(self, data)
        return data

    # Bytes.

    def _flip(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\0")
        for _ in range(self.chance.choice((1, 1, 2, 8))):
            changed[self._place(changed)] ^= 1 << self.chance.randrange(8)
        return bytes(changed)

    def _set(self, data: bytes) -> bytes:
        changed = bytearray(data or b"\0")
        changed[self._place(changed)] = self.chance.choice((0, 0x1F, 0x3F, 0x5F, 0x7F, 0x9F, 0xBF, 0xDF, 0xFF, 0xF6))
        return bytes(changed)

    def _truncate(self, data: bytes) -> bytes:
        return data[: self.chance.randint(0, len(data))]

    def _cut(self, data: bytes) -> bytes:
        start = self.chance.randint(0, len(data))
        return data[:start] + data[start + self.chance.randint(1, 40) :]

    def _repeat(self, data: bytes) -> bytes:
        start = self.chance.randint(0, len(data))
        end = start + self.chance.randint(1, 40)
        times = self.chance.choice((2, 3, 50))
        return data[:start] + data[start:end] * times + data[end:]

    def _insert(self, data: bytes) -> bytes:
        start = self.chance.randint(0, len(data))
        return data[:start] + self.chance.randbytes(self.chance.choice((1, 2, 9, 33))) + data[start:]

    def _splice(self, data: bytes) -> bytes:
        other = self.chance.choice(self.samples)
        return data[: self.chance.randint(0, len(data))] + other[self.chance.randint(0, len(other)) :]

    def _length(self, data: bytes) -> bytes:
        """Another head of CBOR anywhere: the same kind of item, said to have another length."""
        at = self._place(data or b"\0")
        major = (data or b"\0")[at] & 0xE0
        number = self.chance.choice(_NUMBERS)
        size = self.chance.choice([size for size in (1, 2, 4, 8) if number < 1 << 8 * size])
        head = bytes((major | {1: 24, 2: 25, 4: 26, 8: 27}[size],)) + number.to_bytes(size)
        return data[:at] + head + data[at + 1 :]

    def _nest(self, data: bytes) -> bytes:
        depth = self.chance.choice((MAX_DEPTH, MAX_DEPTH + 1, 500, 20_000))
        return self.chance.choice((b"\x81", b"\xa1\x61a", b"[", b'{"a":')) * depth + data

    def _place(self, data: bytes | bytearray) -> int:
        return self.chance.randrange(len(data))

    # Values.

    def structure(self, data: bytes) -> bytes:
        """Bytes of a changed value where `data` is CBOR or JSON; else of changed lines."""
        try:
            return to_cbor(self.value(decode(data, limit=_LIMIT)))
        except EncodingError:
            pass
        try:
            return to_json(self.value(json.loads(data))) + b"\n"
        except (ValueError, RecursionError):
            return self._lines(data)

    def value(self, value: Any) -> Any:
        """`value` with something in it changed, most likely deep inside."""
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            value = self._change(value, 0)
        return value

    def _change(self, value: Any, depth: int) -> Any:
        inner = self._inner(value)
        if inner is not None and self.chance.random() < 0.8:
            return inner
        if isinstance(value, list | tuple) and value and self.chance.random() < 0.9:
            return self._change_list(list(value), depth)
        if isinstance(value, dict) and value and self.chance.random() < 0.9:
            return self._change_map(dict(value), depth)
        return self._other(value)

    def _inner(self, value: Any) -> Any:
        """Bytes and texts may hold a value themselves: CBOR in CBOR, JSON or CBOR in base64."""
        if isinstance(value, bytes) and len(value) > 40:
            try:
                return to_cbor(self.value(decode(value, limit=_LIMIT)))
            except EncodingError:
                return None
        if isinstance(value, str) and len(value) > 100:
            try:
                return base64.b64encode(self.structure(base64.b64decode(value, validate=True))).decode()
            except ValueError:
                return None
        return None

    def _change_list(self, items: list[Any], depth: int) -> Any:
        at = self._place(bytes(len(items)))
        match self.chance.randrange(12):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[at])
            case 2:
                items[at] = self.chance.choice(items)
            case 3:
                self.chance.shuffle(items)
            case 4:
                items.append(self._scalar())
            case 5:
                items = items * self.chance.choice((2, 40, 300)) if len(items) < 20 else items[:1]
            case _:
                items[at] = self._change(items[at], depth + 1)
        return items

    def _change_map(self, table: dict[Any, Any], depth: int) -> Any:
        name = self.chance.choice(sorted(table, key=str))
        match self.chance.randrange(12):
            case 0:
                del table[name]
            case 1:
                table[self.chance.choice(_TEXTS[:6])] = self._scalar()
            case 2:
                table[self.chance.choice(sorted(table, key=str))] = table[name]
            case _:
                table[name] = self._change(table[name], depth + 1)
        return table

    def _other(self, value: Any) -> Any:
        """Something that may stand where `value` stood; often of its type, and next to it."""
        if isinstance(value, bool) or value is None or self.chance.random() < 0.3:
            return self._scalar()
        if isinstance(value, int):
            return self.chance.choice((value + 1, value - 1, -value, value * 2, self.chance.choice(_NUMBERS)))
        if isinstance(value, bytes):
            return self.chance.choice((self._flip(value), value[:-1], value + b"\0", value[::-1], b""))
        if isinstance(value, str):
            return self.chance.choice((value + "x", value[:-1], value.upper(), self.chance.choice(_TEXTS)))
        return self._scalar()

    def _scalar(self) -> Any:
        wrapped = self.chance.randrange(16)
        plain: Any = self.chance.choice(
            (
                None,
                True,
                False,
                1.5,
                float("inf"),
                "",
                b"",
                [],
                {},
                self.chance.choice(_NUMBERS),
                -self.chance.choice(_NUMBERS),
                self.chance.choice(_TEXTS),
                self.chance.randbytes(32),
                self.chance.randbytes(64),
                [[]],
                {"a": None},
            )
        )
        return [plain] if wrapped == 0 else {"x": plain} if wrapped == 1 else plain

    def _lines(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        at = self._place(bytes(len(lines)))
        match self.chance.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                self.chance.shuffle(lines)
            case _:
                name, equals, _ = lines[at].partition(b"=")
                lines[at] = name + equals + self.chance.choice(_LINE_VALUES) + b"\n"
        return b"".join(lines)


_LINE_VALUES = (
    b" 1", b" -1", b" 0", b" true", b' ""', b" []", b" {}", b" 1.5", b" inf", b" 1979-05-27", b' ["x"]',
    b" " + b"9" * 5000,
    b" 1e99999999999999999999", b' "1e999999999"', b' "' + b"9" * 5000 + b'"', b" " + b"[" * 3000, b' "0/0"',
    b' "-1/3"',
    b" 18446744073709551616", b" nan", b' "\\u0000"', b" 0x1" + b"0" * 5000, b" {a=" * 2000, b" 2024-13-45", b' """',
)  # fmt: skip

_DAMAGE: tuple[Callable[[Mutator, bytes], bytes], ...] = (
    Mutator._flip, Mutator._flip, Mutator._set, Mutator._truncate, Mutator._cut, Mutator._repeat, Mutator._insert,
    Mutator._splice, Mutator._length, Mutator._length, Mutator._nest,
)  # fmt: skip


def to_cbor(value: Any) -> bytes:
    """Canonical CBOR of any value, also of those that the swarm's own encoding refuses."""
    return cbor2.dumps(value, canonical=True)


def to_json(value: Any) -> bytes:
    """Canonical JSON, as far as there is such a thing for any value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=bytes.hex).encode()
