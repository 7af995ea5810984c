"""What one node asks another about a blob, and the answer: a range of its bytes, and its size."""

from typing import NamedTuple, TypeGuard

from consensus.encoding import Decoded, EncodingError, decode, encode
from node.blobs import PIECE_BYTES

BLOB_PATH = "/blobs/read"
MAX_REQUEST_BYTES = 128
MAX_ANSWER_BYTES = PIECE_BYTES + 128

_DIGEST_BYTES = 32
_MAX_INT = 2**63  # exclusive


class BlobMessageError(ValueError):
    """A message that no correct node sends; one line that says why."""


class BlobRequest(NamedTuple):
    """A range of a blob; one of length 0 asks for the size alone."""

    digest: bytes
    offset: int
    length: int

    def encode(self) -> bytes:
        """Return CBOR: {digest, offset, length}."""
        return encode({"digest": self.digest, "offset": self.offset, "length": self.length})


class BlobAnswer(NamedTuple):
    """The size of the whole blob, and as much of the range as the blob has."""

    size: int
    data: bytes

    def encode(self) -> bytes:
        """Return CBOR: {size, data}."""
        return encode({"size": self.size, "data": self.data})


def decode_request(data: bytes) -> BlobRequest:
    """Decode a request. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_REQUEST_BYTES):
            case {"digest": bytes(digest), "offset": offset, "length": length, **others} if (
                not others
                and len(digest) == _DIGEST_BYTES
                and _is_size(offset)
                and _is_size(length)
                and length <= PIECE_BYTES
            ):
                return BlobRequest(digest, offset, length)
    except EncodingError:
        pass
    raise BlobMessageError(f"does not ask for a range of at most {PIECE_BYTES} bytes")


def decode_answer(data: bytes, request: BlobRequest) -> BlobAnswer:
    """Decode the answer to a request. Raise BlobMessageError, also if it holds another range than was asked for."""
    try:
        decoded = decode(data, limit=MAX_ANSWER_BYTES)
    except EncodingError as error:
        raise BlobMessageError(str(error)) from None
    match decoded:
        case {"size": size, "data": bytes(part), **others} if not others and _is_size(size):
            if len(part) != max(0, min(request.length, size - request.offset)):
                raise BlobMessageError("not the range that was asked for")
            return BlobAnswer(size, part)
    raise BlobMessageError("not a size and data")


def _is_size(value: Decoded) -> TypeGuard[int]:
    """Return whether a value is a whole number of bytes; `true` is not, though Python takes it for 1."""
    return type(value) is int and 0 <= value < _MAX_INT
