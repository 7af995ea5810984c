"""A game in progress: its moves, the position before each of them, and what can be chosen now."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Executor
from engine.choices import PASSES, Choice, describe_move, list_choices
from engine.config import Config
from engine.games import Games, IllegalMoveError
from engine.picture import LastMove
from engine.position import Position, read_position


class PlayedGame:
    """A game that is played move by move. `moves` are packed (`engine.moves`), from the first on.

    Passes, where nothing can be chosen, are moves like any other, as the records have them.
    """

    def __init__(self, config: Config, moves: Iterable[int] = (), executor: Executor | None = None) -> None:
        """Begin a game, and play `moves`. Raise IllegalMoveError if one of them is not legal."""
        self.config = config
        self.moves: list[int] = []
        self._games = Games.new(config, 1, executor=executor)
        self._rows: list[NDArray[np.int16]] = [self._games.states[0].copy()]
        self._choices: list[Choice] | None = None
        for move in moves:
            self.apply(move)

    @property
    def games(self) -> Games:
        """The position as a batch of one game, not to be changed."""
        return self._games

    @property
    def is_over(self) -> bool:
        """Whether the game has ended."""
        return bool(self._games.over()[0])

    @property
    def player(self) -> int:
        """The player to move, from 1; 0 if the game is over."""
        return int(self._games.player()[0])

    @property
    def choices(self) -> Sequence[Choice]:
        """The legal moves, in the order of `Games.legal`; none if the game is over."""
        if self._choices is None:
            self._choices = [] if self.is_over else list_choices(self._games)
        return self._choices

    def position(self, number: int | None = None) -> Position:
        """Return the position after `number` moves, by default after all."""
        return read_position(self.config, self._rows[-1 if number is None else number])

    def row(self, number: int) -> NDArray[np.int16]:
        """Return the record row of the position after `number` moves."""
        return self._rows[number]

    def made(self, number: int) -> Choice:
        """Return move `number`, from 1, as its player chose it."""
        before = Games(self.config, self._rows[number - 1][None].copy(), self._games.executor)
        return describe_move(before, self.moves[number - 1])

    def mover(self, number: int) -> int:
        """Return the player who made move `number`, from 1."""
        return self.position(number - 1).player

    def last_on_board(self) -> LastMove | None:
        """Return the last move that named a cell, or None."""
        for number in range(len(self.moves), 0, -1):
            if self.made(number).steps:
                return LastMove(self._rows[number - 1], self.moves[number - 1])
        return None

    def apply(self, move: int, *, check: bool = True) -> None:
        """Play a move and nothing else. Raise IllegalMoveError if it is not legal, which `check` finds out."""
        if self.is_over:
            raise IllegalMoveError("the game is over")
        self._games.apply([move], check=check)
        self.moves.append(move)
        self._rows.append(self._games.states[0].copy())
        self._choices = None

    def play(self, move: int) -> None:
        """Play a move, and the passes after it. Raise IllegalMoveError if it is not legal."""
        self.apply(move)
        self.play_passes()

    def play_passes(self) -> None:
        """Play on while nothing can be chosen."""
        while not self.is_over:
            moves = self._games.legal().moves
            if len(moves) != 1 or int(moves[0]) & 255 not in PASSES:
                return
            self.apply(int(moves[0]), check=False)

    def find(self, text: str) -> int:
        """Return the legal move of this canonical text. Raise IllegalMoveError if there is none."""
        for choice in self.choices:
            if choice.text == text:
                return choice.move
        raise IllegalMoveError(f"{text!r} is not one of the {len(self.choices)} legal moves")

    def last_decision(self, seats: Container[int]) -> int | None:
        """Return the number of moves before the last one that a player of these seats chose; None if there is none."""
        for number in range(len(self.moves), 0, -1):
            if self.moves[number - 1] & 255 not in PASSES and self.mover(number) in seats:
                return number - 1
        return None

    def go_back(self, number: int) -> None:
        """Take back all moves after the first `number`."""
        del self.moves[number:], self._rows[number + 1 :]
        self._games.states[0] = self._rows[-1]
        self._choices = None
