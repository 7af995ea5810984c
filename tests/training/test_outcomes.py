"""Games of matches in a training: they teach who won, and nothing that anybody played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import config
from engine.search import evaluate_uniformly
from tests.training.conftest import MODEL, SEED
from tests.training.verified import verified
from training.arrays import DataError
from training.batches import make_examples
from training.check import Reported
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.jobs import run_job
from training.match import block_scores, games_root, play_match, write_games
from training.network import Network
from training.outcomes import load_outcomes
from training.progress import ignore_progress
from training.replay import Verified
from training.settings import MatchSettings
from training.shard import Shard, write_shard

HEX = config("hex8-2")
SETTINGS = MatchSettings(simulations=2, considered=2, opening_plies=5)


class Slot:
    """The games of a slot in a file, and what was reported of them."""

    def __init__(self, directory: Path, network: Network, blocks: int = 9) -> None:
        seeds = [(number, bytes([number]) * 32) for number in range(blocks)]
        games = play_match(HEX, NetworkEvaluator(network), evaluate_uniformly, seeds, SETTINGS)
        self.path = write_games(directory, HEX, games).path
        self.games = games
        self.said = Reported(
            blocks=seeds, scores=block_scores(2, games), root=games_root(HEX, games), settings=SETTINGS
        )

    def load(self) -> Verified:
        return load_outcomes(self.path, HEX, self.said, ignore_progress)

    def job(self) -> dict[str, Any]:
        return {
            "blob": str(self.path),
            "blocks": [list(entry) for entry in self.said.blocks],
            "scores": [list(entry) for entry in self.said.scores],
            "root": self.said.root,
            "settings": {"opening_plies": SETTINGS.opening_plies},
        }


@pytest.fixture(scope="module")
def slot(small_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Slot:
    return Slot(tmp_path_factory.mktemp("slot"), small_network)


def test_the_games_are_those_of_the_file(slot: Slot) -> None:
    shard = slot.load().shard
    assert shard.winners.tolist() == [game.winner for game in slot.games]
    assert shard.lengths.tolist() == [len(game.moves) for game in slot.games]
    assert (shard.moves == np.concatenate([game.moves for game in slot.games])).all()
    assert (shard.openings == SETTINGS.opening_plies).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"root": bytes(32)}, "the games' Merkle root is not the one claimed"),
        ({"scores": [(number, 0) for number in range(9)]}, r"block \d scores \d, but 0 was claimed for block \d"),
        ({"blocks": [(number, bytes(32)) for number in range(9)]}, "not the opening of the block's seed"),
    ],
)
def test_games_that_are_not_as_they_were_reported_are_refused(slot: Slot, change: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        load_outcomes(slot.path, HEX, replace(slot.said, **change), ignore_progress)


def test_they_teach_who_won_and_no_move(slot: Slot, searched_shard: Shard) -> None:
    sources = [verified(searched_shard), slot.load()]
    experience, own = Experience(HEX, sources), len(searched_shard.lengths)
    games = np.arange(own, len(experience))
    samples = experience.draw(np.random.default_rng(1), games, 5)
    examples = make_examples(experience, samples, 0, len(samples.games))
    assert (examples.policy_weight == 0).all()
    mover = examples.states.player()
    won = experience.winners[samples.games] == mover
    assert (examples.winner[:, 0] == won).all()
    assert 0 < won.sum() < len(won)


def test_none_of_them_is_held_out_and_random_games_teach_moves_as_before(slot: Slot, random_shard: Shard) -> None:
    sources = [verified(random_shard), slot.load()]
    experience, own = Experience(HEX, sources), len(random_shard.lengths)
    assert len(experience) - own > 16
    assert not experience.held_out[own:].any()
    assert experience.is_random.tolist() == [True] * own + [False] * (len(experience) - own)


def test_a_training_takes_them_and_skips_what_was_not_reported_so(
    slot: Slot, searched_shard: Shard, tmp_path: Path
) -> None:
    job: dict[str, Any] = {
        "job": "train",
        "config": "hex8-2",
        "parent": None,
        "sibling": None,
        "seed": SEED,
        "shards": [str(write_shard(tmp_path, replace(searched_shard, model=MODEL)).path)],
        "weights": [700],
        "settings": {"architecture": "c4b1", "batch": 8, "first_steps": 4, "first_networks": 1, "measured_blocks": 0},
    }
    alone = run_job({**job, "out": str(tmp_path / "alone")}, ignore_progress)
    wrong = {**slot.job(), "root": bytes(32)}
    missing = {**slot.job(), "blob": str(tmp_path / "missing")}
    done = run_job({**job, "outcomes": [wrong, slot.job(), missing], "out": str(tmp_path / "model")}, ignore_progress)
    assert done["used"] == alone["used"] == [0]
    assert done["measures"] == {"outcome_games": 18}
    assert alone["measures"] == {}
    assert len(done["skipped"]) == 2
    assert "Merkle root" in done["skipped"][0]
    assert "cannot be read" in done["skipped"][1]
    weights = [Path(answer["files"]["weights.safetensors"]).read_bytes() for answer in (alone, done)]
    assert weights[0] != weights[1]  # it learned something else
