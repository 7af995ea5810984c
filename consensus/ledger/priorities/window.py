"""The shards that a training takes: the newest that together fill its window."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from consensus.ledger.ledger import Ledger
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Shard
from consensus.ledger.records.transactions import SHARDS_LIMIT, UNIFORM
from consensus.settings import THOUSAND, TrainingSettings

_RANDOM_UNTIL = 2
"""Random games are trained on until games of models are there for so many trainings; then they hide what is better."""


def training_shards(
    ledger: Ledger, configuration: str, lost: Collection[bytes] = (), version: int | None = None
) -> tuple[Shard, ...]:
    """Return the shards that a training takes (`training_window`) with settings of a version, oldest first.

    Those in `lost` are skipped: older ones take their place. Where the first network was a sibling's, random games are
    skipped: they teach it nothing.
    """
    kept = ledger.shards(configuration)
    shards = [shard for shard in kept if shard.standing == "counted" and shard.digest not in lost]
    if _began_with_sibling(ledger, configuration):
        shards = [shard for shard in shards if shard.model != UNIFORM]
    sizes = [(shard.games, shard.model == UNIFORM) for shard in shards]
    settings = ledger.settings_on(configuration, version).training
    return tuple(shards[place] for place in training_window(settings, sizes))


def training_outcomes(
    ledger: Ledger,
    configuration: str,
    shards: Sequence[Shard],
    lost: Collection[bytes] = (),
    version: int | None = None,
) -> tuple[SlotReport, ...]:
    """Return the newest results whose games a training learns from besides those of these shards, oldest first.

    They have no more than `outcome_share` of the games of the shards, random ones not counted. Those whose games are in
    `lost` are skipped.
    """
    share = ledger.settings_on(configuration, version).steering.outcome_share
    left = sum(shard.games for shard in shards if shard.model != UNIFORM) * share // THOUSAND
    chosen: list[SlotReport] = []
    for report in reversed(ledger.outcomes(configuration)):
        if report.result.games > left:
            break
        if report.result.blob not in lost:
            chosen.append(report)
            left -= report.result.games
    return tuple(chosen[::-1])


def training_window(settings: TrainingSettings, shards: Sequence[tuple[int, bool]]) -> list[int]:
    """Return the places of the newest shards that together fill the training window; random games leave it early.

    There are at most as many as a candidate may name.

    Args:
        settings: `window` and `games` count.
        shards: (games, whether they are random) of each shard, oldest first.
    """
    chosen: list[int] = []
    games = games_of_models = 0
    for place in reversed(range(len(shards))):
        count, is_random = shards[place]
        if games >= settings.window or len(chosen) == SHARDS_LIMIT:
            break
        if is_random and games_of_models >= _RANDOM_UNTIL * settings.games:
            continue
        chosen.append(place)
        games += count
        games_of_models += 0 if is_random else count
    return chosen[::-1]


def _began_with_sibling(ledger: Ledger, name: str) -> bool:
    """Return whether the first promoted model of a configuration was a sibling's."""
    own = ledger.promotions(name)
    if not own:
        return False
    parent = own[0].model.parent
    return any(entry.model.digest == parent for entry in ledger.promotions() if entry.configuration != name)
