"""The shape of the answer to `POST /nominate`: a model that is nominated again."""

from typing import TypedDict


class NominationInfo(TypedDict):
    """The answer of `POST /nominate`. Whether the candidate is open shows in `GET /work`, once it is ordered."""

    candidate: str
    """Id of the candidate."""
    configuration: str
    """Configuration for which it is nominated, such as "hex8-2"."""
    model: str
    """Digest of its model."""
    incumbent: str
    """Digest of the canonical model, against which it has to win."""
