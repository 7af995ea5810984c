"""A pool of self-play games: several jobs of one kind share its searches, and each gets the games of its own seed.

Jobs of one kind have the same configuration, model and settings. Where a game ends, the next one of the oldest job with
games left begins. So searches stay as large as the pool while jobs come, however few games each has. A game depends on
the seed of its job and its number alone, and a position's answer on no other of its batch (`training.evaluate`): a job
gets the same games, to the byte, as if it were played alone.

In some games the heuristic has a seat. A model that only ever meets itself may settle on a way of playing that beats
itself and nobody else, and never sees what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import HeuristicPlayer
from engine.search import Evaluate, SearchResult
from training.device_playing import DevicePlaying, DeviceSearches, OnDevice
from training.playing import FinishedGame, Playing
from training.searching import HostSearch
from training.seeds import seed_words
from training.settings import SelfPlaySettings
from training.shard import sparring_seats
from training.targets import Targets
from training.watched import Found, Seen, found_at

_LOT_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # spreads the bits of a seed, whose upper half is a counter
_RESERVE = 8  # so many places have one game more in hand, which begins while the next job is fetched


class PoolJob:
    """The games of one seed: those that are over, the searches of all, and its part in the pool's moves."""

    def __init__(self, number: int, seed: bytes, games: int) -> None:
        """Make a job of `games` games, 1 or more, of which none has begun."""
        self.number = number
        self.seed = seed
        self.wanted = games
        self.begun = 0
        self.done: dict[int, FinishedGame] = {}
        self.targets = Targets()
        self.plies = 0  # moves chosen in its games
        self._all_plies = 0  # and in all games of the pool since it came

    @property
    def is_over(self) -> bool:
        """Whether all its games are over."""
        return len(self.done) == self.wanted

    @property
    def share(self) -> int:
        """Its part of the pool's moves since it came, in thousandths: what it took of the time."""
        return 1000 if self._all_plies == 0 else 1000 * self.plies // self._all_plies

    def first_games(self) -> list[FinishedGame]:
        """Return the games that are over, from the first on, up to one that is not: none is left out for being long."""
        return [self.done[number] for number in takewhile(self.done.__contains__, range(self.wanted))]

    def observe_moves(self, own: int, of_all: int) -> None:
        """Take in how many moves were chosen."""
        self.plies += own
        self._all_plies += of_all


class SelfPlayPool:
    """Games in progress, each with the number of its job, and its number there."""

    def __init__(self, config: Config, evaluate: Evaluate | OnDevice, settings: SelfPlaySettings) -> None:
        """Make an empty pool, which plays `settings.concurrency` games at once; `places` may change later.

        With a network on a device, the games and their searches are there, too. The heuristic's moves are chosen on the
        host.
        """
        self.places = settings.concurrency
        self._settings = settings
        self._heuristic = HeuristicPlayer()
        self._playing: Playing | DevicePlaying
        self._searches: HostSearch | DeviceSearches
        if isinstance(evaluate, OnDevice):
            self._playing = there = DevicePlaying(config, evaluate.device)
            self._searches = DeviceSearches(there, evaluate.evaluate, settings)
        else:
            self._playing = here = Playing(config, 0)
            self._searches = HostSearch(here, evaluate, settings)
        self._jobs: list[PoolJob] = []  # the oldest first
        self._added = 0
        self._owners = np.zeros(0, np.int64)  # the job of each place
        self._numbers = np.zeros(0, np.int64)
        self._openings = np.zeros(0, np.int32)
        self._noise = np.zeros(0, np.uint64)
        self._watched: tuple[int, int] | None = None  # job and number of the game that is looked at
        self._looking: int | None = None  # its place, in a step in which it is
        self._found: Found | None = None  # by the search there

    def __len__(self) -> int:
        """Return how many games are in progress."""
        return len(self._owners)

    @property
    def has_room(self) -> bool:
        """Whether the games in hand fill the places, and a reserve, no more: then another job should come."""
        unbegun = sum(job.wanted - job.begun for job in self._jobs)
        return len(self) + unbegun < self.places + self.places // _RESERVE

    def add(self, seed: bytes, games: int) -> PoolJob:
        """Take in a job of `games` games, whose games begin with the next step in which there are places."""
        job = PoolJob(self._added, seed, games)
        self._added += 1
        self._jobs.append(job)
        return job

    def drop(self, job: PoolJob) -> None:
        """End a job whose games nobody wants any more, or which has enough."""
        self._jobs.remove(job)
        self._keep(self._owners != job.number)

    def step(self, look: Callable[[PoolJob, Seen], None] | None = None) -> list[PoolJob]:
        """Play a move in each game; return the jobs whose last game is over, which are no longer in the pool.

        `look` is called with one of these moves, of the same game in each step as long as that is played.
        """
        self._playing.play_forced()
        ended = np.flatnonzero(self._playing.finished())
        self._collect(ended)
        self._begin(ended)
        over = [job for job in self._jobs if job.is_over]
        self._jobs = [job for job in self._jobs if not job.is_over]
        active = np.flatnonzero(~self._playing.finished())
        if len(active) and look is None:
            self._move(active)
        elif len(active) and look is not None:
            self._move_watched(active, look)
        return over

    def _collect(self, ended: NDArray[np.int64]) -> None:
        jobs = {job.number: job for job in self._jobs}
        games = self._playing.finished_games(ended, self._openings)
        for owner, number, game in zip(self._owners[ended].tolist(), self._numbers[ended].tolist(), games, strict=True):
            jobs[owner].done[number] = game

    def _begin(self, ended: NDArray[np.int64]) -> None:
        """Begin games in the places of those that ended, and in more while there are any; give up what is not used."""
        free = max(0, self.places - (len(self) - len(ended)))
        chosen = [(job, number) for job in self._jobs for number in self._take(job, free)][:free]
        for job, _ in chosen:
            job.begun += 1
        reused = ended[: len(chosen)]
        where = np.concatenate([reused, self._add_places(len(chosen) - len(reused))])
        if len(reused):
            self._playing.restart(reused)
        for job in self._jobs:
            of_job = [place for place, (owner, _) in enumerate(chosen) if owner is job]
            if of_job:
                self._open(job, where[of_job], np.array([chosen[place][1] for place in of_job]))
        if len(where):
            self._playing.play_forced()
        unused = np.ones(len(self), np.bool_)
        unused[ended[len(chosen) :]] = False
        self._keep(unused)

    @staticmethod
    def _take(job: PoolJob, count: int) -> range:
        return range(job.begun, min(job.begun + count, job.wanted))

    def _add_places(self, count: int) -> NDArray[np.int64]:
        """Return new places, in which nothing is played yet."""
        before = len(self)
        if count:
            self._playing.extend(count)
            self._owners = np.concatenate([self._owners, np.full(count, -1)])
            self._numbers = np.concatenate([self._numbers, np.zeros(count, np.int64)])
            self._openings = np.concatenate([self._openings, np.zeros(count, np.int32)])
            self._noise = np.concatenate([self._noise, np.zeros(count, np.uint64)])
        return np.arange(before, before + count)

    def _open(self, job: PoolJob, where: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        """Play the random first plies of new games of a job; each game's own stream decides how many."""
        self._owners[where], self._numbers[where] = job.number, numbers
        words = seed_words(job.seed, "opening length", numbers.tolist())
        self._openings[where] = words % np.uint64(self._settings.opening_plies + 1)
        self._noise[where] = seed_words(job.seed, "noise", numbers.tolist())
        seeds = np.zeros(len(self), np.uint64)
        seeds[where] = seed_words(job.seed, "opening", numbers.tolist())
        plies = np.zeros(len(self), np.int32)
        plies[where] = self._openings[where]
        self._playing.play_random(plies, seeds)
        self._openings[where] = self._playing.lengths[where]

    def _move_watched(self, active: NDArray[np.int64], look: Callable[[PoolJob, Seen], None]) -> None:
        """Play as `_move` does, and look at the move of one game."""
        playing, place = self._playing, self._find_watched(active)
        row, plies = playing.positions(np.array([place])).states[0], int(playing.lengths[place])
        self._found, self._looking = None, place
        self._move(active)
        self._looking = None
        owner, number = int(self._owners[place]), self._numbers[place : place + 1]
        seen = Seen(
            number=int(number[0]) + 1,
            plies=plies,
            row=row,
            move=playing.move_at(place, plies),
            apart=int(sparring_seats(number, self._settings.sparring, playing.config.players)[0]),
            found=self._found,
        )
        look(next(job for job in self._jobs if job.number == owner), seen)

    def _find_watched(self, active: NDArray[np.int64]) -> int:
        """Return the place of the game that is looked at; if it is over, of the one with the fewest moves."""
        games = list(zip(self._owners[active].tolist(), self._numbers[active].tolist(), strict=True))
        if self._watched not in games:
            self._watched = games[int(self._playing.lengths[active].argmin())]
        return int(active[games.index(self._watched)])

    def _move(self, active: NDArray[np.int64]) -> None:
        """Play one move in each of these games, none of which is finished."""
        playing = self._playing
        seats = sparring_seats(self._numbers[active], self._settings.sparring, playing.config.players)
        is_heuristic = playing.players()[active] == seats
        self._play_heuristic(active[is_heuristic])
        self._search(active[~is_heuristic])
        for job in self._jobs:
            job.observe_moves(int((self._owners[active] == job.number).sum()), len(active))

    def _play_heuristic(self, where: NDArray[np.int64]) -> None:
        if len(where):
            playing = self._playing
            playing.play(where, self._heuristic.choose(playing.positions(where), playing.seeds(self._noise, where)))

    def _search(self, where: NDArray[np.int64]) -> None:
        """Search for a move at these places: fully, with the search as a target, or at few of them quickly."""
        lots = self._playing.seeds(self._noise, where) * _LOT_FACTOR >> np.uint64(44)
        is_full = lots % np.uint64(1000) < np.uint64(self._settings.full_share)
        full, fast = where[is_full], where[~is_full]
        if len(full):
            found = self._find(full, self._settings.simulations)
            self._record(full, found)
            self._playing.play(full, found.actions)
        if len(fast):
            self._playing.play(fast, self._choose(fast, self._settings.fast_simulations))

    def _record(self, where: NDArray[np.int64], found: SearchResult) -> None:
        """Give each job the searches of its games."""
        for job in self._jobs:
            rows = np.flatnonzero(self._owners[where] == job.number)
            if len(rows):
                own = where[rows]
                job.targets.add(self._numbers[own], self._playing.lengths[own], _rows_of(found, rows))

    def _find(self, where: NDArray[np.int64], simulations: int) -> SearchResult:
        found = self._searches.find(where, self._seeds(where), simulations)
        if self._is_looked_at(where):
            self._found = found_at(found, int(np.flatnonzero(where == self._looking)[0]))
        return found

    def _choose(self, where: NDArray[np.int64], simulations: int) -> NDArray[np.int64]:
        """Return the moves that searches choose, of which nothing is recorded."""
        if self._is_looked_at(where):
            return self._find(where, simulations).actions
        return self._searches.choose(where, self._seeds(where), simulations)

    def _is_looked_at(self, where: NDArray[np.int64]) -> bool:
        return self._looking is not None and self._looking in where

    def _seeds(self, where: NDArray[np.int64]) -> NDArray[np.uint64]:
        return self._playing.seeds(self._noise, where)

    def _keep(self, mask: NDArray[np.bool_]) -> None:
        if not mask.all():
            self._playing.keep(mask)
            self._owners, self._numbers = self._owners[mask], self._numbers[mask]
            self._openings, self._noise = self._openings[mask], self._noise[mask]


def _rows_of(found: SearchResult, rows: NDArray[np.int64]) -> SearchResult:
    """Return the searches in these rows, in ascending order."""
    counts = np.diff(found.offsets)
    if len(rows) == len(counts):
        return found
    kept = np.zeros(len(counts), np.bool_)
    kept[rows] = True
    of_moves = np.repeat(kept, counts)
    offsets = np.zeros(len(rows) + 1, found.offsets.dtype)
    np.cumsum(counts[rows], out=offsets[1:])
    return replace(
        found,
        actions=found.actions[rows],
        offsets=offsets,
        moves=found.moves[of_moves],
        policy=found.policy[of_moves],
        visits=found.visits[of_moves],
        values=found.values[rows],
    )
