"""Keys that have left the roster go on signing events, voting and sealing."""

from collections.abc import Sequence

from consensus.event import Event, TransactionTable, make_event
from consensus.keys import MemberId, SigningKey
from consensus.ledger.records import transactions as ledger
from consensus.statement import pae
from node.simulation.byzantine.attack import Attack, ByzantineMember

_SHARE = 0.3  # of the messages that hold events
_IDS = 1 << 40


class FormerKeys(Attack):
    """Sends events signed with every former key of a Byzantine member, through one that still is in the roster."""

    kind = "former-keys"

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`."""
        if self.random.random() > _SHARE:
            return raws
        former = [key for key in map(SigningKey, member.colluding_seeds) if key.id not in member.replica.roster]
        return [*raws, *(event.raw for key in former for event in self._events(member, key))]

    def _events(self, member: ByzantineMember, key: SigningKey) -> list[Event]:
        newest = member.newest()
        record = member.replica.ledger.record
        served = None if record is None else member.replica.find_epoch(record.previous)
        last = None if served is None else served.newest(key.id)
        first = make_event(
            key,
            epoch=member.replica.epoch_digest,
            seq=0,
            self_parent=None,
            time=member.replica.ledger.time + 1,
            other_parents=() if newest is None else (newest.hash,),
            transactions=self._transactions(member, key),
        )
        if last is None or self.random.random() >= _SHARE:
            return [first]
        next_in_closed_epoch = make_event(
            key, epoch=last.epoch, seq=last.seq + 1, self_parent=last.hash, time=last.time + 1
        )
        return [first, next_in_closed_epoch]

    def _transactions(self, member: ByzantineMember, key: SigningKey) -> tuple[TransactionTable, ...]:
        """Return all votes and seals that would count if a member cast them."""
        replica, number = member.replica, self.random.randrange(_IDS)
        record = replica.ledger.record
        transactions: list[ledger.Transaction] = [
            ledger.Open(replica.epoch_number, None if record is None else record.seal(key), None)
        ]
        for promotion in replica.ledger.promotions():
            transactions.append(ledger.Seal(number, promotion.digest, key.sign(pae(promotion.statement))))
        for candidacy in replica.ledger.candidates():
            results = candidacy.id if candidacy.ripe is None else candidacy.ripe.results
            transactions.append(ledger.Vote(number + 1, candidacy.id, False, results, "seen"))
        for proposal in replica.ledger.proposals():
            transactions.append(ledger.Ballot(number + 2, proposal.id, False))
        return tuple(transaction.as_table() for transaction in transactions)
