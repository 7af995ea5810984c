"""The player that looks some turns ahead: alpha-beta, Paranoid, max^n and best reply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arguments import within
from engine.backend.dialect import Lanes
from engine.games import Games
from engine.nnue.network import Nnue
from engine.nnue.rating import check_board
from engine.players.depth import kernels
from engine.players.depth.frames import LENGTH, LEVELS, MOST_WIDTH, SLOTS, Rule
from engine.players.depth.leaf import HEURISTIC, NNUE
from engine.players.heuristic import WEIGHTS
from engine.players.heuristic_features import FEATURES
from engine.players.player import Options
from engine.rules import move_bound, scratch_width, state_width, tables

_MOST_TRIED = 2**30
_MOST_TURNS = 2**15
_NO_NETWORK = (np.zeros((1, 16), np.int16), np.zeros(16, np.int16), 1, np.zeros((19, 16), np.float32))
"""What the kernel is given where the heuristic judges."""


@dataclass(frozen=True)
class DepthResult:
    """What depth searches of B games found."""

    moves: NDArray[np.int64]
    """int64[B]: the best move."""
    values: NDArray[np.int32]
    """int32[B]: its value for the player (`engine.players.depth.frames`)."""
    turns: NDArray[np.int32]
    """int32[B]: the turns of the last iteration, which the budget may have broken off."""
    tried: NDArray[np.int32]
    """int32[B]: the moves that were tried."""


class DepthPlayer:
    """Searches turn by turn until it has tried a number of moves. See `Player`."""

    def __init__(
        self,
        rule: Rule,
        budget: int,
        *,
        nnue: Nnue | None = None,
        width: int = 8,
        root_width: int = 24,
        most_turns: int = 30,
    ) -> None:
        """Make a player.

        Args:
            rule: what it assumes of the players.
            budget: moves to try for one choice. When it is used up no further position is opened; the moves of one that
                is open are tried to the last.
            nnue: what values positions, on its own board alone; None is the heuristic.
            width: the moves of a position that are searched, the best by their value without search, 1 to 31.
            root_width: the same for the position in which the player chooses.
            most_turns: look no further ahead.

        Raises:
            ValueError: a number is out of range.
        """
        self._rule, self._nnue = Rule(rule), nnue
        self._budget = within(budget, 1, _MOST_TRIED, "budget")
        self._width = within(width, 1, MOST_WIDTH - 1, "width")
        self._root_width = within(root_width, 1, MOST_WIDTH - 1, "root_width")
        self._most_turns = within(most_turns, 1, _MOST_TURNS, "most_turns")
        self._weights = np.array([WEIGHTS[number] for number in range(FEATURES)], np.float32)

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides. Raise NnueError for games of another board."""
        return self.search(games, seeds).moves

    def search(self, games: Games, seeds: NDArray[np.uint64]) -> DepthResult:
        """Return what is found in each game. Raise what `choose` raises."""
        config = games.config
        leaf, network, width = HEURISTIC, _NO_NETWORK, 0
        if self._nnue is not None:
            check_board(self._nnue, games)
            leaf, network, width = NNUE, self._nnue.arrays, self._nnue.width
        options = Options.of(games, seeds)
        order = np.lexsort((options.words, options.owners))  # of equally good moves the first is taken
        chosen = np.empty(len(games), np.int64)
        reports = np.empty((len(games), kernels.REPORT), np.int32)
        games.executor.launch(
            kernels.choose_by_depth,
            len(games),
            tables(config),
            games.states,
            options.offsets,
            options.moves[order],
            int(self._rule),
            leaf,
            self._budget,
            self._width,
            self._root_width,
            self._most_turns,
            self._weights,
            *network,
            Lanes(state_width(config), np.int16),
            Lanes(max(1, config.players * width), np.int16),
            Lanes(config.players, np.float32),
            Lanes(scratch_width(config), np.int32),
            Lanes(move_bound(config), np.int64),
            Lanes(config.players * FEATURES, np.float32),
            Lanes(LENGTH, np.int32),
            Lanes(SLOTS + move_bound(config), np.int64),
            Lanes((LEVELS + 1) * state_width(config), np.int16),
            Lanes(state_width(config), np.int16),
            chosen,
            reports,
        )
        values, turns, tried = (reports[:, column].copy() for column in range(kernels.REPORT))
        return DepthResult(chosen, values, turns, tried)
