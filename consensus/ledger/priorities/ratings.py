"""Which model a member should help to rate."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.records.ratings import Series
from consensus.ledger.steering.rating_due import series_due
from consensus.settings import players


def wanted_rating(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return a slot of the series that lacks results most; None if there is none for the member."""
    return _rating(ledger, member, avoided, is_spare=False)


def wanted_spare_rating(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return the same for a member that nothing else is wanted from, however many members rate."""
    return _rating(ledger, member, avoided, is_spare=True)


def _rating(ledger: Ledger, member: MemberId, avoided: Collection[Subject], *, is_spare: bool) -> Work | None:
    def is_avoided(series: Series) -> bool:
        return ("rate", series.configuration, series.id) in avoided

    series = series_due(ledger, member, is_avoided, is_spare=is_spare)
    if series is None:
        return None
    name, games = series.configuration, series.settings.slot_blocks * players(series.configuration)
    return Work(kind="rate", configuration=name, amount=games, model=series.pair.model, candidate=series.id)
