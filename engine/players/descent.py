"""The descent player: best-first search without a depth, which always opens the end of the best line it knows.

Unbounded minimax (Korf and Chickering 1996) with the conclusions of Cohen-Solal's Descent (2020): what is proved won
or lost is not looked at again, and the move looked at most often is played. A position has a value for every seat, and
whoever moves takes what is best for them (max^n), so it plays with any number of players.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.arguments import within
from engine.games import Games
from engine.players.heuristic import WEIGHTS, describe
from engine.players.heuristic_features import FEATURES
from engine.players.player import Options, check_seeds
from engine.search import EvalBatch, Evaluate
from engine.search.noise import stream_words

ValueSeats: TypeAlias = Callable[[Games], NDArray[np.float64]]
"""What positions are worth for each seat: B running ones -> float64[B, P], between -1 and 1."""

_MOST_TRIED = 2**30
_WIN = 2.0
_LATER = 2.0**-16
"""A win is worth so much less with every move that it takes, and a loss so much more. No game has 2**15 plies."""
_HALF = 8.0  # the lead in the heuristic's sums that is worth 0.5
_GRAIN = 2.0**-15
"""Values are rounded to this, so that a position and its mirror image, which sum up in another order, are equal."""


class DescentPlayer:
    """Opens the position at the end of the best line until it has tried a number of moves. See `Player`."""

    def __init__(self, budget: int, evaluate: Evaluate | None = None) -> None:
        """Make a player.

        Args:
            budget: moves to try for one choice; of the position that is open then they are tried to the last.
            evaluate: a network, of which only the values count; None is the heuristic.

        Raises:
            ValueError: the budget is out of range.
        """
        self._budget = within(budget, 1, _MOST_TRIED, "budget")
        self._value = value_by_heuristic if evaluate is None else value_by_network(evaluate)

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides."""
        words = check_seeds(games, seeds)
        trees = [_Tree(row.copy(), int(word)) for row, word in zip(games.states, words, strict=True)]
        growing = trees
        while growing:
            self._grow(games, growing)
            growing = [tree for tree in growing if tree.tried < self._budget and not tree.is_decided]
        return np.array([tree.best_move() for tree in trees], np.int64)

    def _grow(self, games: Games, trees: list[_Tree]) -> None:
        """Open one position in each tree."""
        lines = [tree.best_line() for tree in trees]
        opened = Games(games.config, np.stack([line.state for line in lines]), games.executor)
        deeper = np.flatnonzero([line.move is not None for line in lines])
        if len(deeper):
            batch = opened.take(deeper)
            batch.apply(np.array([lines[place].move for place in deeper], np.int64), check=False)
            opened.states[deeper] = batch.states
        options = Options.of(opened, np.array([tree.next_word() for tree in trees], np.uint64))
        order = np.lexsort((options.words, options.owners))  # of equally good moves the first is taken
        moves = options.moves[order]
        after = opened.take(options.owners)
        after.apply(moves, check=False)
        values = self._values(after, np.array([len(line.steps) for line in lines])[options.owners])
        is_over, players = after.over(), opened.player()
        for place, (tree, line) in enumerate(zip(trees, lines, strict=True)):
            part = slice(options.offsets[place], options.offsets[place + 1])
            node = _Node(
                opened.states[place],
                int(players[place]) - 1,
                moves[part],
                values[part],
                is_over[part].copy(),
                np.zeros(len(moves[part]), np.int64),
                {},
            )
            tree.add(line, node)

    def _values(self, positions: Games, plies: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return float64[B, P]: the values of positions, of which each is reached after so many moves."""
        seats = np.arange(positions.config.players)
        sooner = (_WIN - _LATER * plies)[:, None]
        values = np.where(positions.winner()[:, None] == seats + 1, sooner, -sooner)
        running = np.flatnonzero(~positions.over())
        if len(running):
            values[running] = np.rint(self._value(positions.take(running)) / _GRAIN) * _GRAIN
        return values


def value_by_heuristic(positions: Games) -> NDArray[np.float64]:
    """Return the lead of each seat in the heuristic's weighted sum (`ValueSeats`)."""
    sums = describe(positions) @ np.array([WEIGHTS[number] for number in range(FEATURES)], np.float64)
    ordered = np.sort(sums, axis=1)
    leads = sums - np.where(sums == ordered[:, -1:], ordered[:, -2:-1], ordered[:, -1:])
    return np.asarray(leads / (np.abs(leads) + _HALF), np.float64)


def value_by_network(evaluate: Evaluate) -> ValueSeats:
    """Return what takes the values of a network, and leaves its policy aside."""

    def value(positions: Games) -> NDArray[np.float64]:
        players = positions.config.players
        no_moves = np.zeros(len(positions) + 1, np.int32)
        found = evaluate(EvalBatch(positions, no_moves, np.empty(0, np.int64))).values
        places = (np.arange(players) - (positions.player().astype(np.int64)[:, None] - 1)) % players
        return np.take_along_axis(found.astype(np.float64), places, axis=1)

    return value


@dataclass(slots=True, eq=False)
class _Node:
    """A position that was opened: its K moves, and what is known of the positions after them."""

    state: NDArray[np.int16]
    seat: int
    """The player who moves, from 0."""
    moves: NDArray[np.int64]
    values: NDArray[np.float64]
    """float64[K, P]."""
    decided: NDArray[np.bool_]
    """bool[K]: where the value is the result, if nobody errs."""
    visits: NDArray[np.int64]
    """int64[K]."""
    below: dict[int, _Node]
    """The positions after a move that are open."""

    @property
    def best(self) -> int:
        """The place of the move with the greatest value for whoever moves."""
        return int(np.argmax(self.values[:, self.seat]))

    @property
    def is_decided(self) -> bool:
        """Whether the best move wins, or the results of all moves are known."""
        best = self.best
        return bool((self.decided[best] and self.values[best, self.seat] > 1) or self.decided.all())

    def next_place(self) -> int:
        """Return the place of the best move that is not decided."""
        return int(np.argmax(np.where(self.decided, -np.inf, self.values[:, self.seat])))


@dataclass(frozen=True)
class _Line:
    """The way to a position that is to be opened."""

    steps: list[tuple[_Node, int]]
    """The open positions on the way, each with the place of the move taken; empty at the root."""
    state: NDArray[np.int16]
    move: int | None
    """The last position of the way, and the move that leads to the new one; None if that is the root."""


class _Tree:
    """What is known of one game."""

    def __init__(self, state: NDArray[np.int16], seed: int) -> None:
        self.tried = 0
        self._state, self._seed = state, seed
        self._root: _Node | None = None
        self._opened = 0

    @property
    def is_decided(self) -> bool:
        """Whether there is nothing left to find out: one move only, or the result is known."""
        return self._root is not None and (len(self._root.moves) == 1 or self._root.is_decided)

    def next_word(self) -> np.uint64:
        """Return the random word by which the moves of the next position are put in order."""
        return np.uint64(stream_words(np.array([self._seed], np.uint64), np.array([self._opened]))[0])

    def best_line(self) -> _Line:
        """Return the way from the root along the best moves that are not decided, to a position not yet opened."""
        if self._root is None:
            return _Line([], self._state, None)
        node, steps = self._root, []
        while True:
            place = node.next_place()
            steps.append((node, place))
            if place not in node.below:
                return _Line(steps, node.state, int(node.moves[place]))
            node = node.below[place]

    def add(self, line: _Line, node: _Node) -> None:
        """Add a position at the end of its line, and take its value back to the root."""
        self.tried += len(node.moves)
        self._opened += 1
        if not line.steps:
            self._root = node
            return
        above, place = line.steps[-1]
        above.below[place] = node
        for above, place in reversed(line.steps):
            below = above.below[place]
            above.values[place] = below.values[below.best]
            above.decided[place] = below.is_decided
            above.visits[place] += 1

    def best_move(self) -> int:
        """Return the move that wins, or else the one looked at most often that does not lose; the best among equals."""
        root = self._root
        assert root is not None
        values, best = root.values[:, root.seat], root.best
        is_lost = root.decided & (values < -1)
        if (root.decided[best] and values[best] > 1) or is_lost.all():
            return int(root.moves[best])
        visits = np.where(is_lost, -1, root.visits)
        return int(root.moves[np.lexsort((-values, -visits))[0]])
