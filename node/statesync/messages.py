"""The two messages about the chain of records: the request for records from an epoch on, and the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from consensus.encoding import Decoded, EncodingError, decode, encode
from consensus.epoch import (
    RECORD_LIMIT,
    SEALED_LIMIT,
    EpochError,
    EpochRecord,
    SealedRecord,
    decode_record,
    decode_sealed,
)
from node.gossip.messages import MessageError

MAX_RECORDS = 64  # in one answer
MAX_RECORDS_BYTES = 2 * SEALED_LIMIT  # in one answer
MAX_CHAIN_REQUEST_BYTES = 64
MAX_CHAIN_ANSWER_BYTES = MAX_RECORDS_BYTES + RECORD_LIMIT + 1024
_MAX_NUMBER = 2**63 - 1
_T = TypeVar("_T")


@dataclass(frozen=True)
class ChainRequest:
    """A request for the sealed records from that of epoch `first` on."""

    first: int

    def encode(self) -> bytes:
        """Return canonical CBOR {first}."""
        return encode({"first": self.first})


@dataclass(frozen=True)
class ChainAnswer:
    """Sealed records in order, none left out, and the record that opened the epoch of the answering side.

    The latter comes without seals, and is None in the first epoch.
    """

    opened: EpochRecord | None
    records: Sequence[SealedRecord]

    @property
    def number(self) -> int:
        """The number of the epoch that the answering side is in."""
        return 0 if self.opened is None else self.opened.number

    def encode(self) -> bytes:
        """Return canonical CBOR {opened, records}."""
        opened = None if self.opened is None else self.opened.raw
        return encode({"opened": opened, "records": [sealed.raw for sealed in self.records]})


def decode_chain_request(data: bytes) -> ChainRequest:
    """Decode a `ChainRequest`. Raise MessageError."""
    fields = _fields(data, MAX_CHAIN_REQUEST_BYTES, {"first"})
    return ChainRequest(_number(fields, "first", 1))


def decode_chain_answer(data: bytes) -> ChainAnswer:
    """Decode a `ChainAnswer` and check the form of its records, nothing else. Raise MessageError."""
    fields = _fields(data, MAX_CHAIN_ANSWER_BYTES, {"opened", "records"})
    raws = fields["records"]
    if not isinstance(raws, list) or len(raws) > MAX_RECORDS:
        raise MessageError(f"records is not an array of at most {MAX_RECORDS}")
    opened = None if fields["opened"] is None else _read(decode_record, fields["opened"])
    return ChainAnswer(opened, [_read(decode_sealed, raw) for raw in raws])


def _read(reader: Callable[[bytes], _T], raw: Decoded) -> _T:
    if not isinstance(raw, bytes):
        raise MessageError("a record is not a byte string")
    try:
        return reader(raw)
    except EpochError as error:
        raise MessageError(str(error)) from None


def _fields(data: bytes, max_bytes: int, names: set[str]) -> dict[str, Decoded]:
    try:
        value = decode(data, limit=max_bytes)
    except EncodingError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, dict) or value.keys() != names:
        raise MessageError(f"not a map of {', '.join(sorted(names))}")
    return value


def _number(fields: dict[str, Decoded], name: str, least: int) -> int:
    value = fields[name]
    if type(value) is not int or not least <= value <= _MAX_NUMBER:
        raise MessageError(f"{name} is not a whole number from {least} on")
    return value
