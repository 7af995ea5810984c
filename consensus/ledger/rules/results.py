"""Results of the slots of matches, and what they decide; and of those of series, which only add up."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, ClaimKey, Place, Ripe, SlotResult
from consensus.ledger.records.entity import replace
from consensus.ledger.records.ratings import Contest, Series, points_of
from consensus.ledger.records.transactions import Result
from consensus.ledger.rules import outcomes
from consensus.ledger.rules.candidates import drop, end_match_claims
from consensus.ledger.rules.matches import require_open_match
from consensus.ledger.rules.scores import Standing, most_of_block, results_digest, results_of, standing
from consensus.ledger.state.state import RefusedError, State
from consensus.settings import players


def apply_result(state: State, place: Place, author: MemberId, transaction: Result) -> None:
    """Take the result of a live claim, or of an expired one if nobody else was granted its slot."""
    contest, number = _slot_of(state, (author, transaction.claim))
    _check(contest, number, transaction)
    state.claims.discard((author, transaction.claim))
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
    slots = list(contest.slots)
    slots[number] = replace(slots[number], result=result)
    outcomes.observe_result(state, replace(contest, slots=tuple(slots)), number)
    if isinstance(contest, Series):
        _add_up(state, place, replace(contest, slots=tuple(slots)), number)
        return
    candidacy = replace(contest, slots=tuple(slots), last_result_clock=state.clock)
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


def _add_up(state: State, place: Place, series: Series, number: int) -> None:
    state.series[series.id] = series
    result, points = series.slots[number].result, series.points
    assert result is not None
    state.emit(
        "rated",
        place,
        result.author,
        series=series.id,
        configuration=series.configuration,
        model=series.pair.model,
        player=series.pair.player,
        opponent=series.pair.opponent,
        slot=number,
        score=sum(points_of(series.configuration, score) for score in result.scores),
        most=series.pair.most * len(result.scores),
        counted=len(points),
        total=sum(points),
    )


def _slot_of(state: State, key: ClaimKey) -> tuple[Contest, int]:
    for candidacy in state.candidates.values():
        for number, slot in enumerate(candidacy.slots):
            if slot.claim == key and slot.result is None:
                return require_open_match(state, candidacy.id), number
    for series in state.series.values():
        for number, slot in enumerate(series.slots):
            if slot.claim == key and slot.result is None:
                return series, number
    raise RefusedError("claim not live")


def _check(contest: Contest, number: int, transaction: Result) -> None:
    size = contest.settings.slot_blocks
    if [block for block, _ in transaction.scores] != list(range(number * size, (number + 1) * size)):
        raise RefusedError("result of other blocks")
    most = most_of_block(contest.configuration)
    if any(score > most for _, score in transaction.scores):
        raise RefusedError("impossible score")
    if isinstance(contest, Series) and any(
        points_of(contest.configuration, entry) < 0 for _, entry in transaction.scores
    ):
        raise RefusedError("impossible score")
    if transaction.games != size * players(contest.configuration):
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
