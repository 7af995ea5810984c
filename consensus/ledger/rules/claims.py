"""Claims: who may work on what, for how long. The first in order wins; leases run on the ledger's clock."""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.records.beacon import slot_lot
from consensus.ledger.records.effects import Scalar
from consensus.ledger.records.entities import Claim, ClaimKey, Configuration, Place
from consensus.ledger.records.transactions import MatchClaim, Progress, Release, SelfplayClaim, TrainClaim
from consensus.ledger.rules import matches
from consensus.ledger.state.state import RefusedError, State
from consensus.settings import players

HELD = 64  # live claims of one member; who works holds a few


def claim_selfplay(state: State, place: Place, author: MemberId, wish: SelfplayClaim) -> None:
    """Self-play is never refused, only counted; but nobody holds so much of it that all pay for the counting."""
    _require_room(state, author)
    model = configuration_of(state, wish.configuration).model.digest
    _grant(
        state,
        Claim(
            author=author,
            id=wish.id,
            kind="selfplay",
            configuration=wish.configuration,
            model=model,
            amount=wish.amount,
            place=place,
        ),
    )


def claim_train(state: State, place: Place, author: MemberId, wish: TrainClaim) -> None:
    """One live training claim per configuration and model family."""
    _require_room(state, author)
    model = configuration_of(state, wish.configuration).model.digest
    for claim in state.claims.values():
        if (claim.kind, claim.configuration, claim.family) == ("train", wish.configuration, wish.family):
            raise RefusedError("training is taken")
    steps = state.settings.training.steps
    _grant(
        state,
        Claim(
            author=author,
            id=wish.id,
            kind="train",
            configuration=wish.configuration,
            model=model,
            amount=steps,
            place=place,
            family=wish.family,
        ),
    )


def claim_match(state: State, place: Place, author: MemberId, wish: MatchClaim) -> None:
    """One live claim on a match for each member; the slot is drawn by the beacon of a later round."""
    candidacy = matches.open_match(state, wish.candidate)
    for claim in state.claims.values():
        if (claim.author, claim.candidate) == (author, wish.candidate):
            raise RefusedError("member has a claim on this match")
    if not matches.open_slots(state, candidacy, author):
        raise RefusedError("no slot for this member")
    name = candidacy.configuration
    games = candidacy.settings.slot_blocks * players(name)
    claim = Claim(
        author=author,
        id=wish.id,
        kind="match",
        configuration=name,
        model=candidacy.incumbent,
        amount=games,
        place=place,
    )
    _grant(state, replace(claim, candidate=wish.candidate))


def draw_slots(state: State, place: Place, round_beacon: bytes, last: int) -> None:
    """Gives slots to the match claims up to round `last` that wait, in their order; ends those that go empty."""
    waiting = [claim for claim in state.claims.values() if claim.kind == "match" and claim.waits]
    due = [claim for claim in waiting if claim.place.round <= last]
    for claim in sorted(due, key=lambda claim: (claim.place.index, claim.key)):
        assert claim.candidate is not None
        candidacy = state.candidates[claim.candidate]
        slots = matches.open_slots(state, candidacy, claim.author)
        if not slots:
            end(state, claim.key)
            state.emit("release", place, claim.author, **_about(claim), reason="no slot is left")
            continue
        number = slots[slot_lot(round_beacon, *claim.key) % len(slots)]
        matches.assign(state, candidacy, number, claim.key)
        state.renew(replace(claim, slot=number))
        state.emit("slot", place, claim.author, **_about(claim), candidate=claim.candidate, slot=number)


def progress(state: State, place: Place, author: MemberId, news: Progress) -> None:
    """A sign of life renews the lease; the amount done must not shrink, nor pass what was claimed."""
    claim = state.live((author, news.claim))
    if not claim.done <= news.done <= claim.amount:
        raise RefusedError("no such progress")
    claim = state.renew(replace(claim, done=news.done))
    state.emit("progress", place, author, **_about(claim), done=claim.done, amount=claim.amount)


def release(state: State, place: Place, author: MemberId, news: Release) -> None:
    """Frees a claim at once."""
    claim = state.live((author, news.claim))
    end(state, claim.key)
    state.emit("release", place, author, **_about(claim), reason=news.reason)


def expire(state: State, place: Place) -> None:
    """Ends the leases that have run out by the ledger's clock."""
    due = [claim for claim in state.claims.values() if claim.deadline <= state.clock]
    for claim in sorted(due, key=lambda claim: (claim.deadline, claim.key)):
        _expire(state, place, claim)


def revoke(state: State, place: Place, claim: Claim) -> None:
    """Ends the claim of a member that is gone; its slot is as if nobody had ever had it."""
    _expire(state, place, claim)
    matches.vacate(state, claim)


def _expire(state: State, place: Place, claim: Claim) -> None:
    end(state, claim.key)
    about = _about(claim)
    state.emit("expired", place, claim.author, **about, candidate=claim.candidate, slot=claim.slot)


def end(state: State, key: ClaimKey) -> None:
    """The claim is done with, whatever became of it."""
    del state.claims[key]


def configuration_of(state: State, name: str) -> Configuration:
    """The configuration, if the swarm plays it."""
    configuration = state.configurations.get(name)
    if configuration is None:
        raise RefusedError("unknown configuration")
    return configuration


def _require_room(state: State, author: MemberId) -> None:
    if sum(claim.author == author for claim in state.claims.values()) >= HELD:
        raise RefusedError("too many live claims")


def _grant(state: State, claim: Claim) -> None:
    state.renew(claim)
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
