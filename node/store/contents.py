"""What both stores encode, decode and check alike."""

import hashlib
from collections.abc import Iterable, Mapping

from consensus.encoding import EncodingError, decode, encode
from consensus.epoch import EpochError, EpochRecord, decode_record
from consensus.event import TransactionTable
from consensus.outcome import ClosedEpoch
from node.store import StoreError

_MAX_GROUPS_BYTES = 1 << 26


def encode_groups(closed: ClosedEpoch) -> bytes:
    """Return the own transactions that a close cut off as canonical CBOR."""
    return encode([list(group) for group in closed.unreceived])


def decode_closed(number: int, record: bytes, snapshot: bytes, groups: bytes) -> ClosedEpoch:
    """Return what opened epoch `number` from what is stored of it. Raise ValueError, with a few words, if damaged."""
    opened = decode_record(record)
    if opened.number != number:
        raise EpochError(f"the record of epoch {opened.number} in the place of {number}")
    if opened.snapshot != hashlib.sha256(snapshot).digest():
        raise EpochError(f"the snapshot of epoch {number} is not the one that its record names")
    return ClosedEpoch(opened, snapshot, _decode_groups(groups))


def _decode_groups(groups: bytes) -> tuple[tuple[TransactionTable, ...], ...]:
    decoded = decode(groups, limit=_MAX_GROUPS_BYTES)
    if not isinstance(decoded, list) or not all(isinstance(group, list) for group in decoded):
        raise EncodingError("transactions that were cut off must be lists")
    return tuple(tuple(group) for group in decoded)  # type: ignore[arg-type]  # as they were written


def check_continues(newest: int, stored: Mapping[int, bytes], chain: Iterable[EpochRecord]) -> None:
    """Raise StoreError, without a place, unless `chain` continues a stored chain or repeats it.

    `newest` is the number of the last stored record, 0 if there is none; `stored` has the raw ones among `chain`.
    """
    for record in chain:
        if record.number > newest + 1:
            raise StoreError(f"epoch {record.number} cannot follow epoch {newest}: records between are missing")
        if record.number in stored and stored[record.number] != record.raw:
            raise StoreError(
                f"epoch {record.number} was opened by another record here; move the file away and start again: "
                "the node fetches everything from its peers"
            )
        newest = max(newest, record.number)
