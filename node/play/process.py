"""The process that knows the rules and thinks, for the games of a node: it keeps both off the node's event loop.

`python -m node.play.process [--nice N] [--kernels DIR]` speaks as `training.worker` does. It keeps no games: every
request brings all moves of its game, so the process may be killed at any time. The requests, by their `job`:

move    text      -> the person's move is played
answer            -> the model's move is played
undo    persons   -> the last choice of these players is taken back, and all after it
look    number    -> nothing is played; null is the newest position
think             -> nothing is played
record  name, about

All of these have `config` and `moves`; `answer` and `think` also `model` (a folder, or null), `simulations` and `seed`.
Answered are `moves`, and as `body` the JSON that goes out: `head`, which the request brings, with what is known here.
Two more are about game `number` of a file, and answered with `body` alone; they have its `path`, `digest` and `kind`:

record of                                    -> the game, from `node.play.recorded`
thought of  moves, model, simulations, seed  -> what is thought of the position after so many moves

A request that the rules do not allow is answered with `refused`, one that cannot be done here with `unavailable`: a
line each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import config
from engine.games import IllegalMoveError
from node.api.play import PlayedInfo, PlayRecordInfo
from node.play.game import PlayedGame
from node.play.minds import MindError, check_installed, load_mind
from node.play.positions import board_facts, played_info, position_info, thought_info
from node.play.records import record_game
from node.play.thinking import Thought, think
from training.progress import Report
from training.worker import main

if TYPE_CHECKING:
    from node.play.recorded import Recorded

Job = Mapping[str, Any]


def answer(request: Job, report: Report) -> dict[str, Any]:
    """Return the answer to one request; `report` is not needed, as searches are short."""
    try:
        check_installed()
        if request["job"] in _OF_RECORDS:
            return {"body": _encode(_OF_RECORDS[request["job"]](request))}
        game = PlayedGame(config(request["config"]), request["moves"])
        body = _JOBS[request["job"]](game, request)
    except IllegalMoveError as error:
        return {"refused": str(error)}
    except MindError as error:
        return {"unavailable": str(error)}
    return {"moves": game.moves, "body": _encode(body)}


def _encode(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def _move(game: PlayedGame, request: Job) -> dict[str, Any]:
    game.play(game.find(request["text"]))
    return _told(game, request)


def _answer(game: PlayedGame, request: Job) -> dict[str, Any]:
    game.play(_think_about(game, request).move)
    return _told(game, request)


def _undo(game: PlayedGame, request: Job) -> dict[str, Any]:
    number = game.last_decision(request["persons"])
    if number is None:
        raise IllegalMoveError("no person has made a move yet, so there is nothing to take back")
    game.go_back(number)
    return _told(game, request)


def _look(game: PlayedGame, request: Job) -> dict[str, Any]:
    last, wanted = len(game.moves), request["number"]
    number = last if wanted is None else wanted
    if not 0 <= number <= last:
        raise IllegalMoveError(f"the game has {last} moves, so there is no position after {number}")
    first = 1 if wanted is None else max(1, number)
    return _info(game, request, number) | {"happened": _made(game, first, number)}


def _thought(game: PlayedGame, request: Job) -> dict[str, Any]:
    return {**thought_info(game, _think_about(game, request))}


def _record(game: PlayedGame, request: Job) -> dict[str, Any]:
    text = record_game(game, request["name"], request["about"])
    return {**PlayRecordInfo(name=f"{request['name']}.jsonl", text=text)}


def _record_of(request: Job) -> dict[str, Any]:
    from node.play.recorded import record_info

    return {**record_info(_recorded(request))}


def _thought_of(request: Job) -> dict[str, Any]:
    from node.play.recorded import thought_of

    recorded = _recorded(request)
    if not 0 <= request["moves"] <= len(recorded.moves):
        raise IllegalMoveError(f"the game has {len(recorded.moves)} moves, so there is no position after that many")
    game = PlayedGame(recorded.config, recorded.moves[: request["moves"]])
    return {**thought_of(game, _think_about(game, request))}


def _recorded(request: Job) -> Recorded:
    """Return the game of a file that is asked about. Raise IllegalMoveError, as of everything that is wrong with it."""
    from node.play.recorded import read_recorded
    from training.arrays import DataError

    try:
        return read_recorded(Path(request["path"]), request["digest"], request["kind"], request["number"])
    except DataError as error:
        raise IllegalMoveError(error.fault) from None


def _think_about(game: PlayedGame, request: Job) -> Thought:
    if game.is_over:
        raise IllegalMoveError("the game is over, so there is nothing to think about")
    folder = request["model"]
    mind = load_mind(None if folder is None else Path(folder))
    return think(game.games, mind, simulations=request["simulations"], seed=request["seed"])


def _told(game: PlayedGame, request: Job) -> dict[str, Any]:
    """Return the game with the moves that this request made."""
    first, last = len(request["moves"]) + 1, len(game.moves)
    return _info(game, request, last) | {"happened": _made(game, first, last)}


def _made(game: PlayedGame, first: int, last: int) -> list[PlayedInfo]:
    return [played_info(game, number) for number in range(first, last + 1)]


def _info(game: PlayedGame, request: Job, number: int) -> dict[str, Any]:
    position = position_info(game, number)
    return {**request["head"], **board_facts(game), "moves": len(game.moves), "position": position}


_JOBS: Mapping[str, Callable[[PlayedGame, Job], dict[str, Any]]] = {
    "move": _move,
    "answer": _answer,
    "undo": _undo,
    "look": _look,
    "think": _thought,
    "record": _record,
}

_OF_RECORDS: Mapping[str, Callable[[Job], dict[str, Any]]] = {"record of": _record_of, "thought of": _thought_of}


if __name__ == "__main__":
    sys.exit(main(answer))
