"""Taking in blobs that members bring: those that are to be held here and cannot be fetched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import trio

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.steering.custody import due_custody, keepers, offered
from node.blobs import MAX_BLOB_BYTES, BlobError, Blobs
from node.blobs.fetching import BlobFetcher
from node.blobs.messages import BlobMessageError
from node.blobs.push_messages import (
    MAX_KEEP_BYTES,
    MAX_PIECE_BYTES,
    KeepRequest,
    PushedPiece,
    decode_keep,
    decode_piece,
    encode_wanted,
)
from node.transport.router import Refusal, Route

_TURN_S = 30.0  # for which a member that sends nothing more keeps others from bringing the same blob
_REMEMBERED = 1024


@dataclass(frozen=True)
class _Arrival:
    """A blob on its way here: who brings it, and when that member said something last."""

    request: KeepRequest
    source: MemberId
    time: float


class IncomingBlobs:
    """Takes pieces of blobs that the ledger asks this node to hold, each from a member that should have it.

    `expected` returns what else a member may bring, with sizes. A blob comes from one member at a time, so that it is
    known who sent what was wrong.
    """

    def __init__(
        self,
        me: MemberId,
        ledger: Callable[[], Ledger],
        blobs: Blobs,
        fetcher: BlobFetcher,
        expected: Callable[[MemberId], Mapping[bytes, int]] = lambda _member: {},
    ) -> None:
        self._me, self._ledger, self._expected = me, ledger, expected
        self._blobs, self._fetcher = blobs, fetcher
        self._arrivals: dict[bytes, _Arrival] = {}
        self._wrong: dict[tuple[bytes, MemberId], None] = {}  # who brought what was not the blob

    def keep_route(self) -> Route:
        """Return the route for `KEEP_PATH`."""
        return Route(handler=self._answer_keep, max_bytes=MAX_KEEP_BYTES, rate=10.0, burst=20.0)

    def piece_route(self) -> Route:
        """Return the route for `PIECE_PATH`."""
        return Route(handler=self._take_piece, max_bytes=MAX_PIECE_BYTES, rate=20.0, burst=40.0)

    async def _answer_keep(self, member: MemberId, body: bytes) -> bytes:
        try:
            request = decode_keep(body)
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        self._check(member, request)
        if self._blobs.size(request.digest) is not None:
            return encode_wanted([])
        self._begin(member, request)
        here = await self._blobs.pieces(request.digest)
        return encode_wanted([number for number in range(request.pieces) if number not in here])

    async def _take_piece(self, member: MemberId, body: bytes) -> bytes:
        try:
            piece = decode_piece(body)
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        arrival = self._arrivals.get(piece.digest)
        if arrival is None or arrival.source != member:
            raise Refusal(HTTPStatus.CONFLICT, "ask whether it is to be held first")
        request = arrival.request
        if piece.number >= request.pieces or len(piece.data) != request.length_of(piece.number):
            raise Refusal(HTTPStatus.BAD_REQUEST, "is not a piece of this blob")
        self._begin(member, request)
        async with self._fetcher.alone(piece.digest):
            try:
                if self._blobs.size(piece.digest) is None:
                    await self._add(member, request, piece)
            except BlobError:
                raise Refusal(HTTPStatus.INSUFFICIENT_STORAGE, "the piece cannot be kept here") from None
        return b""

    async def _add(self, member: MemberId, request: KeepRequest, piece: PushedPiece) -> None:
        """Keep a piece; with the last one, make the blob. Raise Refusal if that is not what it should be."""
        await self._blobs.add_piece(piece.digest, piece.number, piece.data)
        if len(await self._blobs.pieces(piece.digest)) < request.pieces:
            return
        self._arrivals.pop(piece.digest, None)
        if not await self._blobs.assemble(piece.digest, request.pieces):
            self._wrong[piece.digest, member] = None
            while len(self._wrong) > _REMEMBERED:
                del self._wrong[next(iter(self._wrong))]
            raise Refusal(HTTPStatus.BAD_REQUEST, "the pieces do not make the blob")

    def _check(self, member: MemberId, request: KeepRequest) -> None:
        """Raise Refusal unless this node is to hold the blob and may take it from the member."""
        digest, ledger = request.digest, self._ledger()
        shard = next((due.shard for due in due_custody(ledger, self._me) if due.shard.digest == digest), None)
        sources: tuple[MemberId, ...]
        size: int | None
        handed_over = self._expected(member)
        if digest in handed_over:
            sources, size = (member,), handed_over[digest]
        elif shard is not None:
            sources, size = (shard.author, *shard.holders), shard.size
        else:
            made = offered(ledger, member)
            if digest not in made or self._me not in keepers(ledger, digest, member):
                raise Refusal(HTTPStatus.NOT_FOUND, "this node is not to hold it")
            sources, size = (member,), made[digest]
        if member not in sources or (digest, member) in self._wrong:
            raise Refusal(HTTPStatus.FORBIDDEN, "it is not taken from this member")
        if size not in (None, request.size) or request.size > MAX_BLOB_BYTES:
            raise Refusal(HTTPStatus.BAD_REQUEST, "its size is another")

    def _begin(self, member: MemberId, request: KeepRequest) -> None:
        """Take in that a member brings a blob. Raise Refusal if another does, or if it is being fetched."""
        now, digest = trio.current_time(), request.digest
        self._arrivals = {key: entry for key, entry in self._arrivals.items() if entry.time > now - _TURN_S}
        known = self._arrivals.get(digest)
        if (known is not None and known.source != member) or digest in self._fetcher.running:
            raise Refusal(HTTPStatus.CONFLICT, "it comes from another member just now")
        self._arrivals[digest] = _Arrival(request, member, now)
