"""One of the games of a job as people watch it while it is played: a position, what was thought of it, and the choice.

A job looks at one game every `LOOK_S`, and so seldom that looking takes less than `LARGEST_SHARE` of its time. It only
reads: the games and all files are the same whether somebody watches or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.choices import Choice, describe_move
from engine.config import Config
from engine.games import Games
from engine.notation import cell_names
from engine.position import Position, read_position, situation
from engine.search import SearchResult, chance_of

LOOK_S: Final = 2.0
LARGEST_SHARE: Final = 0.005
LISTED: Final = 6
"""Moves of a policy."""


class Pace:
    """When a job looks at a game: every `LOOK_S`, by a clock in s, or less often where looking takes long."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()  # a short job shows a game, too

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._clock() >= self._next

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look, for as long as this lasts."""
        began = self._clock()
        yield
        now = self._clock()
        self._next = now + max(LOOK_S, (now - began) / LARGEST_SHARE)


@dataclass(frozen=True)
class Found:
    """What a search found: `moves` int64[n], their shares of the `policy` float32[n], `values` float32[P]."""

    moves: NDArray[np.int64]
    policy: NDArray[np.float32]
    values: NDArray[np.float32]


def found_at(search: SearchResult, row: int) -> Found | None:
    """Return what a search over several games found in the one at this row; None if that was not searched."""
    part = slice(int(search.offsets[row]), int(search.offsets[row + 1]))
    if not search.visits[part].any():
        return None
    return Found(search.moves[part].copy(), search.policy[part].copy(), search.values[row].copy())


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A move of one game: the record row before it, int16[width], and what was chosen there."""

    number: int  # of the game in its job, from 1
    plies: int  # before it
    row: NDArray[np.int16]
    move: int
    apart: int  # the seat that is played by somebody else than the others; 0 if none is
    found: Found | None


def show(config: Config, seen: Seen) -> dict[str, Any]:
    """Return a move of a game as a job tells it: text and numbers, some kilobytes.

    `cells` has what lies on each cell that is not empty: "s" and the owners of a stack's rings from bottom to top, "m"
    and the owner of a marker, "c" and the owner of a collapsed cell.
    """
    games = Games(config, seen.row[None].copy())
    position, names = read_position(config, seen.row), cell_names(config.board)
    chosen = describe_move(games, seen.move)
    standing = zip(position.hand, position.eliminated, position.territory, strict=True)
    return {
        "number": seen.number,
        "plies": seen.plies,
        "apart": seen.apart,
        "player": position.player,
        "phase": situation(position),
        "seats": [list(seat) for seat in standing],
        "cells": _cells(position, names),
        "words": chosen.words,
        "chosen": _ends(chosen, names),
        "chances": [] if seen.found is None else _chances(seen.found),
        "policy": [] if seen.found is None else _policy(games, seen, seen.found, names),
    }


def _cells(position: Position, names: tuple[str, ...]) -> dict[str, str]:
    return {
        **{names[cell]: f"c{owner}" for cell, owner in position.collapsed.items()},
        **{names[cell]: f"m{owner}" for cell, owner in position.markers.items()},
        **{names[cell]: "s" + "".join(map(str, rings)) for cell, rings in position.stacks.items()},
    }


def _chances(found: Found) -> list[float]:
    return [round(chance_of(value, len(found.values)), 3) for value in found.values.tolist()]


def _policy(games: Games, seen: Seen, found: Found, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the moves with the largest shares; the chosen one is among them, which chance may have preferred."""
    best = np.argsort(-found.policy, kind="stable")[:LISTED]
    if seen.move not in found.moves[best]:
        best[-1:] = np.flatnonzero(found.moves == seen.move)[:1]
    shown = []
    for move, share in zip(found.moves[best].tolist(), found.policy[best].tolist(), strict=True):
        choice = describe_move(games, move)
        shown.append({"words": choice.words, "cells": _ends(choice, names), "share": round(share, 3)})
    return shown


def _ends(choice: Choice, names: tuple[str, ...]) -> list[str]:
    return [names[cell] for step in choice.steps for cell in step]
