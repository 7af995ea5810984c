"""Candidates: models that are nominated to become canonical, from nomination to promotion or drop."""

from __future__ import annotations

import hashlib

from consensus.encoding import encode
from consensus.keys import MemberId
from consensus.ledger.records.entities import (
    Candidacy,
    Claim,
    ClosedCandidate,
    Model,
    Outcome,
    Place,
    Slot,
    TrainingState,
)
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Candidate, candidate_id
from consensus.ledger.rules import decisions, exploration, families, lineage, rollbacks, series, turns
from consensus.ledger.rules.claims import configuration_of, end_claim
from consensus.ledger.rules.scores import standing
from consensus.ledger.state.state import RefusedError, State


def obstacle_to(state: State, author: MemberId, transaction: Candidate) -> str:
    """Return why a nomination without training would be refused now; empty if it would not."""
    try:
        _check(state, author, transaction)
    except RefusedError as refused:
        return refused.reason
    return ""


def apply_candidate(state: State, place: Place, author: MemberId, transaction: Candidate) -> None:
    """Open a match against the canonical model, with a copy of the present settings."""
    configuration = configuration_of(state, transaction.configuration)
    _check(state, author, transaction)
    claim = None if transaction.claim is None else _finish_training(state, author, transaction)
    settings = decisions.settings_on(state, configuration.name).match
    candidacy = Candidacy(
        id=candidate_id(author, transaction.id),
        author=author,
        configuration=transaction.configuration,
        model=Model(transaction.model, transaction.files, transaction.architecture, transaction.parent),
        incumbent=transaction.incumbent,
        shards=transaction.shards,
        losses=transaction.losses,
        measures=transaction.measures,
        was_trained=claim is not None,
        state=None if transaction.state is None else TrainingState(*transaction.state),
        proposal=hashlib.sha256(encode(transaction.as_table())).digest(),
        place=place,
        settings=settings,
        last_result_clock=state.clock,
        slots=(Slot(),) * (settings.block_limit // settings.slot_blocks),
        settings_version=state.decisions.version,
    )
    state.candidates[candidacy.id] = candidacy
    uses_games = bool(transaction.shards) and (claim is not None or not state.settings.steering.rules)
    used_games = configuration.games if uses_games else configuration.games_at_candidate
    state.configurations[transaction.configuration] = replace(
        configuration, games_at_candidate=used_games, candidates=configuration.candidates + 1
    )
    if claim is not None:
        lineage.begin_or_continue(state, claim, candidacy)
        exploration.observe_candidate(state, candidacy)
    state.emit(
        "candidate",
        place,
        author,
        candidate=candidacy.id,
        configuration=transaction.configuration,
        model=transaction.model,
        parent=transaction.parent,
        incumbent=transaction.incumbent,
        architecture=transaction.architecture,
        shards=len(transaction.shards),
        slots=len(candidacy.slots),
    )


def _check(state: State, author: MemberId, transaction: Candidate) -> None:
    if transaction.claim is None:
        turns.require_turn(state, transaction.configuration, author)
    canonical = state.configurations[transaction.configuration].model
    if transaction.incumbent != canonical.digest:
        raise RefusedError("incumbent is not canonical")
    if transaction.model == canonical.digest:
        raise RefusedError("model is canonical")
    # If a model could be tested again until it passes, the error bounds would not hold.
    has_failed = (transaction.model, transaction.incumbent) in state.failed_pairs
    if has_failed and not rollbacks.may_be_tried_again(state, transaction.configuration, transaction.model):
        raise RefusedError("model failed against this incumbent")
    others = [other for other in state.candidates.values() if other.configuration == transaction.configuration]
    if any(other.model.digest == transaction.model for other in others):
        raise RefusedError("model is a candidate")
    if any(other.author == author for other in others):
        raise RefusedError("author has an open candidate")
    if any(state.configuration_of_shard(shard) != transaction.configuration for shard in transaction.shards):
        raise RefusedError("unknown shard")


def _finish_training(state: State, author: MemberId, transaction: Candidate) -> Claim:
    """End the claim on which the model was trained, and return it.

    Its parent is the claim's model, or what training starts from where nobody has the weights of that any more.
    """
    assert transaction.claim is not None
    claim = state.live_claim((author, transaction.claim))
    if (claim.kind, claim.configuration, claim.family) != (
        "train",
        transaction.configuration,
        transaction.architecture,
    ):
        raise RefusedError("candidate of another claim")
    fallback = lineage.fallback_of(state.configurations[claim.configuration], claim.family)
    if transaction.parent not in (claim.model, fallback.digest):
        raise RefusedError("candidate with another parent")
    end_claim(state, claim.key)
    return claim


def drop(state: State, place: Place, candidacy: Candidacy, outcome: Outcome, reason: str) -> None:
    """Close a candidate that was not promoted, and end the claims on its match."""
    now = standing(candidacy)
    closed = ClosedCandidate(
        candidate=candidacy.id,
        author=candidacy.author,
        configuration=candidacy.configuration,
        model=candidacy.model.digest,
        measures=candidacy.measures,
        incumbent=candidacy.incumbent,
        outcome=outcome,
        reason=reason,
        blocks=now.blocks,
        score=now.score,
        llr=now.llr,
        place=place,
        settings_version=candidacy.settings_version,
    )
    remove(state, candidacy)
    state.closed_candidates = (*state.closed_candidates, closed)
    state.closed_chain.add(closed.fingerprint)
    if outcome in ("rejected", "limit"):
        lineage.count_rejection(state, candidacy)
        state.failed_pairs.add((closed.model, closed.incumbent))
        series.observe_failure(state, place, candidacy)
    turns.observe_drop(state, candidacy, outcome)
    families.observe_end(state, candidacy, 0)
    state.emit(
        "dropped",
        place,
        closed.author,
        candidate=closed.candidate,
        configuration=closed.configuration,
        model=closed.model,
        outcome=outcome,
        reason=reason,
        blocks=now.blocks,
        score=now.score,
        llr=now.llr,
    )


def remove(state: State, candidacy: Candidacy) -> None:
    """Remove an open candidate and the live claims on its slots."""
    del state.candidates[candidacy.id]
    state.forget_absences(candidacy.id)
    end_match_claims(state, candidacy)


def end_match_claims(state: State, candidacy: Candidacy) -> None:
    """End the live claims on a match that is over."""
    for key in [key for key, claim in state.claims.items() if claim.candidate == candidacy.id]:
        end_claim(state, key)


def expire(state: State, place: Place) -> None:
    """Drop candidates whose time is over: ripe ones without enough votes, and others without a new result.

    While matches are paused, nobody can report a result, and no time passes for that.
    """
    idle = state.settings.timing.idle_s * 10**9
    for _, candidacy in sorted(state.candidates.items()):
        if candidacy.ripe is not None and candidacy.ripe.deadline <= state.clock:
            drop(state, place, candidacy, "timeout", "not enough votes in time")
        elif candidacy.ripe is None and candidacy.last_result_clock + idle <= state.clock:
            if decisions.is_paused(state, "match", candidacy.configuration):
                continue
            drop(state, place, candidacy, "idle", "no new result in time")
