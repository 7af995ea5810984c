"""The first network of a lineage: the best player of several that are trained, each from its own seed, and a sibling.

What a network learns from random games depends much on its first weights, and everything after it is built on that. A
sibling is a network of another configuration. It is taken as it is: random games would teach it worse play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from engine.config import Config
from engine.players import SearchPlayer
from training.arena import meet
from training.checkpoints import Checkpoints
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.network import Network
from training.progress import Report, as_measured, ignore_progress
from training.seeds import derive_seed
from training.settings import MatchSettings, TrainSettings
from training.trainer import Trained, train

_BLOCKS = 12  # in which a network challenges another one
_SEARCH = MatchSettings()


@dataclass(frozen=True)
class FirstNetwork:
    """The best network, and whether it is the sibling, of which no training is known."""

    trained: Trained
    is_sibling: bool


def train_first(
    experience: Experience,
    seed: bytes,
    settings: TrainSettings,
    report: Report = ignore_progress,
    *,
    sibling: Network | None = None,
    checkpoints: Checkpoints | None = None,
) -> FirstNetwork:
    """Return the best of `settings.first_networks` new networks, each trained for `settings.first_steps` steps.

    Or return the `sibling`, if there is one and it plays better. `checkpoints` tell where to go on, and are told of
    each stage.
    """
    kept = checkpoints or Checkpoints()
    settings = replace(settings, steps=settings.first_steps)
    seeds = [derive_seed(seed, "first network", number) for number in range(settings.first_networks)]
    wanted = settings.steps * len(seeds)
    trained = [
        train(
            experience,
            None,
            each,
            settings,
            _counted(report, settings.steps * number, wanted),
            stage=kept.stage_of(number),
            observe=kept.observer_of(number),
        )
        for number, each in enumerate(seeds)
    ]
    networks = [each.network for each in trained] + ([] if sibling is None else [sibling])
    best = best_of(experience.config, networks, seed, report=report)
    if best < len(trained):
        return FirstNetwork(trained[best], is_sibling=False)
    return FirstNetwork(Trained(networks[best], None, {}), is_sibling=True)


def _counted(report: Report, before: int, wanted: int) -> Report:
    """Return a Report for one of several trainings, `before` of whose steps were made in earlier ones."""
    return lambda progress: report({"steps": before + progress["steps"], "wanted": wanted})


def best_of(
    config: Config,
    networks: Sequence[Network],
    seed: bytes,
    blocks: int = _BLOCKS,
    report: Report = ignore_progress,
) -> int:
    """Return the place of the network that wins most against the others; among equals, the first.

    Each network challenges each other one in `blocks` blocks of games.
    """
    players = [SearchPlayer(NetworkEvaluator(each), _SEARCH.simulations, _SEARCH.considered) for each in networks]
    points, measured = [0.0] * len(players), as_measured(report)
    for one, other in permutations(range(len(players)), 2):
        points[one] += meet(config, players[one], players[other], seed=seed, blocks=blocks, report=measured).share
    return points.index(max(points))
