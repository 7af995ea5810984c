"""Matches: paired and reproducible; a record that was tampered with is refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import config
from engine.search import EvalBatch, Evaluate, Evaluation, evaluate_uniformly
from training.check import check_match, read_games
from training.evaluate import NetworkEvaluator
from training.match import (
    MatchGame,
    block_scores,
    game_records,
    game_score,
    games_root,
    play_match,
    write_games,
)
from training.network import Network
from training.settings import MatchSettings

HEX = config("hex8-2")
BLOCKS = [(3, b"3" * 32), (4, b"4" * 32), (9, b"9" * 32)]
SETTINGS = MatchSettings(simulations=2, considered=2, opening_plies=5, concurrency=4)


@pytest.fixture(scope="module")
def games(small_network: Network) -> list[MatchGame]:
    return play_match(HEX, NetworkEvaluator(small_network), evaluate_uniformly, BLOCKS, SETTINGS)


def test_each_block_is_played_in_every_rotation_from_one_opening(games: list[MatchGame]) -> None:
    assert [(game.block, game.rotation) for game in games] == [(b, r) for b in BLOCKS for r in (0, 1)]
    for first, second in zip(games[::2], games[1::2], strict=True):
        assert (first.moves[:5] == second.moves[:5]).all()
        assert first.opening == second.opening == 5
    openings = {tuple(game.moves[:5]) for game in games}
    assert len(openings) == len(BLOCKS)
    assert all(game.winner in (1, 2) for game in games)


def test_a_match_can_be_played_again_by_anyone(games: list[MatchGame], small_network: Network) -> None:
    again = play_match(HEX, NetworkEvaluator(small_network), evaluate_uniformly, BLOCKS, SETTINGS)
    assert games_root(HEX, again) == games_root(HEX, games)
    later = play_match(HEX, NetworkEvaluator(small_network), evaluate_uniformly, BLOCKS[1:], SETTINGS)
    assert [tuple(game.moves[:5]) for game in later] == [tuple(game.moves[:5]) for game in games[2:]]


def test_the_candidate_sits_where_the_rotation_says() -> None:
    """A candidate that always plays its last legal move, against one that plays its first."""

    def prefer(sign: float) -> Evaluate:
        def evaluate(batch: EvalBatch) -> Evaluation:
            starts = np.repeat(batch.offsets[:-1], np.diff(batch.offsets))
            logits = sign * (np.arange(len(batch.moves)) - starts).astype(np.float32)
            return Evaluation(logits, np.zeros((len(batch.states), batch.config.players), np.float32))

        return evaluate

    from engine.games import Games

    settings = MatchSettings(simulations=1, considered=1, opening_plies=4)
    for game in play_match(HEX, prefer(1.0), prefer(-1.0), BLOCKS[:1], settings):
        replayed = Games.new(HEX, 1)
        for ply, move in enumerate(game.moves):
            legal = replayed.legal().moves
            if ply >= game.opening:
                candidate = int(replayed.player()[0]) == game.rotation + 1
                assert move == (legal[-1] if candidate else legal[0])
            replayed.apply([move])
        assert int(replayed.winner()[0]) == game.winner


@pytest.mark.parametrize(
    ("players", "outcomes", "score"),
    [
        (2, [(1, 1), (2, 2)], 4),
        (2, [(1, 2), (2, 1)], 0),
        (2, [(1, 1), (2, 1)], 2),
        (2, [(1, 0), (2, 0)], 2),
        (3, [(1, 1), (2, 2), (3, 3)], 12),
        (3, [(1, 2), (2, 2), (3, 2)], 6),
        (3, [(1, 2), (2, 3), (3, 1)], 3),
        (4, [(1, 1), (2, 1), (3, 1), (4, 1)], 12),
    ],
)
def test_scores(players: int, outcomes: list[tuple[int, int]], score: int) -> None:
    assert sum(game_score(players, candidate, winner) for candidate, winner in outcomes) == score


def test_equal_players_score_half_of_what_there_is() -> None:
    for players in (2, 3, 4):
        by_winner = [game_score(players, 1, winner) for winner in range(1, players + 1)]
        assert sum(by_winner) == players * (players - 1)


def _check(tmp_path: Path, games: list[MatchGame], claimed: list[MatchGame], **changes: object) -> str:
    path = write_games(tmp_path, HEX, games).path
    arguments: dict[str, Any] = {
        "blocks": BLOCKS,
        "scores": block_scores(2, claimed),
        "root": games_root(HEX, claimed),
        "settings": SETTINGS,
    } | changes
    return check_match(path, HEX, **arguments)


def test_an_honest_match_is_proved(games: list[MatchGame], tmp_path: Path) -> None:
    assert _check(tmp_path, games, games) == ""
    path = write_games(tmp_path, HEX, games).path
    read = read_games(path, HEX, BLOCKS, SETTINGS)
    assert [r.encode() for r in game_records(HEX, read)] == [r.encode() for r in game_records(HEX, games)]


def test_a_tampered_match_is_refused(games: list[MatchGame], tmp_path: Path) -> None:
    first = games[0]
    other = first.moves.copy()
    other[10] += 1 << 40
    shorter = replace(first, moves=first.moves[:-1])
    foreign = replace(first, moves=games[2].moves)
    for changed, reason in [
        ([replace(first, moves=other), *games[1:]], "game 0: its move 10 is illegal"),
        ([shorter, *games[1:]], "neither to its end nor to the limit"),
        ([foreign, *games[1:]], "block 3, game 0: not the opening of the block's seed"),
        (games[1:], "5 games, but 3 blocks of 2 were claimed"),
        ([*games, first], "7 games, but 3 blocks of 2 were claimed"),
    ]:
        assert reason in _check(tmp_path, changed, games)


def test_wrong_claims_are_refused(games: list[MatchGame], tmp_path: Path) -> None:
    scores = block_scores(2, games)
    wrong = [(scores[0][0], scores[0][1] + 1), *scores[1:]]
    assert "was claimed for block 3" in _check(tmp_path, games, games, scores=wrong)
    assert "2 scores for 3 blocks" in _check(tmp_path, games, games, scores=scores[:2])
    assert "Merkle root" in _check(tmp_path, games, games, root=bytes(32))
    seeds = [(3, b"x" * 32), *BLOCKS[1:]]
    assert "not the opening" in _check(tmp_path, games, games, blocks=seeds)
    longer = replace(SETTINGS, opening_plies=7)
    assert "not the opening" in _check(tmp_path, games, games, settings=longer)
    path = write_games(tmp_path, HEX, games).path
    reason = check_match(path, config("square8-2"), BLOCKS, scores, games_root(HEX, games), SETTINGS)
    assert "games of 'hex8-2', not of square8-2" in reason
