"""Claims: who may work on what, for how long. The first in the order wins; leases run on the ledger's clock."""

from __future__ import annotations

from collections.abc import Callable

from consensus.keys import MemberId
from consensus.ledger.records.beacon import slot_lot
from consensus.ledger.records.effects import Scalar
from consensus.ledger.records.entities import SLOT_KINDS, Claim, ClaimKey, Configuration, Place
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import (
    MatchClaim,
    Progress,
    RateClaim,
    Release,
    SelfplayClaim,
    TrainClaim,
)
from consensus.ledger.rules import decisions, lineage, matches, turns
from consensus.ledger.rules.budgets import budget_of
from consensus.ledger.state.state import RefusedError, State
from consensus.settings import players

MAX_LIVE_CLAIMS = 64  # of one member; a working node needs only a few


def apply_selfplay_claim(state: State, place: Place, author: MemberId, transaction: SelfplayClaim) -> None:
    """Grant self-play.

    It is never refused for others' claims, only counted. A member's number of live claims is limited, because every
    node pays for counting them.
    """
    _require_few_claims(state, author)
    configuration = configuration_of(state, transaction.configuration)
    decisions.require_running(state, "selfplay", configuration.name)
    granted = budget_of(state, configuration)
    _grant(
        state,
        Claim(
            author=author,
            id=transaction.id,
            kind="selfplay",
            configuration=transaction.configuration,
            model=configuration.model.digest,
            amount=transaction.amount,
            place=place,
            simulations=granted.simulations,
            opening_plies=granted.opening_plies,
            noise=granted.noise,
            ply_cost=granted.ply_cost,
            settings_version=state.decisions.version,
        ),
    )


def apply_train_claim(
    state: State, place: Place, author: MemberId, transaction: TrainClaim, is_due: Callable[[str], bool]
) -> None:
    """Grant training: there is one live claim per configuration and model family. It goes on with the lineage.

    `is_due` tells whether a configuration has games enough for the next training. With `steering.rules`, whoever failed
    here before gets no training before that: its candidate would use up the games that others wait for.
    """
    _require_few_claims(state, author)
    name = configuration_of(state, transaction.configuration).name
    decisions.require_running(state, "train", name)
    if state.settings.steering.rules:
        _require_fit_for_training(state, author, name, transaction.family)
    model = lineage.start_of(state, name, transaction.family).digest
    for claim in state.claims.values():
        if (claim.kind, claim.configuration, claim.family) == ("train", transaction.configuration, transaction.family):
            raise RefusedError("training is taken")
    turns.require_turn(state, name, author)
    if turns.has_failed(state, name, author) and not is_due(name):
        raise RefusedError("too few new games")
    _grant(
        state,
        Claim(
            author=author,
            id=transaction.id,
            kind="train",
            configuration=transaction.configuration,
            model=model,
            amount=_training_steps(state, name),
            place=place,
            family=transaction.family,
            settings_version=state.decisions.version,
        ),
    )


def apply_match_claim(state: State, place: Place, author: MemberId, transaction: MatchClaim) -> None:
    """Grant a slot of a match: a member has one live claim on it, and the beacon of a later round draws the slot."""
    candidacy = matches.require_open_match(state, transaction.candidate)
    decisions.require_running(state, "match", candidacy.configuration)
    for claim in state.claims.values():
        if (claim.author, claim.candidate) == (author, transaction.candidate):
            raise RefusedError("member has a claim on this match")
    if not matches.open_slots(state, candidacy, author):
        raise RefusedError("no slot for this member")
    name = candidacy.configuration
    games = candidacy.settings.slot_blocks * players(name)
    claim = Claim(
        author=author,
        id=transaction.id,
        kind="match",
        configuration=name,
        model=candidacy.incumbent,
        amount=games,
        place=place,
        settings_version=candidacy.settings_version,
    )
    _grant(state, replace(claim, candidate=transaction.candidate))


def apply_rate_claim(state: State, place: Place, author: MemberId, transaction: RateClaim) -> None:
    """Grant a slot of a series, as one of a match."""
    _require_few_claims(state, author)
    series = matches.require_series(state, transaction.series)
    decisions.require_running(state, "rate", series.configuration)
    for claim in state.claims.values():
        if (claim.author, claim.candidate) == (author, transaction.series):
            raise RefusedError("member has a claim on this series")
    if not matches.open_slots(state, series, author):
        raise RefusedError("no slot for this member")
    claim = Claim(
        author=author,
        id=transaction.id,
        kind="rate",
        configuration=series.configuration,
        model=series.pair.model,
        amount=series.settings.slot_blocks * players(series.configuration),
        place=place,
    )
    _grant(state, replace(claim, candidate=transaction.series))


def draw_slots(state: State, place: Place, round_beacon: bytes, last: int) -> None:
    """Draw slots for the waiting claims up to round `last`, in their order; end those for which none is left."""
    waiting = [claim for claim in state.claims.values() if claim.kind in SLOT_KINDS and claim.waits]
    due = [claim for claim in waiting if claim.place.round <= last]
    for claim in sorted(due, key=lambda claim: (claim.place.index, claim.key)):
        assert claim.candidate is not None
        contest = state.contest(claim.candidate)
        assert contest is not None  # claims end with what they are on
        slots = matches.open_slots(state, contest, claim.author)
        if not slots:
            end_claim(state, claim.key)
            state.emit("release", place, claim.author, **_about(claim), reason="no slot is left")
            continue
        number = slots[slot_lot(round_beacon, *claim.key) % len(slots)]
        matches.grant_slot(state, contest, number, claim.key)
        state.renew_lease(replace(claim, slot=number))
        state.emit("slot", place, claim.author, **_about(claim), candidate=claim.candidate, slot=number)


def apply_progress(state: State, place: Place, author: MemberId, transaction: Progress) -> None:
    """Renew the lease. The amount done must not shrink, nor exceed what was claimed.

    With `steering.rules` it has to grow: what is only told again renews the lease for `steering.stall_s` in all.
    """
    claim = state.live_claim((author, transaction.claim))
    if not claim.done <= transaction.done <= claim.amount:
        raise RefusedError("no such progress")
    claim = state.renew_lease(replace(claim, done=transaction.done))
    state.emit("progress", place, author, **_about(claim), done=claim.done, amount=claim.amount)


def apply_release(state: State, place: Place, author: MemberId, transaction: Release) -> None:
    """End a claim at once."""
    claim = state.live_claim((author, transaction.claim))
    end_claim(state, claim.key)
    turns.observe_vain(state, claim)
    state.emit("release", place, author, **_about(claim), reason=transaction.reason)


def expire(state: State, place: Place) -> None:
    """End the leases that have run out by the ledger's clock."""
    due = [claim for claim in state.claims.values() if claim.deadline <= state.clock]
    for claim in sorted(due, key=lambda claim: (claim.deadline, claim.key)):
        _expire(state, place, claim)


def revoke(state: State, place: Place, claim: Claim) -> None:
    """End the claim of a member that may not go on with it; its slot is as if it had never had it."""
    _expire(state, place, claim)
    matches.forget_claim(state, claim)


def _expire(state: State, place: Place, claim: Claim) -> None:
    end_claim(state, claim.key)
    turns.observe_vain(state, claim)
    about = _about(claim)
    state.emit("expired", place, claim.author, **about, candidate=claim.candidate, slot=claim.slot)


def end_claim(state: State, key: ClaimKey) -> None:
    """Remove the claim, whatever became of it."""
    del state.claims[key]


def configuration_of(state: State, name: str) -> Configuration:
    """Return the configuration. Raise RefusedError if the swarm does not play it."""
    configuration = state.configurations.get(name)
    if configuration is None:
        raise RefusedError("unknown configuration")
    return configuration


def _require_fit_for_training(state: State, author: MemberId, name: str, family: str) -> None:
    """Raise RefusedError if nobody wants such a network, or the member trains already: nobody can train two at once."""
    if family not in decisions.settings_on(state, name).families:
        raise RefusedError("family is not trained here")
    if any(claim.kind == "train" and claim.author == author for claim in state.claims.values()):
        raise RefusedError("member trains already")


def _training_steps(state: State, name: str) -> int:
    """Return the steps of a training. Older rules count those of a small board everywhere."""
    if not state.settings.steering.rules:
        return state.settings.training.steps
    return decisions.settings_on(state, name).training.steps


def _require_few_claims(state: State, author: MemberId) -> None:
    if sum(claim.author == author for claim in state.claims.values()) >= MAX_LIVE_CLAIMS:
        raise RefusedError("too many live claims")


def _grant(state: State, claim: Claim) -> None:
    state.renew_lease(claim)
    state.emit(
        "claim",
        claim.place,
        claim.author,
        **_about(claim),
        model=claim.model,
        amount=claim.amount,
        family=claim.family,
        candidate=claim.candidate,
    )


def _about(claim: Claim) -> dict[str, Scalar]:
    return {"claim": claim.id, "kind": claim.kind, "configuration": claim.configuration}
