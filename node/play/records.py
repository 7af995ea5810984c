"""Games as files: a line of JSON in the form of the recorded games, which `ringrift-node replay` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping

from engine import notation
from engine.reference_games import list_digest
from node.play.game import PlayedGame

_LISTED = 6  # legal moves are listed up to this number; of more there is a digest


def record_game(game: PlayedGame, name: str, about: Mapping[str, str]) -> str:
    """Return a game as one line; `about` says who played, and from which seed.

    A game that was broken off has no winner.
    """
    final = game.position()
    steps = _steps(game)
    record = {
        **about,
        "v": 1,
        "id": name,
        "board": game.config.board,
        "players": game.config.players,
        "swap": False,
        "full": False,
        "end": final.ending or "truncated",
        "winner": final.winner or None,
        "nsteps": len(steps),
        "steps": steps,
    }
    return json.dumps(record, separators=(",", ":")) + "\n"


def _steps(game: PlayedGame) -> list[list[object]]:
    again, steps = PlayedGame(game.config, executor=game.games.executor), []
    for number, move in enumerate(game.moves, 1):
        state = again.row(number - 1)
        player, phase = int(again.games.player()[0]), notation.PHASES[int(again.games.phase()[0])]
        texts = sorted(choice.text for choice in again.choices)
        legal = None if len(texts) == 1 else texts if len(texts) <= _LISTED else list_digest(texts)
        text = notation.move_to_text(game.config, state, move)
        again.apply(move)
        steps.append([player, phase, len(texts), legal, text, notation.state_digest(game.config, again.row(number))])
    return steps
