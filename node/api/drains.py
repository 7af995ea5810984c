"""The shape of the answer to `POST /drain`: a node that ends its work, and then itself."""

from typing import TypedDict


class DrainInfo(TypedDict):
    """The answer of `POST /drain`, whose body is an empty object. The node has taken no more work since."""

    bound_s: float
    """Seconds within which the node ends."""
