"""Which model a member should help to rate."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.steering.rating_due import series_due
from consensus.settings import players


def wanted_rating(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return a slot of the series that lacks results most; None if there is none for the member."""
    series = series_due(ledger, member, lambda entry: ("rate", entry.configuration, entry.id) in avoided)
    if series is None:
        return None
    name, games = series.configuration, series.settings.slot_blocks * players(series.configuration)
    return Work(kind="rate", configuration=name, amount=games, model=series.pair.model, candidate=series.id)
