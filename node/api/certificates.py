"""The shape of `GET /certificates`: the certificates of promotions, complete or being sealed."""

from typing import TypedDict


class CertificateInfo(TypedDict):
    """One entry of the list that `GET /certificates` answers: a promotion's certificate, complete or being sealed.

    The list is oldest first. `GET /certificates/<id>` serves a complete one: a DSSE envelope in JSON, byte for byte.
    """

    id: str
    """Id of the certificate: the digest of its statement."""
    configuration: str
    """Configuration of the promotion."""
    model: str
    """Digest of the promoted model."""
    parent: str | None
    """Digest of the canonical model it replaced."""
    round: int
    """Round of the promotion."""
    time: int
    """Consensus time of the promotion, nanoseconds since 1970."""
    seals: int
    """Number of members whose seals it has; a complete one has those that completed it, and no later ones."""
    sealed: int
    """Weight of these members."""
    weight: int
    """Weight of all members of the roster that seals it."""
    missing: list[str]
    """Names of the members whose seals it does not have."""
    complete: bool
    """Whether it has the seals of more than 2/3 of that weight."""
