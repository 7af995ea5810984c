"""Training: reproducible, and it learns what the games show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.config import config
from engine.search import evaluate_uniformly
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import verified
from training.batches import make_batch
from training.evaluate import NetworkEvaluator
from training.experience import Experience, Samples
from training.match import block_scores, play_match
from training.model import load_model, save_model
from training.network import Network
from training.progress import ignore_progress
from training.replay import load_shard
from training.selfplay import play_shard
from training.settings import MatchSettings, TrainSettings
from training.shard import Shard, write_shard
from training.state import read_state, write_state
from training.trainer import Start, train

HEX = config("hex8-2")


def _experience(tmp_path: Path, *shards: Shard) -> Experience:
    paths = [write_shard(tmp_path, shard).path for shard in shards]
    return Experience(HEX, [load_shard(path, HEX, ignore_progress) for path in paths])


def test_equal_input_gives_equal_models(random_shard: Shard, searched_shard: Shard, tmp_path: Path) -> None:
    experience = _experience(tmp_path, random_shard, searched_shard)
    settings = TrainSettings(architecture="c4b1", steps=6, batch=32, positions_per_game=8)
    digests = []
    for name, seed, parent in (("a", SEED, None), ("b", SEED, None), ("c", MODEL, None)):
        trained = train(experience, parent, seed, settings)
        digests.append(save_model(tmp_path / name, trained.network).digests["weights.safetensors"])
        assert set(trained.losses) == {"policy", "winner", "ownership", "margin"}
    assert digests[0] == digests[1] != digests[2]


def test_a_parent_is_continued_and_left_alone(random_shard: Shard, small_network: Network, tmp_path: Path) -> None:
    experience = _experience(tmp_path, random_shard)
    before = save_model(tmp_path / "before", small_network).digests
    settings = TrainSettings(architecture="c32b4", steps=1, batch=16, learning_rate=1e-6)
    trained = train(experience, Start(small_network), SEED, settings)
    assert trained.network.architecture == "c4b1"
    assert save_model(tmp_path / "after", small_network).digests == before
    for old, new in zip(small_network.parameters(), trained.network.parameters(), strict=True):
        np.testing.assert_allclose(old.detach().numpy(), new.detach().numpy(), atol=1e-4)


def test_a_training_that_was_stored_goes_on_as_if_it_had_not_been(searched_shard: Shard, tmp_path: Path) -> None:
    experience = _experience(tmp_path, searched_shard)
    settings = TrainSettings(architecture="c4b1", steps=5, batch=16)
    first = train(experience, None, SEED, settings)
    assert first.state is not None
    save_model(tmp_path / "first", first.network)
    kept = train(experience, Start(first.network, first.state), MODEL, settings)
    path = write_state(tmp_path, first.state).path
    restored = Start(load_model(tmp_path / "first"), read_state(path, "c4b1"))
    again = train(experience, restored, MODEL, settings)
    assert kept.state is not None
    assert again.state is not None
    assert kept.state.steps == again.state.steps == 10
    for name, weights in kept.state.weights.items():
        assert torch.equal(weights, again.state.weights[name])
    for one, other in zip(kept.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
    forgotten = train(experience, Start(first.network), MODEL, settings)
    assert forgotten.state is not None
    assert forgotten.state.steps == 5


def test_games_that_are_held_out_are_never_drawn(tmp_path: Path) -> None:
    shard = play_shard(HEX, None, MODEL, SEED, 40, QUICK)
    experience = _experience(tmp_path, shard, shard)
    assert np.flatnonzero(experience.held_out).tolist() == [15, 31, 55, 71]
    drawn: list[NDArray[np.int64]] = []
    draw = experience.draw

    def spy(random: np.random.Generator, games: NDArray[np.int64], per_game: int) -> Samples:
        drawn.append(games)
        return draw(random, games, per_game)

    experience.draw = spy  # type: ignore[method-assign]
    train(experience, None, SEED, TrainSettings(architecture="c4b1", steps=12, batch=64))
    assert set(np.concatenate(drawn)) == set(np.flatnonzero(~experience.held_out))


def test_games_of_shards_with_less_weight_are_drawn_less_often(
    random_shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [verified(random_shard), verified(random_shard)]
    drawn: list[NDArray[np.int64]] = []
    plain = Experience.draw

    def draw(self: Experience, random: np.random.Generator, games: NDArray[np.int64], per_game: int) -> Samples:
        drawn.append(games)
        return plain(self, random, games, per_game)

    monkeypatch.setattr(Experience, "draw", draw)
    settings = TrainSettings(architecture="c4b1", steps=40, batch=64)
    train(Experience(HEX, sources, [500, 1000]), None, SEED, settings)
    games = np.concatenate(drawn)
    full, half = np.count_nonzero(games >= 12), np.count_nonzero(games < 12)
    assert full == 12 * len(drawn)
    assert 0.35 * full < half < 0.65 * full


def test_batches_hold_what_the_games_say(random_shard: Shard, searched_shard: Shard, tmp_path: Path) -> None:
    experience = _experience(tmp_path, random_shard, searched_shard)
    games = np.arange(len(experience))
    samples = experience.draw(np.random.default_rng(3), games, per_game=10)
    batch = make_batch(experience, samples, 0, len(samples.games))
    assert len(samples.games) == 10 * len(experience)
    mover = samples.states.player()
    winner = experience.winners[samples.games]
    searched = experience.search_of[samples.plies] >= 0
    assert searched[samples.games >= 12].all()
    assert not searched[samples.games < 12].any()
    # random games: the result alone, and the winner's moves alone
    won = (winner == mover)[~searched]
    assert (batch.winner.numpy()[~searched][:, 0] == won).all()
    assert (batch.policy_weight.numpy()[~searched] == won).all()
    assert (batch.policy_weight.numpy()[searched] == 1).all()
    sums = np.bincount(batch.rows.numpy(), weights=batch.policy.numpy())
    np.testing.assert_allclose(sums, 1.0, atol=1e-4)
    np.testing.assert_allclose(batch.winner.numpy().sum(axis=1), 1.0, atol=1e-4)
    # the final territory: as many squares as the final score says, from the mover's side
    counts = (batch.ownership.numpy() == 1).sum(axis=1) / HEX.territory_minimum
    np.testing.assert_allclose(np.minimum(counts, 1.5), batch.margin.numpy()[:, 0, 1], atol=1e-5)
    assert ((batch.ownership.numpy() >= 0).sum(axis=1) == 61).all()


def test_games_without_a_choice_to_learn_from_are_refused(random_shard: Shard, tmp_path: Path) -> None:
    experience = _experience(tmp_path, replace(random_shard, openings=random_shard.lengths))
    with pytest.raises(ValueError, match="no position with a choice"):
        train(experience, None, SEED, TrainSettings(architecture="c4b1", steps=1))


def test_a_small_network_learns_to_beat_uniform(tmp_path: Path) -> None:
    """The main job in small: random games, a minute's training at most, and a clear win."""
    shard = play_shard(HEX, None, MODEL, SEED, 400, QUICK)
    settings = TrainSettings(architecture="c8b1", steps=120, batch=128)
    trained = train(_experience(tmp_path, shard), None, SEED, settings)
    blocks = [(k, bytes([k]) * 32) for k in range(24)]
    match = MatchSettings(simulations=4, considered=4)
    games = play_match(HEX, NetworkEvaluator(trained.network), evaluate_uniformly, blocks, match)
    score = sum(score for _, score in block_scores(2, games))
    assert score / (4 * len(blocks)) > 0.65
