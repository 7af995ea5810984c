"""All settings of a swarm, and those that a new one gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from consensus.encoding import Value
from consensus.settings.configurations import players
from consensus.settings.errors import SettingsError
from consensus.settings.names import LATER_SECTIONS, SECTIONS, find_setting, read_text
from consensus.settings.rounds import EpochSettings, MembershipSettings, TimingSettings
from consensus.settings.section import Section
from consensus.settings.steering import SteeringSettings
from consensus.settings.work import MatchSettings, SelfplaySettings, TrainingSettings

SLOTS_LIMIT = 64  # of a match or series with `steering.rules`, of which there are many at once: snapshots have them all


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the members agreed on, except who they are."""

    configurations: tuple[str, ...] = ("hex8-2",)  # sorted, distinct
    selfplay: SelfplaySettings = field(default_factory=SelfplaySettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    match: MatchSettings = field(default_factory=MatchSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    epoch: EpochSettings = field(default_factory=EpochSettings)
    membership: MembershipSettings = field(default_factory=MembershipSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)

    def __post_init__(self) -> None:
        if not self.configurations:
            raise SettingsError("configurations: name at least one, such as hex8-2")
        for configuration in self.configurations:
            players(configuration)
        if self.selfplay.ceiling < self.training.games:
            least = f"training.games ({self.training.games}) or more"
            raise SettingsError(f"must be {least}, not {self.selfplay.ceiling}", "selfplay", "ceiling")
        most_blocks = SLOTS_LIMIT * self.match.slot_blocks
        if self.steering.rules and self.match.block_limit > most_blocks:
            bound = f"{SLOTS_LIMIT} x slot_blocks = {most_blocks} or less"
            raise SettingsError(f"must be {bound}, not {self.match.block_limit}", "match", "block_limit")
        if list(self.configurations) != sorted(set(self.configurations)):
            raise SettingsError("configurations: must be sorted and distinct")

    @property
    def families(self) -> tuple[str, ...]:
        """The architectures that are trained."""
        return self.steering.family_names or (self.training.architecture,)

    def __hash__(self) -> int:
        """Return the hash of everything: computed once, because caches of what follows from settings ask for it."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: hashes of texts differ from process to process."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def with_values(self, values: Mapping[str, str]) -> Settings:
        """Return the settings with other values, each by its name "section.name" and as text such as "64" or "13/20".

        Raise UnknownSettingError, and SettingsError if a value, or all of them together, cannot be used.
        """
        tables: dict[str, dict[str, Any]] = {}
        for setting, text in values.items():
            kind, name, default = find_setting(setting)
            tables.setdefault(kind.NAME, {})[name] = read_text(default, text)
        return replace(self, **{section: replace(getattr(self, section), **table) for section, table in tables.items()})

    def text_of(self, setting: str) -> str:
        """Return the value of a setting as the only text of it that `with_values` is to be given.

        Raise UnknownSettingError.
        """
        kind, name, _ = find_setting(setting)
        return str(getattr(getattr(self, kind.NAME), name))

    def table(self) -> dict[str, Value]:
        """Return all settings as a CBOR map; a section of `LATER_SECTIONS` only if it says something."""
        sections = {name: getattr(self, name).table() for name in SECTIONS}
        table: dict[str, Value] = {
            name: section for name, section in sections.items() if section or name not in LATER_SECTIONS
        }
        table["configurations"] = list(self.configurations)
        return table

    @property
    def is_earlier(self) -> bool:
        """Whether genesis version 3 could say all of this."""
        return all(getattr(self, name).is_earlier for name in SECTIONS)

    @classmethod
    def parse(cls, configurations: object, tables: object) -> Settings:
        """Return settings from configurations in any order and from one table per section.

        Raise SettingsError if they cannot be used.
        """
        return _read(configurations, tables, lambda kind, table: kind.parse(table))

    @classmethod
    def parse_earlier(cls, configurations: object, tables: object) -> Settings:
        """Return what genesis version 3 read where `parse` reads settings. Raise SettingsError as it does."""
        return _read(configurations, tables, lambda kind, table: kind.parse_table(table))

    @classmethod
    def parse_table(cls, table: object) -> Settings:
        """Return the settings of which `table` returned this map. Raise SettingsError if they cannot be used."""
        if not isinstance(table, Mapping):
            raise SettingsError("settings: must be tables")
        sections = {name: section for name, section in table.items() if name != "configurations"}
        return cls.parse_earlier(table.get("configurations"), sections)


def _read(configurations: object, tables: object, read: Callable[[type[Section], object], Section]) -> Settings:
    names: Any = configurations
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SettingsError("configurations: must be a list of names such as hex8-2")
    if not isinstance(tables, Mapping):
        raise SettingsError("settings: must be tables")
    unknown = sorted(str(name) for name in tables if name not in SECTIONS)
    if unknown:
        raise SettingsError(f"unknown table; known are {', '.join(SECTIONS)}", unknown[0][:80])
    sections: dict[str, Any] = {name: read(kind, tables.get(name, {})) for name, kind in SECTIONS.items()}
    return Settings(configurations=tuple(sorted(set(names))), **sections)


NEW_SWARM = Settings(
    training=TrainingSettings(sibling_promotions=4),
    timing=TimingSettings(by_weight=1),
    epoch=EpochSettings(ahead=8),
    membership=MembershipSettings(names=1),
    steering=SteeringSettings(rules=1, stall_trainings=16, custodians=2),
)
"""The settings of a new swarm. A setting that came after others were in use is off where a file does not name it, so
that the swarm of that file goes on; new swarms have it on."""
