"""From sampled positions to the tensors of a training step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from engine.features import frame
from engine.games import Games
from training.experience import Experience, Samples
from training.losses import Batch


def make_batch(experience: Experience, samples: Samples, start: int, count: int) -> Batch:
    """The batch of samples start .. start + count."""
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
    """[N, P, ...] by player to [N, P, ...] by seat from the mover (player index `mover[i]`) on."""
    players = by_seat.shape[1]
    seats = (mover[:, None] + np.arange(players)) % players
    turned: NDArray[np.float32] = by_seat[np.arange(len(by_seat))[:, None], seats]
    return turned


def _chances(experience: Experience, games: NDArray[np.int64], plies: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32[N, P]: each player's chance to win: half the result, half what a search found, if any."""
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
    """Target float32[M] over the legal moves, and float32[N], how much each position's target counts.

    Without a search the target is the move that was played, and it counts where it led to a win: of random
    moves, those that won are the better ones.
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
    """int64[N, H * W]: whose territory the square ends up as, 1 the mover's, 0 nobody's; -1 off the board."""
    lie = frame(experience.config.board)
    players = experience.config.players
    owners = experience.owners[games].astype(np.int64)
    seats = np.where(owners > 0, (owners - 1 - mover[:, None]) % players + 1, 0)
    squares = np.full((len(games), lie.side * lie.side), -1, np.int64)
    squares[:, lie.grid] = seats
    return squares
