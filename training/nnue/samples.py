"""Positions from games, as features of NNUE, with each player's chance to win as the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine.features import SEATS
from engine.games import Games
from engine.nnue.features import KINDS, feature_count
from engine.nnue.rating import list_features
from engine.search import EvalBatch, Evaluate
from engine.symmetry import symmetries
from training.experience import Experience
from training.replay import positions_before
from training.shard import offsets_of


@dataclass(frozen=True)
class TargetShares:
    """Shares from 0 to 1 of what makes up the targets; the outcome of the game has the rest."""

    search: float = 0.5
    """The share of the search's value, where there was one, beside the outcome."""
    teacher: float = 0.7
    """The share of the teacher's value, if there is a teacher, beside both."""


@dataclass(frozen=True)
class Positions:
    """N positions of games, and their places in the experience."""

    states: Games
    games: NDArray[np.int64]
    """int64[N]."""
    plies: NDArray[np.int64]
    """int64[N]: the ply that follows the position, as an index into the experience's moves."""


def draw_positions(
    experience: Experience, random: np.random.Generator, games: NDArray[np.int64], per_game: int
) -> Positions:
    """Return up to `per_game` random positions of each game after its opening, in random order.

    Unlike `Experience.draw` it also draws positions without a choice: most moves lead to such a one.
    """
    lengths = np.diff(experience.offsets)[games]
    local = offsets_of(lengths)
    owners = np.repeat(np.arange(len(games)), lengths)
    plies = np.arange(int(local[-1])) - local[:-1][owners] + experience.offsets[games][owners]
    is_opening = plies - experience.offsets[games][owners] < experience.openings[games][owners]
    keys = np.where(is_opening, 2.0, random.random(len(plies)))
    order = np.lexsort((keys, owners))
    rank = np.arange(len(plies)) - local[:-1][owners]
    chosen = random.permutation(order[(rank < per_game) & (keys[order] < 2.0)])
    wanted = np.full(len(plies), -1, np.int32)
    wanted[chosen] = np.arange(len(chosen))
    states = positions_before(experience.config, experience.moves[plies], local.astype(np.int32), wanted, len(chosen))
    return Positions(states, games[owners[chosen]], plies[chosen])


def outcomes(experience: Experience, games: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32[N, P]: 1 for the winner of each game, 0 for the others; equal shares where nobody won."""
    players = experience.config.players
    winners = experience.winners[games][:, None]
    won = np.where(winners == 0, 1.0 / players, winners == np.arange(1, players + 1))
    return won.astype(np.float32)


def next_search(experience: Experience, positions: Positions) -> NDArray[np.int64]:
    """Return int64[N]: the search that was made in each position, or after the forced moves that follow it; else -1."""
    searched = np.flatnonzero(experience.search_of >= 0)
    choices = offsets_of(experience.options > 1)
    place = np.searchsorted(searched, positions.plies)
    found = np.full(len(positions.plies), -1, np.int64)
    inside = np.flatnonzero(place < len(searched))
    ply, later = positions.plies[inside], searched[place[inside]]
    is_near = (later < experience.offsets[positions.games[inside] + 1]) & (choices[later] == choices[ply])
    found[inside[is_near]] = experience.search_of[later[is_near]]
    return found


def make_targets(
    experience: Experience, positions: Positions, shares: TargetShares, teacher: Evaluate | None
) -> NDArray[np.float32]:
    """Return float32[N, P]: each player's chance to win, from the outcome, a search's value and a teacher's."""
    players = experience.config.players
    chances = outcomes(experience, positions.games)
    search = next_search(experience, positions)
    known = search >= 0
    values = np.clip((experience.values[search[known]] * (players - 1) + 1.0) / players, 0.0, 1.0)
    chances[known] = (1.0 - shares.search) * chances[known] + shares.search * values
    if teacher is not None:
        taught = _chances_by_player(positions.states, teacher)
        chances = (1.0 - shares.teacher) * chances + shares.teacher * taught
    return chances.astype(np.float32)


def _chances_by_player(states: Games, teacher: Evaluate) -> NDArray[np.float32]:
    players = states.config.players
    legal = states.legal()
    values = teacher(EvalBatch(states, legal.offsets, legal.moves)).values
    chances = (values * (players - 1) + 1.0) / players
    seats = (np.arange(1, players + 1) - states.player()[:, None]) % players
    return np.take_along_axis(chances, seats, axis=1).astype(np.float32)


def turn_features(features: NDArray[np.int32], board_name: str, turns: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the features of the images of positions under symmetries of their board.

    Args:
        features: int32[N, P, slots] (`engine.nnue.rating.list_features`).
        turns: int64[N]: the place of each position's symmetry in `engine.symmetry.symmetries`.
    """
    return _images(board_name)[turns[:, None, None], features]


@cache
def _images(board_name: str) -> NDArray[np.int32]:
    """Return int32[symmetries, features]: the image of each feature."""
    images = np.tile(np.arange(feature_count(board_name), dtype=np.int32), (len(symmetries(board_name)), 1))
    block = SEATS * KINDS
    for row, symmetry in zip(images, symmetries(board_name), strict=True):
        cells = 1 + symmetry.cells[:, None] * block + np.arange(block)
        row[1 : 1 + cells.size] = cells.reshape(-1)
    return images


def features_of(positions: Positions, random: np.random.Generator) -> NDArray[np.int32]:
    """Return int32[N, P, slots]: the positions' features, each seen under a random symmetry of the board."""
    name = positions.states.config.board
    turns = random.integers(len(symmetries(name)), size=len(positions.states))
    return turn_features(list_features(positions.states), name, turns)
