"""What a trainer measures of a new model: how well its value knows the winner, and how much search adds to it.

The value is measured on games that no training uses (`Experience.held_out`), search by games of the model against
itself. The results are whole numbers, so that they can stand in a ledger.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import Player, PolicyPlayer, SearchPlayer
from engine.search import EvalBatch
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.experience import Experience, Samples
from training.network import Network
from training.progress import Report, as_measured, ignore_progress
from training.seeds import seed_word
from training.settings import MatchSettings

QUARTERS = 4
"""Parts of a game, by its plies, for which the value is measured."""

_MILLION = 1_000_000
_MOST_GAMES = 512  # held-out games that are looked at, the newest ones
_POSITIONS = 24  # of each game
_BATCH = 256


def measure_model(
    network: Network, experience: Experience, seed: bytes, blocks: int, report: Report = ignore_progress
) -> dict[str, int]:
    """Return all measures of a network by name (`node.api.models.ModelInfo.measures`); nothing if `blocks` is 0."""
    if blocks == 0:
        return {}
    measures = measure_value(network, experience, seed)
    report({"measured": 0})
    measures.update(measure_search(network, experience.config, seed, blocks, report))
    return measures


def measure_value(network: Network, experience: Experience, seed: bytes) -> dict[str, int]:
    """Return how well the value knows the winners of held-out games; nothing if there is no such game.

    That is the correlation of the mover's chance with its result in each quarter of the games,
    `value_correlation_1` to `_4`, and the mean squared error of that chance over all positions, `brier`, both in
    millionths; and `held_out_games`. Constant chances have the correlation 0.
    """
    games = np.flatnonzero(experience.held_out)[-_MOST_GAMES:]
    random = np.random.default_rng(seed_word(seed, "held out"))
    samples = experience.draw(random, games, _POSITIONS)
    if len(samples.games) == 0:
        return {}
    chances, results = _chances(network, experience, samples), _results(experience, samples)
    start, end = experience.offsets[samples.games], experience.offsets[samples.games + 1]
    quarter = (samples.plies - start) * QUARTERS // (end - start)
    measures = {
        f"value_correlation_{part + 1}": _millionths(_correlation(chances[quarter == part], results[quarter == part]))
        for part in range(QUARTERS)
    }
    measures["brier"] = _millionths(float(np.mean((chances - results) ** 2)))
    measures["held_out_games"] = len(games)
    return measures


def measure_search(
    network: Network, config: Config, seed: bytes, blocks: int, report: Report = ignore_progress
) -> dict[str, int]:
    """Return the shares of first places, in millionths, of the policy alone and of 64 simulations against 16.

    `blocks` blocks of games (`training.arena`) measure the first, and half as many the second, which takes longer.
    """
    evaluate, measured = NetworkEvaluator(network), as_measured(report)
    few, many = (SearchPlayer(evaluate, simulations, MatchSettings().considered) for simulations in (16, 64))

    def share(challenger: Player, blocks: int) -> int:
        return _millionths(meet(config, challenger, few, seed=seed, blocks=blocks, report=measured).share)

    return {
        "policy_vs_search_16": share(PolicyPlayer(evaluate), blocks),
        "search_64_vs_16": share(many, max(1, blocks // 2)),
    }


def _chances(network: Network, experience: Experience, samples: Samples) -> NDArray[np.float64]:
    """Return float64[N]: the mover's chance to win, as the network sees it."""
    evaluate, players, found = NetworkEvaluator(network), experience.config.players, []
    for start in range(0, len(samples.games), _BATCH):
        states = samples.states.take(np.arange(start, min(start + _BATCH, len(samples.games))))
        no_moves = np.zeros(len(states) + 1, np.int32)
        values = evaluate(EvalBatch(states, no_moves, np.empty(0, np.int64))).values[:, 0].astype(np.float64)
        found.append((values * (players - 1) + 1.0) / players)
    return np.concatenate(found)


def _results(experience: Experience, samples: Samples) -> NDArray[np.float64]:
    """Return float64[N]: 1 where the mover won, 0 where another player did, 1 / P where nobody did."""
    winners = experience.winners[samples.games]
    return np.where(winners == 0, 1 / experience.config.players, winners == samples.states.player())


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _millionths(number: float) -> int:
    return round(number * _MILLION)
