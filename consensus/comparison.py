"""Whether this node's ledger is that of the others: what the events say of it, weighed round by round.

Every event names the last round that its creator had decided, and the digest of its ledger after it. A digest
that members of more than half of the weight name for a round has the majority of it: there is one at most, and
liars of less than a third, who say what they like, cannot bring it about alone. Those whose word on a round is
missing may still say either; a round of which no digest can have the majority any more has none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from consensus.event import Header
from consensus.keys import MemberId
from consensus.roster import Roster

KEPT_ROUNDS = 1000  # rounds before the last own one, and after it

Agreement = Literal["open", "agree", "minority", "none"]


@dataclass(frozen=True)
class LedgerVerdict:
    """What the last round says of which enough members have spoken; "open" before the first."""

    agreement: Agreement
    round: int = 0
    since_round: int = 0  # the first round from which on the own digests are not the majority's; 0 if they are
    against: int = 0  # weight of those who name another digest for `round`


class Comparison:
    """Own digests and those that members' events name, of the last rounds."""

    def __init__(self, own: MemberId) -> None:
        self._own = own
        self._digests: dict[int, bytes] = {}
        self._said: dict[int, dict[MemberId, bytes]] = defaultdict(dict)
        self._last = 0

    def observe_round(self, number: int, digest: bytes) -> None:
        """The own ledger has this digest after a round, the next one."""
        self._digests[number] = digest
        self._last = number
        for table in (self._digests, self._said):
            for old in [old for old in table if old < number - KEPT_ROUNDS]:
                del table[old]

    def observe_event(self, event: Header) -> None:
        """What an attached event says. Of a member counts what it says of a round first; ours is what we note."""
        if event.ledger is not None and event.creator != self._own:
            number, digest = event.ledger
            if abs(number - self._last) <= KEPT_ROUNDS:
                self._said[number].setdefault(event.creator, digest)

    def own_digest(self, number: int) -> bytes | None:
        """The own digest after a round, if it is kept."""
        return self._digests.get(number)

    def majority(self, number: int, roster: Roster) -> bytes | None:
        """The digest that has the majority of a round; None if none has, or not yet."""
        for digest, weight in self._weights(number, roster).items():
            if 2 * weight > roster.total_weight:
                return digest
        return None

    def verdict(self, roster: Roster) -> LedgerVerdict:
        """Who weighs how much is that of the present roster."""
        for number in reversed(self._digests):
            weights = self._weights(number, roster)
            silent = roster.total_weight - sum(weights.values())
            against = sum(weights.values()) - weights.get(self._digests[number], 0)
            best = max(weights.values(), default=0)
            if 2 * best > roster.total_weight:
                if self.majority(number, roster) == self._digests[number]:
                    return LedgerVerdict("agree", number, 0, against)
                return LedgerVerdict("minority", number, self._since(number, roster), against)
            if 2 * (best + silent) <= roster.total_weight:
                return LedgerVerdict("none", number, self._since(number, roster), against)
        return LedgerVerdict("open")

    def _since(self, number: int, roster: Roster) -> int:
        """The first of the rounds up to `number` after the last one in which the majority has our digest."""
        first = number
        for earlier in [entry for entry in reversed(self._digests) if entry < number]:
            majority = self.majority(earlier, roster)
            if majority == self._digests[earlier]:
                break
            if majority is not None:
                first = earlier
        return first

    def _weights(self, number: int, roster: Roster) -> dict[bytes, int]:
        """Weight of the members that name each digest of a round."""
        weights: dict[bytes, int] = defaultdict(int)
        said = dict(self._said.get(number, {}))
        if number in self._digests:
            said[self._own] = self._digests[number]
        for member, digest in said.items():
            weights[digest] += roster.weights.get(member, 0)
        return weights
