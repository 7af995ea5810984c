"""Which match a member should play a slot of."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.work import Subject, Work
from consensus.settings import players


def wanted_match(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return a match with more free slots for the member than claims that wait for one; None if there is none."""
    for candidacy in ledger.candidates():
        if candidacy.beacon is None or candidacy.ripe is not None:
            continue
        if ("match", candidacy.configuration, candidacy.id) in avoided:
            continue
        if ledger.is_paused("match", candidacy.configuration):
            continue
        claims = [claim for claim in ledger.claims() if claim.candidate == candidacy.id]
        if any(claim.author == member for claim in claims):
            continue
        if len(ledger.open_slots(candidacy, member)) > sum(claim.waits for claim in claims):
            games = candidacy.settings.slot_blocks * players(candidacy.configuration)
            name = candidacy.configuration
            return Work(
                kind="match", configuration=name, amount=games, model=candidacy.incumbent, candidate=candidacy.id
            )
    return None
