"""The comparison of this node's ledger with those of the others: what their events claim, weighed round by round.

Every event names the last round that its creator had decided, and the digest of its ledger after it. The majority
digest of a round is the one that members of more than half of the weight name: there is at most one, and liars of less
than a third, whatever they claim, cannot produce it alone. Members that have not named a digest yet may still name
any; a round in which no digest can reach the majority any more has none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from consensus.event import Header
from consensus.keys import MemberId
from consensus.roster import Roster

KEPT_ROUNDS = 1000  # before the last own one, and after it

Agreement = Literal["open", "agree", "minority", "none"]


@dataclass(frozen=True)
class LedgerVerdict:
    """The result for the last round with enough claims; "open" before the first."""

    agreement: Agreement
    round: int = 0
    since_round: int = 0  # the first round from which the own digests differ from the majority; 0 if they do not
    against: int = 0  # weight of the members that name another digest for `round`


class Comparison:
    """The own digests of the last rounds, and those that members' events name."""

    def __init__(self, own: MemberId) -> None:
        self._own = own
        self._digests: dict[int, bytes] = {}
        self._claims: dict[int, dict[MemberId, bytes]] = defaultdict(dict)
        self._last = 0

    def observe_round(self, number: int, digest: bytes) -> None:
        """Record the digest of the own ledger after round `number`, the next one."""
        self._digests[number] = digest
        self._last = number
        for table in (self._digests, self._claims):
            while table and (oldest := next(iter(table))) < number - KEPT_ROUNDS:
                del table[oldest]

    def observe_event(self, event: Header) -> None:
        """Record what an attached event claims.

        The first claim of a member about a round counts. Own events do not: for us, `observe_round` counts.
        """
        if event.ledger is not None and event.creator != self._own:
            number, digest = event.ledger
            if abs(number - self._last) <= KEPT_ROUNDS:
                self._claims[number].setdefault(event.creator, digest)

    def own_digest(self, number: int) -> bytes | None:
        """Return the own digest after a round; None if it is not kept."""
        return self._digests.get(number)

    def majority(self, number: int, roster: Roster) -> bytes | None:
        """Return the majority digest of a round; None if there is none, or not yet."""
        for digest, weight in self._weights(number, roster).items():
            if 2 * weight > roster.total_weight:
                return digest
        return None

    def verdict(self, roster: Roster) -> LedgerVerdict:
        """Return the result so far, with the weights of the present roster."""
        for number in reversed(self._digests):
            weights = self._weights(number, roster)
            own, heard = weights.get(self._digests[number], 0), sum(weights.values())
            silent, against, best = roster.total_weight - heard, heard - own, max(weights.values(), default=0)
            if 2 * own > roster.total_weight:
                return LedgerVerdict("agree", number, 0, against)
            if 2 * best > roster.total_weight:
                return LedgerVerdict("minority", number, self._since(number, roster), against)
            if 2 * (best + silent) <= roster.total_weight:
                return LedgerVerdict("none", number, self._since(number, roster), against)
        return LedgerVerdict("open")

    def _since(self, number: int, roster: Roster) -> int:
        """Return the first of the rounds up to `number` after the last one in which the majority digest is ours."""
        first = number
        for earlier in [entry for entry in reversed(self._digests) if entry < number]:
            majority = self.majority(earlier, roster)
            if majority == self._digests[earlier]:
                break
            if majority is not None:
                first = earlier
        return first

    def _weights(self, number: int, roster: Roster) -> dict[bytes, int]:
        """Return the weight of the members that name each digest of a round."""
        weights: dict[bytes, int] = defaultdict(int)
        claims = dict(self._claims.get(number, {}))
        if number in self._digests:
            claims[self._own] = self._digests[number]
        for member, digest in claims.items():
            weights[digest] += roster.weights.get(member, 0)
        return weights
