"""When a configuration has games enough for the next training: quality moves the threshold, certainty comes early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consensus.ledger.records.entities import Configuration
from consensus.ledger.steering.amounts import enough_games, games_of_training, plays_at_random
from consensus.ledger.steering.quality import adjusted_now, fresh_quality, newest_shards
from consensus.ledger.steering.signals import FULL, NEUTRAL, SECOND
from consensus.ledger.steering.velocity import velocity
from consensus.ledger.views import Views
from consensus.settings import Settings

_LEAST_SHARDS = 4
"""So many means of the value error show how much they differ."""


@dataclass(frozen=True, kw_only=True)
class TrainingDue:
    """Whether a configuration should be trained now, with every input."""

    new_games: int
    base: int  # the threshold by the settings
    quality: int  # adjusted, 0 to 1000
    needed: int  # the threshold moved by quality
    floor: int  # new games from which training may start early
    is_certain: bool  # the value error is known so well that more games tell little
    rest_s: int  # what is left of the cooldown, seconds

    @property
    def is_due(self) -> bool:
        """Whether there are games enough, and the last training lies back far enough."""
        has_games = self.new_games >= self.needed or (self.is_certain and self.new_games >= self.floor)
        return has_games and self.rest_s == 0


def training_due(ledger: Views, configuration: Configuration) -> TrainingDue:
    """Return whether a configuration should be trained now. Random games are trained on when all are there."""
    return ledger.remember(_training_due, configuration.name)


def _training_due(ledger: Views, name: str) -> TrainingDue:
    configuration, settings = ledger.configuration(name), ledger.settings_on(name)
    steering, base = settings.steering, games_of_training(settings, configuration)
    if plays_at_random(settings, configuration):
        return TrainingDue(
            new_games=configuration.new_games,
            base=base,
            quality=NEUTRAL,
            needed=base,
            floor=base,
            is_certain=False,
            rest_s=0,
        )
    quality = adjusted_now(ledger, fresh_quality(ledger, name))
    needed = min(threshold(base, quality, steering.swing), enough_games(settings, configuration))
    return TrainingDue(
        new_games=configuration.new_games,
        base=base,
        quality=quality,
        needed=needed,
        floor=needed * steering.early_floor // FULL,
        is_certain=ledger.recall(_is_certain, name, (ledger.safe_mark(name), configuration, settings)),
        rest_s=_rest_s(ledger, name, steering.cooldown_s),
    )


def _is_certain(ledger: Views, name: str) -> bool:
    errors = [
        shard.facts.value_error
        for shard in newest_shards(ledger, name, ledger.configuration(name).new_games)
        if shard.facts is not None and shard.facts.searched
    ]
    return is_certain(errors, ledger.settings_on(name).steering.early_interval)


def has_enough_games(ledger: Views, settings: Settings, configuration: Configuration) -> bool:
    """Return whether a configuration should be trained, as far as its games are concerned."""
    if settings.steering.rules:
        is_possible = configuration.new_games >= _least_games(settings, configuration)
        return is_possible and training_due(ledger, configuration).is_due
    return configuration.new_games >= games_of_training(settings, configuration)


def _least_games(settings: Settings, configuration: Configuration) -> int:
    """Return the new games with which a training may be due if they are as good and as certain as can be."""
    base, steering = games_of_training(settings, configuration), settings.steering
    if plays_at_random(settings, configuration):
        return base
    needed = min(threshold(base, FULL, steering.swing), enough_games(settings, configuration))
    return needed * min(FULL, steering.early_floor) // FULL


def threshold(base: int, quality: int, swing: int) -> int:
    """Return the games that a training needs: fewer of good ones, more of bad ones, by up to `swing` thousandths."""
    return max(1, base * (FULL * NEUTRAL + swing * (NEUTRAL - quality)) // (FULL * NEUTRAL))


def is_certain(errors: Sequence[int], interval: int) -> bool:
    """Return whether two standard errors of the mean are within `interval` thousandths of it.

    With n shards that is 4 S / (n (n - 1)) <= (interval / 1000)^2 m^2, where S is the sum of the squares of what they
    differ from their mean m by.
    """
    count = len(errors)
    if count < _LEAST_SHARDS or interval == 0:
        return False
    total = sum(errors)
    squares = sum((count * error - total) ** 2 for error in errors)  # S x n^2
    return 4 * squares * FULL**2 <= (interval * total) ** 2 * count * (count - 1)


def _rest_s(ledger: Views, name: str, cooldown_s: int) -> int:
    """Return the seconds of the cooldown since the last candidate that are left; half of it while rating is gained."""
    end = ledger.recall(_end, name, (ledger.promotions(name), ledger.closed_candidates()))
    if end is None:
        return 0
    passed_s = (ledger.clock - end) // SECOND
    if passed_s >= cooldown_s:  # mostly
        return 0
    return max(0, (cooldown_s // 2 if velocity(ledger, name) > 0 else cooldown_s) - passed_s)


def _end(ledger: Views, name: str) -> int | None:
    """Return the clock when the last candidate of a configuration was promoted or closed, ns; None: none was."""
    closed = (entry.place for entry in ledger.closed_candidates() if entry.configuration == name)
    ends = [*(entry.place for entry in ledger.promotions(name)), *closed]
    return max((place.clock for place in ends), default=None)
