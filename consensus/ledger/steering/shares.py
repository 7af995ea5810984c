"""The share of each configuration in the swarm's self-play, and how far what was delivered lies behind it.

Game counts are no currency, so everything is counted in evaluations (`consensus.ledger.rules.costs`). The weight of a
configuration is the sum of its signals, each times its setting. A share is the weight, clamped between floor and quota,
such that all shares together are 1000. The deficit is share x total - delivered - claimed, within the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consensus.ledger.records.entities import Configuration
from consensus.ledger.steering import signals
from consensus.ledger.steering.amounts import expected_games, mean_plies
from consensus.ledger.steering.quality import quality_of
from consensus.ledger.steering.regression import regression
from consensus.ledger.steering.signals import FULL, SECOND, Ages, Rise, Signal
from consensus.ledger.steering.velocity import is_above_heuristic, rating_error, velocity
from consensus.ledger.views import Views
from consensus.settings import SteeringSettings


@dataclass(frozen=True, kw_only=True)
class ConfigurationShare:
    """The share of a configuration, with every input of every number. Costs are thousandths of an evaluation."""

    configuration: str
    signals: tuple[Signal, ...]
    delivered_ever: int
    median_ever: int  # of all configurations
    starvation: int  # factor of the weight, 1 or more
    weight: int
    floor: int  # thousandths, like the next two
    quota: int
    share: int
    delivered: int  # in the window
    claimed: int
    total: int  # delivered and claimed of all configurations

    @property
    def deficit(self) -> int:
        """What is missing to its share; negative if it got more."""
        return self.share * self.total // FULL - self.delivered - self.claimed


@dataclass(frozen=True)
class ShareBounds:
    """The least and the largest share, in thousandths."""

    floor: int
    quota: int


def table(ledger: Views) -> tuple[ConfigurationShare, ...]:
    """Return the shares of all configurations, by name."""
    return ledger.remember(_table)


def _table(ledger: Views) -> tuple[ConfigurationShare, ...]:
    settings = ledger.settings.steering
    entries = ledger.configurations()
    names = [entry.name for entry in entries]
    costs = {name: ledger.deliveries(name).cost for name in names}
    median = lower_median(list(costs.values()))
    factors = {name: starvation(costs[name], median, settings) for name in names}
    found = _signals(ledger, entries)
    weights = {name: factors[name] * weight_of(found[name]) for name in names}
    bounds = bounds_for(len(names), settings)
    shares = shares_of(weights, bounds)
    window_ns = settings.window_s * 10**9
    delivered = {name: ledger.deliveries(name).within(ledger.clock, window_ns)[0] for name in names}
    claimed = claimed_costs(ledger)
    total = sum(delivered.values()) + sum(claimed.values())
    return tuple(
        ConfigurationShare(
            configuration=name,
            signals=found[name],
            delivered_ever=costs[name],
            median_ever=median,
            starvation=factors[name],
            weight=weights[name],
            floor=bounds.floor,
            quota=bounds.quota,
            share=shares[name],
            delivered=delivered[name],
            claimed=claimed[name],
            total=total,
        )
        for name in names
    )


def deficits(ledger: Views) -> dict[str, int]:
    """Return by name what is missing to the share of each configuration; negative if it got more."""
    return {entry.configuration: entry.deficit for entry in table(ledger)}


def weight_of(found: Sequence[Signal]) -> int:
    """Return the sum of the signals, each times its weight; at least 1."""
    return max(1, sum(signal.value * signal.weight for signal in found))


def lower_median(values: Sequence[int]) -> int:
    """Return the middle one of some numbers, the lower one of two."""
    return sorted(values)[(len(values) - 1) // 2]


def starvation(cost: int, median: int, settings: SteeringSettings) -> int:
    """Return the factor of the weight where far less was ever delivered than the median."""
    if 20 * cost < median:
        return settings.starved_out
    if 10 * cost < median:
        return settings.starving
    return settings.starved if 5 * cost < median else 1


def bounds_for(count: int, settings: SteeringSettings) -> ShareBounds:
    """Return floor and quota of so many configurations: at least as wide that the shares can fill the whole."""
    return ShareBounds(min(settings.floor, FULL // count), max(settings.quota, -(-FULL // count)))


def shares_of(weights: Mapping[str, int], bounds: ShareBounds) -> dict[str, int]:
    """Return shares in thousandths, FULL together: in proportion to the weights (1 or more), but within the bounds.

    Where a proportional share is out of bounds, it is put on its bound, and the others share the rest: first those that
    are below, if raising them takes more than the others leave, else those that are above.
    """
    fixed: dict[str, int] = {}
    while len(fixed) < len(weights):
        free = [name for name in weights if name not in fixed]
        rest, whole = FULL - sum(fixed.values()), sum(weights[name] for name in free)
        wanted = {name: rest * weights[name] for name in free}  # each time `whole`, so that all are whole numbers
        floor, quota = bounds.floor * whole, bounds.quota * whole
        low = [name for name in free if wanted[name] < floor]
        high = [name for name in free if wanted[name] > quota]
        if not low and not high:
            return fixed | rounded(wanted, whole, rest)
        raised = sum(floor - wanted[name] for name in low)
        lowered = sum(wanted[name] - quota for name in high)
        if raised >= lowered:
            fixed |= dict.fromkeys(low, bounds.floor)
        if lowered >= raised:
            fixed |= dict.fromkeys(high, bounds.quota)
    return fixed


def rounded(wanted: Mapping[str, int], whole: int, total: int) -> dict[str, int]:
    """Return `wanted` / `whole` as whole numbers with this sum: what is left goes to the largest remainders, by name.

    All of `wanted` are 0 or more.
    """
    shares = {name: share // whole for name, share in wanted.items()}
    order = sorted(wanted, key=lambda name: (-(wanted[name] % whole), name))
    for name in order[: total - sum(shares.values())]:
        shares[name] += 1
    return shares


def claimed_costs(ledger: Views) -> dict[str, int]:
    """Return what claimed games will cost that are not delivered yet, by configuration (`expected_games`)."""
    expected = expected_games(ledger)
    return {
        entry.name: expected[entry.name] * mean_plies(entry) * ledger.budget(entry.name).ply_cost
        for entry in ledger.configurations()
    }


def _signals(ledger: Views, entries: Sequence[Configuration]) -> dict[str, tuple[Signal, ...]]:
    """Return the signals of each configuration."""
    settings = ledger.settings.steering
    ages = {entry.name: _ages(ledger, entry) for entry in entries}
    oldest = Ages(max(age.games for age in ages.values()), max(age.model for age in ages.values()))
    speeds = {entry.name: velocity(ledger, entry.name) for entry in entries}
    fastest = max(abs(speed) for speed in speeds.values())
    rises = _rises(ledger, settings.window_s)
    found: dict[str, tuple[Signal, ...]] = {}
    for name, age in ages.items():
        lost, error, good = regression(ledger, name), rating_error(ledger, name), quality_of(ledger, name)
        raised = signals.parts_of_curriculum(name, rises)
        found[name] = (
            Signal(
                "staleness",
                signals.staleness(age, oldest),
                settings.staleness,
                (
                    ("games_age_s", age.games),
                    ("oldest_games_age_s", oldest.games),
                    ("model_age_s", age.model),
                    ("oldest_model_age_s", oldest.model),
                ),
            ),
            Signal(
                "velocity",
                signals.velocity_signal(speeds[name], fastest),
                settings.velocity,
                (("velocity", speeds[name]), ("fastest", fastest)),
            ),
            Signal(
                "curriculum",
                signals.curriculum(raised, lost),
                settings.curriculum,
                (*raised, ("regression", lost)),
            ),
            Signal(
                "quality",
                FULL - good.adjusted,
                settings.quality,
                (("quality", good.quality), ("confidence", good.confidence), ("age_s", good.age_s), *good.parts),
            ),
            Signal(
                "diversity",
                signals.diversity(good.facts.openings, good.facts.games),
                settings.diversity,
                (("openings", good.facts.openings), ("games", good.facts.games)),
            ),
            Signal(
                "information",
                signals.information(error),
                settings.information,
                () if error is None else (("error", error),),
            ),
        )
    return found


def _ages(ledger: Views, configuration: Configuration) -> Ages:
    promotion = None if configuration.statement is None else ledger.promotion(configuration.statement)
    since = 0 if promotion is None else promotion.place.clock
    games = ledger.clock - ledger.deliveries(configuration.name).newest
    return Ages(games // SECOND, (ledger.clock - since) // SECOND)


def _rises(ledger: Views, window_s: int) -> tuple[Rise, ...]:
    """Return the promotions of the window, oldest first."""
    above = {entry.name: is_above_heuristic(ledger, entry.name) for entry in ledger.configurations()}
    return tuple(
        Rise(
            promotion.configuration,
            promotion.number,
            FULL * promotion.score // max(1, promotion.blocks * promotion.most) - FULL // 2,
            (ledger.clock - promotion.place.clock) // SECOND,
            above[promotion.configuration],
            window_s,
        )
        for promotion in ledger.promotions()
        if ledger.clock - promotion.place.clock < window_s * SECOND
    )
