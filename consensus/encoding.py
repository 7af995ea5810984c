"""The one byte form of every value that is hashed, signed or stored: deterministic CBOR, strictly checked.

The subset of RFC 8949 that section 4.2.1 makes deterministic: integers of 64 bits and a sign, byte and
text strings, arrays, maps with text keys, false, true and null. A value has exactly one encoding; every
other byte string is refused, so a hash over received bytes is a hash over the value.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, TypeAlias

Value: TypeAlias = "bool | int | bytes | str | Sequence[Value] | Mapping[str, Value] | None"
Decoded: TypeAlias = "bool | int | bytes | str | list[Decoded] | dict[str, Decoded] | None"

MAX_DEPTH = 16
_MAX_INT = 2**64 - 1

_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SHORT_BYTES = _BYTES << 5 | 24  # a byte string with one byte of length
_SHORT_TEXT = _TEXT << 5  # the empty text; heads of texts of 1 to 23 bytes follow
_UINT_OF_4, _UINT_OF_8 = Struct(">BI").pack, Struct(">BQ").pack
_SHORT_ARRAY = _ARRAY << 5  # the empty array; heads of arrays of 1 to 23 values follow
_LEAST = (24, 1 << 8, 1 << 16, 1 << 32)  # integers with 1, 2, 4 and 8 bytes after their heads
_SHORT = 24  # characters of a text that is worth remembering
_SHORT_NAMES = 256  # characters of all keys of a map whose order is
_CUT = 256  # stands for a missing byte
_NULL = bytes((_SIMPLE << 5 | 22,))
_CONSTANTS: dict[int, bool | None] = {20: False, 21: True, 22: None}


class Encoded(bytes):
    """The encoding of a value, which goes into the encoding of an array or a map as it is."""


class _Budget:
    """The limits that remain while a value is read: how many more values, how much deeper."""

    __slots__ = ("depth", "items")

    def __init__(self, items: int) -> None:
        self.items = items
        self.depth = MAX_DEPTH

    def take(self, count: int, at: int) -> None:
        """Use up `count` values. Raise EncodingError if fewer are left."""
        self.items -= count
        if self.items < 0:
            raise EncodingError(f"byte {at}: more values than are allowed here")


class EncodingError(ValueError):
    """A value that has no encoding, or bytes that are not one: one line that says why, and at which byte."""


def encode(value: Value) -> bytes:
    """Return the only encoding of `value`; tuples encode as arrays.

    Raise EncodingError for a type outside the subset (floats, for example), an integer outside -2^64 .. 2^64 - 1, text
    with a lone surrogate, or more than `MAX_DEPTH` nested containers.
    """
    out = bytearray()
    _write(out, (value,), 0)
    return bytes(out)


def encode_values(values: Sequence[Value]) -> Encoded:
    """Return the encoding of an array of these values; raise EncodingError as `encode` does."""
    out = bytearray()
    _write_head(out, _ARRAY, len(values))
    _write(out, values, 1)
    return Encoded(out)


def encode_array(encodings: Sequence[bytes]) -> Encoded:
    """Return the encoding of an array of values, of which these are the encodings."""
    out = bytearray()
    _write_head(out, _ARRAY, len(encodings))
    return Encoded(bytes(out) + b"".join(encodings))


def decode(data: bytes, *, limit: int, items: int | None = None) -> Decoded:
    """Return the value whose encoding is exactly `data`, which may have at most `limit` bytes.

    Raise EncodingError for anything that `encode` does not produce, in time and memory linear in `data`. A single byte
    can encode a value that takes a microsecond and 70 bytes of memory. So where large `data` from others holds few
    values, as messages do, `items` limits how many values arrays and maps may hold in total, keys included.
    """
    if len(data) > limit:
        raise EncodingError(f"{len(data)} bytes where at most {limit} are allowed")
    value, end = _read(data, 0, _Budget(len(data) if items is None else items))
    if end != len(data):
        raise EncodingError(f"byte {end}: {len(data) - end} bytes after the end of the value")
    return value


def _write(out: bytearray, values: Iterable[Value], depth: int) -> None:
    """Append the encodings of values, one after the other.

    The most frequent parts of events come first and without further calls: byte strings of up to 255 bytes, small
    integers. What is rare takes the general path.
    """
    value: Any
    for value in values:
        kind = type(value)
        if kind is bytes and len(value) < 256:
            out += _BYTES_HEADS[len(value)]
            out += value
        elif kind is int:
            if 0 <= value < 256:
                out += _UINT_HEADS[value]
            elif 1 << 16 <= value < 1 << 32:
                out += _UINT_OF_4(_UINT << 5 | 26, value)
            elif 1 << 32 <= value <= _MAX_INT:
                out += _UINT_OF_8(_UINT << 5 | 27, value)
            else:
                _write_int(out, value)
        elif kind is str:
            out += _short_text(value) if len(value) < _SHORT else _encode_text(value)
        elif kind is Encoded:
            out += value
        elif value is None:
            out += _NULL
        elif (kind is list or kind is tuple) and depth < MAX_DEPTH:
            _write_head(out, _ARRAY, len(value))
            _write(out, value, depth + 1)
        elif kind is dict and depth < MAX_DEPTH:
            _write_map(out, value, depth + 1)
        else:
            _write_any(out, value, depth)


def _write_any(out: bytearray, value: Value, depth: int) -> None:
    if isinstance(value, bytes):
        _write_head(out, _BYTES, len(value))
        out += value
    elif isinstance(value, str):
        out += _text(value)
    elif isinstance(value, bool):
        out.append(_SIMPLE << 5 | (21 if value else 20))
    elif isinstance(value, int):
        _write_int(out, value)
    elif depth == MAX_DEPTH:
        raise EncodingError(f"more than {MAX_DEPTH} nested arrays and maps")
    elif isinstance(value, (list, tuple)):  # a union would be made anew in each call
        _write_head(out, _ARRAY, len(value))
        _write(out, value, depth + 1)
    elif isinstance(value, Mapping):
        _write_map(out, value, depth + 1)
    else:
        raise EncodingError(f"{type(value).__name__} has no encoding")


def _write_int(out: bytearray, number: int) -> None:
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        raise EncodingError(f"an integer of {number.bit_length()} bits does not fit 64 bits and a sign")
    if number >= 0:
        _write_head(out, _UINT, number)
    else:
        _write_head(out, _NEGATIVE, -1 - number)


def _write_map(out: bytearray, items: Mapping[str, Value], depth: int) -> None:
    _write_head(out, _MAP, len(items))
    names = tuple(items)
    try:
        order = _short_order if len("".join(names)) < _SHORT_NAMES else _order
    except TypeError:
        order = _order  # which says what is no text
    for key, name in order(names):
        out += key
        _write(out, (items[name],), depth)


def _order(names: tuple[str, ...]) -> list[tuple[bytes, str]]:
    """Return the keys of a map, encoded, in the order in which they are written."""
    return sorted((_text(name), name) for name in names)


_short_order = lru_cache(maxsize=1024)(_order)  # fields of records, mostly


def _text(text: str) -> bytes:
    if not isinstance(text, str):
        raise EncodingError(f"a map key is of type {type(text).__name__}, not text")
    return _short_text(text) if len(text) < _SHORT else _encode_text(text)


def _encode_text(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise EncodingError("text with a lone surrogate has no UTF-8 form") from None
    out = bytearray()
    _write_head(out, _TEXT, len(data))
    return bytes(out + data)


_short_text = lru_cache(maxsize=4096)(_encode_text)  # names of fields, mostly


def _write_head(out: bytearray, major: int, number: int) -> None:
    """Append a major type and its argument in the shortest form."""
    if number < 24:
        out.append(major << 5 | number)
    elif number < 1 << 8:
        out += bytes((major << 5 | 24, number))
    elif number < 1 << 16:
        out += ((major << 5 | 25) << 16 | number).to_bytes(3)
    elif number < 1 << 32:
        out += ((major << 5 | 26) << 32 | number).to_bytes(5)
    else:
        out.append(major << 5 | 27)
        out += number.to_bytes(8)


_UINT_HEADS, _BYTES_HEADS = (
    tuple(bytes((major << 5 | size,)) if size < 24 else bytes((major << 5 | 24, size)) for size in range(256))
    for major in (_UINT, _BYTES)
)
"""Heads of integers and of byte strings, by their argument, as `_write_head` writes them."""


def _read(data: bytes, at: int, budget: _Budget) -> tuple[Decoded, int]:
    """Return the value that starts at byte `at`, and the position of the first byte after it.

    The most frequent parts of events and ledgers come first and with few further calls: integers of 0 or more, byte
    strings of up to 255 bytes, short texts and arrays. Everything else takes the general path, which finds every error.
    """
    head = data[at] if at < len(data) else _CUT
    if head < 24:
        return head, at + 1
    if head == _SHORT_BYTES:
        end = at + 2 + data[at + 1] if at + 1 < len(data) else at
        if at + 26 <= end <= len(data):
            return data[at + 2 : end], end
    elif _SHORT_TEXT <= head < _SHORT_TEXT + 24:
        end = at + 1 + head - _SHORT_TEXT
        if end <= len(data):
            return _read_text(data, at + 1, end), end
    elif head < 28:
        end = at + 1 + (1 << head - 24)
        number = int.from_bytes(data[at + 1 : end])
        if number >= _LEAST[head - 24] and end <= len(data):
            return number, end
    elif _SHORT_ARRAY <= head < _SHORT_ARRAY + 24 and budget.depth:
        budget.depth -= 1
        items, end = _read_array(data, at + 1, head - _SHORT_ARRAY, budget)
        budget.depth += 1
        return items, end
    return _read_any(data, at, budget)


def _read_any(data: bytes, at: int, budget: _Budget) -> tuple[Decoded, int]:
    major, number, start = _read_head(data, at)
    if major == _UINT:
        return number, start
    if major == _BYTES:
        end = _end(data, start, number)
        return data[start:end], end
    if major == _TEXT:
        end = _end(data, start, number)
        return _read_text(data, start, end), end
    if major == _NEGATIVE:
        return -1 - number, start
    if major == _SIMPLE:
        if number not in _CONSTANTS:
            raise EncodingError(f"byte {at}: a simple value other than false, true and null")
        return _CONSTANTS[number], start
    if major == _TAG:
        raise EncodingError(f"byte {at}: tags are not allowed")
    if budget.depth == 0:
        raise EncodingError(f"byte {at}: more than {MAX_DEPTH} nested arrays and maps")
    budget.depth -= 1
    read = _read_map if major == _MAP else _read_array
    value, end = read(data, start, number, budget)
    budget.depth += 1
    return value, end


def _read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type and the argument of the item at `at`, and the position of the first byte after them."""
    if at >= len(data):
        raise EncodingError(f"byte {at}: the value is cut short")
    head = data[at]
    major, number = head >> 5, head & 31
    if number < 24:
        return major, number, at + 1
    if number > 27:
        raise EncodingError(f"byte {at}: indefinite lengths and reserved forms are not allowed")
    if major == _SIMPLE:
        raise EncodingError(f"byte {at}: floats and long simple values are not allowed")
    start = at + 1 + (1 << number - 24)
    if start > len(data):
        raise EncodingError(f"byte {at}: the value is cut short")
    argument = int.from_bytes(data[at + 1 : start])
    if argument < 24 or (number > 24 and argument >> (4 << number - 24) == 0):
        raise EncodingError(f"byte {at}: {argument} is not in its shortest form")
    return major, argument, start


def _end(data: bytes, start: int, length: int) -> int:
    if length > len(data) - start:
        raise EncodingError(f"byte {start}: the value is cut short")
    return start + length


def _read_text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError:
        raise EncodingError(f"byte {start}: text that is not UTF-8") from None


def _read_array(data: bytes, at: int, length: int, budget: _Budget) -> tuple[Decoded, int]:
    _end(data, at, length)  # an item takes at least one byte: refuse impossible lengths before reading
    budget.take(length, at)
    items: list[Decoded] = []
    for _ in range(length):
        head = data[at] if at < len(data) else _CUT
        if head < 24:  # as in `_read`, without a call
            items.append(head)
            at += 1
        else:
            item, at = _read(data, at, budget)
            items.append(item)
    return items, at


def _read_map(data: bytes, at: int, length: int, budget: _Budget) -> tuple[Decoded, int]:
    _end(data, at, 2 * length)
    budget.take(2 * length, at)
    items: dict[str, Decoded] = {}
    previous = b""
    for _ in range(length):
        major, size, start = _read_head(data, at)
        if major != _TEXT:
            raise EncodingError(f"byte {at}: a map key that is not text")
        end = _end(data, start, size)
        name = _read_text(data, start, end)
        key = data[at:end]
        if key <= previous:
            raise EncodingError(f"byte {at}: map keys are repeated or not in ascending order")
        previous = key
        items[name], at = _read(data, end, budget)
    return items, at
