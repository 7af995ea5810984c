"""Which match a member should play a slot of."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.steering.capability import can_play_slot
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
        if ledger.settings.steering.rules and not can_play_slot(ledger, member, candidacy):
            continue
        if len(ledger.open_slots(candidacy, member)) > sum(claim.waits for claim in claims):
            games = candidacy.settings.slot_blocks * players(candidacy.configuration)
            name = candidacy.configuration
            return Work(
                kind="match", configuration=name, amount=games, model=candidacy.incumbent, candidate=candidacy.id
            )
    return None


def why_no_match(ledger: Ledger, _member: MemberId, _avoided: Collection[Subject]) -> str:
    """Return why `wanted_match` has nothing for the member."""
    open_ = [candidacy for candidacy in ledger.candidates() if candidacy.ripe is None]
    if not open_:
        return "no candidate is measured"
    if all(ledger.is_paused("match", candidacy.configuration) for candidacy in open_):
        return "matches are paused"
    return "no match has a free slot for it"
