"""The signed event: its bytes, its hash, and every check that needs no other event."""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias, TypedDict

from consensus import keys
from consensus.encoding import Decoded, EncodingError, Value, decode, encode
from consensus.keys import MemberId, SigningKey

TransactionTable: TypeAlias = dict[str, Any]  # a transaction as the CBOR map in an event

VERSION = 2
MAX_EVENT_BYTES = 256 * 1024
MAX_HEADER_BYTES = 512
MAX_OTHER_PARENTS = 4
MAX_TRANSACTIONS = 1024
MAX_VALUES = 1 << 16  # in the transactions of an event, so that no event takes long to decode
MAX_INT = 2**63 - 1  # for sequence numbers, times, rounds and transaction ids

_CONTEXT = b"ringrift/event/2\0"
_LENGTH = 10  # fields of a header
_SMALLEST_HEADER = encode([VERSION, bytes(32), bytes(32), 0, None, (), 0, None, None, bytes(32)])

# The bytes of a correct header: a match needs no further check of its encoding.
_DIGEST = rb"X\x20(.{32})"
_NATURAL = rb"([\x00-\x17]|\x18[\x18-\xff]|\x19(?!\0).{2}|\x1a(?!\0{2}).{4}|\x1b(?!\0{4})[\x00-\x7f].{7})"
_PARENTS = rb"(\x80|\x81X\x20.{32}|\x82(?:X\x20.{32}){2}|\x83(?:X\x20.{32}){3}|\x84(?:X\x20.{32}){4})"
_HEADER = re.compile(
    rb"\x8a\x02%(digest)b%(digest)b%(natural)b(?:\xf6|%(digest)b)%(parents)b%(natural)b"
    rb"(?:\xf6|%(digest)b)(?:\xf6|\x82%(natural)b%(digest)b)%(digest)b"
    % {b"digest": _DIGEST, b"natural": _NATURAL, b"parents": _PARENTS},
    re.DOTALL,
)


class _HeaderFields(TypedDict):
    """The fields of a `Header` that its bytes hold."""

    version: int
    epoch: bytes
    creator: MemberId
    seq: int
    self_parent: bytes | None
    other_parents: tuple[bytes, ...]
    time: int
    reveal: bytes | None
    ledger: tuple[int, bytes] | None
    payload_digest: bytes


class EventError(ValueError):
    """Bytes that are not an event, or fields that do not make one: one line that says why."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Header:
    """What a creator signs: the whole event except its transactions, which it covers by their digest.

    CBOR [version, epoch, creator, seq, self_parent, other_parents, time, reveal, ledger, payload digest]. `hash`, the
    SHA-256 of these bytes as received, is the event's hash. Two headers are equal if and only if their hashes are,
    whatever their signatures: a signer can make many signatures for one header.
    """

    version: int
    epoch: bytes  # 32-byte digest of the record that opened the epoch
    creator: MemberId
    seq: int  # 0 without a self-parent, else the self-parent's + 1
    self_parent: bytes | None
    other_parents: tuple[bytes, ...]  # hashes of events of distinct other creators
    time: int  # creation time by the creator's clock, ns
    reveal: bytes | None  # if this is a witness: the creator's preimage for its round
    ledger: tuple[int, bytes] | None  # the creator's last decided round, and the digest of its ledger after it
    payload_digest: bytes  # SHA-256
    header: bytes
    signature: bytes
    hash: bytes

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Header) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def parents(self) -> tuple[bytes, ...]:
        """Hashes of the parents: the self-parent first, if there is one, then the others as listed (SPEC S1)."""
        return self.other_parents if self.self_parent is None else (self.self_parent, *self.other_parents)

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers."""
        return _CONTEXT + self.header

    def verify(self) -> bool:
        """Return whether the signature is the creator's. Trust nothing here before this has returned True."""
        return keys.verify(self.creator, self.signed, self.signature)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Event(Header):
    """An event as it was received: on the wire CBOR [header, signature, payload].

    The payload is a CBOR array of transactions. The hash covers it through the digest in the header.
    """

    transactions: tuple[TransactionTable, ...]  # maps with a text `type` and an integer `id`; do not change them
    payload: bytes
    raw: bytes


def make_event(
    key: SigningKey,
    *,
    epoch: bytes,
    seq: int,
    self_parent: bytes | None,
    other_parents: tuple[bytes, ...] = (),
    time: int,
    reveal: bytes | None = None,
    ledger: tuple[int, bytes] | None = None,
    transactions: tuple[TransactionTable, ...] = (),
) -> Event:
    """Return a signed event by the owner of `key`. Raise EventError if a field breaks a receiver's limit."""
    try:
        payload = encode(transactions)
        fields: list[Value] = [VERSION, epoch, key.id, seq, self_parent, other_parents, time, reveal, ledger]
        header = encode([*fields, sha256(payload).digest()])
        raw = encode([header, key.sign(_CONTEXT + header), payload])
    except EncodingError as error:
        raise EventError(f"the event cannot be encoded: {error}") from None
    return decode_event(raw, epoch)


def measure_event(transactions: tuple[TransactionTable, ...]) -> int:
    """Return the size in bytes of an event with these transactions and nothing else, which is not made.

    Raise EventError if no event can have them.
    """
    try:
        payload = encode(transactions)
        raw = encode([_SMALLEST_HEADER, bytes(keys.SIGNATURE_BYTES), payload])
        decode(raw, limit=MAX_EVENT_BYTES, items=3)
        _transactions(decode(payload, limit=MAX_EVENT_BYTES, items=MAX_VALUES))
    except EncodingError as error:
        raise EventError(f"the event cannot be encoded: {error}") from None
    return len(raw)


def decode_event(raw: bytes, epoch: bytes) -> Event:
    """Return the event of `epoch` (a 32-byte digest) in `raw`, its signature not yet verified.

    Raise EventError for anything but the exact canonical bytes of an event within the limits above.
    """
    try:
        wire = decode(raw, limit=MAX_EVENT_BYTES, items=3)
        header, signature, payload = _wire_parts(wire)
        fields = _fields(header, signature)
        transactions = _transactions(decode(payload, limit=MAX_EVENT_BYTES, items=MAX_VALUES))
    except EncodingError as error:
        raise EventError(f"not an event: {error}") from None
    event = Event(
        **fields,
        header=header,
        signature=signature,
        hash=sha256(header).digest(),
        transactions=transactions,
        payload=payload,
        raw=raw,
    )
    if event.epoch != epoch:
        raise EventError("the event is of another epoch or swarm")
    if event.payload_digest != sha256(payload).digest():
        raise EventError("the payload is not the one that the header names")
    return event


def decode_header(header: bytes, signature: bytes) -> Header:
    """Return the header of an event of any epoch, its signature not yet verified: two of them prove a fork.

    Raise EventError for anything but the exact canonical bytes of a header and 64 bytes of signature.
    """
    try:
        fields = _fields(header, signature)
    except EncodingError as error:
        raise EventError(f"not the header of an event: {error}") from None
    return Header(**fields, header=header, signature=signature, hash=sha256(header).digest())


def _wire_parts(wire: Decoded) -> list[bytes]:
    if isinstance(wire, list) and len(wire) == 3:
        parts = [part for part in wire if isinstance(part, bytes)]
        if len(parts) == 3:
            return parts
    raise EventError("not an array of header, signature and payload")


def _fields(header: bytes, signature: bytes) -> _HeaderFields:
    """Return the fields of a header, each checked, and check the length of the signature."""
    if len(signature) != keys.SIGNATURE_BYTES:
        raise EventError(f"the signature has {len(signature)} bytes, not {keys.SIGNATURE_BYTES}")
    return _quick_fields(header) or _any_fields(header)


def _quick_fields(header: bytes) -> _HeaderFields | None:
    """Return the fields of a correct header, at a third of the cost of `_any_fields`; None if anything is wrong."""
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    epoch, creator, number, self_parent, listed, time, reveal, decided, ledger, payload_digest = match.groups()
    seq = _number(number)
    others = tuple([listed[start : start + 32] for start in range(3, len(listed), 34)])
    if (self_parent is None) != (seq == 0) or len({self_parent, *others}) != 1 + len(others):
        return None
    digest_after = None if ledger is None else (_number(decided), ledger)
    return {
        "version": VERSION,
        "epoch": epoch,
        "creator": creator,
        "seq": seq,
        "self_parent": self_parent,
        "other_parents": others,
        "time": _number(time),
        "reveal": reveal,
        "ledger": digest_after,
        "payload_digest": payload_digest,
    }


def _number(coded: bytes) -> int:
    return coded[0] if len(coded) == 1 else int.from_bytes(coded[1:])


def _any_fields(header: bytes) -> _HeaderFields:
    """Return the fields of a header. Raise EventError or EncodingError with a line about what is wrong with it."""
    fields = decode(header, limit=MAX_HEADER_BYTES)
    if not isinstance(fields, list) or len(fields) != _LENGTH:
        raise EventError(f"the header is not an array of {_LENGTH} fields")
    version, epoch, creator, seq, self_parent, other_parents, time, reveal, ledger, payload_digest = fields
    if version != VERSION or isinstance(version, bool):
        raise EventError(f"version {version!r:.40}: only version {VERSION} is known")
    return {
        "version": VERSION,
        "epoch": _digest(epoch, "epoch"),
        "creator": _digest(creator, "creator"),
        "seq": _natural(seq, "seq"),
        "self_parent": _self_parent(self_parent, seq),
        "other_parents": _other_parents(other_parents, self_parent),
        "time": _natural(time, "time"),
        "reveal": None if reveal is None else _digest(reveal, "reveal"),
        "ledger": _ledger(ledger),
        "payload_digest": _digest(payload_digest, "payload digest"),
    }


def _digest(value: Any, name: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise EventError(f"{name} is not 32 bytes")
    return value


def _natural(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INT:
        raise EventError(f"{name} is not an integer from 0 to 2^63 - 1")
    return value


def _self_parent(value: Any, seq: Any) -> bytes | None:
    if (value is None) != (seq == 0):
        raise EventError("an event has a self-parent exactly if its seq is not 0")
    return None if value is None else _digest(value, "self_parent")


def _other_parents(value: Any, self_parent: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MAX_OTHER_PARENTS:
        raise EventError(f"other_parents is not an array of at most {MAX_OTHER_PARENTS} hashes")
    parents = tuple(_digest(item, "an other-parent") for item in value)
    if len({self_parent, *parents}) != 1 + len(parents):
        raise EventError("a parent is named twice")
    return parents


def _ledger(value: Any) -> tuple[int, bytes] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise EventError("ledger is not an array of round and digest")
    return _natural(value[0], "the round of the ledger"), _digest(value[1], "the digest of the ledger")


def _transactions(value: Any) -> tuple[TransactionTable, ...]:
    if not isinstance(value, list) or len(value) > MAX_TRANSACTIONS:
        raise EventError(f"the payload is not an array of at most {MAX_TRANSACTIONS} maps")
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise EventError("a transaction is not a map with a text `type`")
        _natural(item.get("id"), "the `id` of a transaction")
    return tuple(value)
