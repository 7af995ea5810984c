"""Teams of processes: the same gradients as of one process but for rounding, and the same bytes every time."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of
from training.batches import make_examples
from training.gradients import Gradients, SharedGradients
from training.losses import Weights
from training.network import Network
from training.selfplay import play_shard
from training.settings import TrainSettings
from training.shard import Shard
from training.stage import Stage
from training.team import split, team_of
from training.trainer import Joint, Start, Trained, train

SETTINGS = TrainSettings(architecture="c4b1", steps=6, batch=33, positions_per_game=8)


def weights(trained: Trained) -> list[bytes]:
    return [parameter.detach().numpy().tobytes() for parameter in trained.network.parameters()]


def assert_near(one: Trained, other: Trained) -> None:
    for name, loss in one.losses.items():
        assert other.losses[name] == pytest.approx(loss, rel=1e-4)
    for mine, theirs in zip(one.network.parameters(), other.network.parameters(), strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), atol=1e-4)


def test_a_training_by_two_processes_is_that_of_one_but_for_rounding(
    searched_shard: Shard, small_network: Network
) -> None:
    own, start = experience_of(searched_shard), Start(small_network)
    alone, two = (train(own, start, SEED, replace(SETTINGS, processes=count)) for count in (1, 2))
    assert weights(two) != weights(alone)
    assert_near(alone, two)


@pytest.mark.slow
def test_two_processes_make_the_same_bytes_every_time(
    searched_shard: Shard, random_shard: Shard, small_network: Network
) -> None:
    """With a partner, so that the team works for two configurations; stopped after some steps, too."""
    own = experience_of(searched_shard, random_shard)
    joint = Joint([experience_of(play_shard(config("hex8-3"), None, MODEL, SEED, 4, QUICK))], 0.4)
    stages: list[Stage] = []

    def trained(processes: int, stage: Stage | None = None) -> Trained:
        settings = replace(SETTINGS, processes=processes)
        return train(
            own,
            Start(small_network),
            SEED,
            settings,
            joint=joint,
            stage=stage,
            observe=lambda take: stages.append(take()),
        )

    two = trained(2)
    assert weights(two) == weights(trained(2, stages[2]))
    assert_near(two, trained(1))


@pytest.mark.slow
def test_who_has_nothing_to_do_adds_nothing_and_a_death_in_the_team_is_an_error(searched_shard: Shard) -> None:
    """Three processes and two positions; then one of the three is killed."""
    experience = experience_of(searched_shard)
    samples = experience.draw(np.random.default_rng(1), np.arange(len(experience)), 4)
    examples = make_examples(experience, samples, 0, 2)
    torch.manual_seed(1)
    network, other = Network("c4b1"), Network("c4b1")
    other.load_state_dict(network.state_dict())
    plain = Gradients(network, experience.config)
    losses = plain.update(examples, Weights())
    with team_of(3, "c4b1", [experience.config]) as team:
        assert team is not None
        shared = SharedGradients(other, experience.config, team)
        np.testing.assert_allclose(shared.update(examples, Weights()), losses, rtol=1e-6)
        np.testing.assert_allclose(shared._own.flat.numpy(), plain.flat.numpy(), atol=1e-6)
        process = team._others[1]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with pytest.raises(RuntimeError):
            shared.update(examples, Weights())
    assert all(each.returncode is not None for each in team._others)


def test_parts_have_all_examples_once_with_their_share_of_the_means(searched_shard: Shard) -> None:
    experience = experience_of(searched_shard)
    samples = experience.draw(np.random.default_rng(1), np.arange(len(experience)), 4)
    examples = make_examples(experience, samples, 0, 10)
    parts = list(split(examples, examples.means(), 4))
    assert [len(part.states) for part, _ in parts] == [3, 3, 2, 2]
    assert np.concatenate([part.moves for part, _ in parts]).tolist() == examples.moves.tolist()
    assert np.concatenate([means for _, means in parts]).tolist() == examples.means().tolist()
    assert all(part.offsets[-1] == len(part.moves) for part, _ in parts)
    with pytest.raises(ValueError, match="17 processes, expected 1 to 16"), team_of(17, "c4b1", []):
        pass
