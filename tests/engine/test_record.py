"""Game records and Merkle roots."""

import hashlib
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.record import GameRecord, RecordError, decode, merkle_root

RECORD = GameRecord(
    config="hex8-2",
    seed=b"\x01" * 32,
    swap=False,
    opening_plies=2,
    moves=np.array([0, 2**40 + 5, 24], np.int64),
    winner=1,
    seats=(b"model a", b""),
)


def same(one: GameRecord, other: GameRecord) -> bool:
    plain = np.zeros(0, np.int64)
    return vars(replace(one, moves=plain)).keys() == vars(other).keys() and all(
        np.array_equal(vars(one)[key], vars(other)[key]) if key == "moves" else vars(one)[key] == vars(other)[key]
        for key in vars(one)
    )


def test_the_bytes_are_what_the_docstring_says() -> None:
    assert RECORD.encode() == (
        b"RRG1"
        + b"\x00\x06hex8-2"
        + b"\x00\x20"
        + b"\x01" * 32
        + b"\x02"
        + b"\x00\x07model a"
        + b"\x00\x00"
        + b"\x00\x01"
        + b"\x00\x00\x00\x02"
        + b"\x00\x00\x00\x03"
        + bytes(8)
        + b"\x00\x00\x01\x00\x00\x00\x00\x05"
        + bytes(7)
        + b"\x18"
    )


records = st.builds(
    GameRecord,
    config=st.sampled_from(["hex8-2", "square19-4"]),
    seed=st.binary(max_size=40),
    swap=st.booleans(),
    opening_plies=st.just(0),
    moves=st.lists(st.integers(0, 2**63 - 1), max_size=20).map(lambda moves: np.array(moves, np.int64)),
    winner=st.integers(0, 2),
    seats=st.tuples(st.binary(max_size=40), st.binary(max_size=40)),
)


@given(records)
def test_records_survive_their_bytes(record: GameRecord) -> None:
    again = decode(record.encode())
    assert same(record, again)
    assert again.encode() == record.encode()


def test_damaged_records_are_refused() -> None:
    good = RECORD.encode()
    for length in range(len(good)):
        with pytest.raises(RecordError):
            decode(good[:length])
    with pytest.raises(RecordError, match=f"ends at byte {len(good)}, but there are {len(good) + 1}"):
        decode(good + b"\0")
    for wrong in (replace(RECORD, winner=3), replace(RECORD, opening_plies=4)):
        with pytest.raises(RecordError, match="out of range"):
            decode(wrong.encode())
    with pytest.raises(RecordError, match="does not begin with RRG1"):
        decode(b"RRG2" + good[4:])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    with suppress(RecordError):
        assert decode(b"RRG1" + data).encode() == b"RRG1" + data


def test_merkle_roots_of_the_rfc() -> None:
    # the tree heads of the test data that goes with RFC 6962 (certificate-transparency, merkletree tests)
    leaves = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        bytes(range(0x50, 0x58)),
        bytes(range(0x60, 0x70)),
    ]
    heads = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for count, head in heads.items():
        assert merkle_root(leaves[:count]).hex() == head


def recursive_root(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\1" + recursive_root(leaves[:split]) + recursive_root(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=5), max_size=70))
def test_merkle_root_is_the_recursive_one(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == recursive_root(leaves)
