"""Series: which games rate the models of a configuration, and when they are enough.

With `steering.rules` the model of each promotion plays series, each with as many blocks as a match has and with its
settings: its search against the heuristic, against random play, against the model that it replaced and against the
strongest model before it, if that is another one, and its policy alone against the heuristic. Those of the model that
it replaced go on, because the two are compared (`rollbacks`). Of older models the results are kept.

The strongest model before the canonical one is the last that won half of the points or more against the one that was
the strongest before it. What was replaced before it had played a slot against that one is not known to be as strong.

A series is enough before its end where it says little more: when nearly all points went to one side. But two models
are only compared by as many blocks as both have, so both of their series have to be of that kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from consensus.ledger.records.entities import Candidacy, Configuration, Place, Slot
from consensus.ledger.records.entity import replace
from consensus.ledger.records.ratings import Milestone, Opponent, Pair, Player, Ratings, Series, Tally
from consensus.ledger.rules import decisions
from consensus.ledger.rules.deliveries import deliveries_of
from consensus.ledger.state.state import State
from consensus.settings import players

FIXED: tuple[Opponent, ...] = ("heuristic", "random")
"""The opponents that are the same for every model."""

MILESTONES_KEPT = 16
"""Of each configuration; with them the results of their models' series."""

_FEW_PERMILLE = 50
"""A player that won no more than this share of the points, or lost no more, need not play on."""

_PLAYED_BY_ALL: tuple[tuple[Player, Opponent], ...] = (
    ("search", "heuristic"),
    ("search", "random"),
    ("policy", "heuristic"),
)


def observe_promotion(state: State, place: Place, candidacy: Candidacy, before: Configuration) -> None:
    """Begin to rate a model that has just become canonical; `before` is the configuration as it was."""
    if not state.settings.steering.rules:
        return
    milestone = Milestone(
        configuration=before.name,
        number=before.promotions + 1,
        model=candidacy.model,
        author=candidacy.author,
        previous=before.model.digest,
        cost=deliveries_of(state, before.name).cost,
        clock=place.clock,
    )
    ratings = ratings_of(state, before.name)
    state.ratings[before.name] = replace(
        ratings,
        milestones=(*ratings.milestones, milestone)[-MILESTONES_KEPT:],
        strongest=_strongest(state, ratings),
    )
    _close_others(state, before.name)
    _open_wanted(state, place, before.name)


def observe_failure(state: State, place: Place, candidacy: Candidacy) -> None:
    """Begin to compare anew after a model that the canonical one plays was nominated again, and its match rejected it.

    Nothing is compared anew where the canonical model is not the one of the match any more.
    """
    ratings = ratings_of(state, candidacy.configuration)
    if candidacy.model.digest not in {entry.model.digest for entry in ratings.challengers}:
        return
    newest = ratings.milestones[-1]
    if newest.model.digest != candidacy.incumbent:
        return
    again = replace(newest, failures=newest.failures + 1)
    state.ratings[ratings.configuration] = replace(ratings, milestones=(*ratings.milestones[:-1], again))
    _close_others(state, ratings.configuration)
    _open_wanted(state, place, ratings.configuration)


def _strongest(state: State, ratings: Ratings) -> Milestone | None:
    """Return the strongest model before the one that becomes canonical now."""
    best = ratings.strongest
    if not ratings.milestones:
        return None
    newest = ratings.milestones[-1]
    if best is None or best.model.digest == newest.model.digest:
        return newest
    points = direct_points(newest.model.digest, best.model.digest, tallies_of(state, ratings.configuration))
    is_known = len(points) >= decisions.settings_on(state, ratings.configuration).match.slot_blocks
    return newest if is_known and sum(points) >= players(ratings.configuration) * len(points) else best


def direct_points(model: bytes, other: bytes, tallies: Iterable[Tally]) -> tuple[int, ...]:
    """Return the points of the longest series of a model against another one. An equal player has P in each block."""
    series = [tally.points for tally in tallies if (tally.pair.model, tally.pair.opponent_model) == (model, other)]
    return max(series, key=len, default=())


def ratings_of(state: State, name: str) -> Ratings:
    """Return the past of a configuration."""
    return state.ratings.get(name) or Ratings(name)


def tallies_of(state: State, name: str) -> tuple[Tally, ...]:
    """Return the results of all series of a configuration, over or not, by their ids."""
    played = (entry.tally for entry in state.series.values() if entry.configuration == name)
    return _sorted((*ratings_of(state, name).tallies, *played))


def tally_of(state: State, pair: Pair, number: int) -> Tally | None:
    """Return the results of a series so far, over or not; None if there is none."""
    series = state.series.get(pair.series(number))
    return series.tally if series is not None else ratings_of(state, pair.configuration).tally(pair.series(number))


def is_settled(state: State, series: Series) -> bool:
    """Return whether a series needs no further blocks, because nearly all points went to one side."""
    pairs = [series.pair]
    if series.pair.opponent in FIXED:
        compared = ratings_of(state, series.configuration).compared
        pairs += [replace(series.pair, model=entry.model.digest) for entry in compared]
    return all(_is_one_sided(state, pair, series.number) for pair in pairs)


def _is_one_sided(state: State, pair: Pair, number: int) -> bool:
    """Return whether nearly all points of a series went to one side so far; also if there is no such series."""
    series, tally = state.series.get(pair.series(number)), tally_of(state, pair, number)
    if tally is None:
        return True
    points = tally.points if series is None else series.reported
    most = pair.most * len(points)
    few = _FEW_PERMILLE * most
    is_long = len(points) >= pair.settings.slot_blocks
    return is_long and (1000 * sum(points) <= few or 1000 * (most - sum(points)) <= few)


def _close_others(state: State, name: str) -> None:
    """End the series that are not compared any more; forget results of models that are not kept."""
    ratings = ratings_of(state, name)
    compared = {entry.model.digest for entry in ratings.compared}
    numbers = (0, *(entry.failures for entry in ratings.compared[:1]))
    own = [entry for entry in state.series.values() if entry.configuration == name]
    over = [entry for entry in own if entry.pair.model not in compared or entry.number not in numbers]
    for series in over:
        del state.series[series.id]
        state.forget_absences(series.id)
        for key in [key for key, claim in state.claims.items() if claim.candidate == series.id]:
            del state.claims[key]
    kept = {entry.model.digest for entry in ratings.milestones}
    tallies = [entry for entry in (*ratings.tallies, *(series.tally for series in over)) if entry.pair.model in kept]
    state.ratings[name] = replace(ratings, tallies=_sorted(tallies))


def _sorted(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    return tuple(sorted(tallies, key=lambda entry: entry.series))


def _open_wanted(state: State, place: Place, name: str) -> None:
    """Open the series of the compared models that are not there yet."""
    for milestone, pair, number in _wanted(state, name):
        name_of_series, ratings = pair.series(number), ratings_of(state, name)
        known = ratings.tally(name_of_series)
        if name_of_series in state.series or (known is not None and known.is_complete):
            continue
        if known is not None:  # of a model that is canonical again: blocks of two series are never mixed
            others = (entry for entry in ratings.tallies if entry != known)
            state.ratings[name] = replace(ratings, tallies=_sorted(others))
        slots = (Slot(),) * (pair.settings.block_limit // pair.settings.slot_blocks)
        series = Series(id=name_of_series, pair=pair, number=number, author=milestone.author, place=place, slots=slots)
        state.series[series.id] = series
        state.emit(
            "series",
            place,
            None,
            series=series.id,
            configuration=name,
            model=pair.model,
            player=pair.player,
            opponent=pair.opponent,
            slots=len(slots),
        )


def _wanted(state: State, name: str) -> Iterator[tuple[Milestone, Pair, int]]:
    """Yield the model, the pair and the number of each series that the compared models should have."""
    compared = ratings_of(state, name).compared
    newest, settings = compared[0], decisions.settings_on(state, name).match
    for milestone in compared:
        for player, opponent in _PLAYED_BY_ALL:
            pair = Pair(name, milestone.model.digest, player, opponent, None, settings)
            yield milestone, pair, 0
            if newest.failures and player == "search" and len(compared) > 1:
                yield milestone, pair, newest.failures
    for other in ratings_of(state, name).challengers:
        for number in dict.fromkeys((0, newest.failures)):
            yield newest, Pair(name, newest.model.digest, "search", "model", other.model.digest, settings), number
