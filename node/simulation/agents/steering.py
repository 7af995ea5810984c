"""Which rules of the steering hold in a run, and what is neutral in place of each of its weights and thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from consensus.settings import Settings, SteeringSettings

_NEVER_S = 10**6
_NEVER = 10**6

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
        "swing": 0,
        "early_interval": 0,
        "early_floor": 1000,
        "cooldown_s": 0,
        "stall_s": _NEVER_S,
        "slot_s": _NEVER_S,
        "turn_s": 1,
        "regression_permille": 0,
        "stall_trainings": _NEVER,
        "congested": 1000,  # as late as can be
        "relieved": 700,  # no hysteresis
        "custodians": 0,
    }
)
"""For each setting of `SteeringSettings` that an ablation leaves out: the value with which it changes nothing."""


def without_neutral() -> tuple[str, ...]:
    """Return the settings of the steering for which no neutral value is known, so that no ablation leaves them out."""
    return tuple(sorted({item.name for item in fields(SteeringSettings)} - {*NEUTRAL, "rules", "window_s"}))


def with_rules(settings: Settings, rules: int) -> Settings:
    """Return settings with these rules of the steering."""
    return replace(settings, steering=replace(settings.steering, rules=rules))


def without(settings: Settings, names: Iterable[str]) -> Settings:
    """Return settings in which these parts of the steering are neutral."""
    values: dict[str, Any] = {name: NEUTRAL[name] for name in names}
    return replace(settings, steering=replace(settings.steering, **values))
