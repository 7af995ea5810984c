"""The arena: two players meet in paired games, and blocks of games give a score with an interval.

A block is one opening, played once in every rotation of the seats: in rotation r the challenger has seat r + 1 and
the opponent all other seats. So neither luck of the opening nor of the seat favours anybody, and the blocks are
independent of each other, while the games of one block are not: intervals are computed from blocks.
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
from training.seeds import seed_word, seed_words

_NORMAL_95 = 1.96


@dataclass(frozen=True, kw_only=True)
class ArenaResult:
    """The games of a challenger against an opponent, by block and rotation."""

    challenger: str
    opponent: str
    players: int
    winners: NDArray[np.int8]
    """int8[blocks, players]: the winning seat, 1 to P; 0 if a game was broken off without a winner."""
    plies: int

    @property
    def firsts(self) -> NDArray[np.float64]:
        """float64[blocks, players]: 1 where the challenger won, 1 / P where nobody did."""
        seats = np.arange(1, self.players + 1)
        shared = np.where(self.winners == 0, 1 / self.players, 0.0)
        return np.asarray((self.winners == seats) + shared, np.float64)

    @property
    def share(self) -> float:
        """The challenger's share of first places; 1 / P if the players are equal."""
        return float(self.firsts.mean())

    @property
    def margin(self) -> float:
        """Half the width of the 95% interval of `share`, from the spread between blocks; infinity for one block."""
        blocks = self.firsts.mean(axis=1)
        if len(blocks) < 2:
            return math.inf
        return _NORMAL_95 * float(blocks.std(ddof=1)) / math.sqrt(len(blocks))


def meet(
    config: Config,
    challenger: Player,
    opponent: Player,
    *,
    seed: bytes,
    blocks: int,
    opening_plies: int = 4,
    concurrency: int = 256,
    report: Report = ignore_progress,
) -> ArenaResult:
    """Play blocks of games between two players; equal arguments give an equal result.

    Args:
        seed: 32 bytes, from which openings and the chance of both players are drawn.
        opening_plies: random moves at the beginning of every game.
        concurrency: games played at the same time, at least one block; the result does not depend on it.

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
        while games.step():
            report({"games": len(winners) * config.players, "wanted": blocks * config.players})
        winners += list(games.winners())
        plies += games.plies
    return ArenaResult(
        challenger=challenger.name,
        opponent=opponent.name,
        players=config.players,
        winners=np.stack(winners),
        plies=plies,
    )


class _Games:
    """The games of some blocks in progress, block after block and rotation after rotation."""

    def __init__(
        self, config: Config, players: Sequence[Player], seed: bytes, blocks: Sequence[int], opening_plies: int
    ) -> None:
        self._players = players
        count = len(blocks) * config.players
        self._rotations = np.tile(np.arange(config.players), len(blocks))
        self._playing = Playing(config, count)
        openings = np.repeat(seed_words(seed, "opening", blocks), config.players)
        self._playing.play_random(np.full(count, opening_plies, np.int32), openings)
        streams = [seed_word(seed, f"game {block}", seat) for block in blocks for seat in range(config.players)]
        self._streams = np.array(streams, np.uint64)

    @property
    def plies(self) -> int:
        """Moves played so far, openings and forced moves included."""
        return int(self._playing.lengths.sum())

    def step(self) -> bool:
        """Play one chosen move in each game that has a choice; return whether there was such a game."""
        playing = self._playing
        playing.play_forced()
        active = np.flatnonzero(~playing.finished())
        challenges = playing.games.player()[active] - 1 == self._rotations[active]
        for mine, player in ((challenges, self._players[0]), (~challenges, self._players[1])):
            places = active[mine]
            if len(places):
                seeds = self._streams[places] + (playing.lengths[places].astype(np.uint64) << np.uint64(32))
                playing.play(places, player.choose(playing.games.take(places), seeds))
        return len(active) > 0

    def winners(self) -> NDArray[np.int8]:
        """Return int8[blocks, players]: the winner of each game, 0 if it was broken off."""
        return self._playing.games.winner().reshape(-1, self._playing.games.config.players)
