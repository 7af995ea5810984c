"""Results of match slots, and what they decide."""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, ClaimKey, Place, Ripe, SlotResult
from consensus.ledger.records.transactions import Result
from consensus.ledger.rules.candidates import drop, end_match_claims
from consensus.ledger.rules.matches import require_open_match
from consensus.ledger.rules.scores import Standing, most_of_block, results_digest, results_of, standing
from consensus.ledger.state.state import RefusedError, State
from consensus.settings import players


def apply_result(state: State, place: Place, author: MemberId, transaction: Result) -> None:
    """Take the result of a live claim, or of an expired one if nobody else was granted its slot."""
    candidacy, number = _slot_of(state, (author, transaction.claim))
    _check(candidacy, number, transaction)
    state.claims.pop((author, transaction.claim), None)
    scores = tuple(score for _, score in transaction.scores)
    result = SlotResult(
        author=author,
        scores=scores,
        root=transaction.root,
        blob=transaction.blob,
        size=transaction.size,
        games=transaction.games,
        place=place,
    )
    slots = list(candidacy.slots)
    slots[number] = replace(slots[number], result=result)
    candidacy = replace(candidacy, slots=tuple(slots), last_result_clock=state.clock)
    state.candidates[candidacy.id] = candidacy
    now = standing(candidacy)
    state.emit(
        "result",
        place,
        author,
        candidate=candidacy.id,
        configuration=candidacy.configuration,
        slot=number,
        score=sum(scores),
        most=now.most * len(scores),
        counted=now.blocks,
        total=now.score,
        llr=now.llr,
    )
    _conclude(state, place, candidacy, now)


def _slot_of(state: State, key: ClaimKey) -> tuple[Candidacy, int]:
    for candidacy in state.candidates.values():
        for number, slot in enumerate(candidacy.slots):
            if slot.claim == key and slot.result is None:
                return require_open_match(state, candidacy.id), number
    raise RefusedError("claim not live")


def _check(candidacy: Candidacy, number: int, transaction: Result) -> None:
    size = candidacy.settings.slot_blocks
    if [block for block, _ in transaction.scores] != list(range(number * size, (number + 1) * size)):
        raise RefusedError("result of other blocks")
    most = most_of_block(candidacy.configuration)
    if any(score > most for _, score in transaction.scores):
        raise RefusedError("impossible score")
    if transaction.games != size * players(candidacy.configuration):
        raise RefusedError("wrong number of games")


def _conclude(state: State, place: Place, candidacy: Candidacy, now: Standing) -> None:
    if now.verdict == "accept":
        _ripen(state, place, candidacy, now)
    elif now.verdict == "reject" and now.at_limit:
        drop(state, place, candidacy, "limit", "undecided at the block limit, with too few points")
    elif now.verdict == "reject":
        drop(state, place, candidacy, "rejected", "the test rejects")


def _ripen(state: State, place: Place, candidacy: Candidacy, now: Standing) -> None:
    deadline = state.clock + state.settings.timing.vote_s * 10**9
    results = results_digest(candidacy.id, now.blocks, results_of(candidacy, now.blocks))
    ripe = Ripe(now.blocks, now.score, now.llr, results, deadline)
    state.candidates[candidacy.id] = replace(candidacy, ripe=ripe)
    end_match_claims(state, candidacy)
    state.emit(
        "ripe",
        place,
        candidacy.author,
        candidate=candidacy.id,
        configuration=candidacy.configuration,
        model=candidacy.model.digest,
        blocks=now.blocks,
        score=now.score,
        most=now.most,
        llr=now.llr,
        results=results,
    )
