"""The signed event: its bytes, its hash, and every check that needs no other event."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias

from consensus import keys
from consensus.encoding import EncodingError, Value, decode, encode
from consensus.keys import MemberId, SigningKey

Transaction: TypeAlias = dict[str, Any]

VERSION = 1
MAX_EVENT_BYTES = 256 * 1024
MAX_OTHER_PARENTS = 4
MAX_TRANSACTIONS = 1024
MAX_INT = 2**63 - 1  # of sequence numbers, times and transaction ids

_CONTEXT = b"ringrift/event/1\0"
_FIELDS = 8


class EventError(ValueError):
    """One line that says why bytes are no event, or fields make none."""


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event as it was received. Two events are equal iff their bodies are, whatever the signature.

    On the wire: CBOR [body, signature]. The body is CBOR [version, epoch, creator, seq, self_parent,
    other_parents, time, transactions]; `hash` is its SHA-256, over the received bytes.
    """

    version: int
    epoch: bytes  # 32-byte digest of the record that opened the epoch
    creator: MemberId
    seq: int  # 0 without self-parent, else the self-parent's + 1
    self_parent: bytes | None
    other_parents: tuple[bytes, ...]  # hashes of events of distinct other creators
    time: int  # creation time by the creator's clock, ns
    transactions: tuple[Transaction, ...]  # maps with a text `type` and an integer `id`; not to be changed
    body: bytes
    signature: bytes
    hash: bytes
    raw: bytes

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, Event) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def parents(self) -> tuple[bytes, ...]:
        """Hashes of the parents: the self-parent first, if any, then the others as listed (SPEC S1)."""
        return self.other_parents if self.self_parent is None else (self.self_parent, *self.other_parents)

    def verify(self) -> bool:
        """Whether the signature is the creator's. Nothing here may be trusted before this has said so."""
        return keys.verify(self.creator, _CONTEXT + self.body, self.signature)


def make_event(
    key: SigningKey,
    *,
    epoch: bytes,
    seq: int,
    self_parent: bytes | None,
    other_parents: tuple[bytes, ...] = (),
    time: int,
    transactions: tuple[Transaction, ...] = (),
) -> Event:
    """A signed event of `key`'s owner; EventError if the fields break a limit that receivers enforce."""
    fields: Value = [VERSION, epoch, key.id, seq, self_parent, list(other_parents), time, list(transactions)]
    try:
        body = encode(fields)
        raw = encode([body, key.sign(_CONTEXT + body)])
    except EncodingError as error:
        raise EventError(f"the event cannot be encoded: {error}") from None
    return decode_event(raw, epoch)


def decode_event(raw: bytes, epoch: bytes) -> Event:
    """The event of `epoch` (32-byte digest) that `raw` holds, its signature not yet checked.

    Raises EventError for anything but the exact canonical bytes of an event within the limits above.
    """
    try:
        wire = decode(raw, limit=MAX_EVENT_BYTES)
        body, signature = _wire_parts(wire)
        fields = decode(body, limit=MAX_EVENT_BYTES)
    except EncodingError as error:
        raise EventError(f"not an event: {error}") from None
    if not isinstance(fields, list) or len(fields) != _FIELDS:
        raise EventError(f"the body is not an array of {_FIELDS} fields")
    version, named_epoch, creator, seq, self_parent, other_parents, time, transactions = fields
    if version != VERSION or isinstance(version, bool):
        raise EventError(f"version {version!r:.40}: only version {VERSION} is known")
    if named_epoch != epoch:
        raise EventError("the event is of another epoch or swarm")
    return Event(
        version=VERSION,
        epoch=epoch,
        creator=_digest(creator, "creator"),
        seq=_natural(seq, "seq"),
        self_parent=_self_parent(self_parent, seq),
        other_parents=_other_parents(other_parents, self_parent),
        time=_natural(time, "time"),
        transactions=_transactions(transactions),
        body=body,
        signature=signature,
        hash=sha256(body).digest(),
        raw=raw,
    )


def _wire_parts(wire: Any) -> tuple[bytes, bytes]:
    if not isinstance(wire, list) or len(wire) != 2 or not all(isinstance(part, bytes) for part in wire):
        raise EventError("not an array of body and signature")
    body, signature = wire
    if len(signature) != keys.SIGNATURE_BYTES:
        raise EventError(f"the signature has {len(signature)} bytes, not {keys.SIGNATURE_BYTES}")
    return body, signature


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


def _transactions(value: Any) -> tuple[Transaction, ...]:
    if not isinstance(value, list) or len(value) > MAX_TRANSACTIONS:
        raise EventError(f"transactions is not an array of at most {MAX_TRANSACTIONS} maps")
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise EventError("a transaction is not a map with a text `type`")
        _natural(item.get("id"), "the `id` of a transaction")
    return tuple(value)
