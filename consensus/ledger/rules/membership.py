"""The membership rules: proposals, ballots on them, changes of the roster, and the start and end of an epoch.

A change needs more than 2/3 of the weight. Approved changes are applied to the roster of the next epoch, and close this
one (`Ledger.closing`); until then the present roster decides alone. The members that stay must weigh more than 2/3
before and after, because they seal the record that links both rosters. A member that leaves seals it too: it stays
without weight or ballot until enough have sealed, which closes that epoch again.

What the swarm does is voted on in the same way (`decisions`).
"""

from __future__ import annotations

import hashlib

from consensus.encoding import encode
from consensus.epoch import EpochRecord, can_seal_change
from consensus.keys import MemberId, id_text
from consensus.ledger.records.beacon import initial_commitments
from consensus.ledger.records.changes import Change, Proposal, ProposalBallot
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.effects import Scalar
from consensus.ledger.records.entities import Place
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Ballot, Open, Propose, proposal_id
from consensus.ledger.rules import claims, clock, decisions, voices
from consensus.ledger.state.epoch_state import handover
from consensus.ledger.state.state import RefusedError, State
from consensus.ledger.state.table import Table
from consensus.roster import Roster, RosterError, require_balance

MAX_OPEN_PROPOSALS = 4  # of one member
SHORT_ID = 8  # characters with which people name members by their ids


def apply_propose(state: State, place: Place, author: MemberId, transaction: Propose) -> None:
    """Open a vote on a change that fits."""
    decides = decisions.is_decided_by(state, author, transaction.change)
    if not decides:
        _require_room(state, author, transaction.change)
    require_fit(state, transaction.change)
    identity = proposal_id(author, transaction.id)
    ballots = (ProposalBallot(author, approve=True),)
    _put(
        state,
        Proposal(
            id=identity,
            author=author,
            change=transaction.change,
            reason=transaction.reason,
            place=place,
            deadline=_deadline(state),
            ballots=ballots,
        ),
    )
    if decides:
        _adopt(state, place, state.proposals[identity])
    else:
        settle(state, place, state.proposals[identity])


def _require_room(state: State, author: MemberId, change: Change | SteeringChange) -> None:
    """Raise RefusedError if nobody should vote on the change: it is proposed already, or the author has too many."""
    mine = [proposal for proposal in state.proposals.values() if proposal.author == author]
    if len(mine) >= MAX_OPEN_PROPOSALS:
        raise RefusedError("too many open proposals")
    if any(proposal.change == change for proposal in state.proposals.values()):
        raise RefusedError("change is proposed already")


def apply_ballot(state: State, place: Place, author: MemberId, transaction: Ballot) -> None:
    """Count the first ballot of a member."""
    proposal = state.proposals.get(transaction.proposal)
    if proposal is None:
        raise RefusedError("no open proposal")
    if any(ballot.author == author for ballot in proposal.ballots):
        raise RefusedError("member has voted")
    proposal = replace(proposal, ballots=(*proposal.ballots, ProposalBallot(author, transaction.approve)))
    state.proposals[proposal.id] = proposal
    approved, rejected = tally(state.roster, proposal)
    state.emit(
        "ballot",
        place,
        author,
        proposal=proposal.id,
        **_subject(proposal.change),
        approve=transaction.approve,
        approved=approved,
        rejected=rejected,
        weight=state.roster.total_weight,
    )
    settle(state, place, proposal)


def settle(state: State, place: Place, proposal: Proposal) -> None:
    """End the vote if it is decided."""
    approved, rejected = tally(state.roster, proposal)
    if 3 * approved > 2 * state.roster.total_weight:
        _adopt(state, place, proposal)
    elif 3 * rejected >= state.roster.total_weight:
        shelve(state, place, proposal, "a third of the weight or more rejects")


def tally(roster: Roster, proposal: Proposal) -> tuple[int, int]:
    """Return the weight of the approvals and of the rejections."""
    approved = roster.weight(ballot.author for ballot in proposal.ballots if ballot.approve)
    return approved, roster.weight(ballot.author for ballot in proposal.ballots) - approved


def expire(state: State, place: Place) -> None:
    """Drop the proposals whose time is over."""
    for _, proposal in sorted(state.proposals.items()):
        if proposal.deadline <= state.clock:
            shelve(state, place, proposal, "not enough ballots in time")


def suggest_absent_leave(state: State, place: Place) -> None:
    """Propose that members without an ordered event for a long time leave, if the genesis says so."""
    limit = state.settings.membership.absence_s * 10**9
    if not limit:
        return
    for member in state.roster.ids:
        if state.clock - state.last_event_clocks[member] >= limit:
            state.last_event_clocks[member] = (
                state.clock
            )  # if the members vote to keep it, this is not proposed again at once
            suggest(state, place, Change("leave", member), "nothing of it was ordered for long")


def suggest(state: State, place: Place, change: Change, reason: str) -> None:
    """Open a proposal by a rule of the genesis, unless the same change is proposed already or does not fit."""
    if any(proposal.change == change for proposal in state.proposals.values()):
        return
    try:
        roster_with(state, change)
    except RefusedError:
        return
    name: bytes = encode(["ringrift/suggestion/1", change.table(), place.index])
    _put(
        state,
        Proposal(
            id=hashlib.sha256(name).digest(),
            author=None,
            change=change,
            reason=reason,
            place=place,
            deadline=_deadline(state),
        ),
    )


def apply_open(state: State, place: Place, author: MemberId, transaction: Open) -> None:
    """Record that a member continues from the record that opened this epoch, and its anchor for the next."""
    epoch = state.epoch
    if transaction.id != epoch.number:
        raise RefusedError("opens another epoch")
    if author in epoch.opened:
        raise RefusedError("member has opened the epoch")
    if not _is_right_seal(epoch.record, author, transaction.seal):
        raise RefusedError("seal does not verify")
    if epoch.apply_open(author, transaction.seal, transaction.anchor):
        assert epoch.sealed is not None
        state.emit("sealed", place, None, epoch=epoch.number, record=epoch.digest, seals=len(epoch.sealed.seals))


def _is_right_seal(record: EpochRecord | None, author: MemberId, seal: bytes | None) -> bool:
    """Return whether `seal` is the author's of `record`, or None in the first epoch, which has no record."""
    if record is None or seal is None:
        return record is None and seal is None
    return record.verify_seal(author, seal)


def begin_next_epoch(state: State, place: Place) -> None:
    """Replace the epoch's state by that of the next one, and end what members that left had begun."""
    state.epoch = state.epoch.successor(state.index + 1)
    roster, staying = state.roster, state.epoch.staying
    for key in [key for key in sorted(state.claims) if key[0] not in staying]:
        claim = state.claims[key]
        claims.revoke(state, place, claim)
    state.profiles = Table((member, profile) for member, profile in state.profiles.items() if member in staying)
    state.commitments = Table(initial_commitments(roster, state.round, state.commitments.values()))
    state.last_event_clocks = {member: state.last_event_clocks.get(member, state.clock) for member in roster.ids}
    state.names = {member: name for member, name in state.names.items() if member in roster}
    clock.begin_next_epoch(state)
    voices.keep_voices(state, lambda member: member in staying)
    for _, proposal in sorted(state.proposals.items()):
        _carry_over(state, place, proposal)


def _carry_over(state: State, place: Place, proposal: Proposal) -> None:
    try:
        require_fit(state, proposal.change)
    except RefusedError as refused:
        shelve(state, place, proposal, f"no longer possible: {refused.detail}")


def require_fit(state: State, change: Change | SteeringChange) -> None:
    """Raise RefusedError if a change does not fit now."""
    if isinstance(change, SteeringChange):
        decisions.check_proposed(state, change)
    else:
        roster_with(state, change)


def roster_with(state: State, change: Change) -> Roster:
    """Return the coming roster with this change. Raise RefusedError if it, or the name with it, does not fit."""
    if change.name is not None:
        _check_name(state, change.name, change.member)
    coming = state.epoch.coming
    try:
        roster = change.applied(coming)
        handover(state.roster, roster)
        if coming.outweighing is None:
            require_balance(roster)
    except RosterError as error:
        raise RefusedError("change does not fit", str(error)) from None
    if not can_seal_change(state.roster, roster, without=state.silenced_members()):
        detail = "the members that stay must weigh more than 2/3 before and after; change in smaller steps"
        raise RefusedError("change is too large", detail)
    return roster


def _check_name(state: State, name: str, member: MemberId) -> None:
    """Raise RefusedError if a name would stand for two members, or looks like the beginning of an id."""
    if any(known.lower() == name.lower() and other != member for other, known in state.names.items()):
        raise RefusedError("change does not fit", f"another member has the name {name}")
    if len(name) >= SHORT_ID and any(id_text(other).startswith(name.lower()) for other in state.roster.ids):
        raise RefusedError("change does not fit", f"an id begins with the name {name}")


def _deadline(state: State) -> int:
    return state.clock + state.settings.membership.vote_s * 10**9


def _put(state: State, proposal: Proposal) -> None:
    state.proposals[proposal.id] = proposal
    about = proposal.change.about()
    state.emit("proposal", proposal.place, proposal.author, proposal=proposal.id, **about, reason=proposal.reason)


def _adopt(state: State, place: Place, proposal: Proposal) -> None:
    change, about = proposal.change, proposal.change.about()
    try:
        if isinstance(change, SteeringChange):
            entry = decisions.adopt(state, place, proposal)
            about |= {"version": entry.version, "before": entry.before}
        else:
            state.epoch.next = roster_with(state, change)
            _keep_name(state, change)
    except RefusedError as refused:
        shelve(state, place, proposal, f"no longer possible: {refused.detail}")
        return
    del state.proposals[proposal.id]
    effect = "decision" if isinstance(change, SteeringChange) else "roster"
    state.emit(effect, place, proposal.author, proposal=proposal.id, **about)


def _keep_name(state: State, change: Change) -> None:
    """Keep the name of whoever joins; a new key has that of the old one unless it gets another."""
    name = change.name or (state.names.get(change.member) if change.kind == "key" else None)
    if name is not None:
        state.names[change.key or change.member] = name


def shelve(state: State, place: Place, proposal: Proposal, reason: str) -> None:
    """End a proposal that was not approved."""
    del state.proposals[proposal.id]
    about = _subject(proposal.change)
    state.emit("shelved", place, proposal.author, proposal=proposal.id, **about, reason=reason)


def _subject(change: Change | SteeringChange) -> dict[str, Scalar]:
    """Return what effects about a known proposal say of its change."""
    return change.about() if isinstance(change, SteeringChange) else {"change": change.kind, "subject": change.member}
