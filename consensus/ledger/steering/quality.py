"""The quality of games, by the facts of their shards: what a training can learn from them, 0 to 1000.

Facts are whole numbers that every trainer computes again (`training.facts`), so a liar cannot make its games look good
for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.ledger.records.entities import Shard
from consensus.ledger.records.entity import replace
from consensus.ledger.steering.signals import FULL, NEUTRAL, SECOND
from consensus.ledger.views import Views
from consensus.settings import players

_MILLION = 1_000_000
_WIDE_POLICY = 1000
"""Policies with so much entropy, in thousandths of a bit, are open enough; below, they have collapsed."""

_WEIGHTS = {"decisive": 200, "choice": 100, "openings": 200, "novelty": 100, "value": 250, "policy": 150}

_CONFIDENCES = ((50, 500), (500, 750))
"""Below so many games, so much of the quality counts, in thousandths."""


@dataclass(frozen=True, kw_only=True)
class GameFacts:
    """The facts of the newest games of a configuration, added up."""

    configuration: str
    games: int
    plies: int
    searched: int
    decisive: int
    forced: int
    openings: int
    duplicates: int
    entropy: int  # mean over the searches, in thousandths of a bit
    value_error: int  # mean over the searches, in millionths


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How good the newest games of a configuration are, with what it was computed from."""

    facts: GameFacts
    parts: tuple[tuple[str, int], ...]  # of 0 to 1000 each
    quality: int  # the weighted sum of the parts
    confidence: int  # in thousandths, by the number of games
    age_s: int  # of the newest games, by the ledger's clock
    adjusted: int  # drawn towards 500 by lack of confidence, and by age


def quality_of(ledger: Views, configuration: str) -> Quality:
    """Return the quality of the newest games of a configuration, as many as a training waits for."""
    fresh = fresh_quality(ledger, configuration)
    return replace(fresh, age_s=_age_s(ledger, configuration), adjusted=adjusted_now(ledger, fresh))


def adjusted_now(ledger: Views, fresh: Quality) -> int:
    """Return the quality adjusted for the age that the games have now."""
    age_s, window_s = _age_s(ledger, fresh.facts.configuration), ledger.settings.steering.window_s
    return adjusted(fresh.quality, fresh.confidence, age_s, window_s)


def _age_s(ledger: Views, configuration: str) -> int:
    return (ledger.clock - ledger.deliveries(configuration).newest) // SECOND


def fresh_quality(ledger: Views, configuration: str) -> Quality:
    """Return the quality as if the newest games had just come; it is computed again when other games come."""
    basis = ledger.safe_mark(configuration), ledger.settings_on(configuration)
    return ledger.recall(_fresh_quality, configuration, basis)


def _fresh_quality(ledger: Views, configuration: str) -> Quality:
    games = ledger.settings_on(configuration).training.games
    facts = sum_up(configuration, newest_shards(ledger, configuration, games))
    parts = parts_of(facts)
    quality, confidence = weighted(parts), confidence_in(facts.games)
    return Quality(
        facts=facts,
        parts=parts,
        quality=quality,
        confidence=confidence,
        age_s=0,
        adjusted=adjusted(quality, confidence, 0, ledger.settings.steering.window_s),
    )


def newest_shards(ledger: Views, configuration: str, games: int) -> list[Shard]:
    """Return the newest counted shards with facts, newest first, up to the one with which they have so many games."""
    chosen: list[Shard] = []
    found = 0
    for shard in reversed(ledger.shards(configuration)):
        if found >= games:
            break
        if shard.standing == "counted" and shard.facts is not None:
            chosen.append(shard)
            found += shard.games
    return chosen


def sum_up(configuration: str, shards: Sequence[Shard]) -> GameFacts:
    """Return the facts of several shards together."""
    facts = [shard.facts for shard in shards if shard.facts is not None]
    searched = sum(fact.searched for fact in facts)
    return GameFacts(
        configuration=configuration,
        games=sum(shard.games for shard in shards),
        plies=sum(shard.plies for shard in shards),
        searched=searched,
        decisive=sum(fact.decisive for fact in facts),
        forced=sum(fact.forced for fact in facts),
        openings=sum(fact.openings for fact in facts),
        duplicates=sum(fact.duplicates for fact in facts),
        entropy=sum(fact.entropy * fact.searched for fact in facts) // max(1, searched),
        value_error=sum(fact.value_error * fact.searched for fact in facts) // max(1, searched),
    )


def parts_of(facts: GameFacts) -> tuple[tuple[str, int], ...]:
    """Return the parts of the quality, of 0 to 1000 each: what is not known counts as 500.

    decisive: games that somebody won. choice: plies that were not forced. openings: different beginnings. novelty:
    games that no other repeats. value: how much better the searches know the winner than equal chances do. policy:
    entropy up to one bit.
    """
    if facts.games == 0:
        return tuple((name, NEUTRAL) for name in _WEIGHTS)
    count = players(facts.configuration)
    guess = _MILLION * (count - 1) // (count * count)  # the error of equal chances
    return (
        ("decisive", FULL * facts.decisive // facts.games),
        ("choice", FULL - FULL * facts.forced // max(1, facts.plies)),
        ("openings", FULL * facts.openings // facts.games),
        ("novelty", FULL - FULL * facts.duplicates // facts.games),
        ("value", FULL * max(0, guess - facts.value_error) // guess if facts.searched else NEUTRAL),
        ("policy", FULL * min(facts.entropy, _WIDE_POLICY) // _WIDE_POLICY if facts.searched else NEUTRAL),
    )


def weighted(parts: Sequence[tuple[str, int]]) -> int:
    """Return the weighted sum of the parts, 0 to 1000."""
    return sum(_WEIGHTS[name] * value for name, value in parts) // FULL


def confidence_in(games: int) -> int:
    """Return how much of the quality of so many games counts, in thousandths."""
    return next((part for most, part in _CONFIDENCES if games < most), FULL)


def adjusted(quality: int, confidence: int, age_s: int, window_s: int) -> int:
    """Return the quality drawn towards 500: by what confidence lacks, then with age, wholly after a window."""
    sure = confidence * quality + (FULL - confidence) * NEUTRAL
    fresh = max(0, window_s - age_s)
    return NEUTRAL + (sure - FULL * NEUTRAL) * fresh // (FULL * max(1, window_s))


def shard_weight(shard: Shard) -> int:
    """Return how much of a shard's games a training takes, in thousandths: half of the worst, all of the best."""
    if shard.facts is None:
        return FULL
    return FULL // 2 + weighted(parts_of(sum_up(shard.configuration, [shard]))) // 2
