"""The slots of a match or series, and who may play which. A member asks for one, and the beacon draws it.

Slots come in pairs (0 and 1, 2 and 3, ...). In swarms of three or more, no member may hold both slots of a pair, so
nobody holds more than half of the slots, nor of any even number of first slots: an early verdict cannot rest on one
member. The author of the candidate may not hold any. Two other members that are alive can always finish a match:
whatever is left of a pair, one of them did not play its other half. In swarms of one or two members, all may play.

A member has one claim on a match at a time. A slot that was released, or whose lease ran out, is free, but keeps its
claim until another one is granted. So a late result still counts, and a member that asks again gets this slot and no
other: it cannot draw until it likes the slot. A slot whose result was struck comes before new ones, because nothing
else is missing for the others to count.
"""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, Claim, ClaimKey, Slot
from consensus.ledger.records.entity import replace
from consensus.ledger.records.ratings import Contest, Series
from consensus.ledger.rules import turns
from consensus.ledger.rules.series import is_settled
from consensus.ledger.state.state import SMALL_SWARM, RefusedError, State


def require_open_match(state: State, candidate: bytes) -> Candidacy:
    """Return the open candidate whose match can be played now. Raise RefusedError if there is none."""
    candidacy = state.candidates.get(candidate)
    if candidacy is None:
        raise RefusedError("no open candidate")
    if candidacy.beacon is None:
        raise RefusedError("seeds are not fixed yet")
    if candidacy.ripe is not None:
        raise RefusedError("match is over")
    return candidacy


def require_series(state: State, name: bytes) -> Series:
    """Return the series that can be played now. Raise RefusedError if there is none."""
    series = state.series.get(name)
    if series is None:
        raise RefusedError("no such series")
    if series.beacon is None:
        raise RefusedError("seeds are not fixed yet")
    return series


def open_slots(state: State, contest: Contest, member: MemberId) -> tuple[int, ...]:
    """Return the slots from which one would be drawn for the member now, if it has no live claim there."""
    if not turns.may_hold(state, contest.id, member):
        return ()
    slots = contest.slots
    if isinstance(contest, Series) and is_settled(state, contest):
        return ()
    free = [
        number
        for number in range(len(slots))
        if _is_free(state, slots[number]) and _may_take(state, contest, number, member)
    ]
    dropped = tuple(number for number in free if (claim := slots[number].claim) is not None and claim[0] == member)
    again = tuple(number for number in free if slots[number].was_struck)
    return dropped or again or tuple(number for number in free if number < _horizon(state, contest))


def grant_slot(state: State, contest: Contest, number: int, key: ClaimKey) -> None:
    """Grant the slot to a claim."""
    _put(state, contest, number, replace(contest.slots[number], claim=key))


def forget_claim(state: State, claim: Claim) -> None:
    """Make the claim's slot free, as if the claim had never been granted."""
    contest = None if claim.candidate is None else state.contest(claim.candidate)
    if contest is not None and claim.slot is not None:
        _put(state, contest, claim.slot, replace(contest.slots[claim.slot], claim=None))


def _put(state: State, contest: Contest, number: int, slot: Slot) -> None:
    slots = (*contest.slots[:number], slot, *contest.slots[number + 1 :])
    state.put_contest(replace(contest, slots=slots))


def _horizon(state: State, contest: Contest) -> int:
    """Return the number of first slots that are in play.

    There are two per member beyond the complete prefix, because the results of later ones may never count. Of a series
    there are only two: others can be played meanwhile, and what does not belong to the prefix yet says nothing.
    """
    complete = 0
    while complete < len(contest.slots) and contest.slots[complete].result is not None:
        complete += 1
    return complete + (2 if isinstance(contest, Series) else 2 * len(state.roster))


def _is_free(state: State, slot: Slot) -> bool:
    """Return whether nobody has played the slot or is playing it."""
    return slot.result is None and (slot.claim is None or slot.claim not in state.claims)


def _may_take(state: State, contest: Contest, number: int, member: MemberId) -> bool:
    """Return whether the member may hold this slot, free or not."""
    if member in contest.faulty:
        return False
    if len(state.roster) <= SMALL_SWARM:
        return True
    return member != contest.author and _holder(state, contest, number ^ 1) != member


def _holder(state: State, contest: Contest, number: int) -> MemberId | None:
    slot = contest.slots[number]
    if slot.result is not None:
        return slot.result.author
    return slot.claim[0] if slot.claim is not None and slot.claim in state.claims else None
