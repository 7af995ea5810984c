"""The two messages about the chain of records: from where on, and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.encoding import Decoded, EncodingError, decode, encode
from consensus.epoch import SEALED_LIMIT, EpochError, SealedRecord, decode_sealed
from node.messages import MessageError

MAX_RECORDS = 64  # in one answer
MAX_RECORDS_SIZE = 2 * SEALED_LIMIT  # bytes of records in one answer
MAX_REQUEST = 64  # bytes
MAX_ANSWER = MAX_RECORDS_SIZE + 1024
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class ChainRequest:
    """Asks for the sealed records from that of epoch `first` on."""

    first: int

    def encode(self) -> bytes:
        """CBOR {first}."""
        return encode({"first": self.first})


@dataclass(frozen=True)
class ChainAnswer:
    """Sealed records in order, none left out, and the number of the epoch that the answering side is in."""

    number: int
    records: Sequence[SealedRecord]

    def encode(self) -> bytes:
        """CBOR {number, records}."""
        return encode({"number": self.number, "records": [sealed.raw for sealed in self.records]})


def decode_chain_request(data: bytes) -> ChainRequest:
    """Raises MessageError."""
    fields = _fields(data, MAX_REQUEST, {"first"})
    return ChainRequest(_number(fields, "first", 1))


def decode_chain_answer(data: bytes) -> ChainAnswer:
    """An answer whose records have the right form, and no more. Raises MessageError."""
    fields = _fields(data, MAX_ANSWER, {"number", "records"})
    raws = fields["records"]
    if not isinstance(raws, list) or len(raws) > MAX_RECORDS:
        raise MessageError(f"records is not an array of at most {MAX_RECORDS}")
    return ChainAnswer(_number(fields, "number", 0), [_sealed(raw) for raw in raws])


def _sealed(raw: Decoded) -> SealedRecord:
    if not isinstance(raw, bytes):
        raise MessageError("records holds something that is no record")
    try:
        return decode_sealed(raw)
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
