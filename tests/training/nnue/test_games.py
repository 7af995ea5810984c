"""Games of the heuristic against itself: legal, finished, reproducible, and with as much chance as was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from engine.config import config
from engine.games import Games
from engine.players import HeuristicPlayer, UniformPlayer
from tests.training.conftest import MODEL, SEED
from tests.training.verified import verified
from training.nnue.games import play_games
from training.replay import positions_before
from training.shard import read_shard, write_shard


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_games_are_a_shard_that_holds(name: str, tmp_path: object, kernels: None) -> None:
    reports: list[object] = []
    shard = play_games(config(name), HeuristicPlayer(), seed=SEED, games=6, report=reports.append)
    assert reports[-1] == {"games": 6, "wanted": 6}
    replayed = verified(shard).replayed
    assert (replayed.final.winner() == shard.winners).all()
    assert replayed.final.over().all()
    assert (shard.openings <= 24).all()
    assert len(set(shard.openings.tolist())) > 2


def test_equal_seeds_give_equal_files(tmp_path_factory: pytest.TempPathFactory, kernels: None) -> None:
    paths = [
        write_shard(
            tmp_path_factory.mktemp("shard"), play_games(config("hex8-2"), UniformPlayer(), seed=seed, games=4)
        ).path
        for seed in (SEED, SEED, MODEL)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].name != paths[2].name
    assert read_shard(paths[0]).searched.size == 0


def test_a_game_does_not_depend_on_how_many_there_are(kernels: None) -> None:
    few, many = (play_games(config("hex8-2"), HeuristicPlayer(), seed=SEED, games=games) for games in (2, 5))
    assert (few.moves == many.moves[: len(few.moves)]).all()
    assert (few.lengths == many.lengths[:2]).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_so_many_moves_are_random(share: float, kernels: None) -> None:
    """The player takes the first move of the list, which chance seldom does."""
    shard = play_games(config("hex8-2"), FirstMove(), seed=SEED, games=12, random_share=share)
    games = verified(shard)
    after = np.arange(len(shard.moves)) - np.repeat(shard.offsets[:-1], shard.lengths) >= np.repeat(
        shard.openings, shard.lengths
    )
    choices = (games.replayed.options > 3) & after
    plies = np.arange(len(shard.moves), dtype=np.int32)
    legal = positions_before(
        config(shard.config), shard.moves, shard.offsets.astype(np.int32), plies, len(plies)
    ).legal()
    other = (shard.moves != legal.moves[legal.offsets[:-1]])[choices].mean()
    assert abs(other - share) < 0.1


class FirstMove:
    """Plays the first legal move."""

    def choose(self, games: Games, seeds: np.ndarray) -> np.ndarray:
        legal = games.legal()
        return legal.moves[legal.offsets[:-1]]
