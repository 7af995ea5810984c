"""The shape of the answers to `POST /nominate` and `/import`: an earlier model, or one from elsewhere, is nominated."""

from typing import TypedDict


class NominationInfo(TypedDict):
    """The answer of `POST /nominate` and `POST /import`. `GET /work` shows the candidate once it is ordered."""

    candidate: str
    """Id of the candidate."""
    configuration: str
    """Configuration for which it is nominated, such as "hex8-2"."""
    model: str
    """Digest of its model."""
    incumbent: str
    """Digest of the canonical model, against which it has to win."""
