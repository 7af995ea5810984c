"""Whether this node's ledger is that of the others, and what it says and does when it is not."""

from collections.abc import Iterable

import structlog

from consensus.comparison import Comparison, Finding
from consensus.event import Event
from consensus.keys import MemberId, SigningKey
from consensus.replica import Replica, RoundEffects
from consensus.roster import Roster
from node.recovery import Recovery

_SHOWN = 8  # entries of a ledger that a line of the log names

_log = structlog.get_logger(__name__)


class Divergence:
    """Follows what is attached and decided; `dissent` says in one line what is wrong, if anything is."""

    def __init__(self, own: MemberId) -> None:
        self._own, self._comparison = own, Comparison(own)
        self._tried = 0  # the differing round for which a cure was tried
        self.finding = Finding("open")
        self.dissent = ""

    def hear(self, events: Iterable[Event]) -> None:
        """Notes what attached events say."""
        for event in events:
            self._comparison.hear(event)

    def note(self, decided: RoundEffects) -> None:
        """Notes the own ledger after a decided round."""
        self._comparison.note(decided.round.number, decided.digest)

    def look(self, roster: Roster) -> None:
        """Weighs anew; what has changed for people goes to the log."""
        self.finding = self._comparison.finding(roster)
        before, self.dissent = self.dissent, _in_words(self.finding, roster)
        if self.dissent and not before:
            _log.error("the ledgers differ", round=self.finding.since, reason=self.dissent)
        elif before and not self.dissent:
            _log.info("the ledgers agree", round=self.finding.round)

    def wants_cure(self) -> bool:
        """Whether the own ledger is wrong, and was not yet computed again for it."""
        return self.finding.verdict == "minority" and self.finding.since != self._tried

    async def cure(
        self, recovery: Recovery, key: SigningKey, wrong: Replica
    ) -> tuple[Replica, list[RoundEffects]]:
        """The replica computed again from the store, and the rounds that it has beyond those of the `wrong` one.

        What was the matter goes to the log. If it comes out the same again, it is not computed once more.
        Raises StoreError.
        """
        replica, rounds = await _compute(recovery, key)
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
        return replica, [decided for decided in rounds if decided.round.number > wrong.ledger.round]


async def _compute(recovery: Recovery, key: SigningKey) -> tuple[Replica, list[RoundEffects]]:
    """The replica of the stored epoch, and all rounds of it."""
    replica, _ = await recovery.resume(key)
    opening, position, rounds = replica.opening, 0, list[RoundEffects]()
    before = await recovery.read_before(opening)
    if before is not None:
        replica.serve(*before)
    while replica.opening is opening and (events := await recovery.read(position, opening)):
        position += len(events)
        replica.insert(events)
        rounds += replica.advance()
    return replica, rounds


def _tell(first: int, entries: list[str]) -> None:
    if first:
        shown = [*entries[:_SHOWN], *(["..."] if len(entries) > _SHOWN else [])]
        _log.error("the ledger was wrong; it was computed again", round=first, entries=", ".join(shown))
    else:
        _log.error("computed again, the ledger is the same: this program or its store differs from the others'")


def _in_words(finding: Finding, roster: Roster) -> str:
    if finding.verdict == "minority":
        return (
            f"members of weight {finding.against} of {roster.total_weight} have another ledger "
            f"since round {finding.since}; this node does not vote or work"
        )
    if finding.verdict == "none":
        return f"no ledger has the majority of the weight since round {finding.since}; nobody votes or works"
    return ""
