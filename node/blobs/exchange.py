"""Blobs between nodes: serving ranges of them, and fetching them from several peers at once."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import trio

from consensus.encoding import Decoded, EncodingError, decode, encode
from node.blobs import PIECE, BlobError, Blobs
from node.transport import AskError, Refused, Transport, Unreachable
from node.transport.router import Refusal, Route

BLOB_PATH = "/blobs/read"

_MAX_REQUEST = 128
_MAX_ANSWER = PIECE + 128
_SOURCES = 3  # asked at a time for one blob
_SECONDS = 20.0  # for one piece
_AWAY = 30.0  # seconds: a dead peer is not waited for once more with each of many blobs
_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds, one after the other, for a peer that says we ask too often
_PATIENCE = 2.0  # seconds before a piece that one peer is asked for is asked of another too


def blob_route(blobs: Blobs) -> Route:
    """Serves `{digest, offset, length}`, answered by `{size, data}`, for the reception."""

    async def read(_member: bytes, body: bytes) -> bytes:
        digest, offset, length = _parse_request(body)
        size = blobs.size(digest)
        if size is None:
            raise Refusal(404, "the blob is not here")
        try:
            return encode({"size": size, "data": await blobs.read(digest, offset, length)})
        except BlobError:
            raise Refusal(404, "the blob can no longer be read here") from None

    return Route(handler=read, max_bytes=_MAX_REQUEST, concurrency=4, rate=100.0, burst=200.0)


def _parse_request(body: bytes) -> tuple[bytes, int, int]:
    try:
        match decode(body, limit=_MAX_REQUEST):
            case {"digest": bytes(digest), "offset": int(offset), "length": int(length)} if (
                len(digest) == 32 and 0 <= offset < 2**63 and 0 <= length <= PIECE
            ):
                return digest, offset, length
    except EncodingError:
        pass
    raise Refusal(400, f"asks for no range of at most {PIECE} bytes")


class _Lie(Exception):  # noqa: N818
    """A peer answered something that no correct node answers."""


class _Misfit(Exception):  # noqa: N818
    """A peer's answer does not fit another's, or is more than we want."""


@dataclass
class _Download:
    """One blob on its way: what is known of it, and what is missing."""

    digest: bytes
    limit: int  # bytes
    have: set[int]
    size: int | None = None
    asked: Counter[int] = field(default_factory=Counter)  # piece: how many peers are asked for it now
    changed: trio.Event = field(default_factory=trio.Event)
    doubtful: bool = False  # two peers told different sizes
    failure: BlobError | None = None  # pieces cannot be kept here

    def missing(self) -> list[int]:
        """Numbers of the pieces to fetch, those that the fewest peers are asked for first."""
        missing = (number for number in range(_count(self.size or 0)) if number not in self.have)
        return sorted(missing, key=lambda number: (self.asked[number], number))

    @property
    def complete(self) -> bool:
        return self.size is not None and not self.missing()

    def learn_size(self, size: int) -> None:
        """Raises _Misfit if the blob cannot have this size."""
        if self.size not in (None, size):
            self.doubtful = True
            raise _Misfit
        if size > self.limit:
            raise _Misfit
        self.size = size

    async def next_piece(self) -> int | None:
        """A piece that nobody is asked for; after some patience one that seems stuck; None when complete."""
        while missing := self.missing():
            if not self.asked[missing[0]]:
                return missing[0]
            with trio.move_on_after(_PATIENCE) as patience:
                await self.changed.wait()
            if patience.cancelled_caught and (missing := self.missing()):
                return missing[0]
        return None

    def wake_others(self) -> None:
        """Lets those look again who wait in `next_piece`."""
        self.changed.set()
        self.changed = trio.Event()


def _count(size: int) -> int:
    return max(1, -(-size // PIECE))


class BlobFetcher:
    """Fetches blobs from peers into `blobs`; a peer whose data did not verify is asked last from then on."""

    def __init__(self, blobs: Blobs, transport: Transport, peers: Iterable[bytes], chance: random.Random) -> None:
        self._blobs = blobs
        self._transport = transport
        self._peers = sorted(peers)
        self._random = chance
        self._lies: Counter[bytes] = Counter()
        self._away: dict[bytes, float] = {}  # who let us wait for nothing, and until when it is not asked
        self._running: dict[bytes, trio.Event] = {}

    def set_peers(self, peers: Iterable[bytes]) -> None:
        """From now on, these are asked."""
        self._peers = sorted(peers)

    @property
    def running(self) -> frozenset[bytes]:
        """What is being fetched now."""
        return frozenset(self._running)

    async def fetch(self, digest: bytes, *, limit: int, likely: Iterable[bytes] = ()) -> None:
        """Returns when the blob, of at most `limit` bytes, is here and verified.

        The peers in `likely` are asked first. Raises BlobError if no peer could give it.
        """
        while digest in self._running:
            await self._running[digest].wait()
        if self._blobs.size(digest) is not None:
            return
        done = self._running[digest] = trio.Event()
        try:
            await self._fetch(digest, limit, self._order(likely))
        finally:
            del self._running[digest]
            done.set()

    def _order(self, likely: Iterable[bytes]) -> list[bytes]:
        first = set(likely)
        now = trio.current_time()
        peers = [peer for peer in self._peers if self._away.get(peer, now) <= now]
        self._random.shuffle(peers)
        return sorted(peers, key=lambda peer: (self._lies[peer], peer not in first))

    async def _fetch(self, digest: bytes, limit: int, sources: list[bytes]) -> None:
        download = _Download(digest, limit, set(await self._blobs.pieces(digest)))
        if await self._attempt(download, sources):
            return
        # If somebody lied, now or before a restart, it shows who with one source at a time.
        if download.complete or download.doubtful:
            for source in sources:
                download = _Download(digest, limit, set())
                if await self._attempt(download, [source]):
                    return
                self._lies[source] += download.complete
        raise BlobError(f"blob {digest.hex()}: none of {len(sources)} peers could give it")

    async def _attempt(self, download: _Download, sources: list[bytes]) -> bool:
        waiting = iter(sources)
        async with trio.open_nursery() as nursery:
            for _ in range(_SOURCES):
                nursery.start_soon(self._work, download, waiting, nursery.cancel_scope)
        if download.failure is not None:
            raise download.failure
        return download.complete and await self._blobs.assemble(download.digest, _count(download.size or 0))

    async def _work(self, download: _Download, waiting: Iterator[bytes], done: trio.CancelScope) -> None:
        """Gets pieces from one source after the other, each until it fails, until all are there."""
        for source in waiting:
            try:
                size, _ = await self._ask(source, download.digest, 0, 0)
                download.learn_size(size)
                while (number := await download.next_piece()) is not None:
                    await self._get(download, source, number)
            except _Lie:
                self._lies[source] += 1
            except (_Misfit, AskError):
                continue
            except BlobError as error:
                download.failure = error
                done.cancel()
            if download.complete:
                done.cancel()

    async def _get(self, download: _Download, source: bytes, number: int) -> None:
        download.asked[number] += 1
        try:
            size, data = await self._ask(source, download.digest, number * PIECE, PIECE)
            download.learn_size(size)
            if number not in download.have:
                await self._blobs.add_piece(download.digest, number, data)
                download.have.add(number)
        finally:
            download.asked[number] -= 1
            download.wake_others()

    async def _ask(self, source: bytes, digest: bytes, offset: int, length: int) -> tuple[int, bytes]:
        request = encode({"digest": digest, "offset": offset, "length": length})
        asked_at = trio.current_time()
        try:
            raw = await self._ask_again_if_told_to(source, request)
        except Unreachable:
            if (now := trio.current_time()) > asked_at + _PATIENCE:
                self._away[source] = now + _AWAY
            raise
        size, data = _parse_answer(raw)
        if len(data) != max(0, min(length, size - offset)):
            raise _Lie
        return size, data

    async def _ask_again_if_told_to(self, source: bytes, request: bytes) -> bytes:
        """A peer that has had too many requests of ours has the blob all the same, a little later."""
        for pause in _PAUSES:
            try:
                return await self._transport.ask(source, BLOB_PATH, request, timeout_s=_SECONDS, max_bytes=_MAX_ANSWER)
            except Refused as refused:
                if refused.status != 429:
                    raise
            await trio.sleep(pause)
        return await self._transport.ask(source, BLOB_PATH, request, timeout_s=_SECONDS, max_bytes=_MAX_ANSWER)


def _parse_answer(raw: bytes) -> tuple[int, bytes]:
    try:
        answer: Decoded = decode(raw, limit=_MAX_ANSWER)
    except EncodingError:
        raise _Lie from None
    match answer:
        case {"size": int(size), "data": bytes(data)} if 0 <= size < 2**63:
            return size, data
    raise _Lie
