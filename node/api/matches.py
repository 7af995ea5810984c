"""The shape of `GET /matches/<candidate>`: a candidate's match, slot by slot."""

from typing import TypedDict

from node.api.work import CandidateInfo


class MatchSlotInfo(TypedDict):
    """A slot of a match that was reported. Part of `GET /matches/<candidate>`."""

    slot: int
    """Number of the slot, from 0."""
    first_block: int
    """Number of its first block, from 0."""
    member: str
    """Id of the member that reported it."""
    name: str
    """Name of that member."""
    scores: list[int]
    """Points of the candidate in each block."""
    counted: int
    """How many of these blocks count: those up to the one that decided, if no earlier slot is missing."""
    games: int
    """Games in the slot."""
    digest: str
    """Digest of the file with the games."""
    size: int
    """Bytes of that file."""
    kept: bool
    """Whether this node keeps the file; then `GET /games/<candidate>/<slot>` serves it."""


class MatchInfo(TypedDict):
    """The answer of `GET /matches/<candidate>`.

    `GET /games/<candidate>/<slot>` serves the games of a slot, byte for byte, as `ringrift-node replay` reads them.
    """

    candidate: CandidateInfo
    """The candidate."""
    most: int
    """Points that can be had in a block."""
    slots: list[MatchSlotInfo]
    """The slots whose results the ledger still keeps, in order."""
    complete: bool
    """Whether `slots` has all blocks that count."""
