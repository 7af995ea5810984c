"""What is said when a member brings a blob to one that is to hold it: which pieces lack, then these pieces."""

from typing import NamedTuple

from consensus.encoding import EncodingError, decode, encode
from node.blobs import MAX_BLOB_BYTES, PIECE_BYTES
from node.blobs.messages import BlobMessageError

KEEP_PATH = "/blobs/keep"
PIECE_PATH = "/blobs/piece"
MAX_KEEP_BYTES = 96
MAX_PIECE_BYTES = PIECE_BYTES + 128
MAX_PIECES = MAX_BLOB_BYTES // PIECE_BYTES
MAX_KEEP_ANSWER_BYTES = 4 * MAX_PIECES
MAX_PIECE_ANSWER_BYTES = 64

_DIGEST_BYTES = 32


class KeepRequest(NamedTuple):
    """The wish that a member holds a blob of so many bytes."""

    digest: bytes
    size: int

    @property
    def pieces(self) -> int:
        """The number of its pieces; an empty blob has one."""
        return max(1, -(-self.size // PIECE_BYTES))

    def length_of(self, number: int) -> int:
        """Return the bytes of one of its pieces."""
        return min(PIECE_BYTES, self.size - number * PIECE_BYTES)

    def encode(self) -> bytes:
        """Return CBOR: {digest, size}."""
        return encode({"digest": self.digest, "size": self.size})


class PushedPiece(NamedTuple):
    """One piece of a blob."""

    digest: bytes
    number: int
    data: bytes

    def encode(self) -> bytes:
        """Return CBOR: {digest, number, data}."""
        return encode({"digest": self.digest, "number": self.number, "data": self.data})


def decode_keep(data: bytes) -> KeepRequest:
    """Decode the wish that a blob is held here. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_KEEP_BYTES):
            case {"digest": bytes(digest), "size": size, **others} if (
                not others and len(digest) == _DIGEST_BYTES and type(size) is int and 0 <= size <= MAX_BLOB_BYTES
            ):
                return KeepRequest(digest, size)
    except EncodingError:
        pass
    raise BlobMessageError("does not ask to hold a blob")


def encode_wanted(numbers: list[int]) -> bytes:
    """Return the numbers of the pieces that lack as CBOR: {wanted}."""
    return encode({"wanted": numbers})


def decode_wanted(data: bytes, request: KeepRequest) -> list[int]:
    """Return the numbers of the pieces that lack by the answer to a request. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_KEEP_ANSWER_BYTES):
            case {"wanted": list(numbers), **others} if not others and len(numbers) <= request.pieces:
                wanted = [number for number in numbers if type(number) is int and 0 <= number < request.pieces]
                if len(set(wanted)) == len(numbers):
                    return wanted
    except EncodingError:
        pass
    raise BlobMessageError("does not say which pieces lack")


def decode_piece(data: bytes) -> PushedPiece:
    """Decode a piece of a blob. Raise BlobMessageError."""
    try:
        match decode(data, limit=MAX_PIECE_BYTES):
            case {"digest": bytes(digest), "number": number, "data": bytes(part), **others} if (
                not others
                and len(digest) == _DIGEST_BYTES
                and type(number) is int
                and 0 <= number < MAX_PIECES
                and len(part) <= PIECE_BYTES
            ):
                return PushedPiece(digest, number, part)
    except EncodingError:
        pass
    raise BlobMessageError("is not a piece of a blob")
