"""Computes an epoch again from what is on the disk, when the ledger may be wrong, and logs what was the matter.

A ledger that went wrong in memory comes out right. One that comes out the same again is the fault of the program or of
the store. `divergence` says when a node does this, and why it may believe the result.
"""

from collections.abc import Sequence

import structlog

from consensus.comparison import Comparison
from consensus.event import Event
from consensus.keys import SigningKey
from consensus.replica import ClosedEpoch, Replica, RoundEffects
from node.member.divergence import DOUBTED, Divergence, WrongClose, format_entries
from node.member.record_comparison import PeerRecords
from node.member.recovery import Recovery

_SAME = "computed again, the ledger is the same: this program or its store differs from the others'"

_log = structlog.get_logger(__name__)


class Recomputation:
    """Computes again for one node. All methods raise StoreError."""

    def __init__(self, divergence: Divergence, recovery: Recovery, key: SigningKey) -> None:
        self._divergence, self._recovery, self._key = divergence, recovery, key
        self._epoch_checked = b""  # the epoch of which the beginning was last computed again

    async def recompute_ledger(self, left: Replica) -> tuple[Replica, list[RoundEffects]]:
        """Compute the open epoch again; return the replica to go on with instead of `left`, and all its rounds."""
        replica, _ = await self._recovery.resume(self._key)
        rounds = await self._compute(replica)
        first = _first_difference(self._divergence.digests, rounds)
        if first is None:
            _log.error(_SAME)
        else:
            entries = format_entries(replica.ledger.differences(left.ledger))
            _log.error("the ledger was wrong; it was computed again", round=first, entries=entries)
        self._divergence.observe_recomputation(replica, rounds)
        return replica, rounds

    async def recompute_record(self, said: PeerRecords, left: Replica) -> ClosedEpoch | None:
        """Compute the epoch before again, if peers speak against the record that opened this one; once in an epoch.

        Return what opens this epoch now, if it is not what opened it and a peer has the same. So a node can leave a
        record that its memory has bent even where the others are too few to seal theirs; and it comes to a right one
        again.
        """
        if self._divergence.record_state not in DOUBTED or self._epoch_checked == left.epoch_digest:
            return None
        self._epoch_checked = left.epoch_digest
        checked = WrongClose(left.epoch_number, left.epoch_digest, self._divergence.digests)
        rounds = await self._close_again(checked)
        closed = rounds[-1].closed if rounds else None
        if closed is None or closed.record.digest == checked.epoch:
            return None
        others = {record.digest for record in said.values() if record is not None}
        return closed if closed.record.digest in others else None

    async def explain_jump(self) -> None:
        """Compute the close again that led to a wrong record, once the node has jumped, and log how it comes out."""
        wrong = self._divergence.pop_wrong_close()
        if wrong is not None:
            await self._close_again(wrong)

    async def _close_again(self, wrong: WrongClose) -> list[RoundEffects]:
        """Compute the epoch again that the wrong close ended; return its rounds, none if it cannot be."""
        replica = await self._recovery.begin(self._key, wrong.opened - 1)
        if replica is None:
            return []
        rounds = await self._compute(replica)
        if replica.epoch_digest == wrong.epoch:
            _log.error(_SAME, epoch=wrong.opened)
            return rounds
        closes = bool(rounds) and rounds[-1].closed is not None
        what = "the epoch before closes otherwise" if closes else "the epoch before is not over"
        first = _first_difference(wrong.digests, rounds)
        _log.error(f"computed again, {what}", epoch=wrong.opened, round=first)
        return rounds

    async def _compute(self, replica: Replica) -> list[RoundEffects]:
        """Take the replica through the events of its epoch, as they are stored; return all rounds."""
        opening, rounds = replica.opening, list[RoundEffects]()
        before = await self._recovery.read_before(opening)
        if before is not None:
            replica.restore_closed(*before)

        async def insert(events: Sequence[Event]) -> None:
            if replica.opening is opening:
                replica.insert(events)
                rounds.extend(replica.advance())

        await self._recovery.replay(opening, insert)
        return rounds


def _first_difference(digests: Comparison, rounds: Sequence[RoundEffects]) -> int | None:
    """Return the first of the rounds after which the own digest was another one; None if there is none."""
    return next(
        (it.round.number for it in rounds if digests.own_digest(it.round.number) not in (None, it.digest)), None
    )
