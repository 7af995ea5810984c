"""The table of shares computed a second way: from all shards and promotions, as docs/steering.md says.

What follows from rating games is taken as it is: `tests/consensus/ledger/steering/` has its own tests of that.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import median_low

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Shard
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.steering.regression import regression
from consensus.ledger.steering.velocity import is_above_heuristic, rating_error, velocity

BOARDS = {"square8": (64, 9, "small"), "hex8": (61, 7, "small"), "square19": (361, 9, ""), "hexagonal": (469, 7, "")}
SHAPES = {"square8": "square", "square19": "square", "hex8": "hexagon", "hexagonal": "hexagon"}


def counted(ledger: Ledger, name: str) -> list[Shard]:
    """The shards whose games count: enough others have held them, and nobody has proven them wrong."""
    return [shard for shard in ledger.shards(name) if shard.standing == "counted"]


def plain_shares(weights: dict[str, int], floor: int, quota: int) -> dict[str, int]:
    """By the one factor of all weights with which the clamped shares are 1000 together: it is between two bounds."""
    points = sorted({Fraction(bound, weight) for weight in weights.values() for bound in (floor, quota)})

    def total(factor: Fraction) -> Fraction:
        clamped = [min(max(factor * weight, Fraction(floor)), Fraction(quota)) for weight in weights.values()]
        return sum(clamped, Fraction(0))

    low = max((point for point in points if total(point) <= 1000), default=points[0])
    high = min((point for point in points if total(point) >= 1000), default=points[-1])
    rise = total(high) - total(low)
    factor = low if rise == 0 else low + (high - low) * (1000 - total(low)) / rise
    exact = {name: min(max(factor * weight, Fraction(floor)), Fraction(quota)) for name, weight in weights.items()}
    whole = {name: share.numerator // share.denominator for name, share in exact.items()}
    left = 1000 - sum(whole.values())
    for name in sorted(exact, key=lambda name: (-(exact[name] - whole[name]), name))[:left]:
        whole[name] += 1
    return whole


def plain_table(ledger: Ledger) -> dict[str, tuple[int, int, int, int]]:
    """The weight, share, delivered and claimed cost, and so the deficit, of each configuration."""
    settings = ledger.genesis.settings.steering
    names = ledger.genesis.settings.configurations
    window = settings.window_s * 10**9
    width = window // 16
    now = ledger.clock
    ever = {name: sum(shard.cost for shard in counted(ledger, name)) for name in names}
    recent = {
        name: sum(shard.cost for shard in counted(ledger, name) if shard.clock // width * width > now - window)
        for name in names
    }
    weights = {}
    played = {name: max((shard.clock for shard in counted(ledger, name)), default=0) for name in names}
    promoted = {name: max((entry.place.clock for entry in ledger.promotions(name)), default=0) for name in names}
    games_age, model_age = ({name: (now - then[name]) // 10**9 for name in names} for then in (played, promoted))
    speeds = {name: velocity(ledger, name) for name in names}
    errors = {name: rating_error(ledger, name) for name in names}
    fastest = max(abs(speed) for speed in speeds.values())
    for name in names:
        ages = [1000 * age[name] // max(1, *age.values(), 1) for age in (games_age, model_age)]
        signals = {
            "staleness": sum(ages) // 2,
            "velocity": 500 if fastest == 0 else 500 + math.floor(Fraction(500 * speeds[name], fastest)),
            "curriculum": _curriculum(ledger, name, settings.window_s),
            "quality": 1000 - plain_quality(ledger, name),
            "diversity": 0 if _newest(ledger, name)[0] else 500,  # no two of these games began alike
            "information": 500 if errors[name] is None else min(1000, (errors[name] or 0) // 100),
        }
        weight = sum(value * getattr(settings, signal) for signal, value in signals.items())
        behind = Fraction(ever[name], max(1, median_low(ever.values())))
        factor = 1
        for bound, times in ((5, settings.starved), (10, settings.starving), (20, settings.starved_out)):
            factor = times if behind < Fraction(1, bound) and median_low(ever.values()) else factor
        weights[name] = factor * max(1, weight)
    shares = plain_shares(weights, min(settings.floor, 1000 // len(names)), max(settings.quota, -(-1000 // len(names))))
    claimed = {name: _claimed(ledger, name) for name in names}
    return {name: (weights[name], shares[name], recent[name], claimed[name]) for name in names}


def _newest(ledger: Ledger, name: str) -> tuple[int, int, list[Shard]]:
    """The games and the openings of the newest shards, and these."""
    board = name.split("-")[0]
    wanted = ledger.genesis.settings.training.games // (1 if BOARDS[board][2] else 4)
    kept = counted(ledger, name)
    while kept and sum(shard.games for shard in kept[1:]) >= wanted:
        kept = kept[1:]
    facts = [shard.facts for shard in kept if shard.facts]
    return sum(shard.games for shard in kept), sum(fact.openings for fact in facts), kept


def plain_quality(ledger: Ledger, name: str) -> int:
    """All facts are those of `facts_of` in tests/consensus/ledger/swarm.py: half of the plies searched, for two."""
    games, openings, shards = _newest(ledger, name)
    if games == 0:
        return 500
    plies = sum(shard.plies for shard in shards)
    forced = sum(shard.facts.forced for shard in shards if shard.facts)
    count = int(name[-1])
    guess = 10**6 * (count - 1) // count**2
    parts = [
        200 * 1000,
        100 * (1000 - 1000 * forced // plies),
        200 * (1000 * openings // games),
        100 * 1000,
        250 * (1000 * max(0, guess - 180_000) // guess),
        150 * 1000,
    ]
    confidence = 500 if games < 50 else 750 if games < 500 else 1000
    age = (ledger.clock - max(shard.clock for shard in counted(ledger, name))) // 10**9
    window = ledger.genesis.settings.steering.window_s
    sure = Fraction(confidence * (sum(parts) // 1000) + (1000 - confidence) * 500, 1000)
    return 500 + math.floor((sure - 500) * Fraction(max(0, window - age), window))


def _curriculum(ledger: Ledger, name: str, window: int) -> int:
    total = 0
    for entry in ledger.promotions():
        age = (ledger.clock - entry.place.clock) // 10**9
        if age >= window:
            continue
        rise = (
            min(1000, max(0, 4 * (1000 * entry.score // (entry.blocks * entry.most) - 500))) * (window - age) // window
        )
        (board, players), (other, others) = entry.configuration.split("-"), name.split("-")
        part = 0
        if (SHAPES[board], players) == (SHAPES[other], others):
            part = 800
        elif board == other:
            part = 600
        elif is_above_heuristic(ledger, entry.configuration):
            part = 400
        total += rise if entry.configuration == name else rise * part // 1000
    return min(1000, total) * (1000 - min(1000, regression(ledger, name))) // 1000


def _claimed(ledger: Ledger, name: str) -> int:
    settings = ledger.genesis.settings.selfplay
    configuration = ledger.configuration(name)
    board, *_ = name.split("-")
    size = settings.games if BOARDS[board][2] else settings.games // 4
    left: dict[bytes, int] = {}
    for claim in ledger.claims():
        if (claim.kind, claim.configuration) == ("selfplay", name):
            left[claim.author] = left.get(claim.author, 0) + min(size, claim.amount - claim.delivered)
    news = [shard.author for shard in ledger.shards(name) if shard.clock > ledger.clock - 300 * 10**9]
    games = sum(min(size * (1 + news.count(author)), count) for author, count in left.items())
    plies = -(-configuration.plies // configuration.games) if configuration.games else BOARDS[board][0] * 5 // 2
    return games * plies * plain_ply_cost(ledger, name)


def plain_ply_cost(ledger: Ledger, name: str) -> int:
    """For a network of c16b2, with which an evaluation on hex8 costs 1000."""
    cells, taps, small = BOARDS[name.split("-")[0]]
    configuration = ledger.configuration(name)
    if configuration.model.digest == UNIFORM:
        return 200 * cells // 61
    settings = ledger.genesis.settings.selfplay
    late = settings.late_promotions and (not small or configuration.promotions >= settings.late_promotions)
    simulations = settings.late_simulations if late else settings.simulations
    return simulations * (1000 * cells * taps // (61 * 7))
