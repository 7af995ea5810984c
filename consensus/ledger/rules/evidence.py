"""Evidence: the proof that a member signed two different events with one number, and its consequences.

Nobody else can make such a proof: it takes two signatures of the member, over headers that name the same epoch and
number, and an honest member signs one. From the proof's place in the order on, nothing that the member says counts,
except its `open`, because its seal of the old roster's order is as good as any. In the thresholds of the running epoch
its weight stays, as it does in the DAG; the proof closes the epoch, and in the next one the weight is 0. Members that
have a third of the weight or more between them are convicted like others; but then it takes their own seals to prove
the change of the roster to outsiders.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from consensus.epoch import can_seal_change
from consensus.event import EventError, Header, decode_header
from consensus.keys import MemberId
from consensus.ledger.records.changes import Change, concerns
from consensus.ledger.records.entities import Conviction, Place
from consensus.ledger.records.transactions import Evidence
from consensus.ledger.rules import claims, membership, voices
from consensus.ledger.state.state import RefusedError, State
from consensus.roster import Roster, RosterError, make_roster


def apply_evidence(state: State, place: Place, author: MemberId, transaction: Evidence) -> None:
    """Silence a proven equivocator and take its weight away. The first proof counts; further ones are refused."""
    first, second = _read(transaction.first), _read(transaction.second)
    accused = first.creator
    if accused not in state.roster:
        raise RefusedError("accused is no member")
    number = state.epoch.number_of(first.epoch)
    if number is None:
        raise RefusedError("events of an unknown epoch")
    if not can_convict(state, accused, number):
        raise RefusedError("equivocation is proven already")
    _require_proof(transaction, first, second)
    convicted = [*state.silenced_members(), accused]
    fallback = _without_say(state.epoch.staying, convicted)
    if fallback is None:
        raise RefusedError("nobody else has a say")
    entry = Conviction(
        member=accused,
        epoch=number,
        seq=first.seq,
        first=first.hash,
        second=second.hash,
        proof_epoch=state.epoch.number,
        place=place,
    )
    state.convictions[accused] = entry
    voids = _strip(state, accused, convicted, fallback)
    state.emit(
        "evidence",
        place,
        author,
        accused=accused,
        epoch=number,
        seq=first.seq,
        first=first.hash,
        second=second.hash,
        weight=state.roster.weights[accused],
        voids=voids,
    )
    _silence(state, place, accused)
    if state.settings.membership.expel:
        membership.suggest(state, place, Change("leave", accused), "proven equivocation")


def can_convict(state: State, member: MemberId, epoch: int) -> bool:
    """Return whether proof of two events of this epoch would count against a member.

    The last proof settles everything up to the epoch in which it was ordered, even if the member has a weight again.
    """
    if member not in state.roster or state.is_silenced(member):
        return False
    conviction = state.convictions.get(member)
    return conviction is None or epoch > conviction.proof_epoch


def _read(signed: tuple[bytes, bytes]) -> Header:
    try:
        return decode_header(*signed)
    except EventError as error:
        raise RefusedError("no proof", str(error)) from None


def _require_proof(transaction: Evidence, first: Header, second: Header) -> None:
    same = first.epoch == second.epoch and first.creator == second.creator and first.seq == second.seq
    if not same or transaction.id != first.seq:
        raise RefusedError("no proof", "the events are not of one epoch, creator and seq, with this seq as the id")
    if first.hash >= second.hash:
        raise RefusedError("no proof", "the events are not two, ascending by their hashes")
    if not (first.verify() and second.verify()):
        raise RefusedError("no proof", "a signature does not verify")


def _without_say(roster: Roster, members: Collection[MemberId]) -> Roster | None:
    """Return the roster with weight 0 for these members; None if no weight is left."""
    listed = (replace(entry, weight=0) if entry.id in members else entry for entry in roster.members)
    try:
        return make_roster(listed)
    except RosterError:
        return None


def _strip(state: State, accused: MemberId, convicted: Collection[MemberId], fallback: Roster) -> bool:
    """Set the member's weight to 0 from the next epoch on. Return whether that voids changes approved in this one.

    It does if the coming roster no longer has the member (it may have another key there), or if the members that are
    left could not seal all of it together.
    """
    epoch = state.epoch
    if accused in epoch.leaving:
        return False
    agreed = epoch.coming
    coming = _without_say(agreed, convicted) if accused in agreed else None
    fits = coming is not None and can_seal_change(state.roster, coming, without=convicted)
    result = coming if coming is not None and fits else fallback
    epoch.next = None if result == epoch.staying else result
    return result != coming


def _silence(state: State, place: Place, accused: MemberId) -> None:
    """End the member's claims, and remove what it said in open votes."""
    for key in [key for key in sorted(state.claims) if key[0] == accused]:
        claims.revoke(state, place, state.claims[key])
    voices.keep_voices(state, lambda member: member != accused)
    for _, proposal in sorted(state.proposals.items()):
        change = proposal.change
        if change.kind == "weight" and concerns(change, accused):  # its voters did not know this
            membership.shelve(state, place, proposal, "the member has equivocated")
