"""The dialogue of a game in the terminal: whose turn it is, what is asked, and what each command does."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from engine.moves import Kind
from engine.search import Evaluate
from node.cli.play.lines import NotAMove, read_move
from node.cli.play.shown import WIDTH, choice_lines, position_lines, thought_lines
from node.cli.reading import save_new
from node.config.toml import ConfigError
from node.play.explanation import explain
from node.play.game import PlayedGame
from node.play.records import record_game
from node.play.strengths import STRENGTHS
from node.play.thinking import Thought, think
from node.text.harmless import harmless

_HELP = """\
x,y          place a ring there, or choose what lies there
x,y N        place N rings there
x,y x,y      move or capture from one cell to another
N            play move N of the list that "moves" shows
skip         leave out what you need not do
moves        list what is legal
hint         show the move that the model would play
analysis     show what the model thinks: policy, visits, chances
undo         take back your last move, and all after it
board        draw the board again
save FILE    write the game to FILE, for ringrift-node replay
quit         end"""

_UNTOLD = (Kind.NL, Kind.NT)  # nearly every turn has them


class Dialogue:
    """One game, from the first position until it is over and left, or the input ends."""

    def __init__(
        self,
        *,
        console: Console,
        game: PlayedGame,
        persons: frozenset[int],
        mind: Evaluate,
        model: str,
        strength: str,
        seed: str,
        as_json: bool = False,
    ) -> None:
        """Prepare a game in which `persons` have these seats, and `mind`, called `model`, has the others.

        With `as_json` each position, and whatever is said, is one JSON object in a line.
        """
        self._as_json = as_json
        self._console, self._game, self._persons = console, game, persons
        self._mind, self._model, self._strength, self._seed = mind, model, strength, seed
        self._has_quit = False
        self._wants_board = True
        self._commands: dict[str, Callable[[], None]] = {
            "help": lambda: self._say(*_HELP.split("\n")),
            "moves": lambda: self._say(*choice_lines(self._game.choices)),
            "hint": self._hint,
            "analysis": self._analyse,
            "undo": self._undo,
            "board": self._draw,
            "quit": self._quit,
        }

    def run(self) -> None:
        """Play until a person quits, or the input ends."""
        seats = " and ".join(f"player {seat}" for seat in sorted(self._persons)) or "nobody: you watch"
        self._say(f"{self._game.config.name}: you are {seats}; against {self._model}.")
        self._say(f'Strength {self._strength}, seed {self._seed}. "help" lists what you can type.')
        while not self._has_quit:
            if self._game.is_over or self._game.player in self._persons:
                self._ask()
            else:
                self._answer()

    def _ask(self) -> None:
        if self._wants_board:
            self._draw()
        prompt = "game over" if self._game.is_over else f"player {self._game.player}"
        if not self._as_json:
            self._console.print(Text(f"{prompt}> "), end="")
        line = sys.stdin.readline()
        if not self._console.is_terminal and not self._as_json:
            self._say(harmless(line.rstrip("\n")))
        if not line:
            self._has_quit = True
        elif words := line.split():
            self._obey(words, line.strip())

    def _obey(self, words: list[str], line: str) -> None:
        command = self._commands.get(words[0].lower()) if len(words) == 1 else None
        if command is not None:
            command()
        elif words[0].lower() == "save":
            self._save(line.partition(" ")[2].strip())
        elif self._game.is_over:
            self._say("The game is over: undo, save FILE or quit.")
        else:
            self._move(line)

    def _move(self, line: str) -> None:
        try:
            self._play(read_move(self._game, line).move)
        except NotAMove as mistake:
            self._say(harmless(f"{mistake}."))

    def _play(self, move: int) -> None:
        """Play a move, and tell it and the passes after it."""
        before = len(self._game.moves)
        self._game.play(move)
        for number in range(before + 1, len(self._game.moves) + 1):
            made = self._game.made(number)
            if made.kind not in _UNTOLD:
                self._say(f"{number}. Player {self._game.mover(number)}: {made.words} ({made.text})")
        self._wants_board = True

    def _answer(self) -> None:
        self._play(self._think().move)

    def _think(self) -> Thought:
        simulations = STRENGTHS[self._strength]
        return think(self._game.games, self._mind, simulations=simulations, seed=self._seed)

    def _hint(self) -> None:
        if not self._is_over():
            move = self._think().move
            words = next(choice.words for choice in self._game.choices if choice.move == move)
            self._say(f"The model would {words}.")

    def _analyse(self) -> None:
        if not self._is_over():
            self._say(*thought_lines(self._game, self._think()))

    def _is_over(self) -> bool:
        if self._game.is_over:
            self._say("The game is over: there is nothing to think about.")
        return self._game.is_over

    def _undo(self) -> None:
        number = self._game.last_decision(self._persons)
        if number is None:
            self._say("There is no move of yours to take back.")
        else:
            self._game.go_back(number)
            self._wants_board = True

    def _save(self, name: str) -> None:
        if not name:
            self._say("Say where: save FILE.")
            return
        about = {"seed": self._seed, "model": self._model, "strength": self._strength}
        about["persons"] = ",".join(map(str, sorted(self._persons)))
        try:
            save_new(Path(name), record_game(self._game, f"play-{self._seed}", about).encode())
        except ConfigError as error:
            self._say(harmless(f"{error}."))
        else:
            self._say(harmless(f"{name}: {len(self._game.moves)} moves; ringrift-node replay {name} shows them."))

    def _draw(self) -> None:
        self._wants_board = False
        if self._as_json:
            print(json.dumps(self._facts()), flush=True)
            return
        position = self._game.position()
        self._say(*position_lines(self._game))
        head = "" if position.winner else f"Player {position.player}, {position.phase.replace('_', ' ')}. "
        self._say("", *(line for line in (head.rstrip(), explain(position, self._game.choices)) if line))

    def _facts(self) -> dict[str, Any]:
        game, position = self._game, self._game.position()
        return {
            "configuration": game.config.name,
            "moves": [game.made(number).text for number in range(1, len(game.moves) + 1)],
            "player": None if game.is_over else game.player,
            "is_yours": not game.is_over and game.player in self._persons,
            "winner": position.winner or None,
            "legal": [] if game.is_over else [choice.text for choice in game.choices],
        }

    def _quit(self) -> None:
        self._has_quit = True

    def _say(self, *lines: str | Text) -> None:
        if self._as_json:
            print(json.dumps({"said": [str(line) for line in lines]}), flush=True)
            return
        for line in lines:
            for part in [line] if isinstance(line, Text) else _wrap(line):
                self._console.print(part, no_wrap=True, overflow="ignore", crop=False)


def _wrap(line: str) -> list[Text]:
    """Return a line as lines that fit; the columns of a table stay, as they fit already."""
    if len(line) <= WIDTH:
        return [Text(line)]
    parts = textwrap.wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    return [Text(part) for part in parts]  # a path longer than a line stays whole, to be copied
