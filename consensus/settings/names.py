"""Each setting by its name "section.name": which there are, and what a text means for one."""

from __future__ import annotations

import re
from dataclasses import fields
from fractions import Fraction

from consensus.settings.errors import UnknownSettingError
from consensus.settings.rounds import EpochSettings, MembershipSettings, TimingSettings
from consensus.settings.section import Section, read_fraction
from consensus.settings.steering import SteeringSettings
from consensus.settings.work import MatchSettings, SelfplaySettings, TrainingSettings

SECTIONS: dict[str, type[Section]] = {
    kind.NAME: kind
    for kind in (
        SelfplaySettings,
        TrainingSettings,
        MatchSettings,
        TimingSettings,
        EpochSettings,
        MembershipSettings,
        SteeringSettings,
    )
}
LATER_SECTIONS = frozenset({SteeringSettings.NAME})
"""They came when swarms were in use."""

FIXED = frozenset({TimingSettings.NAME, EpochSettings.NAME, MembershipSettings.NAME, "steering.rules"})
"""Sections and settings about identity, epochs and the rules themselves: they hold as long as the swarm does."""

_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")


def find_setting(setting: str) -> tuple[type[Section], str, object]:
    """Return the section, the name in it and the default of a setting "section.name". Raise UnknownSettingError."""
    section, _, name = setting.partition(".")
    kind = SECTIONS.get(section)
    for item in fields(kind) if kind is not None else ():  # type: ignore[arg-type]  # every Section is a dataclass
        if kind is not None and item.name == name:
            return kind, name, item.default
    raise UnknownSettingError("is not a setting that this program knows", section[:80], name[:80])


def parse_setting(setting: str, text: str) -> object:
    """Return the value that a text means for a setting "section.name".

    Raise UnknownSettingError, and SettingsError if the setting cannot have it, whatever the others are.
    """
    kind, name, default = find_setting(setting)
    value = read_text(default, text)
    kind.check(name, default, value)
    return value


def is_fixed(setting: str) -> bool:
    """Return whether a setting, known or not, holds as long as the swarm does."""
    return setting in FIXED or setting.partition(".")[0] in FIXED


def read_text(default: object, text: str) -> object:
    """Return the value that a text means for a setting with this default; the text where it means none."""
    if isinstance(default, Fraction):
        return read_fraction(text)
    return int(text) if type(default) is int and _WHOLE.fullmatch(text) else text
