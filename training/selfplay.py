"""Self-play: many games at once, each replaced by a new one when it ends, with the policies of their searches.

In some games the heuristic has a seat. A model that only ever meets itself may settle on a way of playing that beats
itself and nobody else, and never sees what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import HeuristicPlayer
from engine.search import Evaluate, SearchResult, gumbel_search
from training.playing import FinishedGame, Playing
from training.progress import Report, ignore_progress, never
from training.seeds import seed_words
from training.settings import SelfPlaySettings
from training.shard import Shard, offsets_of, sparring_seats
from training.targets import Targets

_RANDOM_SLICE = 64  # random games between two reports
_LOT_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # spreads the bits of a seed, whose upper half is a counter


class NoGameError(Exception):
    """Self-play was to end before its first game was over."""


def play_shard(
    config: Config,
    evaluate: Evaluate | None,
    model: bytes,
    seed: bytes,
    games: int,
    settings: SelfPlaySettings,
    report: Report = ignore_progress,
    is_enough: Callable[[], bool] = never,
) -> Shard:
    """Play `games` games and return them as a shard; equal arguments give an equal shard.

    Once `is_enough` returns True, it is as if fewer games had been asked for: as many as are over, from the first on.
    So no game is left out for being long, and the shard is what the same seed gives for that number. Raise NoGameError
    if the first is not over.

    Args:
        evaluate: the model, or None for the built-in `uniform`, whose games are played at random without
            search. A search with that model would learn nothing worth its time; random games show the winners'
            moves and the values of positions a hundred times as fast.
        model: the model's digest, for the header.
    """
    targets = Targets()
    if evaluate is None:
        played = _play_random(config, seed, games, report, is_enough)
    else:
        played = _SelfPlay(
            config, evaluate, seed=seed, games=games, settings=settings, targets=targets, report=report
        ).run(is_enough)
    lengths = np.array([len(game.moves) for game in played], np.int32)
    return Shard(
        config=config.name,
        model=model,
        seed=seed,
        lengths=lengths,
        openings=np.array([game.opening for game in played], np.int32),
        winners=np.array([game.winner for game in played], np.int8),
        sparring=0 if evaluate is None else settings.sparring,
        moves=np.concatenate([game.moves for game in played]),
        **targets.arrays(offsets_of(lengths)[:-1], config.players),
    )


def _play_random(
    config: Config, seed: bytes, games: int, report: Report, is_enough: Callable[[], bool]
) -> list[FinishedGame]:
    played: list[FinishedGame] = []
    for first in range(0, games, _RANDOM_SLICE):
        if played and is_enough():
            break
        numbers = range(first, min(first + _RANDOM_SLICE, games))
        playing = Playing(config, len(numbers))
        everything = np.full(len(numbers), playing.limit, np.int32)
        playing.play_random(everything, seed_words(seed, "random game", numbers))
        played += playing.finished_games(np.arange(len(numbers)), np.zeros(len(numbers), np.int32))
        report({"games": len(played), "wanted": games, "plies": sum(len(game.moves) for game in played)})
    return played


class _SelfPlay:
    """Games in progress, each with a number on which alone its random streams depend."""

    def __init__(
        self,
        config: Config,
        evaluate: Evaluate,
        seed: bytes,
        games: int,
        settings: SelfPlaySettings,
        targets: Targets,
        report: Report,
    ) -> None:
        self._evaluate, self._seed, self._wanted = evaluate, seed, games
        self._heuristic = HeuristicPlayer()
        self._settings, self._targets, self._report = settings, targets, report
        count = min(games, settings.concurrency)
        self._playing = Playing(config, count)
        self._numbers = np.arange(count)
        self._openings = np.zeros(count, np.int32)
        self._noise = np.zeros(count, np.uint64)
        self._started = count
        self._plies = 0
        self._done: dict[int, FinishedGame] = {}
        self._open(self._numbers)

    def run(self, is_enough: Callable[[], bool]) -> list[FinishedGame]:
        """Return the games in the order of their numbers. Raise NoGameError."""
        while len(self._numbers) and not is_enough():
            self._playing.play_forced()
            self._replace_finished()
            if len(self._numbers):
                self._move()
            self._report({"games": len(self._done), "wanted": self._wanted, "plies": self._plies})
        over = takewhile(self._done.__contains__, range(self._wanted))
        played = [self._done[number] for number in over]
        if not played:
            raise NoGameError("no game is over yet")
        return played

    def _open(self, where: NDArray[np.int64]) -> None:
        """Play the random first plies of new games; each game's own stream decides how many."""
        numbers = self._numbers[where].tolist()
        words = seed_words(self._seed, "opening length", numbers)
        self._openings[where] = words % np.uint64(self._settings.opening_plies + 1)
        self._noise[where] = seed_words(self._seed, "noise", numbers)
        seeds = np.zeros(len(self._numbers), np.uint64)
        seeds[where] = seed_words(self._seed, "opening", numbers)
        plies = np.zeros(len(self._numbers), np.int32)
        plies[where] = self._openings[where]
        self._playing.play_random(plies, seeds)
        self._openings[where] = self._playing.lengths[where]

    def _move(self) -> None:
        """Play one move in each game that is not finished."""
        playing = self._playing
        active = np.flatnonzero(~playing.finished())
        seats = sparring_seats(self._numbers[active], self._settings.sparring, playing.games.config.players)
        is_heuristic = playing.games.player()[active] == seats
        self._play_heuristic(active[is_heuristic])
        self._search(active[~is_heuristic])
        self._plies += len(active)

    def _play_heuristic(self, where: NDArray[np.int64]) -> None:
        if len(where):
            playing = self._playing
            playing.play(where, self._heuristic.choose(playing.games.take(where), playing.seeds(self._noise, where)))

    def _search(self, where: NDArray[np.int64]) -> None:
        """Search for a move at these places: fully, with the search as a target, or at few of them quickly."""
        lots = self._playing.seeds(self._noise, where) * _LOT_FACTOR >> np.uint64(44)
        is_full = lots % np.uint64(1000) < np.uint64(self._settings.full_share)
        full, fast = where[is_full], where[~is_full]
        if len(full):
            found = self._find(full, self._settings.simulations)
            self._targets.add(self._numbers[full], self._playing.lengths[full], found)
            self._playing.play(full, found.actions)
        if len(fast):
            self._playing.play(fast, self._find(fast, self._settings.fast_simulations).actions)

    def _find(self, where: NDArray[np.int64], simulations: int) -> SearchResult:
        return gumbel_search(
            self._playing.games.take(where),
            self._evaluate,
            simulations=simulations,
            considered=self._settings.considered,
            seeds=self._playing.seeds(self._noise, where),
            noise=self._settings.noise / 1000,
        )

    def _replace_finished(self) -> None:
        """Collect the games that have ended, and begin new ones in their places while any are left to begin."""
        playing = self._playing
        ended = np.flatnonzero(playing.finished())
        games = playing.finished_games(ended, self._openings)
        self._done.update(zip(self._numbers[ended].tolist(), games, strict=True))
        reused = ended[: self._wanted - self._started]
        if len(reused):
            self._numbers[reused] = np.arange(self._started, self._started + len(reused))
            self._started += len(reused)
            playing.restart(reused)
            self._open(reused)
            playing.play_forced()
        dropped = ended[len(reused) :]
        if len(dropped):
            self._drop(dropped)

    def _drop(self, places: NDArray[np.int64]) -> None:
        kept = np.ones(len(self._numbers), np.bool_)
        kept[places] = False
        self._playing.keep(kept)
        self._numbers, self._openings = self._numbers[kept], self._openings[kept]
        self._noise = self._noise[kept]
