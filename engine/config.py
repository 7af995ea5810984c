"""The twelve configurations: a board, a number of players, and the numbers that follow from them for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.boards import BOARDS, board


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is fixed before a game begins (the table at the head of RULES.md).

    `rings` is the supply of each player; `line_length` the markers that make a line; `ring_threshold` the
    eliminated rings that win; `territory_minimum` the least collapsed cells with which territory wins.
    """

    board: str
    players: int
    rings: int
    line_length: int
    ring_threshold: int
    territory_minimum: int

    @property
    def name(self) -> str:
        """The name, such as "hex8-2"."""
        return f"{self.board}-{self.players}"


def _config(board_name: str, players: int) -> Config:
    shape = board(board_name)
    small = shape.rings < 72
    return Config(
        board=board_name,
        players=players,
        rings=shape.rings,
        line_length=3 if small and players > 2 else 4,
        # rings * (2/3 + (players - 1)/3): an integer on every board, as all supplies are multiples of three
        ring_threshold=shape.rings * (players + 1) // 3,
        territory_minimum=len(shape.cells) // players + 1,
    )


CONFIGS: Mapping[str, Config] = MappingProxyType(
    {made.name: made for name in BOARDS for players in (2, 3, 4) for made in [_config(name, players)]}
)


def config(name: str) -> Config:
    """Return the configuration with this name, such as "hex8-2".

    Raises:
        ValueError: there is no such configuration.
    """
    try:
        return CONFIGS[name]
    except KeyError:
        raise ValueError(f"unknown configuration {name!r}; it is one of {', '.join(CONFIGS)}") from None
