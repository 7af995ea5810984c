"""Which settings held, as a statement says: by ballots, and when; the rest is as in the genesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consensus.certificate.parts import Part
from consensus.genesis import Genesis
from consensus.ledger.records.decisions import SETTING, VALUE
from consensus.ledger.rules.promotion_statement import match_table
from consensus.settings import (
    MatchSettings,
    SettingsError,
    UnknownSettingError,
    is_fixed,
    players,
)


@dataclass(frozen=True)
class SettingsInForce:
    """The settings of a configuration at one moment."""

    version: int  # how many changes of settings the swarm had decided
    changed: Mapping[str, str]  # those that are not as in the genesis, by section.name


@dataclass(frozen=True)
class StatedSettings:
    """What a statement says about the settings."""

    match: SettingsInForce  # at the nomination: those with which the match was played
    promotion: SettingsInForce
    added: int | None  # the version with which the configuration was added; None: the genesis names it


def read_settings(predicate: Part, genesis: Genesis) -> StatedSettings | None:
    """Return what a statement says about the settings; None in a swarm that cannot change them.

    Raise CertificateError if the configuration is not played.
    """
    named = predicate["configuration"].text() in genesis.settings.configurations
    if not genesis.settings.steering.rules:
        if not named:
            raise predicate["configuration"].refuse("is not played by this swarm")
        return None
    part = predicate["settings"]
    stated = StatedSettings(
        _in_force(part["match"]),
        _in_force(part["promotion"]),
        None if part["added"].value is None else part["added"].whole(),
    )
    _check_order(part, stated, named)
    _check_configuration(predicate["configuration"])
    return stated


def check_match_settings(predicate: Part, stated: StatedSettings | None, genesis: Genesis) -> None:
    """Raise CertificateError unless the settings of the match are those of the genesis with what was changed.

    They have one form. What genesis version 3 did not have may be left out if it has the value that means the same.
    """
    part = predicate["match"]["settings"]
    if stated is None:
        expected, why = genesis.settings.match, "are not those of the genesis"
    else:
        expected = _changed_settings(part, stated.match, genesis)
        why = "are not those of the genesis with what members had set"
    given = part.value if isinstance(part.value, dict) else {}
    form = {
        name: value
        for name, value in match_table(expected).items()
        if name in given or getattr(expected, name) != MatchSettings.EARLIER.get(name)
    }
    part.must_be(form, why)


def _in_force(part: Part) -> SettingsInForce:
    changed = part["changed"]
    if not isinstance(changed.value, dict):
        raise changed.refuse("must be a map")
    values = {name: _changed_value(changed, name) for name in changed.value}
    version = part["version"].whole()
    if len(values) > version:
        raise changed.refuse("are more than the version says")
    return SettingsInForce(version, values)


def _changed_value(changed: Part, name: str) -> str:
    """Return the value of a setting. Raise CertificateError if no ballot can be about it, or have such a value.

    Those that are not about matches may be settings of a newer program: only their form is checked.
    """
    value = changed[name]
    if SETTING.fullmatch(name) is None or is_fixed(name):
        raise value.refuse("is not a setting that members can change")
    if VALUE.fullmatch(value.text()) is None:
        raise value.refuse("is not the value of a setting")
    return value.text()


def _check_order(part: Part, stated: StatedSettings, named: bool) -> None:
    """Raise CertificateError unless the one state of the settings can have become the other.

    With each version one setting changes, or a configuration is added. `named`: the genesis names the configuration.
    """
    match, promotion, added = stated.match, stated.promotion, stated.added
    names = match.changed.keys() | promotion.changed.keys()
    differing = sum(match.changed.get(name) != promotion.changed.get(name) for name in names)
    if differing > promotion.version - match.version or named != (added is None):
        raise part.refuse("are impossible")
    if added is not None and (not 1 <= added <= match.version or len(match.changed) >= match.version):
        raise part["added"].refuse("is impossible")


def _check_configuration(part: Part) -> None:
    try:
        players(part.text())
    except SettingsError:
        raise part.refuse("is not one that this program knows; verify with a newer version of it") from None


def _changed_settings(part: Part, stated: SettingsInForce, genesis: Genesis) -> MatchSettings:
    """Return the settings of a match of the genesis with what members had set, each written as ballots write it."""
    section = MatchSettings.NAME + "."
    changed = {name: text for name, text in stated.changed.items() if name.startswith(section)}
    try:
        settings = genesis.settings.with_values(changed)
    except UnknownSettingError as error:
        raise part.refuse(f"{error}; verify with a newer version of it") from None
    except SettingsError as error:
        raise part.refuse(str(error)) from None
    for name, text in changed.items():
        if settings.text_of(name) != text:
            raise part.refuse(f"settings.{name}: must be written {settings.text_of(name)}")
    return settings.match
