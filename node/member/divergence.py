"""Whether this node's ledger is that of the others, and what it says and does when it is not."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from consensus.comparison import Comparison, LedgerVerdict
from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.replica import ClosedEpoch, Replica, RoundEffects
from consensus.roster import Roster
from node.member.record_comparison import EARLY, Said, against_peers, against_sealed, is_early, record_differences
from node.member.recovery import Recovery

_EARLY = 10.0  # seconds for which others may need to close an epoch that is closed here
_SHOWN = 8  # entries of a ledger that a line of the log names
_OPENING = "epoch open"  # differs wherever records do
_SAME = "computed again, the ledger is the same: this program or its store differs from the others'"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Mistaken:
    """An epoch that was opened wrongly: its number, what opened it, and the own digests before that."""

    number: int
    epoch: bytes
    comparison: Comparison


class Divergence:
    """Follows what is attached and decided; `dissent` says in one line what is wrong, if anything is."""

    def __init__(self, own: MemberId) -> None:
        self._own, self._comparison = own, Comparison(own)
        self._tried = 0  # the differing round for which a cure was tried
        self.finding = LedgerVerdict("open")
        self.dissent = ""
        self._mistake = ""  # about an own record of an epoch
        self._odd = ""  # about the record of this epoch and those of peers
        self._looked = b""  # the epoch of which the beginning was computed again
        self._early_since = math.inf  # when others were first seen not to have closed the epoch before
        self._mistaken: _Mistaken | None = None  # what was wrong, until it was examined

    def hear(self, events: Iterable[Event]) -> None:
        """Notes what attached events say."""
        for event in events:
            self._comparison.hear(event)

    def note(self, decided: RoundEffects) -> None:
        """Notes the own ledger after a decided round."""
        self._comparison.note(decided.round.number, decided.digest)
        self._odd, self._early_since = "", math.inf  # more than 2/3 are in this epoch

    def look(self, roster: Roster) -> None:
        """Weighs anew; what has changed for people goes to the log."""
        self.finding = self._comparison.finding(roster)
        before, self.dissent = self.dissent, self._mistake or self._odd or _in_words(self.finding, roster)
        if self.dissent and not before:
            _log.error("the ledgers differ", round=self.finding.since, reason=self.dissent)
        elif before and not self.dissent:
            _log.info("the ledgers agree", round=self.finding.round)

    def compare(self, own: EpochRecord | None, said: Said, roster: Roster, now: float) -> None:
        """Notes what peers say opened the epochs in which they are, while the sealed chain does not tell yet."""
        if self._mistake or own is None:
            return
        self._odd = against_peers(self._own, own, said, roster)
        self._early_since = min(self._early_since, now) if is_early(own, said, roster) else math.inf
        if now >= self._early_since + _EARLY:
            self._odd = EARLY.format(number=own.number)
        self.look(roster)

    def mistaken(self, own: EpochRecord, sealed: SealedRecord) -> None:
        """The own record of an epoch is not the sealed one: until we `begin` with that, we are silent."""
        if self._mistake:
            return
        self._mistake = self.dissent = against_sealed(own, sealed)
        record, names = sealed.record, record_differences(own, sealed.record)
        self._comparison.note(own.round, own.ledger)  # after a start it may not have been noted
        shown = "; ".join(f"{name} {here}, sealed {there}" for name, (here, there) in names.items())
        _log.error("the record of an epoch is wrong", epoch=record.number, round=record.round, fields=shown)

    def begin(self, record: EpochRecord, ledger: Ledger, wrong: Replica) -> None:
        """We go on at the beginning of an epoch, with a ledger that is to be believed, instead of with `wrong`."""
        overdue = wrong.number < record.number and wrong.ledger.round >= record.round
        if self._mistake or (self._odd and wrong.number == record.number):
            same = wrong.number == record.number
            entries = [entry for entry in ledger.differs(wrong.ledger) if entry != _OPENING] if same else []
            _log.error("the right record took its place", epoch=record.number, entries=_listed(entries))
        elif overdue:
            _log.error("the epoch before had not closed here", epoch=record.number, round=record.round)
        if self._mistake or overdue:
            self._mistaken = _Mistaken(wrong.number + overdue, wrong.epoch, self._comparison)
        self._comparison, self.finding = Comparison(self._own), LedgerVerdict("open")
        self._mistake = self._odd = self.dissent = ""
        self._early_since = math.inf
        self._comparison.note(record.round, record.ledger)

    async def examine(self, recovery: Recovery, key: SigningKey) -> None:
        """Says in the log what the epoch that a wrong record closed comes to when it is computed again, if it can be.

        Raises StoreError.
        """
        mistaken, self._mistaken = self._mistaken, None
        replica = None if mistaken is None else await recovery.begin(key, mistaken.number - 1)
        if mistaken is None or replica is None:
            return
        rounds = await _compute(replica, recovery)
        _tell_of_close(mistaken, replica.epoch, rounds)

    async def second_look(self, recovery: Recovery, key: SigningKey, said: Said, wrong: Replica) -> ClosedEpoch | None:
        """What opened this epoch, computed again, if that is something else than it was, and a peer says the same.

        Only if what peers say is odd, and once in an epoch. So a node can leave a record that its memory has bent also
        where others are too few to seal theirs, and a right one it comes to again. Raises StoreError.
        """
        if not self._odd or self._looked == wrong.epoch:
            return None
        self._looked = wrong.epoch
        replica = await recovery.begin(key, wrong.number - 1)
        if replica is None:
            return None
        rounds = await _compute(replica, recovery)
        _tell_of_close(_Mistaken(wrong.number, wrong.epoch, self._comparison), replica.epoch, rounds)
        closed = rounds[-1].closed if rounds else None
        if closed is None or closed.record.digest == wrong.epoch:
            return None
        others = {record.digest for record in said.values() if record is not None}
        return closed if closed.record.digest in others else None

    def wants_cure(self) -> bool:
        """Whether the own ledger is wrong, and was not yet computed again for it."""
        return not self._mistake and self.finding.verdict == "minority" and self.finding.since != self._tried

    async def cure(self, recovery: Recovery, key: SigningKey, wrong: Replica) -> tuple[Replica, list[RoundEffects]]:
        """The replica computed again from the store, instead of the `wrong` one, and all its rounds.

        What was the matter goes to the log. If it comes out the same again, it is not computed once more.
        Raises StoreError.
        """
        replica, _ = await recovery.resume(key)
        rounds = await _compute(replica, recovery)
        old, self._comparison = self._comparison, Comparison(self._own)
        self._tried, first = self.finding.since, 0
        for decided in rounds:
            number = decided.round.number
            self.note(decided)
            if not first and old.own(number) not in (None, decided.digest):
                first = number
        _tell(first, replica.ledger.differs(wrong.ledger))
        self.hear(replica.dag.events)
        self.look(replica.roster)
        return replica, rounds


async def _compute(replica: Replica, recovery: Recovery) -> list[RoundEffects]:
    """Takes the replica through its epoch, as that is stored; all rounds of it."""
    opening, rounds = replica.opening, list[RoundEffects]()
    before = await recovery.read_before(opening)
    if before is not None:
        replica.serve(*before)

    async def take(events: Sequence[Event]) -> None:
        if replica.opening is opening:
            replica.insert(events)
            rounds.extend(replica.advance())

    await recovery.replay(opening, take)
    return rounds


def _tell_of_close(mistaken: _Mistaken, epoch: bytes, rounds: list[RoundEffects]) -> None:
    if epoch == mistaken.epoch:
        _log.error(_SAME, epoch=mistaken.number)
        return
    own = mistaken.comparison.own
    differing = [told.round.number for told in rounds if own(told.round.number) not in (None, told.digest)]
    first, over = min(differing, default=None), bool(rounds) and rounds[-1].closed is not None
    what = "the epoch before closes otherwise" if over else "the epoch before is not over"
    _log.error(f"computed again, {what}", epoch=mistaken.number, round=first)


def _tell(first: int, entries: list[str]) -> None:
    if first:
        _log.error("the ledger was wrong; it was computed again", round=first, entries=_listed(entries))
    else:
        _log.error(_SAME)


def _listed(entries: list[str]) -> str:
    return ", ".join([*entries[:_SHOWN], *(["..."] if len(entries) > _SHOWN else [])])


def _in_words(finding: LedgerVerdict, roster: Roster) -> str:
    if finding.verdict == "minority":
        return (
            f"members of weight {finding.against} of {roster.total_weight} have another ledger "
            f"since round {finding.since}; this node does not vote or work"
        )
    if finding.verdict == "none":
        return f"no ledger has the majority of the weight since round {finding.since}; nobody votes or works"
    return ""
