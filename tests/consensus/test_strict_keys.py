"""What is nobody's key, and what is no signature, by the group law of RFC 8032 written out here."""

import hashlib

import pytest

from consensus import keys
from consensus.keys import SigningKey, id_text, is_strict_point, parse_id, verify

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
NEUTRAL: Point = (0, 1)


def x_of(y: int, sign: int) -> int | None:
    """The x of this parity beside y on the curve; None if y is not there."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return x if x & 1 == sign else P - x


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(encoded: bytes) -> Point:
    number = int.from_bytes(encoded, "little")
    y = number & (1 << 255) - 1
    x = x_of(y, number >> 255)
    assert x is not None
    assert y < P
    return x, y


def add(one: Point, two: Point) -> Point:
    (x1, y1), (x2, y2) = one, two
    crossed = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + crossed, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - crossed, -1, P) % P


def times(factor: int, point: Point) -> Point:
    result = NEUTRAL
    for bit in f"{factor:b}":
        result = add(result, result)
        result = add(result, point) if bit == "1" else result
    return result


BASE = decode(bytes([0x58, *[0x66] * 31]))


def point_of_order_8() -> Point:
    """What is left of any point without its part of prime order, if that is of full order."""
    candidates = (times(L, (x, y)) for y in range(2, 50) if (x := x_of(y, 0)) is not None)
    return next(point for point in candidates if times(4, point) != NEUTRAL)


SMALL = [times(factor, point_of_order_8()) for factor in range(8)]


def refused() -> list[bytes]:
    """Every encoding of a point of small order, and every encoding that is not canonical."""
    signs = (0, 1 << 255)
    canonical = {y | sign for _, y in SMALL for sign in signs}  # with the sign bit of the two whose x is 0
    too_large = {y | sign for y in range(P, 1 << 255) for sign in signs}
    return [number.to_bytes(32, "little") for number in sorted(canonical | too_large)]


def test_exactly_the_48_bad_encodings_are_refused() -> None:
    assert len(set(SMALL)) == 8
    assert times(8, SMALL[1]) == NEUTRAL
    assert {encode(point) for point in SMALL} <= set(refused())
    assert set(refused()) == keys._REFUSED_POINTS
    assert len(refused()) == 48
    assert not any(is_strict_point(encoded) for encoded in refused())
    assert not is_strict_point(b"short")
    assert not is_strict_point(bytes([2]) * 33)
    assert all(is_strict_point(SigningKey(bytes([seed]) * 32).id) for seed in range(20))
    assert is_strict_point((P - 2).to_bytes(32, "little"))  # the largest canonical one beside them


@pytest.mark.parametrize("encoded", refused(), ids=lambda encoded: encoded.hex()[:8] + encoded.hex()[-2:])
def test_nobody_signs_with_a_key_that_is_nobodys(encoded: bytes) -> None:
    fixed = encode(NEUTRAL) + bytes(32)
    generous = [encode(point) + bytes(32) for point in SMALL]
    for message in (b"one", b"two", b"three", b"four"):
        assert not any(verify(encoded, message, signature) for signature in (fixed, *generous))
    with pytest.raises(ValueError, match="so it is nobody's key"):
        parse_id(id_text(encoded))


def own_signature(seed: bytes, message: bytes, beginning: Point, nonce: int = 0) -> bytes:
    """A signature by the owner of a seed whose R is [nonce]B and `beginning` together; by RFC 8032 that is 0."""
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    first = encode(add(times(nonce, BASE), beginning) if nonce else beginning)
    challenge = int.from_bytes(hashlib.sha512(first + SigningKey(seed).id + message).digest(), "little")
    return first + ((nonce + challenge * secret) % L).to_bytes(32, "little")


def test_a_signature_begins_with_a_strict_point_and_ends_below_the_order() -> None:
    seed = b"\1" * 32
    key, good = SigningKey(seed), SigningKey(seed).sign(b"message")
    assert own_signature(seed, b"message", NEUTRAL, nonce=12345)[:32] == encode(times(12345, BASE))
    assert verify(key.id, b"message", own_signature(seed, b"message", NEUTRAL, nonce=12345))
    assert not verify(key.id, b"message", own_signature(seed, b"message", NEUTRAL))  # libraries take this one
    too_large = int.from_bytes(good[32:], "little") + L
    assert too_large < 1 << 256
    assert not verify(key.id, b"message", good[:32] + too_large.to_bytes(32, "little"))
    for encoded in refused():
        assert not verify(key.id, b"message", encoded + good[32:])
    for part in SMALL[1:]:  # these hold once both sides are multiplied by 8
        assert not verify(key.id, b"message", own_signature(seed, b"message", part, nonce=12345))


def test_a_library_that_multiplies_by_the_cofactor_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    key, signature = bytes.fromhex(keys._COFACTORED_KEY), bytes.fromhex(keys._COFACTORED_SIGNATURE)
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key).digest(), "little") % L
    here = times(int.from_bytes(signature[32:], "little"), BASE)
    there = add(decode(signature[:32]), times(challenge, decode(key)))
    assert here != there
    assert times(8, here) == times(8, there)
    assert not verify(key, b"", signature)
    monkeypatch.setattr(keys, "_verify_with_library", lambda *_: True)
    keys._require_exact_equation.cache_clear()
    with pytest.raises(RuntimeError, match="with the cofactor"):
        verify(key, b"", SigningKey(bytes(32)).sign(b""))
