"""The share of each configuration in the swarm's self-play, and how far what was delivered lies behind it.

Game counts are no currency, so everything is counted in evaluations (`consensus.ledger.rules.costs`). The weight of a
configuration is the sum of its signals, each times its setting. A share is the weight, clamped between floor and quota,
such that all shares together are 1000. The deficit is share x total - delivered - claimed, within the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from consensus.ledger.records.entities import Configuration, Promotion
from consensus.ledger.steering import signals
from consensus.ledger.steering.amounts import expected_games, mean_plies
from consensus.ledger.steering.quality import Quality, adjusted_now, fresh_quality
from consensus.ledger.steering.regression import regression
from consensus.ledger.steering.signals import FULL, SECOND, Ages, Origin, Rise, Signal
from consensus.ledger.steering.velocity import is_above_heuristic, rating_error, velocity
from consensus.ledger.views import Views
from consensus.settings import SteeringSettings

_SIGNALS = ("staleness", "velocity", "curriculum", "quality", "diversity", "information")
"""Each weighs what the setting of its name says."""


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
        return _deficit(self.share, self.total, self.delivered + self.claimed)


@dataclass(frozen=True)
class ShareBounds:
    """The least and the largest share, in thousandths."""

    floor: int
    quota: int


@dataclass(frozen=True)
class _Facts:
    """What the signals of a configuration follow from, besides promotions elsewhere."""

    ages: Ages
    speed: int
    lost: int  # by a regression, thousandths
    error: int | None  # of the rating
    quality: Quality  # as if the newest games had just come
    adjusted: int  # the quality as it is now


@dataclass(frozen=True, kw_only=True)
class _Sums:
    """Everything of the table that members choose by, by configuration; `_explained` adds the inputs for people."""

    facts: Mapping[str, _Facts]
    oldest: Ages
    fastest: int
    values: Mapping[str, tuple[int, ...]]  # of the signals, in the order of `_SIGNALS`
    costs: Mapping[str, int]
    median: int
    factors: Mapping[str, int]
    weights: Mapping[str, int]
    shares: Mapping[str, int]
    delivered: Mapping[str, int]
    claimed: Mapping[str, int]
    total: int


def deficits(ledger: Views) -> dict[str, int]:
    """Return by name what is missing to the share of each configuration; negative if it got more."""
    sums = ledger.remember(_sums)
    return {
        name: _deficit(share, sums.total, sums.delivered[name] + sums.claimed[name])
        for name, share in sums.shares.items()
    }


def table(ledger: Views) -> tuple[ConfigurationShare, ...]:
    """Return the shares of all configurations, by name, with all that they follow from."""
    sums, settings = ledger.remember(_sums), ledger.settings.steering
    rises = _rises(ledger, settings.window_s)
    bounds = bounds_for(len(sums.weights), settings)
    return tuple(
        ConfigurationShare(
            configuration=name,
            signals=_explained(name, sums, rises, settings),
            delivered_ever=sums.costs[name],
            median_ever=sums.median,
            starvation=sums.factors[name],
            weight=weight,
            floor=bounds.floor,
            quota=bounds.quota,
            share=sums.shares[name],
            delivered=sums.delivered[name],
            claimed=sums.claimed[name],
            total=sums.total,
        )
        for name, weight in sorted(sums.weights.items())
    )


def _sums(ledger: Views) -> _Sums:
    settings = ledger.settings.steering
    names = [entry.name for entry in ledger.configurations()]
    costs = {name: ledger.deliveries(name).cost for name in names}
    median = lower_median(list(costs.values()))
    factors = {name: starvation(costs[name], median, settings) for name in names}
    facts = {entry.name: _facts(ledger, entry) for entry in ledger.configurations()}
    oldest = Ages(max(fact.ages.games for fact in facts.values()), max(fact.ages.model for fact in facts.values()))
    fastest = max(abs(fact.speed) for fact in facts.values())
    raised = signals.raised(names, _worths(ledger, settings.window_s))
    values = {name: _values(fact, oldest, fastest, raised[name]) for name, fact in facts.items()}
    own_weights = [getattr(settings, signal) for signal in _SIGNALS]
    weights = {name: factors[name] * max(1, sum(map(mul, values[name], own_weights))) for name in names}
    window_ns = settings.window_s * 10**9
    delivered = {name: ledger.deliveries(name).within(ledger.clock, window_ns)[0] for name in names}
    claimed = claimed_costs(ledger)
    return _Sums(
        facts=facts,
        oldest=oldest,
        fastest=fastest,
        values=values,
        costs=costs,
        median=median,
        factors=factors,
        weights=weights,
        shares=shares_of(weights, bounds_for(len(names), settings)),
        delivered=delivered,
        claimed=claimed,
        total=sum(delivered.values()) + sum(claimed.values()),
    )


def _deficit(share: int, total: int, got: int) -> int:
    return share * total // FULL - got


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


def _facts(ledger: Views, configuration: Configuration) -> _Facts:
    name = configuration.name
    quality = fresh_quality(ledger, name)
    return _Facts(
        _ages(ledger, configuration),
        velocity(ledger, name),
        regression(ledger, name),
        rating_error(ledger, name),
        quality,
        adjusted_now(ledger, quality),
    )


def _values(facts: _Facts, oldest: Ages, fastest: int, raised: int) -> tuple[int, ...]:
    """Return the values of the signals of a configuration, in the order of `_SIGNALS`."""
    games = facts.quality.facts
    return (
        signals.staleness(facts.ages, oldest),
        signals.velocity_signal(facts.speed, fastest),
        signals.curriculum(raised, facts.lost),
        FULL - facts.adjusted,
        signals.diversity(games.openings, games.games),
        signals.information(facts.error),
    )


def _explained(name: str, sums: _Sums, rises: Sequence[Rise], settings: SteeringSettings) -> tuple[Signal, ...]:
    """Return the signals of a configuration with their inputs."""
    facts = sums.facts[name]
    ages, quality, games = facts.ages, facts.quality, facts.quality.facts
    inputs: dict[str, tuple[tuple[str, int], ...]] = {
        "staleness": (
            ("games_age_s", ages.games),
            ("oldest_games_age_s", sums.oldest.games),
            ("model_age_s", ages.model),
            ("oldest_model_age_s", sums.oldest.model),
        ),
        "velocity": (("velocity", facts.speed), ("fastest", sums.fastest)),
        "curriculum": (*signals.parts_of_curriculum(name, rises), ("regression", facts.lost)),
        "quality": (
            ("quality", quality.quality),
            ("confidence", quality.confidence),
            ("age_s", ages.games),
            *quality.parts,
        ),
        "diversity": (("openings", games.openings), ("games", games.games)),
        "information": () if facts.error is None else (("error", facts.error),),
    }
    return tuple(
        Signal(signal, value, getattr(settings, signal), inputs[signal])
        for signal, value in zip(_SIGNALS, sums.values[name], strict=True)
    )


def _ages(ledger: Views, configuration: Configuration) -> Ages:
    promotion = None if configuration.statement is None else ledger.promotion(configuration.statement)
    since = 0 if promotion is None else promotion.place.clock
    games = ledger.clock - ledger.deliveries(configuration.name).newest
    return Ages(games // SECOND, (ledger.clock - since) // SECOND)


def _worths(ledger: Views, window_s: int) -> dict[Origin, list[int]]:
    """Return what the promotions of the window are worth, by their configurations."""
    worths: dict[Origin, list[int]] = {}
    clock = ledger.clock
    above: dict[str, bool] = {}
    for promotion in _promotions(ledger, window_s):
        name = promotion.configuration
        if name not in above:
            above[name] = is_above_heuristic(ledger, name)
        worth = signals.worth(_beyond(promotion), (clock - promotion.place.clock) // SECOND, window_s)
        worths.setdefault((name, above[name]), []).append(worth)
    return worths


def _rises(ledger: Views, window_s: int) -> tuple[Rise, ...]:
    """Return the promotions of the window as people read them, oldest first."""
    return tuple(
        Rise(
            promotion.configuration,
            promotion.number,
            _beyond(promotion),
            (ledger.clock - promotion.place.clock) // SECOND,
            is_above_heuristic(ledger, promotion.configuration),
            window_s,
        )
        for promotion in _promotions(ledger, window_s)
    )


def _promotions(ledger: Views, window_s: int) -> list[Promotion]:
    since = ledger.clock - window_s * SECOND
    return [promotion for promotion in ledger.promotions() if promotion.place.clock > since]


def _beyond(promotion: Promotion) -> int:
    """Return the part of the points above one half, in thousandths."""
    return FULL * promotion.score // max(1, promotion.blocks * promotion.most) - FULL // 2
