"""The first networks of a lineage: several are trained, each from its own seed, and the one that plays best is kept.

What a network learns from random games depends much on its first weights, and everything after it is built on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from engine.players import SearchPlayer
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.progress import Report, ignore_progress
from training.seeds import derive_seed
from training.settings import TrainSettings
from training.trainer import Trained, train

_BLOCKS = 12  # in which a network challenges another one
_SIMULATIONS = 16
_CONSIDERED = 8


def train_first(
    experience: Experience, seed: bytes, settings: TrainSettings, report: Report = ignore_progress
) -> Trained:
    """Return the best of `settings.first_networks` new networks, each trained for `settings.first_steps` steps."""
    settings = replace(settings, steps=settings.first_steps)
    seeds = [derive_seed(seed, "first network", number) for number in range(settings.first_networks)]
    trained = [train(experience, None, each, settings, report) for each in seeds]
    return trained[best_of(experience, trained, seed)]


def best_of(experience: Experience, trained: Sequence[Trained], seed: bytes) -> int:
    """Return the place of the network that wins most against the others; among equals, the first."""
    players = [SearchPlayer(NetworkEvaluator(each.network), _SIMULATIONS, _CONSIDERED) for each in trained]
    points = [0.0] * len(players)
    for one, other in permutations(range(len(players)), 2):
        points[one] += meet(experience.config, players[one], players[other], seed=seed, blocks=_BLOCKS).share
    return points.index(max(points))
