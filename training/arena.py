"""The arena: two players meet in paired games, and blocks of games give a share of wins with an interval.

A block is one opening, played once in every rotation of the seats: in rotation r the challenger has seat r + 1, and
the opponent all other seats. So neither the opening nor the seat favours anybody. The games of a block also share the
seeds of their players' chance, so a player that meets itself has exactly its share in every block. Blocks are
independent of each other, while the games of one block are not: the interval is computed from blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import Player
from training.playing import Playing
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
    together = max(1, concurrency // config.players)
    winners: list[NDArray[np.int8]] = []
    plies = 0
    for first in range(0, blocks, together):
        numbers = range(first, min(first + together, blocks))
        games = _Games(config, (challenger, opponent), seed, numbers, opening_plies)
        goes_on = True
        while goes_on:
            goes_on = games.step()
            report({"games": first * config.players + games.finished, "wanted": blocks * config.players})
        winners.append(games.winners())
        plies += games.plies
    return ArenaResult(winners=np.concatenate(winners), plies=plies)


class _Games:
    """The games of some blocks in progress, block after block and rotation after rotation."""

    def __init__(
        self, config: Config, players: tuple[Player, Player], seed: bytes, blocks: Sequence[int], opening_plies: int
    ) -> None:
        self._challenger, self._opponent = players
        count = len(blocks) * config.players
        self._challenger_seats = np.tile(np.arange(1, config.players + 1), len(blocks))
        self._streams = np.repeat(seed_words(seed, "players", blocks), config.players)
        openings = np.repeat(seed_words(seed, "opening", blocks), config.players)
        self._playing = Playing(config, count)
        self._playing.play_random(np.full(count, opening_plies, np.int32), openings)

    @property
    def plies(self) -> int:
        """Moves played so far."""
        return int(self._playing.lengths.sum())

    @property
    def finished(self) -> int:
        """The number of games that are."""
        return int(self._playing.finished().sum())

    def step(self) -> bool:
        """Play one chosen move in each game that has a choice; return whether there was such a game."""
        playing = self._playing
        playing.play_forced()
        active = np.flatnonzero(~playing.finished())
        is_challenger = playing.games.player()[active] == self._challenger_seats[active]
        self._play(self._challenger, active[is_challenger])
        self._play(self._opponent, active[~is_challenger])
        return len(active) > 0

    def _play(self, player: Player, places: NDArray[np.int64]) -> None:
        if len(places):
            plies = self._playing.lengths[places].astype(np.uint64)
            seeds = self._streams[places] + (plies << np.uint64(32))
            self._playing.play(places, player.choose(self._playing.games.take(places), seeds))

    def winners(self) -> NDArray[np.int8]:
        """Return int8[blocks, players]: the winner of each game, 0 if it was broken off."""
        return self._playing.games.winner().reshape(-1, self._playing.games.config.players)
