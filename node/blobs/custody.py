"""Holding the shards that the ledger asks this node to hold, so that their games outlive those who played them."""

import math
from collections.abc import Collection

import structlog
import trio

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Shard
from consensus.ledger.records.transactions import HELD_LIMIT, Held
from consensus.ledger.steering.custody import due_custody, kept_shards
from node.blobs import MAX_BLOB_BYTES, BlobError, Blobs
from node.blobs.fetching import BlobFetcher
from node.member.ledger_client import LedgerClient, SubmitError

LOOK_S = 2.0
"""Seconds between two looks at what is to be held; what has come meanwhile is said in one transaction."""

_AT_ONCE = 2  # shards that are fetched: work comes first
_FETCH_S = 120.0
_RETRY_S = 20.0  # before a shard that nobody could give is asked for again; it may be brought meanwhile
_LOST_LOOK_S = 600.0  # between two looks at whether what we said that we hold is here, such as after the loss of a disk
_LOST_AGAIN_S = (
    30.0  # the same after a look at which something was not: somebody may have it soon; each time twice that
)
_SAID_S = 60.0  # for which our word about a shard is taken to be on its way into the order
_REST_S = 30.0  # for which a node waits at most where no round is decided
_MOST_UNSAFE_BYTES = 256 * 1024 * 1024
"""Of shards of one author whose games do not count yet: whoever announces more than that has to wait."""

_log = structlog.get_logger(__name__)


def due_now(ledger: Ledger, me: MemberId, first_seen: dict[bytes, float], now: float) -> list[Shard]:
    """Return the shards that this node is to hold and whose turn it is, and remember in `first_seen` which there were.

    Where others come first, it waits for them `steering.custody_s` each.
    """
    due = due_custody(ledger, me)
    for digest in first_seen.keys() - {entry.shard.digest for entry in due}:
        del first_seen[digest]
    step_s = ledger.settings.steering.custody_s
    turn = [
        entry.shard
        for entry in due
        if first_seen.setdefault(entry.shard.digest, now) + entry.others_first * step_s <= now
    ]
    return _within_bounds(turn)


def _within_bounds(shards: list[Shard]) -> list[Shard]:
    """Return those of the shards that are not too large, alone or together with older ones of their author."""
    sizes: dict[MemberId, int] = {}
    chosen = []
    for shard in shards:
        if shard.size > MAX_BLOB_BYTES:
            continue
        if not shard.is_safe:
            sizes[shard.author] = sizes.get(shard.author, 0) + shard.size
            if sizes[shard.author] > _MOST_UNSAFE_BYTES:
                continue
        chosen.append(shard)
    return chosen


class Custodian:
    """Fetches what this node is to hold, verifies it, and says so."""

    def __init__(self, client: LedgerClient, blobs: Blobs, fetcher: BlobFetcher) -> None:
        self._client, self._blobs = client, blobs
        self._fetcher = fetcher
        self._limit = trio.CapacityLimiter(_AT_ONCE)
        self._first_seen: dict[bytes, float] = {}  # when it was first to be held, by trio's clock
        self._fetching: set[bytes] = set()
        self._retry_at: dict[bytes, float] = {}
        self._here: set[bytes] = set()  # verified here, and not said yet
        self._said: dict[bytes, float] = {}  # when that was said
        self._look_at = -math.inf  # when we look next whether all is here that we said
        self._again_s = _LOST_AGAIN_S  # from a look at which something was not to the next

    async def run(self) -> None:
        """Hold what is to be held until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                advances = self._client.advances
                due = due_now(self._client.ledger, self._client.me, self._first_seen, trio.current_time())
                self._forget_all_but({shard.digest for shard in due})
                for shard in (*due, *self._lost()):
                    if self._wants(shard.digest):
                        self._fetching.add(shard.digest)
                        nursery.start_soon(self._fetch, shard)
                await self._say()
                await trio.sleep(LOOK_S)
                if not due:
                    with trio.move_on_after(_REST_S):
                        await self._client.wait_for_advance(advances)

    def _lost(self) -> list[Shard]:
        """Return now and then the shards that others rely on this node to have and that are not here."""
        now, me, ledger = trio.current_time(), self._client.me, self._client.ledger
        if now < self._look_at or not ledger.settings.steering.rules:
            return []
        kept = (shard for entry in ledger.configurations() for shard in kept_shards(ledger, entry.name))
        lost = [shard for shard in kept if me in shard.holders and self._blobs.size(shard.digest) is None]
        self._look_at = now + (self._again_s if lost else _LOST_LOOK_S)
        self._again_s = min(2 * self._again_s, _LOST_LOOK_S) if lost else _LOST_AGAIN_S
        return lost

    def _wants(self, digest: bytes) -> bool:
        now = trio.current_time()
        if digest in self._fetching | self._here or self._said.get(digest, now - _SAID_S) > now - _SAID_S:
            return False
        return self._retry_at.get(digest, now) <= now or self._blobs.size(digest) is not None

    def _forget_all_but(self, due: Collection[bytes]) -> None:
        self._here &= set(due)
        for known in (self._retry_at, self._said):
            for digest in known.keys() - due:
                del known[digest]

    async def _fetch(self, shard: Shard) -> None:
        try:
            async with self._limit:
                with trio.fail_after(_FETCH_S):
                    likely = (shard.author, *shard.holders)
                    await self._fetcher.fetch(shard.digest, max_bytes=shard.size, likely=likely)
                self._here.add(shard.digest)
        except (BlobError, trio.TooSlowError) as error:
            self._retry_at[shard.digest] = trio.current_time() + _RETRY_S
            _log.info("shard to hold put off", shard=shard.digest.hex(), why=str(error) or f"not within {_FETCH_S:g} s")
        finally:
            self._fetching.discard(shard.digest)

    async def _say(self) -> None:
        """Say that we hold what has come."""
        said = sorted(self._here)[:HELD_LIMIT]
        if not said:
            return
        try:
            await self._client.submit(Held(self._client.next_id(), tuple(said)))
        except SubmitError as error:
            _log.info("held shards are said later", why=str(error))
            return
        self._here.difference_update(said)
        self._said.update(dict.fromkeys(said, trio.current_time()))
