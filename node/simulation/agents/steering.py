"""Which rules of the steering hold in a run, and what is neutral in place of each of its weights and thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from consensus.settings import Settings

NEUTRAL: Mapping[str, int] = MappingProxyType(
    {
        "floor": 0,
        "quota": 1000,
        "staleness": 0,
        "velocity": 0,
        "curriculum": 0,
        "quality": 0,
        "diversity": 0,
        "information": 0,
        "starved": 1,
        "starving": 1,
        "starved_out": 1,
    }
)
"""For each setting of `SteeringSettings` that an ablation leaves out: the value with which it changes nothing."""


def with_rules(settings: Settings, rules: int) -> Settings:
    """Return settings with these rules of the steering."""
    return replace(settings, steering=replace(settings.steering, rules=rules))


def without(settings: Settings, names: Iterable[str]) -> Settings:
    """Return settings in which these parts of the steering are neutral."""
    return replace(settings, steering=replace(settings.steering, **{name: NEUTRAL[name] for name in names}))
