"""Serves ranges of the blobs that are here, and of the snapshots in the store."""

from collections.abc import Callable
from http import HTTPStatus

import trio

from consensus.keys import MemberId
from node.blobs import BlobError, Blobs
from node.blobs.messages import MAX_REQUEST_BYTES, BlobAnswer, BlobMessageError, BlobRequest, decode_request
from node.blobs.snapshots import StoredSnapshots
from node.store import Store
from node.transport.router import Refusal, Route

_FRESH_S = 60.0  # for which a blob that was verified is served without being read whole again
_REMEMBERED = 1024


def blob_route(blobs: Blobs, store: Store, missed: Callable[[bytes], None] | None = None) -> Route:
    """Return the route for `BLOB_PATH`. A damaged blob is not served, but dropped; a damaged snapshot is not served.

    `missed` is told the digests that were asked for and are not here.
    """
    verified: dict[bytes, float] = {}  # when each blob was, by trio's clock
    snapshots = StoredSnapshots(store)

    async def is_right(digest: bytes) -> bool:
        now = trio.current_time()
        if verified.get(digest, now - _FRESH_S) > now - _FRESH_S:
            return True
        verified.pop(digest, None)
        if not await blobs.verify(digest):
            return False
        verified[digest] = now
        while len(verified) > _REMEMBERED:
            del verified[next(iter(verified))]
        return True

    async def read_blob(request: BlobRequest) -> BlobAnswer | None:
        size = blobs.size(request.digest)
        if size is None or not await is_right(request.digest):
            return None
        return BlobAnswer(size, await blobs.read(*request))

    async def read_snapshot(request: BlobRequest) -> BlobAnswer | None:
        snapshot = await snapshots.find(request.digest)
        if snapshot is None:
            return None
        return BlobAnswer(len(snapshot), snapshot[request.offset : request.offset + request.length])

    async def read(_member: MemberId, body: bytes) -> bytes:
        try:
            request = decode_request(body)
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        try:
            answer = await read_blob(request) or await read_snapshot(request)
        except BlobError:
            raise Refusal(HTTPStatus.NOT_FOUND, "the blob can no longer be read here") from None
        if answer is None:
            if missed is not None:
                missed(request.digest)
            raise Refusal(HTTPStatus.NOT_FOUND, "the blob is not here")
        return answer.encode()

    return Route(handler=read, max_bytes=MAX_REQUEST_BYTES, concurrency=4, rate=100.0, burst=200.0)
