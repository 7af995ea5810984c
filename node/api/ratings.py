"""The shape of `GET /ratings`: how strong the models are that are or were canonical."""

from typing import TypedDict


class RatingInfo(TypedDict):
    """One entry of the list that `GET /ratings` answers: a player of a configuration, and its rating.

    The list is by configuration, then by settings, the newest first, then the best player first. It is empty without
    `steering.rules`, or before anything was played.
    """

    configuration: str
    """Configuration in which it played, such as "hex8-2"."""
    simulations: int
    """Simulations of the searches in these games. Games with other settings are rated by themselves."""
    player: str
    """How it plays: "search" or "policy" with a model, "heuristic" or "random" without one."""
    model: str | None
    """Digest of the model; null for a player without one."""
    number: int | None
    """Number of the promotion that made the model canonical the last time; null for a player without one."""
    canonical: bool
    """Whether it is the canonical model now."""
    rating: float
    """Points; the heuristic has 1500, and 400 points are odds of 10 to 1 against one opponent."""
    error: float
    """Standard error of the rating, if all games are independent; 0 for the heuristic."""
    blocks: int
    """Blocks of games that count."""
    stalled: bool
    """Whether the configuration has stalled: nothing was gained beyond the error for what some trainings cost."""
    weaker: bool
    """Whether the canonical model counts as weaker than an earlier one, so that this one is nominated."""
