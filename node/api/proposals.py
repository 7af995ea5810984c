"""The shape of `GET /proposals`: changes of the roster and of what the swarm does, and what members say to them."""

from typing import Literal, TypedDict

ProposalState = Literal["sent", "open", "approved", "in force", "dropped", "refused"]
"""How far a proposal is.

"sent": not ordered yet. "open": members vote. "approved": in force from the next epoch on. "in force". "dropped":
not enough ballots, or none in time. "refused": the ledger did not take it.
"""

AnyChange = Literal["join", "leave", "weight", "key", "address", "set", "add", "pause", "resume"]
"""What can be proposed.

Changes of the roster: a member joins or leaves, or gets another weight, key or address. Changes of what the swarm does:
a setting gets another value, a configuration is added, work pauses or goes on.
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
    """Its weight: in the present roster while members vote, else as it was then."""


class ProposalInfo(TypedDict):
    """One entry of the list that `GET /proposals` answers, and the answer of `POST /propose` and `POST /vote`.

    The list has open proposals, oldest first, then the last 50 that are over, newest first, as far as this node has
    seen them end. Weights are those of the present roster while members vote; later they stay as they were.
    """

    proposal: str
    """Id of the proposal."""
    change: AnyChange
    """What it changes: the roster ("join", "leave", "weight", "key", "address") or what the swarm does ("set", "add",
    "pause", "resume")."""
    member: str
    """Id of the member it is about; empty if it is about none."""
    name: str
    """Name of that member; empty if there is none."""
    weight: int | None
    """Weight that the member gets; null if the change has none."""
    address: str | None
    """Where the member is reached from then on, as host:port; null if the change has none."""
    key: str | None
    """Id that replaces the member's; null if the change is not of a key."""
    new_name: str | None
    """Name by which all nodes know who joins, or goes on with the new key; null if the change has none."""
    setting: str | None
    """Setting that gets another value, such as "selfplay.games"; null if none does."""
    value: str | None
    """That value, as text; null if a configuration loses the value of its own."""
    configuration: str | None
    """Configuration that is added, or the only one the change is about; null if it is about all."""
    work: str | None
    """The only kind of work that pauses or goes on; null if all does."""
    known: bool
    """Whether this program knows what is proposed; if not, this node ends when the proposal passes."""
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
    """Weight that decides: the least that is more than 2/3 of `total`; 0 if an operator decided alone."""
    total: int
    """Weight of all members, at present or when it was decided."""
    ends_s: float | None
    """Seconds of the ledger's clock until it is dropped; null unless it is open."""
    round: int | None
    """Round in which it was ordered; null before that."""
