"""Self-play: reproducible, complete, and what it records is what the search found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import config
from engine.games import Games
from engine.players import HeuristicPlayer
from engine.search import EvalBatch, Evaluation, evaluate_uniformly
from tests.training.conftest import MODEL, QUICK, SEED
from training.evaluate import NetworkEvaluator
from training.network import Network
from training.selfplay import NoGameError, play_shard
from training.shard import Shard, offsets_of, read_shard, shard_root, sparring_seats, write_shard


def test_equal_seeds_give_equal_files(searched_shard: Shard, small_network: Network, tmp_path: Path) -> None:
    again = play_shard(config("hex8-2"), NetworkEvaluator(small_network), MODEL, SEED, 7, QUICK)
    other = play_shard(config("hex8-2"), NetworkEvaluator(small_network), MODEL, b"o" * 32, 7, QUICK)
    digests = [write_shard(tmp_path, shard).digest for shard in (searched_shard, again, other)]
    assert digests[0] == digests[1] != digests[2]
    assert shard_root(searched_shard) == shard_root(again) != shard_root(other)


def test_random_games_do_not_depend_on_how_many_are_played(random_shard: Shard) -> None:
    fewer = play_shard(config("hex8-2"), None, MODEL, SEED, 5, QUICK)
    assert (fewer.lengths == random_shard.lengths[:5]).all()
    assert (fewer.moves == random_shard.moves[: len(fewer.moves)]).all()


def test_games_are_the_same_however_many_are_played_at_once() -> None:
    """With a model whose answers do not depend on the batch, streams belong to games, not to places."""
    shards = [
        play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 6, replace(QUICK, concurrency=count))
        for count in (2, 6)
    ]
    assert (shards[0].moves == shards[1].moves).all()
    assert (shards[0].weights == shards[1].weights).all()


@pytest.mark.parametrize("is_random", [False, True])
def test_self_play_that_ends_early_gives_the_shard_of_the_first_games_that_are_over(is_random: bool) -> None:
    """None is left out for being long: later ones that are over already are, until the earlier ones are."""
    evaluate, settings = None if is_random else evaluate_uniformly, replace(QUICK, concurrency=3)
    wanted, told = 200 if is_random else 12, [0]

    def observe(progress: Mapping[str, Any]) -> None:
        told.append(progress["games"])

    def is_enough() -> bool:
        return told[-1] >= 5

    shard = play_shard(config("hex8-2"), evaluate, MODEL, SEED, wanted, settings, observe, is_enough)
    count = len(shard.lengths)
    assert 0 < count < wanted
    whole = play_shard(config("hex8-2"), evaluate, MODEL, SEED, count, settings)
    for field in fields(Shard):
        assert np.array_equal(getattr(shard, field.name), getattr(whole, field.name)), field.name


def test_self_play_that_ends_before_its_first_game_is_over_has_nothing_to_give() -> None:
    with pytest.raises(NoGameError):
        play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 2, QUICK, is_enough=lambda: True)


def test_every_choice_after_the_opening_is_searched(searched_shard: Shard) -> None:
    openings, offsets = searched_shard.openings, searched_shard.offsets
    assert len(set(openings.tolist())) > 1
    assert openings.max() <= QUICK.opening_plies
    owners = np.searchsorted(offsets, searched_shard.searched, side="right") - 1
    assert (searched_shard.searched - offsets[owners] >= openings[owners]).all()
    assert set(owners.tolist()) == set(range(7))
    assert (searched_shard.winners > 0).all()


def test_a_share_of_the_positions_is_searched_fully_and_only_these_are_recorded() -> None:
    settings = replace(QUICK, simulations=6, full_share=300, fast_simulations=1)
    shard = play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 6, settings)
    every = play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 6, replace(settings, full_share=1000))
    parts = [len(made.searched) / len(made.moves) for made in (shard, every)]
    assert 0.2 < parts[0] / parts[1] < 0.4
    assert shard.lengths.min() > 0
    assert (shard.winners > 0).all()
    again = play_shard(config("hex8-2"), evaluate_uniformly, MODEL, SEED, 6, replace(settings, concurrency=2))
    assert shard_root(again) == shard_root(shard)


def test_more_noise_leads_to_other_games(searched_shard: Shard, small_network: Network) -> None:
    evaluate = NetworkEvaluator(small_network)
    plain = play_shard(config("hex8-2"), evaluate, MODEL, SEED, 7, replace(QUICK, noise=1000))
    wild = play_shard(config("hex8-2"), evaluate, MODEL, SEED, 7, replace(QUICK, noise=2000))
    assert shard_root(plain) == shard_root(searched_shard) != shard_root(wild)


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_the_heuristic_has_a_seat_in_some_games(name: str, tmp_path: Path) -> None:
    game = config(name)
    shard = play_shard(game, evaluate_uniformly, MODEL, SEED, 7, replace(QUICK, sparring=3))
    seats = sparring_seats(np.arange(7), 3, game.players).tolist()
    assert seats == [1, 0, 0, 2, 0, 0, 2 % game.players + 1]
    searched, is_chosen = set(shard.searched.tolist()), 0
    for number, seat in enumerate(seats):
        games = Games.new(game, 1)
        for at, ply in enumerate(range(shard.offsets[number], shard.offsets[number + 1])):
            move, player = int(shard.moves[ply]), int(games.player()[0])
            if at >= shard.openings[number] and len(games.legal().moves) > 1:
                assert (ply in searched) == (player != seat)
                if player == seat:
                    chosen = {int(HeuristicPlayer().choose(games, np.array([s], np.uint64))[0]) for s in range(40)}
                    is_chosen += move in chosen
                    assert move in chosen or len(chosen) > 5
            games.apply([move])
    assert is_chosen > 20
    plain = replace(shard, sparring=0)
    assert shard_root(shard) != shard_root(plain)
    assert read_shard(write_shard(tmp_path, shard).path).sparring == 3


@pytest.mark.parametrize("name", ["hex8-3", "square8-4"])
def test_more_players(name: str) -> None:
    def biased(batch: EvalBatch) -> Evaluation:
        """Thinks that the mover wins; the values must come back as the mover's, whoever that is."""
        values = np.full((len(batch.states), batch.config.players), -0.25, np.float32)
        values[:, 0] = 0.5
        return Evaluation(np.zeros(len(batch.moves), np.float32), values)

    shard = play_shard(config(name), biased, MODEL, SEED, 3, replace(QUICK, simulations=1))
    players = config(name).players
    values = shard.values.reshape(-1, players) / 32767
    assert (np.isclose(np.sort(values, axis=1)[:, -1], 0.5, atol=1e-4) | (values.max(axis=1) == 1)).all()
    assert len(offsets_of(shard.lengths)) == 4
