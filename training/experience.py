"""The games to train on: verified shards end to end, from which positions are drawn with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.boards import board
from engine.config import Config
from engine.games import Games
from engine.rules.state import BLOCKED, BOARD, STACK
from training.replay import Verified, positions_before
from training.shard import VALUE_UNIT, Shard, offsets_of

HELD_OUT_EACH = 16
"""Of so many games of a shard, the last one is held out."""


@dataclass(frozen=True)
class Samples:
    """N positions, each with a choice, and their places in the experience."""

    states: Games  # the N positions
    games: NDArray[np.int64]  # [N]
    plies: NDArray[np.int64]  # [N]: index into the experience's moves


class Experience:
    """The games of several shards of one configuration, end to end.

    The games in `held_out` are never trained on: they show what a network knows of games that it has not seen. Games of
    matches are not among them, so that what is measured can be compared.
    """

    def __init__(self, config: Config, sources: Sequence[Verified], weights: Sequence[int] | None = None) -> None:
        """Join the games of shards; of those with less weight than others, fewer games are trained on.

        Args:
            weights: of each shard, 1 or more; None: all games are trained on equally often.
        """
        shards = [source.shard for source in sources]
        sizes = [len(shard.lengths) for shard in shards]
        self.config = config
        self.moves = np.concatenate([shard.moves for shard in shards])
        self.offsets = offsets_of(np.concatenate([shard.lengths for shard in shards]))
        self.openings = np.concatenate([shard.openings for shard in shards])
        self.winners = np.concatenate([shard.winners for shard in shards])
        self.rates: NDArray[np.float64] | None = None  # [games]: the part of the rounds in which a game is drawn from
        if weights is not None:
            parts = np.array(weights, np.float64) / max(weights)
            self.rates = np.repeat(parts, sizes)
        places = np.concatenate([np.arange(size) for size in sizes])
        only_outcomes = np.repeat([source.only_outcomes for source in sources], sizes)
        self.held_out: NDArray[np.bool_] = ~only_outcomes & (places % HELD_OUT_EACH == HELD_OUT_EACH - 1)
        no_searches = np.repeat([len(shard.searched) == 0 for shard in shards], sizes)
        self.is_random: NDArray[np.bool_] = no_searches & ~only_outcomes  # [games]: no move was searched for
        self.options = np.concatenate([source.replayed.options for source in sources])
        final = Games(config, np.concatenate([source.replayed.final.states for source in sources]))
        self.margins = _margins(final)
        self.owners = _owners(final)
        self._join_searches(shards)

    def _join_searches(self, shards: Sequence[Shard]) -> None:
        starts = offsets_of([len(shard.moves) for shard in shards])[:-1]
        searched = np.concatenate([s.searched + start for s, start in zip(shards, starts, strict=True)])
        self.search_of = np.full(len(self.moves), -1, np.int64)
        self.search_of[searched] = np.arange(len(searched))
        self.entry_offsets = offsets_of(np.concatenate([shard.choices for shard in shards]))
        # as they are stored: most are never used, since a game has more positions than are drawn from it
        self.entries = np.concatenate([shard.entries for shard in shards])
        self.weights = np.concatenate([shard.weights for shard in shards])
        values = np.concatenate([shard.values for shard in shards])
        self.values = values.reshape(-1, self.config.players).astype(np.float32) / np.float32(VALUE_UNIT)

    def __len__(self) -> int:
        return len(self.winners)

    def draw(self, random: np.random.Generator, games: NDArray[np.int64], per_game: int) -> Samples:
        """Return up to `per_game` random positions of each game, among those with a choice, in random order."""
        lengths = np.diff(self.offsets)[games]
        local = offsets_of(lengths)
        plies = np.repeat(self.offsets[games] - local[:-1], lengths) + np.arange(int(local[-1]))
        owners = np.repeat(np.arange(len(games)), lengths)
        eligible = (self.options[plies] > 1) & (plies - self.offsets[games][owners] >= self.openings[games][owners])
        keys = np.where(eligible, random.random(len(plies)), 2.0)
        order = np.lexsort((keys, owners))
        rank = np.arange(len(plies)) - local[:-1][owners]
        chosen = order[(rank < per_game) & (keys[order] < 2.0)]
        chosen = random.permutation(chosen)
        wanted = np.full(len(plies), -1, np.int32)
        wanted[chosen] = np.arange(len(chosen))
        offsets = local.astype(np.int32)
        states = positions_before(self.config, self.moves[plies], offsets, wanted, len(chosen))
        return Samples(states, games[owners[chosen]], plies[chosen])


def _margins(final: Games) -> NDArray[np.float32]:
    """Return float32[G, P, 2]: each player's share of the rings and of the territory that win, at most 1.5."""
    score = final.score()[:, :, :2].astype(np.float32)
    goals = np.array([final.config.ring_threshold, final.config.territory_minimum], np.float32)
    shares: NDArray[np.float32] = score / goals
    return np.minimum(shares, np.float32(1.5))


def _owners(final: Games) -> NDArray[np.int8]:
    """Return int8[G, cells]: the player whose territory the cell has become, or 0."""
    width = len(board(final.config.board).cells)
    content = final.states[:, BOARD : BOARD + width]
    collapsed = (content > BLOCKED) & (content < STACK)
    return np.where(collapsed, content - BLOCKED, 0).astype(np.int8)
