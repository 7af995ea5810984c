"""Batches: the tensors of a training step, made from sampled positions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engine.features import frame
from engine.games import Games
from training.experience import Experience, Samples
from training.losses import Batch


def make_batch(experience: Experience, samples: Samples, start: int, count: int) -> Batch:
    """Return the batch of the samples from `start` to `start + count` - 1."""
    states = Games(experience.config, samples.states.states[start : start + count])
    games, plies = samples.games[start : start + count], samples.plies[start : start + count]
    planes, scalars = states.features()
    legal = states.legal()
    rows = np.repeat(np.arange(len(states)), np.diff(legal.offsets))
    mover = states.player().astype(np.int64) - 1
    policy, policy_weight = _policy(experience, games, plies, mover + 1, legal.offsets)
    return Batch(
        planes=torch.from_numpy(planes),
        scalars=torch.from_numpy(scalars),
        rows=torch.from_numpy(rows),
        places=torch.from_numpy(np.arange(len(rows)) - legal.offsets[:-1][rows]),
        moves=torch.from_numpy(legal.moves),
        policy=torch.from_numpy(policy),
        policy_weight=torch.from_numpy(policy_weight),
        winner=torch.from_numpy(_from_mover(_chances(experience, games, plies), mover)),
        ownership=torch.from_numpy(_ownership(experience, games, mover)),
        margin=torch.from_numpy(_from_mover(experience.margins[games], mover)),
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
    offsets: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the target float32[M] over the legal moves, and float32[N], the weight of each position's target.

    Without a search the target is the move that was played, and it counts if its player won: random moves that
    won are better on average.
    """
    target = np.zeros(int(offsets[-1]), np.float32)
    weight = np.ones(len(plies), np.float32)
    search = experience.search_of[plies]
    played = np.flatnonzero(search < 0)
    target[offsets[played] + experience.places[plies[played]]] = 1.0
    weight[played] = experience.winners[games[played]] == player[played]
    searched = np.flatnonzero(search >= 0)
    runs = experience.entry_offsets[search[searched]]
    lengths = experience.entry_offsets[search[searched] + 1] - runs
    owners = np.repeat(np.arange(len(searched)), lengths)
    source = runs[owners] + np.arange(len(owners)) - (np.cumsum(lengths) - lengths)[owners]
    target[offsets[searched][owners] + experience.entries[source]] = experience.weights[source]
    return target, weight


def _ownership(experience: Experience, games: NDArray[np.int64], mover: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return int64[N, H * W]: the final owner of each square, 0 nobody, 1 the mover ...; -1 off the board."""
    square = frame(experience.config.board)
    players = experience.config.players
    owners = experience.owners[games].astype(np.int64)
    seats = np.where(owners > 0, (owners - 1 - mover[:, None]) % players + 1, 0)
    squares = np.full((len(games), square.side * square.side), -1, np.int64)
    squares[:, square.grid] = seats
    return squares
