"""Batches: each tensor against what the games say, worked out position by position."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from engine.config import Config, config
from engine.features import PLANES, SCALARS, frame
from engine.games import Games
from engine.position import read_position
from engine.search import evaluate_uniformly
from engine.symmetry import Symmetry, symmetries, transform_games, transform_moves, transform_planes
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of, positions_of, verified
from training.batches import make_batch
from training.experience import Experience, Samples
from training.losses import Batch
from training.replay import positions_before
from training.selfplay import play_shard
from training.shard import VALUE_UNIT, WEIGHT_UNIT, Shard

HEX = config("hex8-2")


@pytest.fixture(scope="module")
def three() -> Experience:
    """Random games and searched games of three players, one game of each cut at the limit, without a winner."""
    settings = config("square8-3")
    shards = [
        play_shard(settings, None, MODEL, SEED, 3, QUICK),
        play_shard(settings, evaluate_uniformly, MODEL, SEED, 3, replace(QUICK, simulations=8)),
    ]
    sources = [verified(shard) for shard in shards]
    for source in sources:
        source.shard.winners[1] = 0
    return Experience(settings, sources)


@pytest.fixture(scope="module")
def two(random_shard: Shard, searched_shard: Shard) -> Experience:
    return experience_of(random_shard, searched_shard)


@pytest.fixture(params=["two", "three"])
def experience(request: pytest.FixtureRequest) -> Experience:
    made: Experience = request.getfixturevalue(request.param)
    return made


def drawn(experience: Experience, per_game: int = 6) -> Samples:
    return experience.draw(np.random.default_rng(1), np.arange(len(experience)), per_game)


def whole(experience: Experience, samples: Samples) -> Batch:
    return make_batch(experience, samples, 0, len(samples.games))


def movers(samples: Samples) -> list[int]:
    """The player to move at each position."""
    players: list[int] = samples.states.player().tolist()
    return players


# Form.


def test_shapes_and_types_are_as_declared(experience: Experience) -> None:
    samples = drawn(experience)
    batch, count, players = whole(experience, samples), len(samples.games), experience.config.players
    side, moves = frame(experience.config.board).side, len(samples.states.legal().moves)
    expected = {
        "planes": (torch.float32, [count, PLANES, side, side]),
        "scalars": (torch.float32, [count, SCALARS]),
        "rows": (torch.int64, [moves]),
        "places": (torch.int64, [moves]),
        "moves": (torch.int64, [moves]),
        "policy": (torch.float32, [moves]),
        "policy_weight": (torch.float32, [count]),
        "winner": (torch.float32, [count, players]),
        "ownership": (torch.int64, [count, side * side]),
        "margin": (torch.float32, [count, players, 2]),
    }
    found = {name: (tensor.dtype, list(tensor.shape)) for name, tensor in vars(batch).items()}
    assert found == expected


def test_parts_of_the_samples_are_parts_of_the_batch(experience: Experience) -> None:
    samples = drawn(experience)
    count = len(samples.games)
    everything = whole(experience, samples)
    for start, size in ((0, 7), (7, 11), (count - 5, 5), (count - 5, 99), (3, 1)):
        part = make_batch(experience, samples, start, size)
        positions = torch.arange(start, min(start + size, count))
        assert len(part.planes) == len(positions)
        inside = torch.isin(everything.rows, positions)
        for field in fields(Batch):
            chosen = getattr(everything, field.name)
            chosen = chosen[inside] if field.name in ("rows", "places", "moves", "policy") else chosen[positions]
            if field.name == "rows":
                chosen = chosen - start
            assert torch.equal(getattr(part, field.name), chosen), field.name


def test_equal_samples_give_equal_batches_and_change_nothing(experience: Experience) -> None:
    samples = drawn(experience)
    before = {name: array.copy() for name, array in vars(experience).items() if isinstance(array, np.ndarray)}
    states = samples.states.states.copy()
    first, again = whole(experience, samples), whole(experience, samples)
    for name, tensor in vars(first).items():
        assert torch.equal(tensor, getattr(again, name)), name
    for name, array in before.items():
        assert (getattr(experience, name) == array).all(), name
    assert (samples.states.states == states).all()


# What the network sees.


def test_planes_and_moves_are_those_of_the_positions(experience: Experience) -> None:
    samples = drawn(experience)
    batch, legal = whole(experience, samples), samples.states.legal()
    planes, scalars = samples.states.features()
    assert (batch.planes.numpy() == planes).all()
    assert (batch.scalars.numpy() == scalars).all()
    for place, (row, at, move) in enumerate(zip(batch.rows.tolist(), batch.places.tolist(), batch.moves, strict=True)):
        assert place == legal.offsets[row] + at
        assert move == legal.of(row)[at]
    assert batch.rows.bincount().tolist() == np.diff(legal.offsets).tolist()


# What it is to learn.


def test_without_a_search_the_target_is_the_move_played_if_it_won(experience: Experience) -> None:
    samples = drawn(experience)
    batch, players = whole(experience, samples), movers(samples)
    seen = set()
    for row in np.flatnonzero(experience.search_of[samples.plies] < 0).tolist():
        policy, moves = batch.policy[batch.rows == row], batch.moves[batch.rows == row]
        assert sorted(policy.tolist())[-2:] == [0.0, 1.0]
        assert moves[policy.argmax()] == experience.moves[samples.plies[row]]
        won = experience.winners[samples.games[row]] == players[row]
        assert batch.policy_weight[row] == float(won)
        seen.add(won)
    assert seen == {True, False}


def test_moves_of_the_heuristic_are_no_target() -> None:
    shard = play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 4, replace(QUICK, sparring=1))
    experience = experience_of(shard)
    samples = drawn(experience)
    batch = whole(experience, samples)
    is_searched = experience.search_of[samples.plies] >= 0
    assert is_searched.any()
    assert not is_searched.all()
    assert batch.policy_weight.tolist() == is_searched.tolist()


def test_with_a_search_the_target_is_its_policy(two: Experience, searched_shard: Shard) -> None:
    samples = drawn(two)
    batch, behind = whole(two, samples), len(two.moves) - len(searched_shard.moves)
    ends = np.cumsum(searched_shard.choices).tolist()
    rows = np.flatnonzero(two.search_of[samples.plies] >= 0).tolist()
    assert len(rows) > 20
    for row in rows:
        search = searched_shard.searched.tolist().index(samples.plies[row] - behind)
        run = slice(ends[search] - searched_shard.choices[search], ends[search])
        expected = np.zeros(int((batch.rows == row).sum()))
        expected[searched_shard.entries[run]] = searched_shard.weights[run] / WEIGHT_UNIT
        np.testing.assert_allclose(batch.policy[batch.rows == row].numpy(), expected, atol=1e-6)
        assert batch.policy_weight[row] == 1.0


def test_the_order_of_a_policy_s_entries_means_nothing(searched_shard: Shard) -> None:
    starts = np.cumsum(searched_shard.choices) - searched_shard.choices
    runs = zip(starts.tolist(), searched_shard.choices.tolist(), strict=True)
    backwards = np.concatenate([np.arange(start + count, start, -1) - 1 for start, count in runs])
    entries, weights = searched_shard.entries[backwards], searched_shard.weights[backwards]
    batches = []
    for shard in (searched_shard, replace(searched_shard, entries=entries, weights=weights)):
        experience = experience_of(shard)
        batches.append(whole(experience, drawn(experience)))
    assert torch.equal(batches[0].policy, batches[1].policy)


def test_every_target_is_a_distribution(experience: Experience) -> None:
    samples = drawn(experience)
    batch = whole(experience, samples)
    sums = torch.zeros(len(samples.games)).index_add(0, batch.rows, batch.policy)
    np.testing.assert_allclose(sums.numpy(), 1.0, atol=1e-4)
    np.testing.assert_allclose(batch.winner.sum(dim=1).numpy(), 1.0, atol=1e-4)
    assert float(batch.winner.min()) >= 0.0
    assert float(batch.policy.min()) >= 0.0


def test_chances_are_half_the_result_and_half_the_search(experience: Experience) -> None:
    samples = drawn(experience)
    batch, players = whole(experience, samples), experience.config.players
    endings = set()
    for row, (game, ply, mover) in enumerate(
        zip(samples.games.tolist(), samples.plies.tolist(), movers(samples), strict=True)
    ):
        winner, search = int(experience.winners[game]), int(experience.search_of[ply])
        for seat in range(players):
            player = (mover - 1 + seat) % players + 1
            chance = 1 / players if winner == 0 else float(player == winner)
            if search >= 0:
                value = float(experience.values[search, player - 1])  # 1: it surely wins, -1 / (players - 1) each: even
                found = min(max((value * (players - 1) + 1) / players, 0.0), 1.0)
                chance = (chance + found) / 2
            assert abs(float(batch.winner[row, seat]) - chance) < 1e-5
        endings.add((winner == 0, search >= 0))
    assert endings >= ({(False, False), (False, True)} if players == 2 else {(True, False), (True, True)})


def test_values_at_their_ends_are_certainties(searched_shard: Shard) -> None:
    values = np.resize(np.array([VALUE_UNIT, -VALUE_UNIT], np.int16), len(searched_shard.values))
    experience = experience_of(replace(searched_shard, values=values))
    samples = drawn(experience)
    batch = whole(experience, samples)
    for row, (game, mover) in enumerate(zip(samples.games.tolist(), movers(samples), strict=True)):
        first = 1.0 if experience.winners[game] == 1 else 0.5  # player 1, whom the search had winning
        assert batch.winner[row].tolist() == ([first, 1.0 - first] if mover == 1 else [1.0 - first, first])


def test_ownership_and_margins_are_the_mover_s_view_of_the_end(experience: Experience) -> None:
    samples = drawn(experience, 4)
    batch, settings = whole(experience, samples), experience.config
    grid, players = frame(settings.board).grid.tolist(), settings.players
    ends = {game: last_position(experience, game) for game in range(len(experience))}
    seats = set()
    for row, (game, mover) in enumerate(zip(samples.games.tolist(), movers(samples), strict=True)):
        collapsed = read_position(settings, ends[game].states[0]).collapsed
        expected = [-1] * batch.ownership.shape[1]
        for cell, at in enumerate(grid):
            owner = collapsed.get(cell, 0)
            expected[at] = 0 if owner == 0 else (owner - mover) % players + 1
        assert batch.ownership[row].tolist() == expected
        seats |= set(expected)
        for seat in range(players):
            player = (mover - 1 + seat) % players
            assert batch.margin[row, seat].tolist() == experience.margins[game, player].tolist()
    assert seats - {-1} == set(range(players + 1))


def last_position(experience: Experience, game: int) -> Games:
    first, last = experience.offsets[game : game + 2].tolist()
    moves = experience.moves[first:last]
    return positions_of(experience.config.name, moves).take(len(moves))


# The same games seen through a symmetry of the board.


def all_positions(settings: Config, shard: Shard) -> Games:
    """The position before each ply of a shard."""
    count = len(shard.moves)
    return positions_before(
        settings, shard.moves, shard.offsets.astype(np.int32), np.arange(count, dtype=np.int32), count
    )


def seen_through(settings: Config, shard: Shard, symmetry: Symmetry) -> Shard:
    """The shard of the same games on the turned board, with the same searches."""
    games = all_positions(settings, shard)
    moves = transform_moves(games, shard.moves, symmetry)
    searched = games.take(shard.searched)
    before, after = searched.legal(), transform_games(searched, symmetry).legal()
    owners = np.repeat(np.arange(len(searched)), shard.choices)
    chosen = before.moves[before.offsets[:-1][owners] + shard.entries]
    images = transform_moves(searched, chosen, symmetry, owners)
    entries = [after.of(owner).tolist().index(move) for owner, move in zip(owners.tolist(), images, strict=True)]
    return replace(shard, moves=moves, entries=np.array(entries, np.uint16))


@pytest.mark.parametrize("name", ["hex8-2", "square8-2"])
def test_turned_games_give_turned_batches(name: str, searched_shard: Shard) -> None:
    """Legal moves and play commute with a symmetry, and so do the samples: only what lies on the board moves."""
    settings = config(name)
    shard = searched_shard
    if name != HEX.name:
        shard = play_shard(settings, evaluate_uniformly, MODEL, SEED, 2, QUICK)
    experience, lie = experience_of(shard), frame(settings.board)
    samples = drawn(experience)
    batch = whole(experience, samples)
    for symmetry in (each for each in symmetries(settings.board) if each.exact):
        turned = experience_of(seen_through(settings, shard, symmetry))
        again = drawn(turned)
        assert (again.plies == samples.plies).all()
        assert (again.states.states == transform_games(samples.states, symmetry).states).all()
        seen = whole(turned, again)
        assert (seen.planes.numpy() == transform_planes(batch.planes.numpy(), symmetry)).all()
        ownership = np.full_like(batch.ownership.numpy(), -1)
        ownership[:, lie.grid[symmetry.cells]] = batch.ownership.numpy()[:, lie.grid]
        assert (seen.ownership.numpy() == ownership).all()
        for field in ("scalars", "policy_weight", "winner", "margin"):
            assert torch.equal(getattr(seen, field), getattr(batch, field)), field
        assert targets(seen) == {
            (row, move): share
            for (row, _), move, share in zip(
                targets(batch),
                transform_moves(samples.states, batch.moves.numpy(), symmetry, batch.rows.numpy()).tolist(),
                targets(batch).values(),
                strict=True,
            )
        }


def targets(batch: Batch) -> dict[tuple[int, int], float]:
    """The target of each legal move of each position."""
    keys = zip(batch.rows.tolist(), batch.moves.tolist(), strict=True)
    return dict(zip(keys, batch.policy.tolist(), strict=True))
