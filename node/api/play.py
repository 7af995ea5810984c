"""The shapes of playing against a model: requests and answers of the paths below `/play`.

Every request carries, in the header `x-ringrift-token`, the token of the node or the one in the page `/play`. A cell is
written "x,y", a move as in recorded games, such as "PR 0,0 2".
"""

from typing import Literal, NotRequired, TypedDict


class PlayRequest(TypedDict):
    """The body of `POST /play`: begin a game. The answer is a `PlayInfo`."""

    configuration: str
    """Board and players, such as "hex8-2"."""
    persons: list[int]
    """The players, from 1, that are persons; the model has the others."""
    strength: Literal["policy", "16", "64", "400"]
    """Simulations of the model for a move; "policy" is its policy alone."""
    seed: NotRequired[str]
    """What all chance comes from; drawn if it is missing. Equal seeds, models and moves give equal games."""
    instead_of: NotRequired[str]
    """Id of a game that ends now; nothing happens if there is none."""


class PlayGameRequest(TypedDict):
    """The body of what is asked about one game."""

    game: str
    """Its id."""


class PlayMoveRequest(TypedDict):
    """The body of `POST /play/move`: a person plays. The answer is a `PlayInfo`."""

    game: str
    """Id of the game."""
    move: str
    """One of its legal moves."""


class PlayLookRequest(TypedDict):
    """The body of `POST /play/look`: show a position of the game. The answer is a `PlayInfo`."""

    game: str
    """Id of the game."""
    number: NotRequired[int]
    """After how many moves; the newest position if it is missing."""


class PlayChoiceInfo(TypedDict):
    """A legal move."""

    move: str
    """The move."""
    words: str
    """The same in words, such as "place 2 rings on 0,0"."""
    steps: list[list[str]]
    """How it is chosen on the board: one cell of each list, one after the other; empty if it has no place there."""


class PlayedInfo(TypedDict):
    """A move that was made."""

    number: int
    """Its number, from 1."""
    player: int
    """Who made it."""
    move: str
    """The move."""
    words: str
    """The same in words."""
    passes: bool
    """Whether nothing could be chosen."""
    cells: list[str]
    """The cells that it names."""


class PlaySeatInfo(TypedDict):
    """What one player has."""

    hand: int
    """Rings in hand."""
    eliminated: int
    """Eliminated rings that count for the player."""
    territory: int
    """Collapsed cells."""


class PlayPositionInfo(TypedDict):
    """A position of a game."""

    number: int
    """Moves before it."""
    player: int
    """The player to move; 0 if the game is over."""
    phase: str
    """Phase of the turn, such as "ring placement"; how it was won if the game is over."""
    explanation: str
    """What the player may do, in one line."""
    winner: int
    """The winner; 0 while the game runs."""
    seats: list[PlaySeatInfo]
    """What each player has, in order."""
    stacks: dict[str, str]
    """The rings of each stack from bottom to top, as digits of their owners, by cell."""
    markers: dict[str, int]
    """The owner of each marker, by cell."""
    collapsed: dict[str, int]
    """The owner of each collapsed cell, by cell."""
    choices: list[PlayChoiceInfo]
    """The legal moves; empty if the game is over, or in an earlier position."""


class PlayInfo(TypedDict):
    """A game and one of its positions."""

    game: str
    """Id of the game. It ends half an hour after its last request."""
    configuration: str
    """Board and players."""
    persons: list[int]
    """The players that are persons."""
    strength: str
    """Strength of the model."""
    seed: str
    """What all chance comes from."""
    model: str
    """Who plays against the persons, in words."""
    board: str
    """The board."""
    cells: list[str]
    """Its cells."""
    rings: int
    """Rings each player begins with."""
    ring_threshold: int
    """Eliminated rings that win."""
    territory_minimum: int
    """Collapsed cells with which territory wins."""
    moves: int
    """Moves made so far."""
    position: PlayPositionInfo
    """The position."""
    happened: list[PlayedInfo]
    """The moves that this request made. Of `POST /play/look` the move before the position, or without a number all."""


class PlayOpinionInfo(TypedDict):
    """What the model thinks of one legal move."""

    move: str
    """The move."""
    policy: float
    """Its share of the policy, before any search; of all moves together 1."""
    visits: int
    """Simulations that began with it."""


class PlayThoughtInfo(TypedDict):
    """The answer of `POST /play/think`: what the model thinks of the newest position."""

    number: int
    """Moves before the position."""
    move: str
    """The move that it would play."""
    words: str
    """The same in words."""
    chances: list[float]
    """The chance of each player to win, from 0 to 1."""
    opinions: list[PlayOpinionInfo]
    """What it thinks of each legal move."""


class PlayRecordInfo(TypedDict):
    """The answer of `POST /play/save`: the game as a file for `ringrift-node replay`."""

    name: str
    """A name for the file."""
    text: str
    """Its contents."""


class PlayEndInfo(TypedDict):
    """The answer of `POST /play/end`."""

    games: int
    """Games that are still being played at this node."""
