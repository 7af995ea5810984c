"""The shape of `GET /proposals`: changes of the roster, and what members say to them."""

from typing import Literal, TypedDict

ProposalState = Literal["sent", "open", "approved", "in force", "dropped", "refused"]
"""How far a proposal is.

"sent": not ordered yet. "open": members vote. "approved": in force from the next epoch on. "in force". "dropped":
not enough ballots, or none in time. "refused": the ledger did not take it.
"""


class BallotInfo(TypedDict):
    """What one member says to a proposal. Part of `GET /proposals`."""

    member: str
    """Id of the member."""
    name: str
    """Name of the member."""
    approve: bool
    """Whether it votes for the proposal."""
    weight: int
    """Its weight in the present roster."""


class ProposalInfo(TypedDict):
    """One entry of the list that `GET /proposals` answers, and the answer of `POST /propose` and `POST /vote`.

    The list has open proposals, oldest first, then the last ones that are over, newest first, as far as this node has
    seen them since it started.
    """

    proposal: str
    """Id of the proposal."""
    change: Literal["join", "leave", "weight", "key", "address"]
    """What it changes: "join", "leave", "weight", "key" or "address"."""
    member: str
    """Id of the member it is about."""
    name: str
    """Name of that member."""
    weight: int | None
    """Weight that the member gets; null if the change has none."""
    address: str | None
    """Where the member is reached from then on, as host:port; null if the change has none."""
    key: str | None
    """Id that replaces the member's; null if the change is not of a key."""
    text: str
    """The change in words."""
    by: str | None
    """Id of the member that proposed it; null if the rules of the genesis did."""
    by_name: str
    """Name of that member; empty if the rules of the genesis proposed it."""
    reason: str
    """Why, in the words of who proposed it."""
    state: ProposalState
    """How far it is: "sent" (not ordered yet), "open", "approved", "in force", "dropped" or "refused"."""
    outcome: str
    """Why it was dropped or refused; empty otherwise."""
    votes: list[BallotInfo]
    """The ballots so far, in their order."""
    approve: int
    """Weight of the ballots for it."""
    reject: int
    """Weight of the ballots against it."""
    needs: int
    """Weight that decides: the least that is more than 2/3 of `total`."""
    total: int
    """Weight of all members."""
    ends_s: float | None
    """Seconds of the ledger's clock until it is dropped; null unless it is open."""
    round: int | None
    """Round in which it was ordered; null before that."""
