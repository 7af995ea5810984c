"""The two messages of a sync: what each side has, what it wants, and the events that the other lacks."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from consensus.encoding import Decoded, EncodingError, decode, encode
from consensus.epoch_events import MAX_WANTED, EpochEvents
from consensus.event import MAX_EVENT_BYTES, EventError
from consensus.replica import Replica
from consensus.sync import TIPS_PER_MEMBER, Tip, parse_tips

SYNC_PATH = "/gossip/sync"
MAX_EVENTS = 1000  # in one message
MAX_EVENTS_BYTES = 512 * 1024  # of all events in one message, unless it holds one only
MAX_MESSAGE_BYTES = 2 * 1024 * 1024


class MessageError(ValueError):
    """A message that no correct node sends; one line that says why."""


@dataclass(frozen=True)
class SyncRequest:
    """What the asking side has and wants, and events that the other side seems to lack."""

    epoch: bytes
    tips: Sequence[Tip]
    want: Sequence[bytes]
    events: Sequence[bytes]  # raw
    closed: bool = False  # the asking side is in a later epoch

    def encode(self) -> bytes:
        """Return CBOR: {epoch, tips, want, events, closed}."""
        tips, want, events = list(self.tips), list(self.want), list(self.events)
        return encode({"epoch": self.epoch, "tips": tips, "want": want, "events": events, "closed": self.closed})


@dataclass(frozen=True)
class SyncAnswer:
    """What the answering side has of the epoch, and events that the asking side lacks."""

    tips: Sequence[Tip]
    events: Sequence[bytes]  # raw
    more: bool  # not all of them fitted
    closed: bool  # the answering side is in a later epoch

    def encode(self) -> bytes:
        """Return CBOR: {tips, events, more, closed}."""
        tips, events = list(self.tips), list(self.events)
        return encode({"tips": tips, "events": events, "more": self.more, "closed": self.closed})


def missing_events(
    held: Replica | EpochEvents, tips: Iterable[Tip], want: Iterable[bytes] = (), *, hidden: Container[bytes] = ()
) -> list[bytes]:
    """Return as many raw events as fit into a message of those that a peer with `tips` lacks, or wants by hash.

    Leave out those whose hashes are in `hidden`. See `EpochEvents.events_for_peer`.
    """
    events = held.events_for_peer(tips, MAX_EVENTS, want, MAX_EVENTS_BYTES)
    return [event.raw for event in events if event.hash not in hidden]


def decode_request(data: bytes, members: int) -> SyncRequest:
    """Decode a request that may speak of up to `members` members. Raise MessageError."""
    fields = _fields(data, {"epoch", "tips", "want", "events", "closed"}, members)
    epoch = fields["epoch"]
    if not isinstance(epoch, bytes) or len(epoch) != 32:
        raise MessageError("epoch is not 32 bytes")
    tips, want, events = _tips(fields["tips"], members), _want(fields["want"]), _events(fields["events"])
    if not isinstance(fields["closed"], bool):
        raise MessageError("closed is neither true nor false")
    return SyncRequest(epoch, tips, want, events, fields["closed"])


def decode_answer(data: bytes, members: int) -> SyncAnswer:
    """Decode an answer that may speak of up to `members` members. Raise MessageError."""
    fields = _fields(data, {"tips", "events", "more", "closed"}, members)
    more, closed = fields["more"], fields["closed"]
    if not isinstance(more, bool) or not isinstance(closed, bool):
        raise MessageError("more or closed is neither true nor false")
    return SyncAnswer(_tips(fields["tips"], members), _events(fields["events"]), more, closed)


def _fields(data: bytes, names: set[str], members: int) -> dict[str, Decoded]:
    values = 2 * len(names) + 4 * TIPS_PER_MEMBER * members + MAX_WANTED + MAX_EVENTS
    try:
        value = decode(data, limit=MAX_MESSAGE_BYTES, items=values)
    except EncodingError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, dict) or value.keys() != names:
        raise MessageError(f"not a map of {', '.join(sorted(names))}")
    return value


def _tips(value: Decoded, members: int) -> list[Tip]:
    try:
        return parse_tips(value, members)
    except EventError as error:
        raise MessageError(str(error)) from None


def _want(value: Decoded) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_WANTED:
        raise MessageError(f"want is not an array of at most {MAX_WANTED} hashes")
    hashes = [item for item in value if isinstance(item, bytes) and len(item) == 32]
    if len(hashes) != len(value):
        raise MessageError("want holds something that is not a hash")
    return hashes


def _events(value: Decoded) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_EVENTS:
        raise MessageError(f"events is not an array of at most {MAX_EVENTS}")
    raws = [item for item in value if isinstance(item, bytes) and len(item) <= MAX_EVENT_BYTES]
    if len(raws) != len(value):
        raise MessageError("events holds something that is not an event")
    return raws
