"""Recorded games: read from a self-play shard or a match, played again, with the searches that a shard keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine import notation
from engine.choices import PASSES, Choice, describe_move
from engine.config import CONFIGS, Config
from engine.games import Games, IllegalMoveError
from engine.position import Position, situation
from engine.search import chance_of
from node.api.play import PlaySeatInfo
from node.api.records import RecordInfo, RecordMoveInfo, RecordShareInfo, RecordStepInfo, RecordThoughtInfo
from node.play.game import PlayedGame
from node.play.thinking import Thought
from node.text.formatting import short
from node.work.watched import PLAYERS
from training import match, shard
from training.arrays import DataError, read_kind, read_limited
from training.playing import ply_limit

_LISTED = 20  # moves of a policy


@dataclass(frozen=True)
class Search:
    """What a shard keeps of a search: `entries` count in the list of legal moves, with the weight of each.

    `values` are those of the seats in order, each of -1 to 1.
    """

    entries: NDArray[np.uint16]
    weights: NDArray[np.uint16]
    values: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A game of a file: its packed moves, and the searches by the number of moves before them."""

    config: Config
    number: int  # from 1
    games: int  # in the file
    moves: list[int]
    players: tuple[str, ...]
    opening: int | None = None
    block: int | None = None
    searches: Mapping[int, Search] = field(default_factory=dict)


def read_recorded(path: Path, digest: str, kind: str, number: int) -> Recorded:
    """Return game `number`, from 1, of the file with this digest. Raise DataError if there is none, or it is damaged.

    Whether its moves are legal is seen when it is played again.
    """
    if hashlib.sha256(read_limited(path)).hexdigest() != digest:
        raise DataError("the file is damaged here; the node fetches it again")
    found = read_kind(path)
    if found == shard.KIND:
        recorded = _of_shard(shard.read_shard(path), number)
    elif found == match.KIND:
        recorded = _of_match(path, PLAYERS["rate" if kind == "series" else "match"], number)
    else:
        raise DataError("this file holds no games")
    if len(recorded.moves) > ply_limit(recorded.config):
        raise DataError(f"the game has {len(recorded.moves)} moves, more than any may have")
    return recorded


def _of_shard(read: shard.Shard, number: int) -> Recorded:
    games, settings = len(read.lengths), CONFIGS[read.config]
    _check_number(number, games)
    first, last = read.offsets[number - 1 : number + 1].tolist()
    spar = int(shard.sparring_seats(np.array([number - 1]), read.sparring, settings.players)[0])
    model = f"model {short(read.model.hex())}"
    return Recorded(
        config=settings,
        number=number,
        games=games,
        moves=read.moves[first:last].tolist(),
        players=tuple("the heuristic" if seat == spar else model for seat in range(1, settings.players + 1)),
        opening=int(read.openings[number - 1]),
        searches=_searches(read, first, last, settings.players),
    )


def _searches(read: shard.Shard, first: int, last: int, players: int) -> dict[int, Search]:
    """Return the searches of the moves from `first` to before `last`, by their place in the game."""
    begin, end = np.searchsorted(read.searched, [first, last]).tolist()
    ends = shard.offsets_of(read.choices)
    return {
        int(read.searched[row]) - first: Search(
            read.entries[ends[row] : ends[row + 1]],
            read.weights[ends[row] : ends[row + 1]],
            read.values[row * players : (row + 1) * players] / shard.VALUE_UNIT,
        )
        for row in range(begin, end)
    }


def _of_match(path: Path, names: tuple[str, str], number: int) -> Recorded:
    settings, games = match.read_moves(path)
    _check_number(number, len(games))
    block, rotation = divmod(number - 1, settings.players)
    return Recorded(
        config=settings,
        number=number,
        games=len(games),
        moves=games[number - 1].tolist(),
        players=tuple(names[seat != rotation] for seat in range(settings.players)),
        block=block,
    )


def _check_number(number: int, games: int) -> None:
    if not 1 <= number <= games:
        raise DataError(f"the file holds {games} games, so there is no game {number}")


def record_info(recorded: Recorded) -> RecordInfo:
    """Return a game in the shape that goes out. Raise IllegalMoveError if it breaks the rules."""
    settings = recorded.config
    return RecordInfo(
        number=recorded.number,
        games=recorded.games,
        configuration=settings.name,
        board=settings.board,
        cells=list(notation.cell_names(settings.board)),
        ring_threshold=settings.ring_threshold,
        territory_minimum=settings.territory_minimum,
        players=list(recorded.players),
        opening=recorded.opening,
        block=recorded.block,
        steps=_steps(recorded),
    )


def _steps(recorded: Recorded) -> list[RecordStepInfo]:
    game, steps, lies = PlayedGame(recorded.config), list[RecordStepInfo](), dict[str, str]()
    names = notation.cell_names(recorded.config.board)
    for number in range(len(recorded.moves) + 1):
        made = None if number == 0 else _play(game, recorded.moves[number - 1], names)
        position, search = game.position(), recorded.searches.get(number)
        now = _lies(position, names)
        thought = None if search is None or game.is_over else _thought(game.games, search, names)
        steps.append(_step(number, made, position, _changed(lies, now), thought))
        lies = now
    return steps


def _step(
    number: int,
    made: RecordMoveInfo | None,
    position: Position,
    changed: dict[str, str],
    thought: RecordThoughtInfo | None,
) -> RecordStepInfo:
    standing = zip(position.hand, position.eliminated, position.territory, strict=True)
    return RecordStepInfo(
        number=number,
        made=made,
        player=position.player,
        phase=situation(position),
        winner=position.winner,
        seats=[PlaySeatInfo(hand=hand, eliminated=out, territory=territory) for hand, out, territory in standing],
        changed=changed,
        thought=thought,
    )


def _play(game: PlayedGame, move: int, names: tuple[str, ...]) -> RecordMoveInfo:
    """Play a move, and return it in the shape that goes out. Raise IllegalMoveError."""
    number, player = len(game.moves) + 1, game.player
    try:
        game.apply(move)
    except (IllegalMoveError, OverflowError):
        raise IllegalMoveError(f"move {number} is not legal after the {number - 1} before it") from None
    made = game.made(number)
    return RecordMoveInfo(
        player=player, move=made.text, words=made.words, passes=made.kind in PASSES, cells=_ends(made, names)
    )


def _ends(choice: Choice, names: tuple[str, ...]) -> list[str]:
    return [names[cell] for step in choice.steps for cell in step]


def _lies(position: Position, names: tuple[str, ...]) -> dict[str, str]:
    return {
        **{names[cell]: f"c{owner}" for cell, owner in position.collapsed.items()},
        **{names[cell]: f"m{owner}" for cell, owner in position.markers.items()},
        **{names[cell]: "s" + "".join(map(str, rings)) for cell, rings in position.stacks.items()},
    }


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    changed = {name: lies for name, lies in after.items() if before.get(name) != lies}
    return changed | {name: "" for name in before if name not in after}


def _thought(games: Games, search: Search, names: tuple[str, ...]) -> RecordThoughtInfo:
    """Return what a search of the position found. Raise IllegalMoveError if it names a move that is not there."""
    legal = games.legal().moves
    if int(search.entries.max()) >= len(legal):
        raise IllegalMoveError(f"a policy names move {int(search.entries.max())} of {len(legal)} legal ones")
    order = np.argsort(-search.weights.astype(np.int64), kind="stable")[:_LISTED]
    shares = (search.weights[order] / shard.WEIGHT_UNIT).tolist()
    moves = legal[search.entries[order]].tolist()
    return RecordThoughtInfo(
        chances=_chances(search.values.tolist()),
        policy=[_share(games, move, share, names) for move, share in zip(moves, shares, strict=True)],
    )


def thought_of(game: PlayedGame, thought: Thought) -> RecordThoughtInfo:
    """Return what a model thinks of the newest position of a game, in the shape of a recorded search."""
    names = notation.cell_names(game.config.board)
    best = sorted(thought.opinions, key=lambda opinion: -opinion.policy)[:_LISTED]
    return RecordThoughtInfo(
        chances=_chances(thought.values),
        policy=[_share(game.games, each.move, each.policy, names) for each in best],
    )


def _share(games: Games, move: int, share: float, names: tuple[str, ...]) -> RecordShareInfo:
    choice = describe_move(games, move)
    return RecordShareInfo(move=choice.text, words=choice.words, cells=_ends(choice, names), share=round(share, 4))


def _chances(values: tuple[float, ...] | list[float]) -> list[float]:
    return [round(chance_of(value, len(values)), 4) for value in values]
