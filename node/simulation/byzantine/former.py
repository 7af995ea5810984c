"""Keys that were of members once: they go on signing events, voting and sealing."""

from collections.abc import Sequence

from consensus.event import Event, TransactionTable, make_event
from consensus.keys import SigningKey
from consensus.ledger.records import transactions as ledger
from consensus.statement import pae
from node.simulation.byzantine.adversary import Adversary, Liar

_OFTEN = 0.3  # of the messages that hold events
_IDS = 1 << 40


class FormerKeys(Adversary):
    """Uses every key that a liar has had and that is in the roster no more, through a liar that still is in it."""

    def told(self, liar: Liar, peer: bytes, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        if self.random.random() > _OFTEN:
            return raws
        former = [key for key in map(SigningKey, liar.conspirators) if key.id not in liar.replica.roster]
        return [*raws, *(event.raw for key in former for event in self._events(liar, key))]

    def _events(self, liar: Liar, key: SigningKey) -> list[Event]:
        newest = liar.newest()
        record = liar.replica.ledger.record
        served = None if record is None else liar.replica.served(record.previous)
        last = None if served is None else served.newest(key.id)
        time = liar.replica.ledger.time + 1
        events = [make_event(
            key, epoch=liar.replica.epoch, seq=0, self_parent=None, time=time,
            other_parents=() if newest is None else (newest.hash,), transactions=self._said(liar, key),
        )]  # fmt: skip
        if last is not None and self.random.random() < _OFTEN:  # on in the epoch that is closed
            events.append(make_event(
                key, epoch=last.epoch, seq=last.seq + 1, self_parent=last.hash, time=last.time + 1,
            ))  # fmt: skip
        return events

    def _said(self, liar: Liar, key: SigningKey) -> tuple[TransactionTable, ...]:
        """All that would matter if a member said it."""
        replica, number = liar.replica, self.random.randrange(_IDS)
        record = replica.ledger.record
        said: list[ledger.Transaction] = [
            ledger.Open(replica.number, None if record is None else record.seal(key), None)
        ]
        for promotion in replica.ledger.promotions():
            said.append(ledger.Seal(number, promotion.digest, key.sign(pae(promotion.statement))))
        for candidacy in replica.ledger.candidates():
            results = candidacy.id if candidacy.ripe is None else candidacy.ripe.results
            said.append(ledger.Vote(number + 1, candidacy.id, False, results, "seen"))
        for proposal in replica.ledger.proposals():
            said.append(ledger.Ballot(number + 2, proposal.id, False))
        return tuple(transaction.as_table() for transaction in said)
