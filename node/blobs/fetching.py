"""Fetches blobs, each from several peers at once, or from an archive where no peer has it."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import trio

from consensus.keys import MemberId
from node.blobs import PIECE_BYTES, BlobError, Blobs, MissingBlobError
from node.blobs.archive import Archive
from node.blobs.download import Download, UnfitAnswerError
from node.blobs.messages import (
    BLOB_PATH,
    MAX_ANSWER_BYTES,
    BlobAnswer,
    BlobMessageError,
    BlobRequest,
    decode_answer,
)
from node.transport import AskError, Refused, Transport, Unreachable

_SOURCES = 3  # asked at a time for one blob
_TIMEOUT_S = 20.0  # for one piece
_DEAD_S = 2.0  # who does not answer for longer is taken for dead
_AWAY_S = 30.0  # a dead peer is not waited for again with each of many blobs
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)  # one after the other, for a peer that says we ask too often


class BlobFetcher:
    """Fetches blobs from peers into `blobs`. A peer whose data was wrong is asked last from then on.

    What no peer could give is read back from `archive`, if this node has one.
    """

    def __init__(
        self,
        blobs: Blobs,
        transport: Transport,
        peers: Iterable[MemberId],
        chance: random.Random,
        *,
        archive: Archive | None = None,
    ) -> None:
        self._blobs = blobs
        self._archive = archive
        self._transport = transport
        self._peers = sorted(peers)
        self._random = chance
        self._wrong_answers: Counter[MemberId] = Counter()
        self._away_until: dict[MemberId, float] = {}  # peers that let us wait in vain
        self._done: dict[bytes, trio.Event] = {}  # by the digests of blobs that are being fetched

    def set_peers(self, peers: Iterable[MemberId]) -> None:
        """Ask these peers from now on."""
        self._peers = sorted(peers)

    @property
    def running(self) -> frozenset[bytes]:
        """Digests of the blobs that are being fetched now."""
        return frozenset(self._done)

    async def fetch(self, digest: bytes, *, max_bytes: int, likely: Iterable[MemberId] = ()) -> None:
        """Return when the blob, of at most `max_bytes`, is here and verified, also if it was here before.

        The peers in `likely` are asked first. Raise BlobError if neither a peer nor the archive could give it.
        """
        async with self.alone(digest):
            if self._blobs.size(digest) is None or not await self._blobs.verify(digest):
                await self._fetch(digest, max_bytes, self._in_order(likely))

    @asynccontextmanager
    async def alone(self, digest: bytes) -> AsyncIterator[None]:
        """Wait until nobody else here changes a blob, and keep others from it for as long as the context lasts."""
        while digest in self._done:
            await self._done[digest].wait()
        done = self._done[digest] = trio.Event()
        try:
            yield
        finally:
            del self._done[digest]
            done.set()

    def _in_order(self, likely: Iterable[MemberId]) -> list[MemberId]:
        first = set(likely)
        now = trio.current_time()
        peers = [peer for peer in self._peers if self._away_until.get(peer, now) <= now]
        self._random.shuffle(peers)
        return sorted(peers, key=lambda peer: (self._wrong_answers[peer], peer not in first))

    async def _fetch(self, digest: bytes, max_bytes: int, sources: list[MemberId]) -> None:
        download = Download(digest, max_bytes, set(await self._blobs.pieces(digest)))
        if await self._try(download, sources):
            return
        # If somebody's data was wrong, now or before a restart, one source at a time shows whose.
        if download.is_complete or download.sizes_differ:
            for source in sources:
                download = Download(digest, max_bytes, set())
                if await self._try(download, [source]):
                    return
                self._wrong_answers[source] += download.is_complete
        if self._archive is None:
            raise MissingBlobError(f"blob {digest.hex()}: none of {len(sources)} peers could give it")
        if not await self._archive.restore(digest, max_bytes):
            raise MissingBlobError(f"blob {digest.hex()}: neither {len(sources)} peers nor the archive could give it")

    async def _try(self, download: Download, sources: list[MemberId]) -> bool:
        """Return whether these sources together gave the blob, and it is verified."""
        waiting = iter(sources)
        async with trio.open_nursery() as nursery:
            for _ in range(_SOURCES):
                nursery.start_soon(self._fetch_pieces, download, waiting, nursery.cancel_scope)
        if download.failure is not None:
            raise download.failure
        return download.is_complete and await self._blobs.assemble(download.digest, download.count)

    async def _fetch_pieces(self, download: Download, waiting: Iterator[MemberId], done: trio.CancelScope) -> None:
        """Get pieces from one source after the other, from each until it fails, until all are here."""
        for source in waiting:
            try:
                size, _ = await self._ask(source, BlobRequest(download.digest, 0, 0))
                download.observe_size(size)
                while (number := await download.next_piece()) is not None:
                    await self._fetch_piece(download, source, number)
            except BlobMessageError:
                self._wrong_answers[source] += 1
            except (UnfitAnswerError, AskError):
                continue
            except BlobError as error:
                download.failure = error
                done.cancel()
            if download.is_complete:
                done.cancel()

    async def _fetch_piece(self, download: Download, source: MemberId, number: int) -> None:
        download.begin_piece(number)
        try:
            request = BlobRequest(download.digest, number * PIECE_BYTES, PIECE_BYTES)
            size, data = await self._ask(source, request)
            download.observe_size(size)
            if number not in download.have:
                await self._blobs.add_piece(download.digest, number, data)
                download.have.add(number)
        finally:
            download.end_piece(number)

    async def _ask(self, source: MemberId, request: BlobRequest) -> BlobAnswer:
        asked_at = trio.current_time()
        try:
            raw = await self._ask_patiently(source, request.encode())
        except Unreachable:
            if (now := trio.current_time()) > asked_at + _DEAD_S:
                self._away_until[source] = now + _AWAY_S
            raise
        return decode_answer(raw, request)

    async def _ask_patiently(self, source: MemberId, body: bytes) -> bytes:
        """Ask, and ask again a little later if the peer says that we ask too often: it has the blob all the same."""
        for pause_s in _PAUSES_S:
            try:
                return await self._ask_once(source, body)
            except Refused as refused:
                if refused.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
            await trio.sleep(pause_s)
        return await self._ask_once(source, body)

    async def _ask_once(self, source: MemberId, body: bytes) -> bytes:
        return await self._transport.ask(source, BLOB_PATH, body, timeout_s=_TIMEOUT_S, max_bytes=MAX_ANSWER_BYTES)
