"""Sync messages: what is sent is read, and nothing else is."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import encode
from consensus.epoch_events import MAX_WANTED
from consensus.sync import Tip
from node.gossip.messages import (
    MAX_EVENTS,
    MAX_MESSAGE_BYTES,
    MessageError,
    SyncAnswer,
    SyncRequest,
    decode_answer,
    decode_request,
)

HASH = bytes(range(32))
TIPS = [Tip(HASH, 3, bytes(32)), Tip(bytes(32), 0, HASH)]
LISTED = [list(tip) for tip in TIPS]
REQUEST: dict[str, Any] = {"epoch": HASH, "tips": LISTED, "want": [HASH], "events": [b"e"], "closed": True}
ANSWER: dict[str, Any] = {"tips": LISTED, "events": [b"e", b"f"], "more": True, "closed": False}


def test_messages_are_read_as_sent() -> None:
    request = SyncRequest(HASH, TIPS, [HASH], [b"e"], closed=True)
    assert request.encode() == encode(REQUEST)
    assert decode_request(request.encode(), 4) == request
    answer = SyncAnswer(TIPS, [b"e", b"f"], True, False)
    assert answer.encode() == encode(ANSWER)
    assert decode_answer(answer.encode(), 4) == answer


WRONG: list[tuple[str, Any]] = [
    ("epoch", b"short"),
    ("epoch", None),
    ("epoch", 7),
    ("tips", None),
    ("tips", {}),
    ("tips", [[HASH, 1]]),
    ("tips", [[HASH, -1, HASH]]),
    ("tips", [[HASH, 2**63, HASH]]),
    ("tips", [[HASH, True, HASH]]),
    ("tips", [["x", 1, HASH]]),
    ("tips", [[HASH, 1, HASH[1:]]]),
    ("tips", [[HASH, 1, HASH]] * 33),
    ("tips", [HASH]),
    ("want", None),
    ("want", [1]),
    ("want", [HASH[1:]]),
    ("want", [HASH] * (MAX_WANTED + 1)),
    ("want", HASH),
    ("events", None),
    ("events", ["x"]),
    ("events", [b"x"] * (MAX_EVENTS + 1)),
    ("events", [bytes(256 * 1024 + 1)]),
    ("more", 1),
    ("more", None),
    ("closed", 0),
    ("extra", 1),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_fields_are_refused_in_one_line(name: str, value: Any) -> None:
    for good, read in ((REQUEST, decode_request), (ANSWER, decode_answer)):
        if name in good or name == "extra":
            with pytest.raises(MessageError) as error:
                read(encode(good | {name: value}), 4)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", REQUEST)
def test_missing_fields_are_refused(name: str) -> None:
    with pytest.raises(MessageError):
        decode_request(encode({key: value for key, value in REQUEST.items() if key != name}), 4)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xa0",
        b"\x80",
        encode(REQUEST)[:-1],
        encode(REQUEST) + b"\0",
        bytes(MAX_MESSAGE_BYTES + 1),
        b"\x9f" + b"\x80" * 100,
        b"\x81" * 100_000,
        b"\xbb" + b"\xff" * 8,
        b"\x5b" + b"\xff" * 8,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    for read in (decode_request, decode_answer):
        with pytest.raises(MessageError):
            read(data, 4)


@given(st.binary(max_size=300), st.integers(0, 250), st.integers(0, 255))
def test_no_bytes_make_it_fail_otherwise(noise: bytes, place: int, byte: int) -> None:
    damaged = bytearray(encode(REQUEST))
    damaged[place % len(damaged)] = byte
    for data in (noise, bytes(damaged)):
        for read in (decode_request, decode_answer):
            try:
                read(data, 4)
            except MessageError:
                continue


@pytest.mark.parametrize("unit", [b"\x80", b"\xa0", b"\x00", b"\x81\x80", b"\xa1\x61a\xf6"])
def test_the_densest_message_takes_no_time_and_no_memory(unit: bytes) -> None:
    """Two million values would take seconds, in which the node does nothing else, and 150 MB."""
    count = (MAX_MESSAGE_BYTES - 5) // len(unit)
    data = b"\x9a" + count.to_bytes(4) + unit * count
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(MessageError, match="more values than are allowed"):
        decode_request(data, 100)
    assert time.perf_counter() - started < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
