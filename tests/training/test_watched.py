"""Games that are watched while they are played: what is told is so, is small and seldom, and changes nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest

from engine.config import config
from engine.games import Games
from engine.players import UniformPlayer
from engine.position import read_position
from tests.training.conftest import MODEL, QUICK, SEED
from training import watched
from training.blocks import Draws, play_blocks
from training.evaluate import NetworkEvaluator
from training.model import save_model
from training.network import Network
from training.play_jobs import play_alone
from training.playing import Playing
from training.pool import SelfPlayPool
from training.selfplay import play_shard, shard_of
from training.shard import write_shard
from training.watched import LISTED, LOOK_S, Pace, Seen, show

SETTINGS = replace(QUICK, full_share=500, fast_simulations=1, sparring=3, concurrency=2)


def test_a_watched_move_is_one_of_the_shard_and_the_shard_is_the_same(small_network: Network, tmp_path: Path) -> None:
    game, evaluate = config("hex8-2"), NetworkEvaluator(small_network)
    pool, told = SelfPlayPool(game, evaluate, SETTINGS), list[Seen]()
    job = pool.add(SEED, 4)
    while not pool.step(lambda of, seen: told.append(seen) if of is job else pytest.fail("another job")):
        pass
    shard = shard_of(game, MODEL, job, SETTINGS)
    alone = play_shard(game, evaluate, MODEL, SEED, 4, SETTINGS)
    assert write_shard(tmp_path, shard).digest == write_shard(tmp_path, alone).digest
    numbers = [seen.number for seen in told]
    assert len({*numbers}) > 1
    assert [number for place, number in enumerate(numbers) if number not in numbers[:place]] == [
        number for place, number in enumerate(numbers) if place == 0 or number != numbers[place - 1]
    ], "a game is followed to its end"
    at = {(seen.number, seen.plies): seen for seen in told}
    assert len(at) == len(told)
    for number, (first, last) in enumerate(itertools.pairwise(shard.offsets.tolist()), 1):
        games = Games.new(game, 1)
        for plies, move in enumerate(shard.moves[first:last].tolist()):
            seen = at.get((number, plies))
            if seen is not None:
                assert (games.states[0] == seen.row).all()
                assert seen.move == move
                assert (seen.found is None) == (seen.apart == int(games.player()[0])), "the heuristic does not search"
                assert seen.found is None or [*seen.found.moves] == [*games.legal().moves]
                assert seen.found is None or seen.found.policy.sum() == pytest.approx(1, abs=1e-4)
                assert seen.found is not None or first + plies not in shard.searched
            games.apply([move], check=False)
    assert len({seen.apart for seen in told}) == 2, "with and without the heuristic"


def test_what_is_told_is_the_position_in_words(small_network: Network) -> None:
    game, told = config("square8-3"), list[dict[str, Any]]()
    pool = SelfPlayPool(game, NetworkEvaluator(small_network), QUICK)
    pool.add(SEED, 1)
    seen = list[Seen]()
    while not pool.step(lambda _job, one: seen.append(one)):
        pass
    for one in seen:
        told.append(show(game, one))
        position = read_position(game, one.row)
        assert told[-1]["player"] == position.player
        assert len(told[-1]["cells"]) == len(position.stacks) + len(position.markers) + len(position.collapsed)
        assert [seat[0] for seat in told[-1]["seats"]] == [*position.hand]
        assert len(told[-1]["chances"]) == 3
        shares = [each["share"] for each in told[-1]["policy"]]
        assert len(shares) <= LISTED
        assert shares == sorted(shares, reverse=True)
        assert told[-1]["words"] in [each["words"] for each in told[-1]["policy"]]
    assert any(one["words"].startswith("place") for one in told)


@pytest.mark.parametrize("name", ["hex8-2", "square19-4", "hexagonal-4"])
def test_what_is_told_is_small_on_a_full_board_too(name: str) -> None:
    playing, largest = Playing(config(name), 4), 0
    for plies in range(100, 2100, 200):
        playing.play_random(np.full(4, plies, np.int32), np.arange(4, dtype=np.uint64))
        for place in np.flatnonzero(~playing.finished()).tolist():
            row = playing.games.states[place]
            legal = Games(config(name), row[None].copy()).legal().moves
            found = watched.Found(legal, np.full(len(legal), 1 / len(legal), np.float32), np.zeros(4, np.float32))
            seen = Seen(number=9, plies=plies, row=row, move=int(legal[-1]), apart=1, found=found)
            largest = max(largest, len(cbor2.dumps(show(config(name), seen))))
    assert 300 < largest < 8192


def test_looking_is_seldom_and_more_seldom_where_it_is_dear() -> None:
    now = [0.0]
    pace, looks = Pace(lambda: now[0]), list[float]()
    for step in range(4000):
        now[0] = step / 100
        if pace.is_due:
            looks.append(now[0])
            with pace.looking():
                now[0] += 0.001 if len(looks) < 5 else 0.05
    assert looks[0] == 0
    assert all(later - earlier >= LOOK_S for earlier, later in itertools.pairwise(looks))
    assert looks[6] - looks[5] >= 0.05 / watched.LARGEST_SHARE


def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LOOK_S", 0.0)
    monkeypatch.setattr(watched, "LARGEST_SHARE", 1e9)


def test_blocks_tell_a_game_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    game = config("hex8-2")
    draws = Draws(np.arange(3, dtype=np.uint64), np.arange(6, dtype=np.uint64).reshape(3, 2))
    told = list[dict[str, Any]]()

    def play(report: Any) -> list[list[int]]:
        players = UniformPlayer(), UniformPlayer()
        games = play_blocks(game, players, draws, opening_plies=4, concurrency=4, report=report)
        return [one.moves.tolist() for one in games]

    look_always(monkeypatch)
    games = play(lambda progress: told.append(dict(progress)))
    shown = [progress["game"] for progress in told if "game" in progress]
    assert {one["number"] for one in shown} <= set(range(1, 7))
    assert max(one["number"] for one in shown) > 4, "games of the second part are counted on"
    assert all(one["apart"] == 2 - one["number"] % 2 for one in shown)
    assert all(one["chances"] == [] for one in shown)
    monkeypatch.undo()
    assert play(lambda _progress: None) == games


def test_a_job_tells_its_own_game(monkeypatch: pytest.MonkeyPatch, small_network: Network, tmp_path: Path) -> None:
    look_always(monkeypatch)
    save_model(tmp_path / "model", small_network)
    told = list[dict[str, Any]]()
    settings = {"simulations": 2, "considered": 2, "concurrency": 2}
    common = {"job": "selfplay", "config": "hex8-2", "seed": SEED, "model_digest": MODEL, "out": str(tmp_path)}
    request = {**common, "model": str(tmp_path / "model"), "games": 4, "settings": settings}
    play_alone(request, lambda progress: told.append(dict(progress)))
    shown = [progress["game"] for progress in told if "game" in progress]
    assert len(shown) > 20
    assert len({one["number"] for one in shown}) > 1
    assert max(one["plies"] for one in shown) > 20
