"""Events that `make_event` would not make: with changed fields, invalid signatures, or a second valid signature."""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from consensus.encoding import decode, encode
from consensus.event import Event, make_event
from consensus.keys import SigningKey

HEADER_SEQ, HEADER_SELF_PARENT, HEADER_OTHER_PARENTS, HEADER_TIME = 3, 4, 5, 6
"""Places of some fields in an event's header."""

_MAX_BYTES = 1 << 24

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493  # order of the base point
_D = -121665 * pow(121666, -1, _P) % _P

_Point = tuple[int, int, int, int]  # extended homogeneous coordinates of RFC 8032, section 5.1.4


def with_bad_signature(raw: bytes) -> bytes:
    """Return the event, with the same hash, with an invalid signature."""
    parts = _parts(raw)
    parts[1] = bytes([parts[1][0] ^ 1]) + parts[1][1:]
    return encode(parts)


def with_another_signature(seed: bytes, raw: bytes, nonce: bytes) -> bytes:
    """Return the event of the key made from `seed`, with the same hash, with another valid signature."""
    parts = _parts(raw)
    parts[1] = sign_with_nonce(seed, _domain_prefix() + parts[0], nonce)
    return encode(parts)


def forge_event(key: SigningKey, event: Event, change: Callable[[list[Any]], None]) -> bytes:
    """Return the event with `change` applied to the fields of its header, validly signed by `key`."""
    parts = _parts(event.raw)
    fields = cast(list[Any], decode(parts[0], limit=_MAX_BYTES))
    change(fields)
    parts[0] = encode(fields)
    parts[1] = key.sign(_domain_prefix() + parts[0])
    return encode(parts)


def sign_with_nonce(seed: bytes, message: bytes, nonce: bytes) -> bytes:
    """Return an Ed25519 signature (RFC 8032, section 5.1.6) whose nonce is not derived from the key and message."""
    secret = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    secret = secret & ((1 << 254) - 8) | 1 << 254
    r = int.from_bytes(hashlib.sha512(nonce).digest(), "little") % _L
    commitment = _compressed(_times(r, _base()))
    challenge = hashlib.sha512(commitment + SigningKey(seed).id + message).digest()
    s = (r + int.from_bytes(challenge, "little") * secret) % _L
    return commitment + s.to_bytes(32, "little")


@cache
def _domain_prefix() -> bytes:
    """Return the bytes that are signed before the header of every event."""
    event = make_event(SigningKey(bytes(32)), epoch=bytes(32), seq=0, self_parent=None, time=0)
    return event.signed.removesuffix(event.header)


def _parts(raw: bytes) -> list[Any]:
    return cast(list[Any], decode(raw, limit=_MAX_BYTES))


@cache
def _base() -> _Point:
    y = 4 * pow(5, -1, _P) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x & 1:
        x = _P - x
    return x, y, 1, x * y % _P


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(count: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while count:
        if count & 1:
            total = _plus(total, point)
        point, count = _plus(point, point), count >> 1
    return total


def _compressed(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")
