"""What the games of a shard are like, as whole numbers that come out the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.config import CONFIGS, config
from training.playing import Playing
from training.replay import Verified
from training.seeds import seed_words
from training.shard import VALUE_UNIT, WEIGHT_UNIT, Shard, offsets_of, shard_root

OPENING: Final = 12
"""Games whose first so many moves are the same count as one opening."""

_BITS: Final = 16  # binary digits of a logarithm after the point
_SLICE: Final = 256  # games whose openings are drawn at once
_RANDOM_PLIES: Final = 24  # of a random game, which its seed has to draw


@dataclass(frozen=True, kw_only=True)
class ShardFacts:
    """The facts of a shard. They are computed in integers, since sums of floats differ between machines."""

    searched: int  # plies with a recorded search
    decisive: int  # games that somebody won
    forced: int  # plies without a choice
    openings: int  # different beginnings of `OPENING` moves
    duplicates: int  # games that are the same as an earlier one of the shard
    entropy: int  # of the searches' policies in the mean, in thousandths of a bit
    value_error: int  # of the seats' chances by the searches, squared, in the mean, in millionths


def facts_of(source: Verified) -> ShardFacts:
    """Return the facts of a shard whose games have been replayed."""
    shard = source.shard
    games = [game.tobytes() for game in np.split(shard.moves, shard.offsets[1:-1])]
    width = shard.moves.itemsize
    return ShardFacts(
        searched=len(shard.searched),
        decisive=int(np.count_nonzero(shard.winners)),
        forced=int(np.count_nonzero(source.replayed.options == 1)),
        openings=len({game[: OPENING * width] for game in games}),
        duplicates=len(games) - len(set(games)),
        entropy=_entropy(shard),
        value_error=_value_error(shard),
    )


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What was said of a shard when it was announced, and what its games had to be played with."""

    model: bytes
    seed: bytes
    root: bytes
    games: int
    plies: int
    opening_plies: int
    is_random: bool  # by the built-in model, which has no search
    facts: Mapping[str, int]


def check_shard(source: Verified, said: Announcement) -> str:
    """Return why a shard is not what was announced, as one line; "" if it is.

    How the games begin follows from the seed, so nobody can announce another's games as its own.
    """
    shard = source.shard
    if shard.model != said.model:
        return "games of another model than was announced"
    if shard.seed != said.seed:
        return "games with another seed than the claim's"
    if (len(shard.lengths), len(shard.moves)) != (said.games, said.plies):
        found = f"{len(shard.lengths)} games with {len(shard.moves)} plies"
        return f"{found}, but {said.games} with {said.plies} were announced"
    for name, value in asdict(facts_of(source)).items():
        if said.facts.get(name) != value:
            return f"{name} is {value}, but {said.facts.get(name)} was announced"
    if shard_root(shard) != said.root:
        return "the games' Merkle root is not the one announced"
    for first in range(0, len(shard.lengths), _SLICE):
        wrong = _wrong_opening(shard, range(first, min(first + _SLICE, len(shard.lengths))), said)
        if wrong is not None:
            return f"game {wrong}: not the opening of its seed"
    return ""


def _wrong_opening(shard: Shard, numbers: range, said: Announcement) -> int | None:
    """Return the first of these games whose random plies are not those that its seed draws; None if there is none."""
    playing = Playing(config(shard.config), len(numbers))
    if said.is_random:
        plies, seeds = np.full(len(numbers), _RANDOM_PLIES, np.int32), seed_words(said.seed, "random game", numbers)
    else:
        words = seed_words(said.seed, "opening length", numbers)
        plies = (words % np.uint64(said.opening_plies + 1)).astype(np.int32)
        seeds = seed_words(said.seed, "opening", numbers)
    playing.play_random(plies, seeds)
    for place, number in enumerate(numbers):
        start, length = shard.offsets[number], int(playing.lengths[place])
        is_recorded = said.is_random or shard.openings[number] == length
        fits = np.array_equal(shard.moves[start : start + length], playing.log[place, :length])
        if length > shard.lengths[number] or not is_recorded or not fits:
            return number
    return None


@cache
def _logarithms() -> NDArray[np.int64]:
    """Return the binary logarithms of 0 (as that of 1) to WEIGHT_UNIT, times 2^16, rounded down: by squaring."""
    values = np.arange(WEIGHT_UNIT + 1, dtype=np.uint64)
    values[0] = 1
    exponents = np.array([int(value).bit_length() - 1 for value in values], np.uint64)
    mantissas, logarithms = values << (np.uint64(30) - exponents), exponents.copy()
    for _ in range(_BITS):
        mantissas = mantissas * mantissas >> np.uint64(30)
        is_large = mantissas >> np.uint64(31)
        mantissas >>= is_large
        logarithms = (logarithms << np.uint64(1)) | is_large
    return logarithms.astype(np.int64)


def _entropy(shard: Shard) -> int:
    """Return the mean entropy of the policies in thousandths of a bit; 0 if nothing was searched."""
    if len(shard.searched) == 0:
        return 0
    weights, table = shard.weights.astype(np.int64), _logarithms()
    lost = weights * (table[WEIGHT_UNIT] - table[weights])
    sums = np.add.reduceat(lost, offsets_of(shard.choices)[:-1])
    return int((sums * 1000 // (WEIGHT_UNIT << _BITS)).sum()) // len(shard.searched)


def _value_error(shard: Shard) -> int:
    """Return the mean square of the searches' chances against the results, in millionths; 0 if nothing was searched.

    Of P players, a value v is the chance (v x (P - 1) + 1) / P; a game without a winner counts as 1 / P for each.
    """
    if len(shard.searched) == 0:
        return 0
    players = CONFIGS[shard.config].players
    games = np.searchsorted(shard.offsets, shard.searched, side="right") - 1
    winners = shard.winners[games].astype(np.int64)
    results = np.where(winners[:, None] == np.arange(1, players + 1), players - 1, -1) * (winners > 0)[:, None]
    wrong = (players - 1) * shard.values.reshape(-1, players).astype(np.int64) - results * VALUE_UNIT
    unit = players * VALUE_UNIT
    return int((wrong * wrong).sum()) * 1_000_000 // (len(shard.values) * unit * unit)
