"""The game that a worker shows of its job: read from its progress, or nothing where that is not what it should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from consensus.ledger.records.entities import Claim
from engine.config import CONFIGS
from node.api.play import PlaySeatInfo
from node.api.playing import ConsideredInfo, PlayingMoveInfo
from node.text.formatting import short

PLAYERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"match": ("the candidate", "the incumbent"), "rate": ("the newer model", "its opponent")}
)
"""By kind of work, who has the seat that is apart, and who has the others."""

_CELL = re.compile(r"-?[0-9]{1,2},-?[0-9]{1,2}")
_LIES = re.compile(r"[cm][1-4]|s[1-4]{1,400}")
_MOST_CELLS = 500
_MOST_LISTED = 20
_MOST_CHARACTERS = 200
_MOST = 1 << 20  # of any number


@dataclass(frozen=True)
class WatchedGame:
    """A move of a game that is being played, and who has each seat, in words."""

    configuration: str
    players: tuple[str, ...]
    move: PlayingMoveInfo


def read_game(claim: Claim, told: object) -> WatchedGame | None:
    """Return what a worker tells of a game of a claim; None if it tells nothing, or nonsense."""
    if not isinstance(told, Mapping) or claim.configuration not in CONFIGS:
        return None
    try:
        return _read(claim, told, CONFIGS[claim.configuration].players)
    except (KeyError, TypeError, ValueError):
        return None


def _read(claim: Claim, told: Mapping[str, Any], players: int) -> WatchedGame:
    apart = _number(told["apart"], players)
    one, others = PLAYERS.get(claim.kind) or ("the heuristic", f"model {short(claim.model.hex())}")
    chances = [_share(each) for each in _list(told["chances"])]
    seats = [_seat(each) for each in _list(told["seats"])]
    if len(seats) != players or len(chances) not in (0, players):
        raise ValueError("seats")
    move = PlayingMoveInfo(
        number=_number(told["number"]),
        plies=_number(told["plies"]),
        player=_number(told["player"], players),
        phase=_text(told["phase"]),
        seats=seats,
        lies=_lies(told["cells"]),
        words=_text(told["words"]),
        chosen=_cells(told["chosen"]),
        chances=chances,
        policy=[_considered(each) for each in _list(told["policy"])],
    )
    names = tuple(one if seat == apart else others for seat in range(1, players + 1))
    return WatchedGame(claim.configuration, names, move)


def _number(value: object, most: int = _MOST) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("number")
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("share")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        raise ValueError("text")
    return value


def _list(value: object, most: int = _MOST_LISTED) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("list")
    return value


def _cells(value: object) -> list[str]:
    cells = _list(value, _MOST_CELLS)
    if not all(isinstance(cell, str) and _CELL.fullmatch(cell) for cell in cells):
        raise ValueError("cells")
    return cells


def _lies(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError("cells")
    _cells([*value])
    if not all(isinstance(each, str) and _LIES.fullmatch(each) for each in value.values()):
        raise ValueError("what lies on cells")
    return value


def _seat(value: object) -> PlaySeatInfo:
    hand, eliminated, territory = (_number(each) for each in _list(value))
    return PlaySeatInfo(hand=hand, eliminated=eliminated, territory=territory)


def _considered(value: object) -> ConsideredInfo:
    if not isinstance(value, Mapping):
        raise TypeError("policy")
    return ConsideredInfo(words=_text(value["words"]), cells=_cells(value["cells"]), share=_share(value["share"]))
