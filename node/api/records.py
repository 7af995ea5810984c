"""The shapes of the paths below `/records`: games that were recorded, and what the players thought meanwhile."""

from typing import Literal, TypedDict

from node.api.play import PlaySeatInfo


class RecordFileInfo(TypedDict):
    """A file of games that this node keeps."""

    digest: str
    """Its digest."""
    kind: Literal["selfplay", "match", "series"]
    """How its games came about. A series compares two models and decides nothing."""
    configuration: str
    """Board and players."""
    member: str
    """Id of the member that played the games."""
    name: str
    """Name of that member."""
    round: int
    """The round in which it reported them."""
    games: int
    """Games in the file."""
    size: int
    """Bytes of the file."""
    model: str | None
    """Digest of the model that played against itself; null in matches and series."""
    candidate: str | None
    """Id of the candidate of a match, or of the series; null of self-play."""
    slot: int | None
    """Number of the slot, from 0; null of self-play."""


class RecordMoveInfo(TypedDict):
    """A move in a recorded game."""

    player: int
    """Who made it."""
    move: str
    """The move, such as "PR 0,0 2"."""
    words: str
    """The same in words, such as "place 2 rings on 0,0"."""
    passes: bool
    """Whether nothing could be chosen."""
    cells: list[str]
    """The cells that it names."""


class RecordShareInfo(TypedDict):
    """A move to which a search gave a share of its policy."""

    move: str
    """The move."""
    words: str
    """The same in words."""
    cells: list[str]
    """The cells by which it is chosen: of a movement, where it begins and where it ends."""
    share: float
    """Its share; what is missing to 1 belongs to moves that are not listed."""


class RecordThoughtInfo(TypedDict):
    """What the search of the player to move found, as the record keeps it."""

    chances: list[float]
    """The chance of each player to win, from 0 to 1."""
    policy: list[RecordShareInfo]
    """The moves with the largest shares, the largest first; at most 20."""


class RecordStepInfo(TypedDict):
    """A position, and the move that led to it."""

    number: int
    """Moves before the position."""
    made: RecordMoveInfo | None
    """The move before it; null in the first position."""
    player: int
    """The player to move; 0 if the game is over."""
    phase: str
    """Phase of the turn; how it was won if the game is over."""
    winner: int
    """The winner; 0 while the game runs."""
    seats: list[PlaySeatInfo]
    """What each player has, in order."""
    changed: dict[str, str]
    """What lies on each cell that changed with the move: "s" and the owners of a stack's rings from bottom to top, "m"
    and the owner of a marker, "c" and the owner of a collapsed cell, or nothing."""
    thought: RecordThoughtInfo | None
    """What was found before the next move; null where the record keeps no search of it."""


class RecordInfo(TypedDict):
    """The answer of `GET /records/<digest>/<number>`: a game from its first position to its last.

    The node plays it again by the rules; while they are compiled for its configuration that takes a minute.
    """

    number: int
    """Number of the game in its file, from 1."""
    games: int
    """Games in the file."""
    configuration: str
    """Board and players."""
    board: str
    """The board."""
    cells: list[str]
    """Its cells."""
    ring_threshold: int
    """Eliminated rings that win."""
    territory_minimum: int
    """Collapsed cells with which territory wins."""
    players: list[str]
    """Who had each seat, in words."""
    opening: int | None
    """How many moves, from the first, were drawn at random; null where the file does not say."""
    block: int | None
    """Number of the block in the file, from 0; null of self-play."""
    steps: list[RecordStepInfo]
    """The first position, and the one after each move."""
