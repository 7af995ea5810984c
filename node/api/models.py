"""The shape of `GET /models`: the models that are or were canonical."""

from typing import TypedDict


class ModelInfo(TypedDict):
    """One entry of the list that `GET /models` answers: a model that is or was canonical.

    The list is by configuration, then oldest first.
    """

    model: str
    """Digest of the model."""
    configuration: str
    """Configuration it plays, such as "hex8-2"."""
    canonical: bool
    """Whether it is the canonical model now."""
    since_round: int
    """Round that promoted it; 0 for the built-in uniform model."""
    time: int
    """Consensus time of the promotion, nanoseconds since 1970; 0 for the uniform model."""
    parent: str | None
    """Digest of the model its training began with: that of the uniform model if it began with random weights.

    Null for the uniform model, and if who nominated it does not say.
    """
    candidate: str | None
    """Id it had as a candidate; null for the uniform model."""
    member: str | None
    """Id of the member that trained it; null for the uniform model."""
    name: str | None
    """Name of that member; null for the uniform model."""
    certificate: str | None
    """Id of its certificate; null until enough members have sealed it, and for the uniform model."""
    measures: dict[str, int]
    """What its trainer measured, whole numbers by name; empty if nothing. Nobody else has checked them.

    `value_correlation_1` to `value_correlation_4`: correlation of its value with the winner in each quarter of held-out
    games, in millionths. `brier`: Brier score of its value there, in millionths. `policy_vs_search_16`: share of the
    points of its policy alone against its search with 16 simulations, in millionths; `search_64_vs_16`: likewise of 64
    simulations against 16. `held_out_games`: number of those games. `outcome_games`: games of matches and series that
    it learned from.
    """
