"""The shapes of what a person can make a node do with `POST`.

Such a request needs the header `x-ringrift-token` with the token in the node's data folder (see
`node.api.endpoint`) and the content type application/json; requests from web pages are refused.
"""

from typing import Literal, NotRequired, TypedDict


class ProposeRequest(TypedDict):
    """The body of `POST /propose`: this node proposes a change of the roster. The answer is a `ProposalInfo`."""

    change: Literal["join", "leave", "weight", "key", "address"]
    """What is to change: "join", "leave", "weight", "key" or "address"."""
    member: str
    """Whom it is about: for "join" the newcomer's whole id, else a name, an id or the beginning of an id."""
    reason: str
    """Why, in one line for those who vote."""
    weight: NotRequired[int]
    """Weight the member gets; needed for "join" and "weight"."""
    address: NotRequired[str]
    """Where the member is reached, as host:port; needed for "join" and "address", possible for "key"."""
    key: NotRequired[str]
    """Id of the new key; needed for "key"."""


class VoteRequest(TypedDict):
    """The body of `POST /vote`: this node votes on an open proposal. The answer is a `ProposalInfo`."""

    proposal: str
    """Id of the proposal, or the beginning of it."""
    approve: bool
    """Whether to vote for it."""
