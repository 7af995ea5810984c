"""The drawing of batches from games: a stream without end that can be left at any batch and gone on with later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from training.batches import Examples, make_examples
from training.experience import Experience
from training.settings import TrainSettings

_CHUNK = 512  # games from which positions are drawn and shuffled together
_KIND: Final = "PCG64"  # of generator, whose numbers `Chance` has
_MAX_PLACE: Final = 2**53


@dataclass(frozen=True)
class Chance:
    """Where a generator of random numbers stands."""

    state: int  # 128 bits
    inc: int  # 128 bits
    has_uint32: int  # whether `uinteger` is the half of a word that is still to be used
    uinteger: int  # 32 bits


@dataclass(frozen=True)
class DrawingPlace:
    """Where a drawing stands after a batch: how to find the batches after it without those before it."""

    round_chance: Chance  # before the games of the round were put in order
    chunk_chance: Chance  # before positions of the chunk were drawn
    first: int  # of the chunk's games, in the order of the round
    start: int  # of the chunk's positions that come next, at least


class Drawing:
    """Batches for ever, going over all games again and again in new orders and at new positions.

    Games that are held out are left out.
    """

    def __init__(self, experience: Experience, seed: int, settings: TrainSettings) -> None:
        """Draw by the chance of a seed of 64 bits."""
        self._experience, self._settings = experience, settings
        self._random = np.random.default_rng(seed)
        self._batches = self._draw(None)
        self.place: DrawingPlace | None = None
        """After the batch that was made last; None before the first one."""

    def go_on(self, place: DrawingPlace | None) -> None:
        """Go on after the batch at a place of a drawing from the same games with the same seed and settings."""
        self.place = place
        self._batches = self._draw(place)

    def next_batch(self) -> Examples:
        """Return the next batch. Raise ValueError if no game has a position to train on."""
        return next(self._batches)

    def _draw(self, place: DrawingPlace | None) -> Iterator[Examples]:
        experience, settings = self._experience, self._settings
        while True:
            has_made_one = place is not None
            if place is not None:
                _restore(self._random, place.round_chance)
            round_chance = _chance(self._random)
            order = self._random.permutation(np.flatnonzero(~experience.held_out))
            if experience.rates is not None:
                order = order[self._random.random(len(order)) < experience.rates[order]]
            for first in range(0 if place is None else place.first, len(order), _CHUNK):
                if place is not None:
                    _restore(self._random, place.chunk_chance)
                chunk_chance = _chance(self._random)
                samples = experience.draw(self._random, order[first : first + _CHUNK], settings.positions_per_game)
                count = len(samples.games)
                # a rest that does not fill a batch is dropped, unless there is nothing else
                starts = range(0, count - settings.batch + 1, settings.batch) or range(min(1, count))
                for start in starts:
                    if place is None or start >= place.start:
                        self.place = DrawingPlace(round_chance, chunk_chance, first, start + 1)
                        yield make_examples(experience, samples, start, settings.batch)
                        has_made_one = True
                place = None
            place = None
            if not has_made_one:
                raise ValueError("the games hold no position with a choice after their openings")


def place_as_table(place: DrawingPlace) -> dict[str, Any]:
    """Return a place as JSON values."""
    return asdict(place)


def place_of_table(table: Mapping[str, Any]) -> DrawingPlace:
    """Return the place that `place_as_table` made a table of. Raise ValueError for any other."""
    match table:
        case {"round_chance": dict(before), "chunk_chance": dict(chunk), "first": first, "start": start, **others} if (
            not others and _is_below(first, _MAX_PLACE) and _is_below(start, _MAX_PLACE)
        ):
            return DrawingPlace(_chance_of_table(before), _chance_of_table(chunk), first, start)
    raise ValueError("not a place of a drawing")


def _chance_of_table(table: Mapping[str, Any]) -> Chance:
    bits = {"state": 128, "inc": 128, "has_uint32": 1, "uinteger": 32}
    if set(table) != set(bits) or not all(_is_below(table[name], 2 ** bits[name]) for name in bits):
        raise ValueError("not a state of a generator of random numbers")
    return Chance(**table)


def _is_below(value: Any, limit: int) -> bool:
    return type(value) is int and 0 <= value < limit


def _chance(random: np.random.Generator) -> Chance:
    state: Any = random.bit_generator.state
    return Chance(state["state"]["state"], state["state"]["inc"], state["has_uint32"], state["uinteger"])


def _restore(random: np.random.Generator, chance: Chance) -> None:
    random.bit_generator.state = {
        "bit_generator": _KIND,
        "state": {"state": chance.state, "inc": chance.inc},
        "has_uint32": chance.has_uint32,
        "uinteger": chance.uinteger,
    }
