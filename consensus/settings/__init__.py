"""The settings that all nodes of a swarm share. They are part of the genesis and determine what the ledger does."""

from consensus.settings.configurations import CONFIGURATION, players
from consensus.settings.errors import SettingsError, UnknownSettingError, format_value
from consensus.settings.names import SECTIONS, find_setting, is_fixed, parse_setting
from consensus.settings.rounds import LEAST_AHEAD, ROUNDS_LIMIT, EpochSettings, MembershipSettings, TimingSettings
from consensus.settings.section import LARGEST, LONGEST_S, Section
from consensus.settings.settings import NEW_SWARM, Settings
from consensus.settings.steering import THOUSAND, SteeringSettings
from consensus.settings.work import SHARD_GAMES, MatchSettings, SelfplaySettings, TrainingSettings

__all__ = [
    "CONFIGURATION",
    "LARGEST",
    "LEAST_AHEAD",
    "LONGEST_S",
    "NEW_SWARM",
    "ROUNDS_LIMIT",
    "SECTIONS",
    "SHARD_GAMES",
    "THOUSAND",
    "EpochSettings",
    "MatchSettings",
    "MembershipSettings",
    "Section",
    "SelfplaySettings",
    "Settings",
    "SettingsError",
    "SteeringSettings",
    "TimingSettings",
    "TrainingSettings",
    "UnknownSettingError",
    "find_setting",
    "format_value",
    "is_fixed",
    "parse_setting",
    "players",
]
