"""The self-play shard: a few hundred games of one model as moves, search policies and search values.

Shards store games, not features: about 30 bytes a ply, and replaying them proves that they are legal (see
`training.replay`). Fractions are fixed-point integers, so a shard's bytes depend only on the games.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.config import CONFIGS
from engine.record import GameRecord, merkle_root
from training.arrays import DataError, Stored, read_arrays, write_arrays

KIND: Final = "shard/1"
GAMES_LIMIT: Final = 65_536
PLIES_LIMIT: Final = 8_000_000

WEIGHT_UNIT: Final = 65_535
VALUE_UNIT: Final = 32_767
_SPARRING_LIMIT: Final = 2**53 - 1  # of any setting

_DTYPES: Final[dict[str, type]] = {
    "lengths": np.int32,
    "openings": np.int32,
    "winners": np.int8,
    "moves": np.int64,
    "searched": np.int32,
    "choices": np.int32,
    "entries": np.uint16,
    "weights": np.uint16,
    "values": np.int16,
}


@dataclass(frozen=True, kw_only=True)
class Shard:
    """G games of P players with `plies` moves in all, of which K were chosen by a search that is recorded."""

    config: str
    model: bytes  # digest of the model
    seed: bytes
    lengths: NDArray[np.int32]  # [G]: moves of each game
    openings: NDArray[np.int32]  # [G]: the number of them, from the first, that were drawn at random
    winners: NDArray[np.int8]  # [G]: seat 1..P, 0 where the game was cut at the ply limit
    moves: NDArray[np.int64]  # [plies]: packed moves, game after game
    searched: NDArray[np.int32]  # [K]: positions in `moves`, ascending
    choices: NDArray[np.int32]  # [K]: number of stored entries of the policy
    entries: NDArray[np.uint16]  # [sum(choices)]: index into the list of legal moves of that ply
    weights: NDArray[np.uint16]  # [sum(choices)]: probability x WEIGHT_UNIT
    values: NDArray[np.int16]  # [K * P]: value of the position for seats 1..P, x VALUE_UNIT
    sparring: int = 0  # in one game of so many the heuristic has a seat (`sparring_seats`); 0: in none

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The start of each game's moves, and the end of the last one's: int64[G + 1]."""
        return offsets_of(self.lengths)


def offsets_of(lengths: ArrayLike) -> NDArray[np.int64]:
    """Return int64[n + 1]: the start of each run, and the end of the last."""
    ends = np.cumsum(lengths, dtype=np.int64)
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends
    return offsets


def sparring_seats(numbers: NDArray[np.int64], sparring: int, players: int) -> NDArray[np.int64]:
    """Return the seat of the heuristic, 1 to P, in each game of a shard, or 0 where the model has all seats.

    In one game of `sparring` it has one, seat after seat; if that is 0, in none.
    """
    if sparring == 0:
        return np.zeros(len(numbers), np.int64)
    return np.where(numbers % sparring == 0, numbers // sparring % players + 1, 0)


def shard_root(shard: Shard) -> bytes:
    """Return the Merkle root of the games' canonical records; a game's seed is the shard's, then its number."""
    players = CONFIGS[shard.config].players
    sparring = sparring_seats(np.arange(len(shard.lengths)), shard.sparring, players).tolist()
    runs = zip(shard.openings, shard.winners, np.split(shard.moves, shard.offsets[1:-1]), sparring, strict=True)
    return merkle_root(
        [
            GameRecord(
                config=shard.config,
                seed=shard.seed + number.to_bytes(4, "big"),
                swap=False,
                opening_plies=int(opening),
                moves=moves,
                winner=int(winner),
                seats=tuple(b"heuristic" if seat == spar else shard.model for seat in range(1, players + 1)),
            ).encode()
            for number, (opening, winner, moves, spar) in enumerate(runs)
        ]
    )


def write_shard(directory: Path, shard: Shard) -> Stored:
    """Write the shard to a directory, in a file named by its digest."""
    header: dict[str, Any] = {"config": shard.config, "model": shard.model.hex(), "seed": shard.seed.hex()}
    if shard.sparring:
        header["sparring"] = shard.sparring
    return write_arrays(directory, KIND, header, {name: getattr(shard, name) for name in _DTYPES})


def read_shard(path: Path) -> Shard:
    """Return the shard in a file. Raise DataError with one reason if it is damaged or inconsistent."""
    header, arrays = read_arrays(path, KIND, _DTYPES)
    shard = Shard(
        config=_config(path, header),
        model=_digest(path, header, "model"),
        seed=_digest(path, header, "seed"),
        sparring=_sparring(path, header),
        **arrays,
    )
    fault = _fault(shard)
    if fault is not None:
        raise DataError(fault, path.name)
    return shard


def _config(path: Path, header: Mapping[str, Any]) -> str:
    name = header.get("config")
    if not isinstance(name, str) or name not in CONFIGS:
        raise DataError(f"unknown configuration {name!r}", path.name)
    return name


def _digest(path: Path, header: Mapping[str, Any], field: str) -> bytes:
    try:
        value = bytes.fromhex(header[field])
    except (KeyError, TypeError, ValueError):
        value = b""
    if len(value) != 32:
        raise DataError(f"header field {field!r} is not 64 hexadecimal digits", path.name)
    return value


def _sparring(path: Path, header: Mapping[str, Any]) -> int:
    sparring = header.get("sparring", 0)
    if type(sparring) is not int or not 0 <= sparring <= _SPARRING_LIMIT:
        raise DataError(f"header field 'sparring' is not a whole number of 0 to {_SPARRING_LIMIT}", path.name)
    return sparring


def _fault(shard: Shard) -> str | None:
    """Return the first reason why the arrays do not fit together, or None."""
    games, players = len(shard.lengths), CONFIGS[shard.config].players
    if not 0 < games <= GAMES_LIMIT:
        return f"{games} games, expected 1 to {GAMES_LIMIT}"
    if len(shard.moves) > PLIES_LIMIT:
        return f"{len(shard.moves)} moves, expected at most {PLIES_LIMIT}"
    if len(shard.openings) != games or len(shard.winners) != games:
        return f"{games} lengths, {len(shard.openings)} openings and {len(shard.winners)} winners"
    if shard.lengths.min() < 1 or shard.lengths.sum(dtype=np.int64) != len(shard.moves):
        return f"the lengths of the games do not add up to {len(shard.moves)} moves"
    if (shard.openings < 0).any() or (shard.openings > shard.lengths).any():
        return "an opening is longer than its game"
    if (shard.winners < 0).any() or (shard.winners > players).any():
        return f"a winner is not a seat of a game of {players}"
    return _search_fault(shard, players)


def _search_fault(shard: Shard, players: int) -> str | None:
    searched = len(shard.searched)
    if len(shard.choices) != searched or len(shard.values) != searched * players:
        return f"{searched} searched plies, {len(shard.choices)} policies and {len(shard.values)} values"
    if len(shard.entries) != len(shard.weights):
        return f"{len(shard.entries)} policy entries with {len(shard.weights)} weights"
    if searched == 0:
        return "policy entries without a searched ply" if len(shard.entries) else None
    if shard.choices.min() < 1 or shard.choices.sum(dtype=np.int64) != len(shard.entries):
        return f"the policies do not add up to {len(shard.entries)} entries"
    rising = (shard.searched[1:] > shard.searched[:-1]).all()  # a difference may be too large for int32
    if not rising or shard.searched[0] < 0 or shard.searched[-1] >= len(shard.moves):
        return "the searched plies are not ascending positions of moves"
    sums = np.add.reduceat(shard.weights.astype(np.int64), offsets_of(shard.choices)[:-1])
    if (abs(sums - WEIGHT_UNIT) > shard.choices).any():
        return "the weights of a policy do not add up to one"
    named = np.repeat(np.arange(searched, dtype=np.int64) << 16, shard.choices) | shard.entries
    is_rising = (named[1:] > named[:-1]).all()  # as those of our own shards; sorting costs ten times as much
    if not is_rising and (np.diff(np.sort(named)) == 0).any():
        return "a policy names a move twice"
    if (shard.values == -VALUE_UNIT - 1).any():
        return "a value is below -1"
    return None
