"""Experience: several shards end to end, and the positions that are drawn from their games."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.boards import board
from engine.config import config
from engine.position import read_position
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of, positions_of
from training.experience import Experience, Samples
from training.selfplay import play_shard
from training.shard import VALUE_UNIT, WEIGHT_UNIT, Shard

HEX = config("hex8-2")
ALL = 10**6  # positions of a game: as many as it has


@pytest.fixture(scope="module")
def experience(random_shard: Shard, searched_shard: Shard) -> Experience:
    return experience_of(random_shard, searched_shard)


def draw(experience: Experience, seed: int, per_game: int, games: np.ndarray | None = None) -> Samples:
    chosen = np.arange(len(experience)) if games is None else games
    return experience.draw(np.random.default_rng(seed), chosen, per_game)


def eligible(experience: Experience, game: int) -> set[int]:
    """The plies of a game that may be drawn: after its opening, with a choice."""
    first, last = experience.offsets[game : game + 2].tolist()
    return {ply for ply in range(first + int(experience.openings[game]), last) if experience.options[ply] > 1}


# Shards end to end.


def test_shards_lie_end_to_end(random_shard: Shard, searched_shard: Shard) -> None:
    shards = [searched_shard, random_shard, searched_shard]
    joined, alone = experience_of(*shards), [experience_of(shard) for shard in shards]
    assert len(joined) == sum(len(shard.lengths) for shard in shards)
    for name in ("moves", "openings", "winners", "options", "margins", "owners", "values", "entries"):
        pieces = [getattr(one, name) for one in alone]
        assert (getattr(joined, name) == np.concatenate(pieces)).all(), name
    assert np.diff(joined.offsets).tolist() == [length for shard in shards for length in shard.lengths]
    assert (joined.offsets[0], joined.offsets[-1]) == (0, len(joined.moves))


def test_each_searched_ply_finds_its_own_search(
    experience: Experience, random_shard: Shard, searched_shard: Shard
) -> None:
    behind = len(random_shard.moves)
    searched = np.flatnonzero(experience.search_of >= 0)
    assert searched.tolist() == (searched_shard.searched + behind).tolist()
    assert experience.search_of[searched].tolist() == list(range(len(searched)))
    ends = np.cumsum(searched_shard.choices).tolist()
    for search, end in enumerate(ends):
        run = slice(experience.entry_offsets[search], experience.entry_offsets[search + 1])
        own = slice(end - searched_shard.choices[search], end)
        assert experience.entries[run].tolist() == searched_shard.entries[own].tolist()
        shares = searched_shard.weights[own] / WEIGHT_UNIT
        np.testing.assert_allclose(experience.weights[run] / WEIGHT_UNIT, shares, rtol=1e-6)
        value = searched_shard.values[2 * search : 2 * search + 2] / VALUE_UNIT
        np.testing.assert_allclose(experience.values[search], value, rtol=1e-6)


def test_types_are_those_of_the_tensors_to_be_and_of_stored_policies(experience: Experience) -> None:
    games, cells = len(experience), len(board(HEX.board).cells)
    assert (experience.margins.dtype.name, experience.margins.shape) == ("float32", (games, 2, 2))
    assert (experience.owners.dtype.name, experience.owners.shape) == ("int8", (games, cells))
    assert (experience.weights.dtype.name, experience.values.dtype.name) == ("uint16", "float32")
    assert (experience.entries.dtype.name, experience.search_of.dtype.name) == ("uint16", "int64")


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_owners_and_margins_are_those_of_the_last_position(name: str) -> None:
    shard = play_shard(config(name), None, MODEL, SEED, 3, QUICK)
    experience, settings = experience_of(shard), config(name)
    goals = settings.ring_threshold, settings.territory_minimum
    for game, moves in enumerate(np.split(shard.moves, shard.offsets[1:-1])):
        last = positions_of(name, moves).take(len(moves))
        seen = read_position(settings, last.states[0])
        owners = [seen.collapsed.get(cell, 0) for cell in range(len(board(settings.board).cells))]
        assert experience.owners[game].tolist() == owners
        assert any(owners)
        for seat in range(settings.players):
            rings, territory = last.score()[0, seat, :2].tolist()
            assert territory == owners.count(seat + 1)
            shares = [min(part / goal, 1.5) for part, goal in zip((rings, territory), goals, strict=True)]
            np.testing.assert_allclose(experience.margins[game, seat], shares, rtol=1e-6)


# Drawing.


@pytest.mark.parametrize("per_game", [1, 3, ALL])
def test_drawn_positions_are_distinct_have_a_choice_and_lie_after_the_opening(
    experience: Experience, per_game: int
) -> None:
    samples = draw(experience, 1, per_game)
    assert len(samples.states) == len(samples.games) == len(samples.plies)
    for game in range(len(experience)):
        plies, allowed = samples.plies[samples.games == game].tolist(), eligible(experience, game)
        assert len(set(plies)) == len(plies) == min(per_game, len(allowed))
        assert set(plies) <= allowed


def test_drawn_positions_are_those_of_the_games(experience: Experience) -> None:
    samples = draw(experience, 2, 4)
    for game in (0, 5, 12, 18):
        first, last = experience.offsets[game : game + 2].tolist()
        positions = positions_of(HEX.name, experience.moves[first:last])
        for place in np.flatnonzero(samples.games == game).tolist():
            ply = int(samples.plies[place]) - first
            assert (samples.states.states[place] == positions.states[ply]).all()


def test_equal_seeds_draw_equally_and_others_otherwise(experience: Experience) -> None:
    first, again, other = (draw(experience, seed, 5) for seed in (3, 3, 4))
    for name in ("games", "plies"):
        assert (getattr(first, name) == getattr(again, name)).all()
        assert not (getattr(first, name) == getattr(other, name)).all()
    assert (first.states.states == again.states.states).all()


def test_positions_of_all_games_are_shuffled(experience: Experience) -> None:
    samples = draw(experience, 5, 6)
    in_order = np.sort(samples.games)
    assert (samples.games != in_order).mean() > 0.8
    assert len(set(samples.games[: len(samples.games) // 2].tolist())) > len(experience) // 2


def test_every_position_that_may_be_drawn_comes_up(experience: Experience) -> None:
    """One at a time from one game: all come up, about equally often."""
    game, allowed = np.array([13]), eligible(experience, 13)
    random, counts = np.random.default_rng(6), dict.fromkeys(sorted(allowed), 0)
    rounds = 12 * len(allowed)
    for _ in range(rounds):
        (ply,) = experience.draw(random, game, 1).plies.tolist()
        counts[ply] += 1
    assert min(counts.values()) > 0
    assert max(counts.values()) < 40


def test_only_the_games_asked_for_are_drawn_from(experience: Experience) -> None:
    games = np.array([17, 2, 9])
    samples = draw(experience, 7, 2, games)
    assert sorted(samples.games.tolist()) == [2, 2, 9, 9, 17, 17]
    for game, ply in zip(samples.games.tolist(), samples.plies.tolist(), strict=True):
        assert ply in eligible(experience, game)
    nothing = draw(experience, 7, 2, np.zeros(0, np.int64))
    assert (len(nothing.states), len(nothing.games), len(nothing.plies)) == (0, 0, 0)


def test_a_game_that_is_all_opening_gives_nothing(random_shard: Shard) -> None:
    openings = random_shard.openings.copy()
    openings[3] = random_shard.lengths[3]
    samples = draw(experience_of(replace(random_shard, openings=openings)), 8, ALL)
    assert set(samples.games.tolist()) == set(range(12)) - {3}
    everything = draw(experience_of(replace(random_shard, openings=random_shard.lengths)), 8, ALL)
    assert len(everything.states) == 0
    assert everything.states.states.shape[1] == samples.states.states.shape[1]


def test_an_opening_ends_before_the_first_position_that_counts(random_shard: Shard) -> None:
    for opening in (0, 1, 17):
        experience = experience_of(replace(random_shard, openings=np.full(12, opening, np.int32)))
        plies = draw(experience, 9, ALL).plies
        expected = {ply for game in range(12) for ply in eligible(experience, game)}
        assert set(plies.tolist()) == expected
        assert min(plies - experience.offsets[np.searchsorted(experience.offsets, plies, "right") - 1]) >= opening


def test_drawing_leaves_the_experience_alone(experience: Experience) -> None:
    before = {name: array.copy() for name, array in vars(experience).items() if isinstance(array, np.ndarray)}
    draw(experience, 10, ALL)
    assert len(before) > 10
    for name, array in before.items():
        assert (getattr(experience, name) == array).all(), name
