"""The two messages about the chain of records: from where on, and what follows."""

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
MAX_RECORDS_SIZE = 2 * SEALED_LIMIT  # bytes of records in one answer
MAX_REQUEST = 64  # bytes
MAX_ANSWER = MAX_RECORDS_SIZE + RECORD_LIMIT + 1024
_LARGEST = 2**63 - 1
_T = TypeVar("_T")


@dataclass(frozen=True)
class ChainRequest:
    """Asks for the sealed records from that of epoch `first` on."""

    first: int

    def encode(self) -> bytes:
        """CBOR {first}."""
        return encode({"first": self.first})


@dataclass(frozen=True)
class ChainAnswer:
    """Sealed records in order, none left out, and what opened the epoch that the answering side is in.

    Of the latter the seals may be missing, and it is None in the first epoch.
    """

    opened: EpochRecord | None
    records: Sequence[SealedRecord]

    @property
    def number(self) -> int:
        """Of the epoch that the answering side is in."""
        return 0 if self.opened is None else self.opened.number

    def encode(self) -> bytes:
        """CBOR {opened, records}."""
        opened = None if self.opened is None else self.opened.raw
        return encode({"opened": opened, "records": [sealed.raw for sealed in self.records]})


def decode_chain_request(data: bytes) -> ChainRequest:
    """Raises MessageError."""
    fields = _fields(data, MAX_REQUEST, {"first"})
    return ChainRequest(_number(fields, "first", 1))


def decode_chain_answer(data: bytes) -> ChainAnswer:
    """An answer whose records have the right form, and no more. Raises MessageError."""
    fields = _fields(data, MAX_ANSWER, {"opened", "records"})
    raws = fields["records"]
    if not isinstance(raws, list) or len(raws) > MAX_RECORDS:
        raise MessageError(f"records is not an array of at most {MAX_RECORDS}")
    opened = None if fields["opened"] is None else _read(decode_record, fields["opened"])
    return ChainAnswer(opened, [_read(decode_sealed, raw) for raw in raws])


def _read(reader: Callable[[bytes], _T], raw: Decoded) -> _T:
    if not isinstance(raw, bytes):
        raise MessageError("what should be a record is none")
    try:
        return reader(raw)
    except EpochError as error:
        raise MessageError(str(error)) from None


def _fields(data: bytes, limit: int, names: set[str]) -> dict[str, Decoded]:
    try:
        value = decode(data, limit=limit)
    except EncodingError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, dict) or value.keys() != names:
        raise MessageError(f"not a map of {', '.join(sorted(names))}")
    return value


def _number(fields: dict[str, Decoded], name: str, least: int) -> int:
    value = fields[name]
    if type(value) is not int or not least <= value <= _LARGEST:
        raise MessageError(f"{name} is not a whole number from {least} on")
    return value
