"""The slots of a match: who may play which.

Slots come in pairs (0 and 1, 2 and 3, ...), and in swarms of three or more no member may hold both slots of
a pair, so nobody holds more than half of the slots, nor of any even number of first slots: an early verdict
cannot rest on one member. Nor may the author of the candidate hold any. Two other members that are alive
can always finish a match: whatever is left of a pair, one of them did not play its other half. With one
member or two all may play. A slot whose lease ran out is free, but remembers its claim until somebody else
is granted it (or the claim's member its other half), so that a late result still counts.
"""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.entities import Candidacy, Claim, ClaimKey, Slot
from consensus.ledger.state import RefusedError, State

SMALL_SWARM = 2


def open_match(state: State, candidate: bytes) -> Candidacy:
    """The open candidate whose match can be played now."""
    candidacy = state.candidates.get(candidate)
    if candidacy is None:
        raise RefusedError("no open candidate")
    if candidacy.beacon is None:
        raise RefusedError("seeds are not fixed yet")
    if candidacy.ripe is not None:
        raise RefusedError("match is over")
    return candidacy


def is_free(state: State, candidacy: Candidacy, number: int) -> bool:
    """Whether nobody has played the slot or plays it."""
    slot = candidacy.slots[number]
    return slot.result is None and (slot.claim is None or slot.claim not in state.claims)


def may_take(state: State, candidacy: Candidacy, number: int, member: MemberId) -> bool:
    """Whether the member may hold this slot, free or not."""
    if len(state.roster) <= SMALL_SWARM:
        return True
    return member != candidacy.author and _holder(state, candidacy, number ^ 1) != member


def assign(state: State, candidacy: Candidacy, number: int, key: ClaimKey) -> None:
    """Grants the slot; the member's claim on the other half, if it ran out, counts no more."""
    slots = list(candidacy.slots)
    other = slots[number ^ 1]
    if len(state.roster) > SMALL_SWARM and other.claim is not None and other.claim[0] == key[0]:
        slots[number ^ 1] = replace(other, claim=None)
    slots[number] = Slot(claim=key)
    state.candidates[candidacy.id] = replace(candidacy, slots=tuple(slots))


def vacate(state: State, claim: Claim) -> None:
    """Forgets a claim that was given back."""
    if claim.candidate is not None and claim.slot is not None:
        candidacy = state.candidates[claim.candidate]
        slots = list(candidacy.slots)
        slots[claim.slot] = Slot()
        state.candidates[candidacy.id] = replace(candidacy, slots=tuple(slots))


def _holder(state: State, candidacy: Candidacy, number: int) -> MemberId | None:
    slot = candidacy.slots[number]
    if slot.result is not None:
        return slot.result.author
    return slot.claim[0] if slot.claim is not None and slot.claim in state.claims else None
