"""Which series a member should play for next, so that all canonical models get their ratings evenly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import lru_cache

from consensus.encoding import encode
from consensus.keys import MemberId
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.ratings import Series
from consensus.ledger.steering.capability import can_play_slot
from consensus.ledger.views import Views

MEMBERS_FOR_EACH_RATER = 8
"""One member of so many rates at once, and at least one: ratings are needed soon, but they make no model better."""


def series_due(
    ledger: Views, member: MemberId, is_avoided: Callable[[Series], bool], *, is_spare: bool = False
) -> Series | None:
    """Return the series with the fewest results and claims that has a slot for the member.

    Random play and the policy alone come last: models that hold their own against the heuristic can do without. Return
    None if there is none, or if enough members rate; `is_spare`: the member has nothing better to do.
    """
    claims = [claim for claim in ledger.claims() if claim.kind == "rate"]
    if not is_spare and _enough_rate(ledger, claims):
        return None
    taken = [claim.candidate for claim in claims]
    mine = {claim.candidate for claim in claims if claim.author == member}
    unsettled = (
        series for configuration in ledger.configurations() for series in _unsettled_of(ledger, configuration.name)
    )
    open_ = [
        series
        for series in unsettled
        if series.id not in mine and not is_avoided(series) and not ledger.is_paused("rate", series.configuration)
    ]

    def order(series: Series) -> tuple[bool, int, bytes]:
        results = sum(slot.result is not None for slot in series.slots)
        is_last = series.pair.opponent == "random" or series.pair.player == "policy"
        return is_last, results + taken.count(series.id), _lot(member, series.id)

    return next(
        (
            series
            for series in sorted(open_, key=order)
            if ledger.open_slots(series, member) and can_play_slot(ledger, member, series)
        ),
        None,
    )


@lru_cache(maxsize=1 << 13)
def _lot(member: MemberId, series: bytes) -> bytes:
    """Return what orders series that lack equally much, so that not all members choose the same."""
    return hashlib.sha256(encode([member, series])).digest()


def _unsettled_of(ledger: Views, configuration: str) -> tuple[Series, ...]:
    basis = ledger.ratings(configuration), *ledger.series(configuration)
    return ledger.recall(_unsettled, configuration, basis)


def _unsettled(ledger: Views, configuration: str) -> tuple[Series, ...]:
    """Return the series of a configuration that can be played and say more with further blocks."""
    entries = ledger.series(configuration)
    return tuple(series for series in entries if series.beacon is not None and not ledger.is_settled(series))


def _enough_rate(ledger: Views, claims: Iterable[Claim]) -> bool:
    """Return whether members enough rate at once. Who held slots in vain does not count: else it could stop ratings."""
    raters = {claim.author for claim in claims}
    useful = sum(not ledger.rates_in_vain(member) for member in raters)
    return useful >= max(1, len(ledger.roster) // MEMBERS_FOR_EACH_RATER)
