"""Every value has one encoding, and nothing else decodes."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import MAX_DEPTH, Decoded, EncodingError, Value, decode, encode

LIMIT = 1 << 16

scalars = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=300)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=40), inner, max_size=30),
    max_leaves=40,
)


def assert_one_line(error: Exception) -> None:
    assert "\n" not in str(error)


@given(values)
def test_what_is_encoded_decodes_to_itself_and_is_canonical_cbor(value: Decoded) -> None:
    data = encode(value)
    assert decode(data, limit=LIMIT) == value
    assert data == cbor2.dumps(value, canonical=True)


@given(st.binary(max_size=64))
def test_whatever_decodes_is_the_encoding_of_what_it_decodes_to(data: bytes) -> None:
    try:
        value = decode(data, limit=LIMIT)
    except EncodingError as error:
        assert_one_line(error)
    else:
        assert encode(value) == data


@given(values, st.data())
def test_changed_bytes_are_refused_or_are_another_value(value: Decoded, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(bytes(encoded), limit=LIMIT)
    except EncodingError:
        return
    assert encode(other) == bytes(encoded)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut short"),
        ("1817", "shortest form"),
        ("190017", "shortest form"),
        ("1900ff", "shortest form"),
        ("1a0000ffff", "shortest form"),
        ("1b00000000ffffffff", "shortest form"),
        ("1b00", "cut short"),
        ("1c", "reserved"),
        ("9f01ff", "indefinite"),
        ("bf616101ff", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("0000", "after the end"),
        ("f93c00", "floats"),
        ("fb3ff0000000000000", "floats"),
        ("f7", "simple value"),
        ("f820", "floats and long simple"),
        ("c101", "tags"),
        ("c249010000000000000000", "tags"),
        ("d81c80", "tags"),
        ("a2616101616102", "repeated"),
        ("a2616201616102", "ascending"),
        ("a262616101616202", "ascending"),
        ("a10101", "not text"),
        ("61ff", "UTF-8"),
        ("63eda080", "UTF-8"),
        ("42ff", "cut short"),
        ("8201", "cut short"),
        ("9bffffffffffffffff", "cut short"),
        ("5bffffffffffffffff", "cut short"),
        ("bbffffffffffffffff", "cut short"),
    ],
)
def test_non_canonical_bytes_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(EncodingError, match=reason):
        decode(bytes.fromhex(text), limit=LIMIT)


def test_the_length_limit_holds() -> None:
    assert decode(encode(b"x" * 8), limit=9) == b"x" * 8
    with pytest.raises(EncodingError, match="9 bytes where at most 8 are allowed"):
        decode(encode(b"x" * 8), limit=8)


def test_nesting_is_limited_when_encoding_and_when_decoding() -> None:
    nested: list[Decoded] = []
    for _ in range(MAX_DEPTH - 1):
        nested = [nested]
    assert decode(encode(nested), limit=LIMIT) == nested
    with pytest.raises(EncodingError, match="nested"):
        encode([nested])
    with pytest.raises(EncodingError, match="nested"):
        decode(b"\x81" * LIMIT, limit=LIMIT)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.0, "float"),
        (2**64, "65 bits"),
        (-(2**64) - 1, "65 bits"),
        ({1: 2}, "map key"),
        ("\ud800", "surrogate"),
        ({1, 2}, "set"),
        (bytearray(b"x"), "bytearray"),
    ],
)
def test_what_has_no_encoding_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(EncodingError, match=reason):
        encode([value])


def test_maps_are_sorted_by_encoded_key_whatever_the_order_of_insertion() -> None:
    assert encode({"b": 1, "aa": 2, "a": 3}).hex() == "a361610361620162616102"
    assert encode({"aa": 2, "a": 3, "b": 1}) == encode({"b": 1, "aa": 2, "a": 3})


def test_the_number_of_values_can_be_limited() -> None:
    value: Value = [1, {"a": [], "b": [None, 2]}, "x"]  # 3 + 4 + 0 + 2
    assert decode(encode(value), limit=99, items=9) == value
    with pytest.raises(EncodingError, match="more values than are allowed"):
        decode(encode(value), limit=99, items=8)
    assert decode(encode([[[]]] * 3), limit=99, items=6) == [[[]]] * 3
