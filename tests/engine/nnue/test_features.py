"""The features of NNUE are the position as each player sees it, written down a second time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from engine.boards import BOARDS, board
from engine.config import Config, config
from engine.features import SEATS
from engine.games import Games
from engine.nnue.features import bucket_of, cell_feature, feature_count, slots, stack_kind
from engine.nnue.rating import list_features
from engine.position import Position, cap_of, read_position
from engine.rules import state as record
from tests.engine.nnue.networks import random_lines

PHASES = ("ring_placement", "movement", "capture", "chain_capture", "line_processing", "territory_processing")


def test_features_say_what_the_position_is(any_config: Config) -> None:
    games = Games.new(any_config, 4)
    for _ in range(8):
        games.play_randomly(seed=5, steps=17)
        found = list_features(games)
        assert found.shape == (4, any_config.players, slots(any_config.board, any_config.players))
        for row, by_player in zip(games.states, found, strict=True):
            position = read_position(any_config, row)
            for view, numbers in enumerate(by_player, 1):
                expected = sorted(described(position, row, view))
                assert sorted(numbers[numbers > 0].tolist()) == expected
                assert len(set(expected)) == len(expected)


def described(position: Position, row: np.ndarray, view: int) -> Iterator[int]:
    """Yield the features that are set as a player sees the position."""
    players = position.config.players
    cells = len(board(position.config.board).cells)

    def seat(player: int) -> int:
        return (player - view) % players

    for cell, rings in position.stacks.items():
        kind = stack_kind(len(rings), cap_of(rings))
        yield 1 + cell * 64 + seat(rings[-1]) * 16 + kind
    for cell, owner in position.markers.items():
        yield 1 + cell * 64 + seat(owner) * 16 + 14
    for cell, owner in position.collapsed.items():
        yield 1 + cell * 64 + seat(owner) * 16 + 15
    for player in range(1, players + 1):
        settings = position.config
        counts = [
            (position.hand[player - 1], settings.rings),
            (position.eliminated[player - 1], settings.ring_threshold),
            (position.territory[player - 1], settings.territory_minimum),
            (sum(owner == player for owner in position.markers.values()), cells // 2),
            (sum(rings[-1] == player for rings in position.stacks.values()), settings.rings),
            (sum(rings.count(player) for rings in position.stacks.values()), settings.rings),
        ]
        buckets = [bucket_of(value, limit) for value, limit in counts]
        streak = int(row[record.STREAK]) if int(row[record.STREAK_OWNER]) == player else 0
        for count, bucket in enumerate([*buckets, streak]):
            yield 1 + cells * 64 + (seat(player) * 8 + count) * 32 + bucket
    if position.player:
        turn = int(row[record.PHASE]) * 4 + int(row[record.OWED]) * 2 + int(row[record.ACTED])
        yield 1 + cells * 64 + (seat(position.player) * 8 + 7) * 32 + turn
    yield 1 + cells * 64 + 1024 + players - 2


def test_stacks_have_fourteen_kinds() -> None:
    pairs = [(tall, cap) for tall in range(1, 97) for cap in range(1, tall + 1)]
    kinds = {(tall, cap): stack_kind(tall, cap) for tall, cap in pairs}
    assert sorted(set(kinds.values())) == list(range(14))
    assert [kinds[pair] for pair in ((1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (4, 1), (5, 4), (6, 1), (96, 96))] == [
        *(0, 1, 2, 3, 5, 6, 9, 10, 13),
    ]


@pytest.mark.parametrize("limit", [2, 18, 31, 32, 72, 96, 235])
def test_buckets_rise_with_the_count(limit: int) -> None:
    buckets = [bucket_of(value, limit) for value in range(limit + 3)]
    assert buckets == sorted(buckets)
    assert buckets[:2] == [0, 1]
    assert buckets[limit - 1] < buckets[limit] == buckets[limit + 2] == 31 or limit > 31
    assert buckets[limit] == 31


@pytest.mark.parametrize("name", BOARDS)
def test_every_number_is_below_the_count(name: str) -> None:
    cells = len(board(name).cells)
    assert cell_feature(cells - 1, SEATS * 16 + 15, 1, SEATS) == cells * 64
    assert feature_count(name) == 1 + cells * 64 + 1024 + 3


def test_no_position_has_more_features_than_slots(kernels: None) -> None:
    positions, _ = random_lines(config("hex8-3"), 4, seed=1)
    found = list_features(positions)
    assert 0 < found.max() < feature_count("hex8")
    assert found.min() == 0
