"""Counts of legal sequences against the committed table and against counting one by one."""

import json
import runpy
from pathlib import Path

import pytest

from engine.config import CONFIGS, Config, config
from engine.games import Games
from engine.perft import count_sequences

ROOT = Path(__file__).parent.parent.parent
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "perft.py"), run_name="perft")
TABLE = json.loads((ROOT / "tests" / "data" / "perft.json").read_text())


def count_one_by_one(games: Games, depth: int) -> int:
    if depth == 0:
        return 1
    total = 0
    for move in games.legal().moves:
        after = games.copy()
        after.apply([move])
        total += count_one_by_one(after, depth - 1)
    return total


def test_batches_count_what_recursion_counts(kernels: None) -> None:
    games = Games.new(config("hex8-3"), 6)
    games.play_randomly(seed=12, steps=60)
    games = games.take([*range(6), 0])
    for depth in range(4):
        counts = count_sequences(games, depth)
        assert counts.tolist() == [count_one_by_one(games.take([game]), depth) for game in range(7)]
    assert count_sequences(games.take([]), 3).tolist() == []


def test_finished_games_have_no_sequences(kernels: None) -> None:
    games = Games.new(config("square8-2"), 3)
    games.play_randomly(seed=1, steps=5000)
    assert [count_sequences(games, depth).tolist() for depth in range(3)] == [[1] * 3, [0] * 3, [0] * 3]


def test_the_table_has_start_and_twenty_positions_of_every_configuration() -> None:
    assert list(TABLE) == list(CONFIGS)
    for games in TABLE.values():
        assert "0" in games["start"]
        assert sum(len(steps) for steps in games.values()) == 21


def test_counts_up_to_30000(any_config: Config) -> None:
    assert SCRIPT["check"](any_config.name, TABLE[any_config.name], 30_000).differences == ()


@pytest.mark.slow
def test_all_counts(any_config: Config) -> None:
    assert SCRIPT["check"](any_config.name, TABLE[any_config.name], 10**12).differences == ()


def test_a_wrong_count_is_told(kernels: None) -> None:
    outcome = SCRIPT["check"]("hex8-2", {"start": {"0": [183, 2431]}}, 10**12)
    assert outcome.differences == ("hex8-2, start after 0 moves: 2430 sequences of 2, not 2431",)
