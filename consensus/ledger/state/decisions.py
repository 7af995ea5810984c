"""The settings in force and what is paused, as tables of the ledger; the rules for them are `rules.decisions`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from consensus.encoding import Decoded, Value
from consensus.ledger.records.decisions import Adopted, OutdatedError, Scope, SettingKey
from consensus.ledger.records.entity import ShapeError, parse_value
from consensus.settings import CONFIGURATION, Settings, SettingsError, UnknownSettingError, find_setting

HISTORY_KEPT = 256  # changes of settings, and as many pauses; of older ones only the hash is kept


class DecisionTables:
    """What the members have decided since the genesis, and what follows from it."""

    def __init__(self, founding: Settings) -> None:
        self.founding = founding
        self.settings = founding  # in force for the whole swarm
        self.in_force: dict[str, Settings] = {}  # by configuration, once computed from all of this
        self.version = 0  # of the settings: one more with each change
        self.adopted: dict[SettingKey, Adopted] = {}  # the last change of each setting, and what was added
        self.pauses: dict[Scope, Adopted] = {}
        self.history: list[Adopted] = []  # the newest changes, oldest first
        self.head = bytes(32)  # running hash of all changes

    def record(self, entry: Adopted) -> None:
        """Add a change to the history. Operators can pause alone and often: that pushes no change of settings out."""
        history = [*self.history, entry]
        kinds = [[other for other in history if other.is_setting == is_setting] for is_setting in (True, False)]
        too_old = [other for kind in kinds for other in kind[:-HISTORY_KEPT]]
        self.history = [other for other in history if other not in too_old]
        self.head = hashlib.sha256(self.head + entry.fingerprint).digest()

    def values(self, configuration: str = "") -> dict[str, str]:
        """Return the values that were set for one configuration, or for the whole swarm, by setting."""
        return _values_of(self._all_values(), configuration)

    def values_at(self, version: int, configuration: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the values that were set when the settings had this version: for the swarm, and for a configuration.

        Of a time before the oldest change that is kept, return those that held before that one.
        """
        values = self._all_values()
        for entry in reversed(self.history):
            if entry.version > version and entry.change.kind == "set":
                if entry.before is None:
                    values.pop(entry.change.key, None)
                else:
                    values[entry.change.key] = entry.before
        return _values_of(values, ""), _values_of(values, configuration)

    def _all_values(self) -> dict[SettingKey, str]:
        return {key: entry.change.value for key, entry in self.adopted.items() if entry.change.value is not None}

    @property
    def added(self) -> tuple[str, ...]:
        """The configurations that were added."""
        return tuple(sorted(name for (name, setting) in self.adopted if not setting))

    def apply_values(self) -> None:
        """Compute the settings in force from what was adopted. Raise SettingsError if they cannot be used."""
        self.in_force.clear()
        names = tuple(sorted({*self.founding.configurations, *self.added}))
        self.settings = replace(self.founding.with_values(self.values()), configurations=names)

    def table(self) -> Value:
        """Return what the ledger's digest covers, as CBOR values."""
        tables = (self.adopted, self.pauses)
        records: list[Value] = [[entry.fingerprint for _, entry in sorted(table.items())] for table in tables]
        return [self.version, *records, self.head]

    def snapshot(self) -> Value:
        """Return everything as CBOR values, the inverse of `read`."""
        adopted = [entry.encoded for _, entry in sorted(self.adopted.items())]
        pauses = [entry.encoded for _, entry in sorted(self.pauses.items())]
        return [self.version, adopted, pauses, [entry.encoded for entry in self.history], self.head]

    @classmethod
    def read(cls, founding: Settings, value: Decoded) -> DecisionTables:
        """Return the tables of which `snapshot` returned this value.

        Raise ShapeError if it is not one, and OutdatedError if this program does not know all that was decided.
        """
        tables = cls(founding)
        tables.version, adopted, pauses, history, tables.head = parse_value(
            tuple[int, tuple[Adopted, ...], tuple[Adopted, ...], tuple[Adopted, ...], bytes], value, "decisions"
        )
        tables.adopted = {entry.change.key: entry for entry in adopted}
        tables.pauses = {entry.change.scope: entry for entry in pauses}
        tables.history = list(history)
        for name in tables.added:
            if CONFIGURATION.fullmatch(name) is None:
                raise OutdatedError(outdated(f"plays {name}"))
        try:
            for _, setting in tables.adopted:
                if setting:
                    find_setting(setting)
            tables.apply_values()
        except UnknownSettingError as error:
            raise OutdatedError(outdated(f"has set {error.section}.{error.setting}")) from None
        except SettingsError as error:
            raise ShapeError(f"decisions: {error}") from None
        return tables


def outdated(what: str) -> str:
    """Return the line of an OutdatedError."""
    return f"the swarm {what}, which this program does not know; install a newer version of it and start again"


def _values_of(values: dict[SettingKey, str], configuration: str) -> dict[str, str]:
    return {setting: text for (name, setting), text in sorted(values.items()) if name == configuration and setting}
