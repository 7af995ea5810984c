"""Seeds and slots: what the beacon of a decided round fixes for whatever was received two rounds before it.

Every witness of round r + 2 has every event received in round r among its ancestors (docs/seeds.md). So when the first
preimage for round r + 2 was revealed, whatever asks for a seed had been fixed.
"""

from __future__ import annotations

from typing import TypeVar

from consensus import preimages
from consensus.ledger.records import beacon
from consensus.ledger.records.entities import SLOT_KINDS, Candidacy, Place
from consensus.ledger.records.entity import replace
from consensus.ledger.records.ratings import Series
from consensus.ledger.rules import claims
from consensus.ledger.state.state import State
from consensus.ledger.state.table import Table
from consensus.ordered import DecidedRound, Judge

C = TypeVar("C", Candidacy, Series)

DISTANCE = 2  # rounds from the one that received a claim or candidate to the one whose beacon counts


def fix_seeds(state: State, decided: DecidedRound) -> None:
    """Check the judges' preimages, and give claims and candidates the seeds and slots that are due."""
    place = Place(decided.number, state.time, state.index, bytes(32), state.clock)
    valid = [judge for judge in decided.judges if _take_preimage(state, place, judge)]
    value = beacon.beacon(state.epoch.digest, decided.number, decided.judges, valid)
    due = decided.number - DISTANCE
    waiting = [claim for claim in state.claims.values() if claim.kind not in SLOT_KINDS and claim.waits]
    for claim in sorted(waiting, key=lambda claim: claim.key):
        if claim.place.round <= due:
            seed = beacon.claim_seed(value, *claim.key)
            state.claims[claim.key] = replace(claim, seed=seed)
            name = claim.configuration
            state.emit("beacon", place, claim.author, claim=claim.id, configuration=name, seed=seed)
    claims.draw_slots(state, place, value, due)
    for entry in state.candidates.recall(_without_beacon):
        if entry.place.round <= due:
            state.candidates[entry.id] = replace(entry, beacon=value, beacon_round=decided.number)
            name = entry.configuration
            state.emit("beacon", place, entry.author, candidate=entry.id, configuration=name, seed=value)
    for series in state.series.recall(_without_beacon):
        if series.place.round <= due:
            state.series[series.id] = replace(series, beacon=value, beacon_round=decided.number)


def _without_beacon(contests: Table[bytes, C]) -> tuple[C, ...]:
    """Return the matches or series whose seeds are not fixed, by their ids."""
    return tuple(contest for _, contest in sorted(contests.items()) if contest.beacon is None)


def _take_preimage(state: State, place: Place, judge: Judge) -> bool:
    """Return whether the judge reveals the preimage that its creator owed, and this member's word counts.

    In an epoch that outlives the chains, because its record lacks seals, nobody owes anything any more.
    """
    if place.round - state.epoch.last_round > preimages.LENGTH:
        return False
    before = state.commitments[judge.creator]
    after = state.commitments[judge.creator] = beacon.after_reveal(before, place.round, judge.reveal)
    if after.withheld > before.withheld:
        shown = judge.reveal is not None
        state.emit("withheld", place, judge.creator, shown=shown, times=after.withheld)
    has_say = state.roster.weights[judge.creator] > 0 and not state.is_silenced(judge.creator)
    return after.value is not None and has_say
