"""Serves ranges of the blobs that are here."""

from http import HTTPStatus

from consensus.keys import MemberId
from node.blobs import BlobError, Blobs
from node.blobs.messages import MAX_REQUEST_BYTES, BlobAnswer, BlobMessageError, decode_request
from node.transport.router import Refusal, Route


def blob_route(blobs: Blobs) -> Route:
    """Return the route for `BLOB_PATH`."""

    async def read(_member: MemberId, body: bytes) -> bytes:
        try:
            request = decode_request(body)
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        size = blobs.size(request.digest)
        if size is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "the blob is not here")
        try:
            return BlobAnswer(size, await blobs.read(*request)).encode()
        except BlobError:
            raise Refusal(HTTPStatus.NOT_FOUND, "the blob can no longer be read here") from None

    return Route(handler=read, max_bytes=MAX_REQUEST_BYTES, concurrency=4, rate=100.0, burst=200.0)
