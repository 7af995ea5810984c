"""Events: what is accepted, what is refused and how, and that nothing crashes."""

import dataclasses
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import EncodingError, Value, decode, encode
from consensus.event import (
    MAX_EVENT_BYTES,
    MAX_HEADER_BYTES,
    MAX_OTHER_PARENTS,
    MAX_TRANSACTIONS,
    Event,
    EventError,
    _any_fields,
    _quick_fields,
    decode_event,
    decode_header,
    make_event,
    measure_event,
)
from consensus.keys import SigningKey

KEY = SigningKey(b"\1" * 32)
EPOCH = bytes(32)
CONTEXT = b"ringrift/event/2\0"
FIELDS = (
    "version",
    "epoch",
    "creator",
    "seq",
    "self_parent",
    "other_parents",
    "time",
    "reveal",
    "ledger",
    "payload_digest",
    "transactions",
)


def assert_one_line(error: Exception) -> None:
    assert "\n" not in str(error)


def event(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "epoch": EPOCH,
        "seq": 3,
        "self_parent": b"s" * 32,
        "other_parents": (b"o" * 32,),
        "time": 1_700_000_000_000_000_000,
        "reveal": b"r" * 32,
        "ledger": (7, b"l" * 32),
        "transactions": ({"type": "claim", "id": 1, "kind": "train"},),
    }
    return make_event(KEY, **(fields | changes))


def header_fields() -> list[Value]:
    """What the header of `event()` encodes."""
    fields = decode(event().header, limit=MAX_EVENT_BYTES)
    assert isinstance(fields, list)
    return list[Value](fields)


def forged(field: str, value: Value) -> bytes:
    """The bytes of a well-signed event with one field replaced by something make_event would refuse."""
    payload = event().payload
    fields = header_fields()
    if field == "transactions":
        payload = encode(value)
        fields[FIELDS.index("payload_digest")] = sha256(payload).digest()
    else:
        fields[FIELDS.index(field)] = value
    return signed(encode(fields), payload)


def signed(header: bytes, payload: bytes | None = None) -> bytes:
    """The bytes of an event of KEY with this header."""
    return encode([header, KEY.sign(CONTEXT + header), event().payload if payload is None else payload])


def test_an_event_reads_back_as_it_was_made() -> None:
    made = event()
    read = decode_event(made.raw, EPOCH)
    assert read == made
    assert read.verify()
    assert all(getattr(read, field.name) == getattr(made, field.name) for field in dataclasses.fields(made))
    assert read.raw == encode([read.header, read.signature, read.payload])
    assert read.hash == sha256(read.header).digest()
    assert (read.reveal, read.ledger) == (b"r" * 32, (7, b"l" * 32))
    assert read.payload_digest == sha256(encode(read.transactions)).digest()
    assert read.parents == (b"s" * 32, b"o" * 32)
    assert event(seq=0, self_parent=None).parents == (b"o" * 32,)


def test_every_bit_of_the_wire_form_matters() -> None:
    made = event()
    refused, unsigned = 0, 0
    for bit in range(8 * len(made.raw)):
        raw = bytearray(made.raw)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            changed = decode_event(bytes(raw), EPOCH)
        except EventError as error:
            assert_one_line(error)
            refused += 1
            continue
        assert not changed.verify()
        assert (changed.hash == made.hash) == (changed.header == made.header)
        unsigned += changed.header == made.header
    assert unsigned == 8 * 64  # a bit of the signature is the only one that leaves the hash as it was
    assert refused >= 8 * len(made.payload)


def test_no_other_payload_goes_with_a_header() -> None:
    made, other = event(), event(transactions=())
    with pytest.raises(EventError, match="not the one that the header names"):
        decode_event(encode([made.header, made.signature, other.payload]), EPOCH)


def test_one_hash_with_two_signatures_is_one_event_and_only_one_of_them_counts() -> None:
    made = event()
    bad = decode_event(encode([made.header, bytes(64), made.payload]), EPOCH)
    assert bad == made
    assert hash(bad) == hash(made)
    assert made.verify()
    assert not bad.verify()


def test_a_signature_cannot_be_changed_into_another_valid_one() -> None:
    """Ed25519 is malleable if S + L is accepted for S (RFC 8032, 5.1.7)."""
    made = event()
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(made.signature[32:], "little") + order
    twin = made.signature[:32] + scalar.to_bytes(32, "little")
    assert not decode_event(encode([made.header, twin, made.payload]), EPOCH).verify()


def test_a_header_with_its_signature_tells_all_but_the_transactions() -> None:
    made = event(epoch=b"e" * 32)
    header = decode_header(made.header, made.signature)
    assert header.verify()
    assert header == made
    for field in dataclasses.fields(header):
        assert getattr(header, field.name) == getattr(made, field.name)
    assert not hasattr(header, "transactions")
    assert not decode_header(made.header, bytes(64)).verify()
    for bad in (b"", made.header + b"\0", made.payload, made.raw):
        with pytest.raises(EventError) as caught:
            decode_header(bad, made.signature)
        assert_one_line(caught.value)
    with pytest.raises(EventError, match="63 bytes"):
        decode_header(made.header, bytes(63))


@pytest.mark.parametrize("seq", [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("others", range(MAX_OTHER_PARENTS + 1))
def test_a_header_reads_the_same_quickly_and_carefully(seq: int, others: int) -> None:
    digests = [bytes([number]) * 32 for number in range(others)]
    for reveal, ledger in ((None, None), (b"r" * 32, None), (None, (seq, b"l" * 32)), (b"r" * 32, (0, bytes(32)))):
        made = event(
            seq=seq,
            self_parent=b"s" * 32 if seq else None,
            other_parents=tuple(digests),
            time=seq,
            reveal=reveal,
            ledger=ledger,
        )
        fields = _quick_fields(made.header)
        assert fields is not None  # else a valid one would be read at the cost of a damaged one
        assert fields == _any_fields(made.header)


def test_whatever_bit_of_a_header_flips_it_is_read_or_refused_alike() -> None:
    for made in (event(), event(seq=0, self_parent=None, other_parents=(), reveal=None, ledger=None)):
        for bit in range(8 * len(made.header)):
            header = bytearray(made.header)
            header[bit // 8] ^= 1 << bit % 8
            try:
                careful = _any_fields(bytes(header))
            except (EncodingError, EventError):
                careful = None
            assert _quick_fields(bytes(header)) == careful


def test_the_largest_header_is_within_its_limit() -> None:
    largest = event(
        seq=2**63 - 1,
        other_parents=tuple(bytes([number]) * 32 for number in range(MAX_OTHER_PARENTS)),
        time=2**63 - 1,
        ledger=(2**63 - 1, bytes(32)),
    )
    assert len(largest.header) <= MAX_HEADER_BYTES
    with pytest.raises(EventError, match="at most 512"):
        decode_header(bytes(MAX_HEADER_BYTES + 1), bytes(64))


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("version", 1, "version 1"),
        ("version", True, "version True"),
        ("epoch", b"\1" * 32, "another epoch"),
        ("epoch", b"short", "epoch is not 32 bytes"),
        ("creator", b"short", "creator"),
        ("seq", -1, "seq is not"),
        ("seq", 2**63, "seq is not"),
        ("seq", True, "seq is not"),
        ("seq", 0, "self-parent exactly if"),
        ("self_parent", None, "self-parent exactly if"),
        ("self_parent", b"short", "self_parent"),
        ("self_parent", [], "self_parent"),
        ("other_parents", b"o" * 32, "other_parents"),
        ("other_parents", [bytes([i]) * 32 for i in range(5)], "at most 4"),
        ("other_parents", [b"o" * 32, b"o" * 32], "named twice"),
        ("other_parents", [b"s" * 32], "named twice"),
        ("other_parents", ["o" * 32], "other-parent"),
        ("time", -1, "time is not"),
        ("time", 2**63, "time is not"),
        ("time", None, "time is not"),
        ("reveal", b"short", "reveal"),
        ("reveal", False, "reveal"),
        ("ledger", b"l" * 32, "ledger is not"),
        ("ledger", [7], "ledger is not"),
        ("ledger", [7, b"short"], "digest of the ledger"),
        ("ledger", [-1, b"l" * 32], "round of the ledger"),
        ("ledger", [True, b"l" * 32], "round of the ledger"),
        ("payload_digest", b"\1" * 32, "not the one that the header names"),
        ("payload_digest", None, "payload digest is not"),
        ("transactions", {}, "payload is not"),
        ("transactions", [{"type": "a", "id": 0}] * (MAX_TRANSACTIONS + 1), "at most 1024"),
        ("transactions", ["claim"], "text `type`"),
        ("transactions", [{"id": 1}], "text `type`"),
        ("transactions", [{"type": b"claim", "id": 1}], "text `type`"),
        ("transactions", [{"type": "claim"}], "`id`"),
        ("transactions", [{"type": "claim", "id": 2**63}], "`id`"),
        ("transactions", [{"type": "claim", "id": False}], "`id`"),
    ],
)
def test_a_bad_field_is_refused_with_one_line(field: str, value: Value, reason: str) -> None:
    with pytest.raises(EventError, match=reason) as caught:
        decode_event(forged(field, value), EPOCH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        encode(None),
        encode([b"header"]),
        encode([event().header, event().signature]),
        encode([event().header, b"short", event().payload]),
        encode([b"", bytes(64), event().payload]),
        encode([encode([1, 2]), bytes(64), event().payload]),
        encode([encode({"version": 2}), bytes(64), event().payload]),
        encode(["header", bytes(64), event().payload]),
        encode([event().header, event().signature, event().payload, None]),
        event().raw + b"\0",
        event().raw[:-1],
    ],
)
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(EventError):
        decode_event(raw, EPOCH)


def test_what_is_not_canonical_is_refused() -> None:
    loose = b"\x98\x0a" + event().header[1:]  # the same array with its length in two bytes
    with pytest.raises(EventError, match="shortest form"):
        decode_event(signed(loose), EPOCH)
    payload = b"\x98\x01" + event().payload[1:]
    fields = header_fields()
    fields[-1] = sha256(payload).digest()
    with pytest.raises(EventError, match="shortest form"):
        decode_event(signed(encode(fields), payload), EPOCH)


def test_size_is_limited() -> None:
    largest = MAX_EVENT_BYTES - len(event(transactions=({"type": "a", "id": 0, "x": b""},)).raw) - 100
    event(transactions=({"type": "a", "id": 0, "x": bytes(largest)},))
    with pytest.raises(EventError, match="at most 262144"):
        event(transactions=({"type": "a", "id": 0, "x": bytes(MAX_EVENT_BYTES)},))


@pytest.mark.parametrize("count", [0, 1, 30, MAX_TRANSACTIONS])
def test_the_size_of_an_event_is_known_without_making_it(count: int) -> None:
    transactions = tuple({"type": "note", "id": number, "text": "x" * (number % 99)} for number in range(count))
    made = make_event(KEY, epoch=EPOCH, seq=0, self_parent=None, time=0, transactions=transactions)
    assert measure_event(transactions) == len(made.raw)


@pytest.mark.parametrize(
    "transactions",
    [
        ({"type": "note", "id": 0},) * (MAX_TRANSACTIONS + 1),
        ({"type": "note", "id": 0, "text": "x" * MAX_EVENT_BYTES},),
        ({"type": "note", "id": 0, "list": [0] * (1 << 16)},),
        ({"type": "note", "id": -1},),
        ({"id": 1},),
        ({"type": "note", "id": 0, "half": 0.5},),
    ],
)
def test_what_no_event_can_have_is_not_measured(transactions: tuple[Any, ...]) -> None:
    with pytest.raises(EventError):
        make_event(KEY, epoch=EPOCH, seq=0, self_parent=None, time=0, transactions=transactions)
    with pytest.raises(EventError):
        measure_event(transactions)


def test_make_event_holds_the_limits_that_receivers_enforce() -> None:
    with pytest.raises(EventError, match="time"):
        event(time=2**63)
    with pytest.raises(EventError, match="float"):
        event(transactions=({"type": "a", "id": 0, "x": 0.5},))


@given(st.binary(max_size=400))
def test_garbage_is_refused_without_a_crash(raw: bytes) -> None:
    with pytest.raises(EventError):
        decode_event(raw, EPOCH)


@given(st.data())
def test_changed_bytes_are_refused_or_fail_the_signature(data: st.DataObject) -> None:
    raw = bytearray(event().raw)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        changed = decode_event(bytes(raw), EPOCH)
    except EventError as error:
        assert_one_line(error)
    else:
        assert bytes(raw) == event().raw or not changed.verify()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=33) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["type", "id", "x"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(FIELDS), json_like)
def test_any_value_in_any_field_is_accepted_or_refused(field: str, value: Value) -> None:
    raw = forged(field, value)
    try:
        accepted = decode_event(raw, EPOCH)
    except EventError as error:
        assert_one_line(error)
    else:
        assert accepted.raw == raw
        assert accepted.verify()
