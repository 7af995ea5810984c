"""Blocks of games: two players play one opening in every rotation of the seats.

In rotation r the challenger has seat r + 1, and the opponent all other seats. So neither the opening nor the seat
favours anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import Player
from training.playing import FinishedGame, Playing
from training.progress import Report, ignore_progress
from training.watched import Pace, Seen, show


@dataclass(frozen=True)
class Draws:
    """All chance in B blocks of games, as random words."""

    openings: NDArray[np.uint64]
    """uint64[B]: from which the opening of each block is drawn."""
    streams: NDArray[np.uint64]
    """uint64[B, players]: from which the players of the game in each rotation draw."""


def play_blocks(
    config: Config,
    players: tuple[Player, Player],
    draws: Draws,
    *,
    opening_plies: int,
    concurrency: int,
    report: Report = ignore_progress,
) -> list[FinishedGame]:
    """Play blocks of games and return the games, block after block and rotation after rotation.

    Args:
        players: the challenger and the opponent.
        draws: of the blocks. A block depends on its own draws alone.
        opening_plies: random moves at the beginning of every game.
        concurrency: games played at the same time, at least one block; the games do not depend on it.
        report: called after every move with the games that are finished and wanted, and now and then with a move of
            one of them (`training.watched`).
    """
    together = max(1, concurrency // config.players)
    finished: list[FinishedGame] = []
    pace, shown = Pace(), dict[str, Any]()

    def look(seen: Seen) -> None:
        with pace.looking():
            shown["game"] = show(config, replace(seen, number=len(finished) + seen.number))

    for first in range(0, len(draws.openings), together):
        part = slice(first, first + together)
        games = _Games(config, players, Draws(draws.openings[part], draws.streams[part]), opening_plies)
        goes_on = True
        while goes_on:
            goes_on = games.step(look if pace.is_due else None)
            report({"games": len(finished) + games.finished, "wanted": draws.streams.size, **shown})
        finished += games.all()
    return finished


class _Games:
    """The games of some blocks, played at the same time."""

    def __init__(self, config: Config, players: tuple[Player, Player], draws: Draws, opening_plies: int) -> None:
        self._challenger, self._opponent = players
        blocks, seats = draws.streams.shape
        self._challenger_seats = np.tile(np.arange(1, seats + 1), blocks)
        self._streams = draws.streams.ravel()
        self._playing = Playing(config, blocks * seats)
        self._playing.play_random(np.full(blocks * seats, opening_plies, np.int32), np.repeat(draws.openings, seats))
        self._openings = self._playing.lengths.copy()  # a game may be over before

    @property
    def finished(self) -> int:
        """The number of games that are."""
        return int(self._playing.finished().sum())

    def step(self, look: Callable[[Seen], None] | None = None) -> bool:
        """Play one chosen move in each game that has a choice; return whether there was such a game.

        `look` is called with the move of the first of them.
        """
        self._playing.play_forced()
        active = np.flatnonzero(~self._playing.finished())
        if len(active) and look is not None:
            self._move_watched(active, look)
        elif len(active):
            self._move(active)
        return len(active) > 0

    def _move_watched(self, active: NDArray[np.int64], look: Callable[[Seen], None]) -> None:
        playing, place = self._playing, int(active[0])
        row, plies = playing.games.states[place].copy(), int(playing.lengths[place])
        self._move(active)
        look(
            Seen(
                number=place + 1,
                plies=plies,
                row=row,
                move=int(playing.log[place, plies]),
                apart=int(self._challenger_seats[place]),
                found=None,
            )
        )

    def _move(self, active: NDArray[np.int64]) -> None:
        playing = self._playing
        is_challenger = playing.games.player()[active] == self._challenger_seats[active]
        self._play(self._challenger, active[is_challenger])
        self._play(self._opponent, active[~is_challenger])

    def _play(self, player: Player, places: NDArray[np.int64]) -> None:
        if len(places):
            seeds = self._playing.seeds(self._streams, places)
            self._playing.play(places, player.choose(self._playing.games.take(places), seeds))

    def all(self) -> list[FinishedGame]:
        """Return the games, all of which must be finished."""
        return self._playing.finished_games(np.arange(len(self._openings)), self._openings)
