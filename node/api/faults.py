"""The shape of `GET /faults`: the match results that were proven wrong, and their proofs."""

from typing import TypedDict


class ProofInfo(TypedDict):
    """One entry of the list that `GET /faults` answers: a match result that was proven wrong, and its proof.

    The list is oldest first. `GET /faults/<result>` serves the proof, CBOR byte for byte, where `kept` is true.
    """

    result: str
    """Id of the result."""
    member: str
    """Id of the member that reported it."""
    name: str
    """Name of that member."""
    configuration: str
    """Configuration of the match."""
    candidate: str
    """Id of the candidate whose match it belongs to."""
    slot: int
    """Number of the slot of the match, from 0."""
    reason: str
    """What is wrong with it."""
    found: int
    """Weight of the members that replayed the games and found them wrong."""
    weight: int
    """Weight of all members at that time."""
    round: int
    """Round in which the proof became complete."""
    time: int
    """Consensus time of that, nanoseconds since 1970."""
    count: int
    """Results of this member that have been proven wrong by now."""
    kept: bool
    """Whether this node keeps the proof."""
