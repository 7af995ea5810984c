"""Batches: what a training step learns from, made from sampled positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.features import frame
from engine.games import Games, Legal
from training.experience import Experience, Samples
from training.losses import Batch
from training.shard import WEIGHT_UNIT


@dataclass(frozen=True, kw_only=True)
class Examples:
    """N positions, each with a choice, and what to learn from them; seats are relative to the mover."""

    states: Games
    offsets: NDArray[np.int32]  # [N + 1]
    moves: NDArray[np.int64]  # [M]: the legal moves of position i are offsets[i] to offsets[i + 1] - 1
    policy: NDArray[np.float32]  # [M]: target probability
    policy_weight: NDArray[np.float32]  # [N]: the weight of each position's policy target, 0 if it has none
    winner: NDArray[np.float32]  # [N, players]: target probability that the seat wins
    owners: NDArray[np.int32]  # [N, cells]: final owner, 0 nobody, 1 the mover ...
    margin: NDArray[np.float32]  # [N, players * 2]: final share of the rings and of the territory that win, by seat

    def means(self) -> NDArray[np.float64]:
        """Return [N, 4]: what turns the sums of each position's losses into the means of `training.losses.losses`."""
        count = len(self.states)
        policy = self.policy_weight / max(self.policy_weight.sum(dtype=np.float64), 1.0)
        others = [np.full(count, 1.0 / size) for size in (count, self.owners.size, self.margin.size)]
        return np.stack([policy, *others], axis=1)


def make_examples(experience: Experience, samples: Samples, start: int, count: int) -> Examples:
    """Return the samples from `start` to `start + count` - 1 with their targets."""
    states = Games(experience.config, samples.states.states[start : start + count])
    games, plies = samples.games[start : start + count], samples.plies[start : start + count]
    legal = states.legal()
    mover = states.player().astype(np.int64) - 1
    policy, policy_weight = _policy(experience, games, plies, mover + 1, legal)
    return Examples(
        states=states,
        offsets=legal.offsets,
        moves=legal.moves,
        policy=policy,
        policy_weight=policy_weight,
        winner=_from_mover(_chances(experience, games, plies), mover),
        owners=_owners(experience, games, mover),
        margin=_from_mover(experience.margins[games], mover).reshape(len(games), 2 * experience.config.players),
    )


def make_batch(experience: Experience, samples: Samples, start: int, count: int) -> Batch:
    """Return the same as tensors, with features."""
    return batch_of(make_examples(experience, samples, start, count))


def batch_of(examples: Examples) -> Batch:
    """Return examples as tensors, with features."""
    planes, scalars = examples.states.features()
    lengths = np.diff(examples.offsets)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    square = frame(examples.states.config.board)
    ownership = np.full((len(lengths), square.side * square.side), -1, np.int64)
    ownership[:, square.grid] = examples.owners
    return Batch(
        planes=torch.from_numpy(planes),
        scalars=torch.from_numpy(scalars),
        rows=torch.from_numpy(rows),
        places=torch.from_numpy(np.arange(len(rows)) - examples.offsets[:-1][rows]),
        moves=torch.from_numpy(examples.moves),
        policy=torch.from_numpy(examples.policy),
        policy_weight=torch.from_numpy(examples.policy_weight),
        winner=torch.from_numpy(examples.winner),
        ownership=torch.from_numpy(ownership),
        margin=torch.from_numpy(examples.margin.reshape(len(lengths), -1, 2)),
    )


def _from_mover(by_seat: NDArray[np.float32], mover: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return [N, P, ...] by player as [N, P, ...] by seat, beginning at the mover (player index `mover[i]`)."""
    players = by_seat.shape[1]
    seats = (mover[:, None] + np.arange(players)) % players
    turned: NDArray[np.float32] = by_seat[np.arange(len(by_seat))[:, None], seats]
    return turned


def _chances(experience: Experience, games: NDArray[np.int64], plies: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32[N, P]: each player's chance to win, from the result and, if there was one, from the search.

    Result and search count half each.
    """
    players = experience.config.players
    winners = experience.winners[games]
    result = np.where(winners[:, None] == np.arange(1, players + 1), 1.0, 0.0)
    result[winners == 0] = 1.0 / players
    search = experience.search_of[plies]
    searched = search >= 0
    value = (experience.values[search[searched]] * (players - 1) + 1.0) / players
    result[searched] = (result[searched] + np.clip(value, 0.0, 1.0)) / 2.0
    return result.astype(np.float32)


def _policy(
    experience: Experience,
    games: NDArray[np.int64],
    plies: NDArray[np.int64],
    player: NDArray[np.int64],
    legal: Legal,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the target float32[M] over the legal moves, and float32[N], the weight of each position's target.

    Without a search the target is the move that was played. In random games it counts if its player won: such moves
    are better on average. In others it does not: it is the heuristic's, which models meet but do not copy.
    """
    search = experience.search_of[plies]
    rows = np.repeat(np.arange(len(plies)), np.diff(legal.offsets))
    was_played = legal.moves == experience.moves[plies][rows]
    target = (was_played & (search < 0)[rows]).astype(np.float32)
    counts = experience.is_random[games] & (experience.winners[games] == player)
    weight = np.where(search < 0, counts, 1.0).astype(np.float32)
    searched = np.flatnonzero(search >= 0)
    runs = experience.entry_offsets[search[searched]]
    lengths = experience.entry_offsets[search[searched] + 1] - runs
    owners = np.repeat(np.arange(len(searched)), lengths)
    source = runs[owners] + np.arange(len(owners)) - (np.cumsum(lengths) - lengths)[owners]
    weights = experience.weights[source].astype(np.float32) / np.float32(WEIGHT_UNIT)
    target[legal.offsets[searched][owners] + experience.entries[source]] = weights
    return target, weight


def _owners(experience: Experience, games: NDArray[np.int64], mover: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return int32[N, cells]: the final owner of each cell, 0 nobody, 1 the mover ..."""
    players = experience.config.players
    owners = experience.owners[games].astype(np.int32)
    return np.where(owners > 0, (owners - 1 - mover[:, None].astype(np.int32)) % players + 1, 0).astype(np.int32)
