"""The shape of `GET /playing`: games that this node's workers are playing now, a move of one in each slot."""

from typing import TypedDict

from node.api.play import PlaySeatInfo


class ConsideredInfo(TypedDict):
    """A move to which a search gave a share of its policy."""

    words: str
    """The move in words, such as "place 2 rings on 0,0"."""
    cells: list[str]
    """The cells that it names."""
    share: float
    """Its share; what is missing to 1 belongs to moves that are not listed."""


class PlayingMoveInfo(TypedDict):
    """A move of a game, and the position before it."""

    number: int
    """Number of the game in its job, from 1."""
    plies: int
    """Moves before the position."""
    player: int
    """The player who chose, from 1."""
    phase: str
    """Phase of the turn."""
    seats: list[PlaySeatInfo]
    """What each player has, in order."""
    lies: dict[str, str]
    """What lies on each cell that is not empty: "s" and the owners of a stack's rings from bottom to top, "m" and the
    owner of a marker, "c" and the owner of a collapsed cell."""
    words: str
    """What was chosen."""
    chosen: list[str]
    """The cells that it names."""
    chances: list[float]
    """The chance of each player to win, from 0 to 1, as the search found; empty if there was none."""
    policy: list[ConsideredInfo]
    """The moves with the largest shares of the search's policy, the largest first, and the chosen one, at most 6 in
    all; empty if there was no search. Searches of matches are not told."""


class PlayingInfo(TypedDict):
    """A game that a worker slot of this node plays, as its worker told it last: every two seconds or more seldom."""

    slot: int
    """Number of the slot; the first is 1."""
    kind: str
    """Kind of work: "selfplay", "match" or "rate"."""
    subject: str
    """Configuration, and for a match or a rating the candidate or series and slot, in words."""
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
    """Who has each seat, in words."""
    move: PlayingMoveInfo
    """The move."""
