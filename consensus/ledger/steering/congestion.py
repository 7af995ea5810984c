"""Whether evaluators keep up: the blocks that open matches lack, against what was played lately. With hysteresis.

The cap is what evaluators finished in the last half hour, at least two whole matches, of the longest kind that some
configuration has. From `steering.congested` of it on nothing more is trained, until less than `steering.relieved` is
open; where nothing is open, evaluators never lag. Which of the two holds follows from the ledger alone: what is open
falls between nominations, so it was never below the lower bound since the last one if it is not now. Only candidates
that were trained on a claim count: else whoever nominates anything would keep all from training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from consensus.ledger.records.entities import ClosedCandidate, Promotion
from consensus.ledger.steering.signals import FULL
from consensus.ledger.views import Views

LATELY_S = 1800
_LEAST_MATCHES = 2


@dataclass(frozen=True)
class Congestion:
    """Blocks of open matches, now and after the last nomination, against the cap."""

    open: int
    open_at_nomination: int
    cap: int
    congested: int  # thousandths of the cap
    relieved: int

    @property
    def load(self) -> int:
        """Open blocks, in thousandths of the cap."""
        return self.open * FULL // self.cap

    @property
    def is_congested(self) -> bool:
        """Whether nothing more should be trained now."""
        peak = max(self.open_at_nomination, self.open) * FULL // self.cap
        return self.open > 0 and peak >= self.congested and self.load >= self.relieved


def congestion(ledger: Views) -> Congestion:
    """Return how far evaluators keep up with candidates."""
    return ledger.remember(_congestion)


def _congestion(ledger: Views) -> Congestion:
    settings = ledger.settings
    candidates = [entry for entry in ledger.candidates() if entry.was_trained]
    lately = ledger.clock - LATELY_S * 10**9
    last = max((entry.place.clock for entry in candidates), default=0)
    whole = max(ledger.settings_on(entry.name).match.block_limit for entry in ledger.configurations())
    since = min(lately, last)
    ended = [*_ended_after(since, ledger.promotions()), *_ended_after(since, ledger.closed_candidates())]
    played = [reported for entry in candidates for reported in entry.reported_blocks]
    finished = sum(blocks for clock, blocks in (*ended, *played) if clock > lately)
    now = sum(entry.open_blocks for entry in candidates)
    return Congestion(
        open=now,
        open_at_nomination=now
        + sum(blocks for clock, blocks in played if clock > last)
        + whole * sum(clock > last for clock, blocks in ended if blocks),
        cap=max(finished, _LEAST_MATCHES * whole),
        congested=settings.steering.congested,
        relieved=settings.steering.relieved,
    )


def _ended_after(clock: int, matches: Sequence[Promotion | ClosedCandidate]) -> list[tuple[int, int]]:
    """Return when matches ended that did so after a clock, of some in the order of their ends, and their blocks."""
    newest_first = takewhile(lambda entry: entry.place.clock > clock, reversed(matches))
    return [(entry.place.clock, entry.blocks) for entry in newest_first]
