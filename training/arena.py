"""The arena: two players meet in paired games, and blocks of games give a share of wins with an interval.

The games of a block (`training.blocks`) share the seeds of their players' chance as well as the opening, so a player
that meets itself has exactly its share in every block. Blocks are independent of each other, while the games of one
block are not: the interval is computed from blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import Player
from training.blocks import Draws, play_blocks
from training.progress import Report, ignore_progress
from training.seeds import seed_words

OPENING_PLIES = 8
"""Random plies at the beginning of a game: on the small boards, one turn of each of two players."""

_NORMAL_95 = 1.96


@dataclass(frozen=True)
class ArenaResult:
    """The games of a challenger against an opponent."""

    winners: NDArray[np.int8]
    """int8[blocks, players]: for each block and rotation the winning seat, 1 to P; 0 if nobody won."""
    plies: int
    """Moves of all games, openings and forced moves included."""

    @property
    def players(self) -> int:
        """Seats of a game, P."""
        return int(self.winners.shape[1])

    @property
    def firsts(self) -> NDArray[np.float64]:
        """float64[blocks, players]: 1 where the challenger won, 1 / P where nobody did, else 0."""
        seats = np.arange(1, self.players + 1)
        return np.where(self.winners == 0, 1 / self.players, self.winners == seats)

    @property
    def share(self) -> float:
        """The challenger's share of first places; 1 / P if the players are equal."""
        return float(self.firsts.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The bounds of the 95% interval of the share, from the spread between blocks.

        Two more blocks are counted, one won entirely and one lost entirely, so that a clean sweep has an interval, too:
        the idea of Agresti and Coull (1998), by blocks.
        """
        blocks = np.concatenate((self.firsts.mean(axis=1), (1.0, 0.0)))
        centre = float(blocks.mean())
        margin = _NORMAL_95 * float(blocks.std(ddof=1)) / math.sqrt(len(blocks))
        return max(0.0, centre - margin), min(1.0, centre + margin)


def meet(
    config: Config,
    challenger: Player,
    opponent: Player,
    *,
    seed: bytes,
    blocks: int,
    opening_plies: int = OPENING_PLIES,
    concurrency: int = 256,
    report: Report = ignore_progress,
) -> ArenaResult:
    """Play blocks of games between two players; equal arguments give an equal result.

    Args:
        seed: 32 bytes, from which the openings and the chance of both players are drawn.
        opening_plies: random moves at the beginning of every game.
        concurrency: games played at the same time, at least one block. The result does not depend on it, nor block k
            on the number of blocks.
        report: called after every move with the games that are finished and wanted.

    Raises:
        ValueError: there are no blocks to play.
    """
    if blocks < 1:
        raise ValueError(f"blocks must be at least 1, got {blocks}")
    draws = Draws(
        openings=seed_words(seed, "opening", range(blocks)),
        streams=np.repeat(seed_words(seed, "players", range(blocks))[:, None], config.players, axis=1),
    )
    games = play_blocks(
        config,
        (challenger, opponent),
        draws,
        opening_plies=opening_plies,
        concurrency=concurrency,
        report=report,
    )
    winners = np.array([game.winner for game in games], np.int8)
    return ArenaResult(winners.reshape(blocks, config.players), plies=sum(len(game.moves) for game in games))
