"""Changes of what the swarm does, which its members decide on while it runs: settings, configurations, pauses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias, get_args

from consensus.encoding import Value
from consensus.keys import MemberId
from consensus.ledger.records.effects import Scalar
from consensus.ledger.records.entities import Place, WorkKind
from consensus.ledger.records.entity import Entity

SteeringKind = Literal["set", "add", "pause", "resume"]
STEERING_KINDS: tuple[SteeringKind, ...] = get_args(SteeringKind)
WORK_KINDS: tuple[WorkKind, ...] = get_args(WorkKind)

SETTING = re.compile(r"[a-z][a-z0-9_]{0,31}\.[a-z][a-z0-9_]{0,31}")
VALUE = re.compile(r"[A-Za-z0-9._/-]{1,64}")

SettingKey: TypeAlias = tuple[str, str]
"""Configuration (empty: the whole swarm) and setting (empty: that the configuration is played)."""

Scope: TypeAlias = tuple[str, str]
"""Kind of work (empty: all) and configuration (empty: all)."""

FIELDS: Mapping[SteeringKind, tuple[frozenset[str], frozenset[str]]] = {
    "set": (frozenset({"setting"}), frozenset({"value", "configuration"})),  # one of these two
    "add": (frozenset({"configuration"}), frozenset()),
    "pause": (frozenset(), frozenset({"work", "configuration"})),
    "resume": (frozenset(), frozenset({"work", "configuration"})),
}
"""The fields that each kind must have, and those that it may have."""


class OutdatedError(RuntimeError):
    """The swarm has decided something that this program does not know: one line that says what to do.

    Nothing may be computed, or said, from there on: other members go on with what this program cannot compute.
    """


@dataclass(frozen=True)
class SteeringChange(Entity):
    """A change of what the swarm does; the fields that its kind does not have are None."""

    kind: SteeringKind
    _: KW_ONLY
    setting: str | None = None  # section.name
    value: str | None = None  # as `Settings.text_of` writes it; None: a configuration has no value of its own any more
    configuration: str | None = None  # the one to add, or the only one that the change is about
    work: WorkKind | None = None  # the only kind of work that is to pause or go on

    def table(self) -> dict[str, Value]:
        """Return the CBOR map in a `propose` transaction."""
        return {
            "kind": self.kind,
            "setting": self.setting,
            "value": self.value,
            "configuration": self.configuration,
            "work": self.work,
        }

    def about(self) -> dict[str, Scalar]:
        """Return what effects say of it."""
        return {
            "change": self.kind,
            "setting": self.setting,
            "value": self.value,
            "configuration": self.configuration,
            "work": self.work,
        }

    @property
    def is_setting(self) -> bool:
        """Whether it gives the settings another version."""
        return self.kind in ("set", "add")

    @property
    def key(self) -> SettingKey:
        """What `set` and `add` change."""
        return self.configuration or "", self.setting or ""

    @property
    def scope(self) -> Scope:
        """What `pause` and `resume` are about."""
        return self.work or "", self.configuration or ""


@dataclass(frozen=True, kw_only=True)
class Adopted(Entity):
    """A change that has taken effect: who proposed it, who approved, when, and what held before."""

    change: SteeringChange
    version: int  # of the settings from then on
    before: str | None  # the value that members had set before; None: there is none
    proposal: bytes
    author: MemberId | None
    approved: tuple[MemberId, ...]
    place: Place

    @property
    def is_setting(self) -> bool:
        """Whether it gave the settings another version."""
        return self.change.is_setting
