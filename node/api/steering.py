"""The shape of `GET /steering`: what the swarm needs most, and every number that this follows from."""

from typing import TypedDict


class SignalInfo(TypedDict):
    """One signal of a configuration's weight. Part of `GET /steering`."""

    name: str
    """What it is about, such as "staleness"."""
    value: int
    """0 to 1000."""
    weight: int
    """Its setting, in thousandths."""
    product: int
    """Value x weight."""
    inputs: dict[str, int]
    """What the value was computed from, by name."""


class ShareInfo(TypedDict):
    """The share of a configuration in the swarm's self-play. Part of `GET /steering`. Costs are in evaluations."""

    configuration: str
    """Such as "hex8-2"."""
    signals: list[SignalInfo]
    """The signals that are summed up in its weight."""
    sum: int
    """The sum of their products, at least 1."""
    starvation: int
    """The factor by which the weight is raised where far less was ever delivered than the median; else 1."""
    delivered_ever: int
    """What was ever delivered of it."""
    median_ever: int
    """The lower median of that over all configurations."""
    weight: int
    """Sum x starvation."""
    floor: int
    """The least share, in thousandths."""
    quota: int
    """The largest share, in thousandths."""
    share: int
    """The weight as a share of all weights, but within floor and quota, in thousandths: all together are 1000."""
    delivered: int
    """What was delivered of it in the window."""
    claimed: int
    """What is claimed and not delivered yet."""
    total: int
    """Delivered in the window and claimed, of all configurations."""
    deficit: int
    """Share x total - delivered - claimed: the configuration with the largest one is played next."""


class NeedInfo(TypedDict):
    """What a configuration has and waits for. Part of `GET /steering`."""

    configuration: str
    """Such as "hex8-2"."""
    games: int
    """Counted games so far."""
    new_games: int
    """Of these, games that no candidate was trained on."""
    claimed_games: int
    """Games that are claimed and not delivered yet."""
    training_games: int
    """New games from which on a network is trained."""
    enough_games: int
    """New and claimed games from which on nobody plays more."""
    training: list[str]
    """Names of the members that train now."""
    first_trainers: list[str]
    """Names of the members that are to train first, the best first: the fastest third of those that could train now;
    of machines whose rates are within a tenth, the cheaper ones. Empty if less than two tell their rates."""
    candidates: int
    """Open candidates, whose matches come before everything else."""
    simulations: int
    """Of the search, for each move of the next games."""
    starts_from: str
    """From which model its next training starts, and why from that, in words."""
    paused: list[str]
    """Kinds of work that are paused here: "selfplay", "train" or "match"."""


class WantInfo(TypedDict):
    """What a member does, and what it would claim next by the roles that it tells. Part of `GET /steering`."""

    member: str
    """Id of the member."""
    name: str
    """Its name."""
    roles: list[str]
    """What it tells that it does; empty as long as it told nothing."""
    cost_per_h: int
    """What it tells that an hour of its work costs, in millionths; 0 if it costs nothing."""
    life_s: int | None
    """Seconds that it is still expected to stay; null if unknown."""
    doing: str
    """Its live claims in words; empty if it has none."""
    kind: str
    """The work it would claim next: "match", "rate", "train", "selfplay"; empty if nothing is wanted from it."""
    configuration: str
    """Configuration of that work; empty if there is none."""
    reason: str
    """Why that, or why nothing, in words."""


class SteeringInfo(TypedDict):
    """The answer of `GET /steering`. It follows from the ledger alone, so every level node tells the same."""

    rules: int
    """1: by cost, quality and ratings; 0: by counts of games alone, and then `shares` is empty."""
    window_s: int
    """Seconds of the ledger's clock over which what was delivered is counted."""
    shares: list[ShareInfo]
    """The shares of all configurations, by name."""
    needs: list[NeedInfo]
    """What each configuration has and waits for, by name."""
    wants: list[WantInfo]
    """What each member does and would claim next, this node first."""
