"""Large boards: what the settings of self-play and training mean on `square19` and `hexagonal`.

A game there takes about ten times as long, so a claim and a training ask for a quarter of the games. A training makes a
quarter of the steps: how a game ends is one fact, however many positions lead to it, and more steps learn it by heart.
A position has hundreds of moves. A search of few simulations that begins with few moves finds good ones by chance
only, and what it teaches makes the policy worse (docs/learning.md, Large boards).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from consensus.settings import LARGEST, Settings

SMALL_BOARD_OF: Mapping[str, str] = MappingProxyType({"square19": "square8", "hexagonal": "hex8"})
"""The small board of the same shape, for each large one."""

_DIVISOR = 4
_CONSIDERED_FACTOR = 2


def is_large(configuration: str) -> bool:
    """Return whether a configuration has a large board."""
    return configuration.partition("-")[0] in SMALL_BOARD_OF


def settings_on(configuration: str, settings: Settings) -> Settings:
    """Return the settings as they apply to a configuration: unchanged, except on large boards.

    There self-play searches with `late_simulations` from the first model on (unless `late_promotions` is 0), and begins
    with twice as many moves. The counts of games and `steps` are a quarter; random games are quick and first networks
    learn from all of them, so `random_games` and `first_steps` are unchanged.
    """
    return _on_large_board(settings) if is_large(configuration) else settings


@lru_cache(maxsize=64)
def _on_large_board(settings: Settings) -> Settings:
    selfplay, training = settings.selfplay, settings.training
    searches = max(selfplay.simulations, selfplay.late_simulations if selfplay.late_promotions > 0 else 0)
    return replace(
        settings,
        selfplay=replace(
            selfplay,
            games=_part(selfplay.games),
            ceiling=_part(selfplay.ceiling),
            simulations=searches,
            considered=min(_CONSIDERED_FACTOR * selfplay.considered, LARGEST),
        ),
        training=replace(
            training,
            games=_part(training.games),
            window=_part(training.window),
            steps=_part(training.steps),
            first_steps=training.first_steps or training.steps,
        ),
    )


def _part(count: int) -> int:
    return max(1, count // _DIVISOR)
