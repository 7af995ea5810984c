"""The first networks of a lineage: several are trained, each from its own seed, and the one that plays best is kept.

What a network learns from random games depends much on its first weights, and everything after it is built on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from engine.config import Config
from engine.players import SearchPlayer
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.progress import Report, ignore_progress
from training.seeds import derive_seed
from training.settings import MatchSettings, TrainSettings
from training.trainer import Trained, train

_BLOCKS = 12  # in which a network challenges another one
_SEARCH = MatchSettings()


def train_first(
    experience: Experience, seed: bytes, settings: TrainSettings, report: Report = ignore_progress
) -> Trained:
    """Return the best of `settings.first_networks` new networks, each trained for `settings.first_steps` steps."""
    settings = replace(settings, steps=settings.first_steps)
    seeds = [derive_seed(seed, "first network", number) for number in range(settings.first_networks)]
    trained = [train(experience, None, each, settings, report) for each in seeds]
    return trained[best_of(experience.config, trained, seed)]


def best_of(config: Config, trained: Sequence[Trained], seed: bytes, blocks: int = _BLOCKS) -> int:
    """Return the place of the network that wins most against the others; among equals, the first.

    Each network challenges each other one in `blocks` blocks of games.
    """
    players = [
        SearchPlayer(NetworkEvaluator(each.network), _SEARCH.simulations, _SEARCH.considered) for each in trained
    ]
    points = [0.0] * len(players)
    for one, other in permutations(range(len(players)), 2):
        points[one] += meet(config, players[one], players[other], seed=seed, blocks=blocks).share
    return points.index(max(points))
