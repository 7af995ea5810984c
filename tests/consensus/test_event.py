"""Events: what is accepted, what is refused and how, and that nothing crashes."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import decode, encode
from consensus.event import MAX_EVENT_BYTES, MAX_TRANSACTIONS, EventError, decode_event, make_event
from consensus.keys import SigningKey

KEY = SigningKey(b"\1" * 32)
EPOCH = bytes(32)
FIELDS = ("version", "epoch", "creator", "seq", "self_parent", "other_parents", "time", "transactions")


def assert_one_line(error):
    assert "\n" not in str(error)


def event(**changes):
    fields = {
        "epoch": EPOCH,
        "seq": 3,
        "self_parent": b"s" * 32,
        "other_parents": (b"o" * 32,),
        "time": 1_700_000_000_000_000_000,
        "transactions": ({"type": "claim", "id": 1, "kind": "train"},),
    }
    return make_event(KEY, **(fields | changes))


def forged(field, value):
    """The bytes of a well-signed event with one field replaced by something make_event would refuse."""
    body = decode(event().body, limit=MAX_EVENT_BYTES)
    body[FIELDS.index(field)] = value
    data = encode(body)
    return encode([data, KEY.sign(b"ringrift/event/1\0" + data)])


def test_an_event_reads_back_as_it_was_made():
    made = event()
    read = decode_event(made.raw, EPOCH)
    assert read == made
    assert read.verify()
    assert {name: getattr(read, name) for name in read.__slots__} == {
        name: getattr(made, name) for name in made.__slots__
    }
    assert read.hash == sha256(read.body).digest()
    assert read.parents == (b"s" * 32, b"o" * 32)
    assert event(seq=0, self_parent=None).parents == (b"o" * 32,)


def test_the_signature_binds_every_byte_of_the_body():
    made = event()
    body = bytearray(made.body)
    body[-1] ^= 1
    tampered = decode_event(encode([bytes(body), made.signature]), EPOCH)
    assert not tampered.verify()
    unsigned = decode_event(encode([made.body, bytes(64)]), EPOCH)
    assert unsigned == made
    assert not unsigned.verify()


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("version", 2, "version 2"),
        ("version", True, "version True"),
        ("epoch", b"\1" * 32, "another epoch"),
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
        ("transactions", {}, "transactions is not"),
        ("transactions", [{"type": "a", "id": 0}] * (MAX_TRANSACTIONS + 1), "at most 1024"),
        ("transactions", ["claim"], "text `type`"),
        ("transactions", [{"id": 1}], "text `type`"),
        ("transactions", [{"type": b"claim", "id": 1}], "text `type`"),
        ("transactions", [{"type": "claim"}], "`id`"),
        ("transactions", [{"type": "claim", "id": 2**63}], "`id`"),
        ("transactions", [{"type": "claim", "id": False}], "`id`"),
    ],
)
def test_a_bad_field_is_refused_with_one_line(field, value, reason):
    with pytest.raises(EventError, match=reason) as caught:
        decode_event(forged(field, value), EPOCH)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        encode(None),
        encode([b"body"]),
        encode([b"body", b"short"]),
        encode([b"", bytes(64)]),
        encode([encode([1, 2]), bytes(64)]),
        encode([encode({"version": 1}), bytes(64)]),
        encode(["body", bytes(64)]),
        event().raw + b"\0",
        event().raw[:-1],
    ],
)
def test_other_bytes_are_refused(raw):
    with pytest.raises(EventError):
        decode_event(raw, EPOCH)


def test_a_body_that_is_not_canonical_is_refused():
    body = event().body
    loose = b"\x98\x08" + body[1:]  # the same array with its length in two bytes
    with pytest.raises(EventError, match="shortest form"):
        decode_event(encode([loose, KEY.sign(b"ringrift/event/1\0" + loose)]), EPOCH)


def test_size_is_limited():
    largest = MAX_EVENT_BYTES - len(event(transactions=({"type": "a", "id": 0, "x": b""},)).raw) - 100
    event(transactions=({"type": "a", "id": 0, "x": bytes(largest)},))
    with pytest.raises(EventError, match="at most 262144"):
        event(transactions=({"type": "a", "id": 0, "x": bytes(MAX_EVENT_BYTES)},))


def test_make_event_holds_the_limits_that_receivers_enforce():
    with pytest.raises(EventError, match="time"):
        event(time=2**63)
    with pytest.raises(EventError, match="float"):
        event(transactions=({"type": "a", "id": 0, "x": 0.5},))


@given(st.binary(max_size=400))
def test_garbage_is_refused_without_a_crash(raw):
    with pytest.raises(EventError):
        decode_event(raw, EPOCH)


@given(st.data())
def test_changed_bytes_are_refused_or_fail_the_signature(data):
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
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=33)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["type", "id", "x"]), inner),
    max_leaves=8,
)


@given(st.sampled_from(FIELDS), json_like)
def test_any_value_in_any_field_is_accepted_or_refused(field, value):
    raw = forged(field, value)
    try:
        accepted = decode_event(raw, EPOCH)
    except EventError as error:
        assert_one_line(error)
    else:
        assert accepted.raw == raw
        assert accepted.verify()
