"""Votes on ripe candidates: more than 2/3 of the weight promote, a third or more against drop."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, CandidateBallot, Place
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Vote
from consensus.ledger.rules.candidates import drop
from consensus.ledger.rules.promotion import promote
from consensus.ledger.state.state import RefusedError, State


def apply_vote(state: State, place: Place, author: MemberId, transaction: Vote, ledger_digest: bytes) -> None:
    """Count the first vote of a member; `ledger_digest` is that of the last round, for the statement."""
    candidacy = state.candidates.get(transaction.candidate)
    if candidacy is None:
        raise RefusedError("no open candidate")
    if candidacy.ripe is None:
        raise RefusedError("candidate is not ripe")
    if author in candidacy.faulty:
        raise RefusedError("member reported a wrong result here")
    if any(ballot.author == author for ballot in candidacy.ballots):
        raise RefusedError("member has voted")
    if transaction.checked != candidacy.ripe.results:
        raise RefusedError("vote on other results")
    ballot = CandidateBallot(author, transaction.approve, transaction.checked, transaction.reason, place)
    candidacy = replace(candidacy, ballots=(*candidacy.ballots, ballot))
    state.candidates[candidacy.id] = candidacy
    approved, rejected = tally(state, candidacy)
    state.emit(
        "vote",
        place,
        author,
        candidate=candidacy.id,
        configuration=candidacy.configuration,
        approve=transaction.approve,
        reason=transaction.reason,
        approved=approved,
        rejected=rejected,
        weight=state.roster.total_weight,
    )
    settle(state, place, candidacy, ledger_digest)


def settle(state: State, place: Place, candidacy: Candidacy, ledger_digest: bytes) -> None:
    """End the vote if it is decided."""
    approved, rejected = tally(state, candidacy)
    if 3 * approved > 2 * state.roster.total_weight:
        promote(state, place, candidacy, ledger_digest)
    elif 3 * rejected >= state.roster.total_weight:
        drop(state, place, candidacy, "votes", "a third of the weight or more rejects")


def tally(state: State, candidacy: Candidacy) -> tuple[int, int]:
    """Return the weight of the approvals and of the rejections."""
    weights = state.roster.weights
    approved = sum(weights[ballot.author] for ballot in candidacy.ballots if ballot.approve)
    return approved, sum(weights[ballot.author] for ballot in candidacy.ballots) - approved
