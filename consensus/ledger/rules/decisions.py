"""Decisions about what the swarm does: settings, further configurations, pauses. See docs/steering.md.

They are proposed and voted on as changes of the roster are (`membership`), and hold from their place in the order on:
every member applies the same transactions in the same order, so no epoch has to close for them. Settings about
identity, epochs and the rules themselves cannot be changed.

A program that does not know a setting keeps the proposal as all others do, because nothing but its form, and what every
program of these rules knows, is checked before it passes. In the place where it passes that program ends
(`OutdatedError`).
"""

from __future__ import annotations

from dataclasses import replace

from consensus.keys import MemberId
from consensus.ledger.records.changes import Change, Proposal
from consensus.ledger.records.decisions import Adopted, OutdatedError, Scope, SteeringChange
from consensus.ledger.records.entities import Configuration, Place
from consensus.ledger.rules import large_boards
from consensus.ledger.state.decisions import DecisionTables, outdated
from consensus.ledger.state.state import UNIFORM_MODEL, RefusedError, State
from consensus.settings import (
    CONFIGURATION,
    Settings,
    SettingsError,
    UnknownSettingError,
    find_setting,
    is_fixed,
)


def settings_on(state: State, configuration: str, version: int | None = None) -> Settings:
    """Return the settings that hold for a configuration, or held when they had this version.

    Those of the whole swarm mean less on large boards (`large_boards`); what was set for the configuration itself holds
    as it is.
    """
    tables = state.decisions
    if version is None or version == tables.version:
        known = tables.in_force.get(configuration)
        if known is None:
            known = _on(configuration, tables.settings, tables.values(configuration))
            tables.in_force[configuration] = known
        return known
    swarm, own = tables.values_at(version, configuration)
    return _on(configuration, tables.founding.with_values(swarm), own)


def _on(configuration: str, settings: Settings, own: dict[str, str]) -> Settings:
    settings = large_boards.settings_on(configuration, settings)
    return settings.with_values(own) if own else settings


def is_paused(state: State, work: str, configuration: str) -> bool:
    """Return whether nobody may claim this work."""
    return pause_of(state, work, configuration) is not None


def pause_of(state: State, work: str, configuration: str) -> Adopted | None:
    """Return the widest pause of this work; None if it is not paused."""
    pauses = state.decisions.pauses
    wider = (("", ""), (work, ""), ("", configuration), (work, configuration)) if pauses else ()
    return next((pauses[scope] for scope in wider if scope in pauses), None)


def require_running(state: State, work: str, configuration: str) -> None:
    """Raise RefusedError if the work is paused."""
    if is_paused(state, work, configuration):
        raise RefusedError("work is paused")


def is_decided_by(state: State, member: MemberId, change: Change | SteeringChange) -> bool:
    """Return whether a member decides this alone: the genesis names it as an operator, and work pauses or goes on."""
    return change.kind in ("pause", "resume") and member in state.genesis.operators


def is_known(change: SteeringChange) -> bool:
    """Return whether this program knows what a change is about. Without it, the program ends when the change passes."""
    if change.kind == "add":
        return change.configuration is not None and CONFIGURATION.fullmatch(change.configuration) is not None
    if change.kind == "set":
        try:
            find_setting(change.setting or "")
        except UnknownSettingError:
            return False
    return True


def check_proposed(state: State, change: SteeringChange) -> None:
    """Raise RefusedError if a change does not fit, as every program of these rules can tell."""
    _check_form(state, change)
    if change.kind == "set" and is_known(change):
        kind, name, _ = find_setting(change.setting or "")
        if name not in kind.UNCHECKED:
            _check_value(state, change)


def check_all(state: State, change: SteeringChange) -> None:
    """Raise RefusedError if a change does not fit, as far as this program can tell; for people who propose it."""
    _check_form(state, change)
    if change.kind == "set" and is_known(change):
        _check_value(state, change)


def adopt(state: State, place: Place, proposal: Proposal) -> Adopted:
    """Make a change that has passed take effect, and return the record of it.

    Raise RefusedError if it does not fit any more, and OutdatedError if this program does not know what it is about.
    """
    change, tables = proposal.change, state.decisions
    assert isinstance(change, SteeringChange)
    _check_form(state, change)
    if not is_known(change):
        what = f"plays {change.configuration}" if change.kind == "add" else f"has set {change.setting}"
        raise OutdatedError(outdated(f"{what} from round {place.round} on"))
    before = _check_value(state, change) if change.kind == "set" else None
    entry = Adopted(
        change=change,
        version=tables.version + change.is_setting,
        before=before,
        proposal=proposal.id,
        author=proposal.author,
        approved=tuple(ballot.author for ballot in proposal.ballots if ballot.approve),
        place=place,
    )
    tables.version = entry.version
    tables.record(entry)
    if entry.is_setting:
        tables.adopted[change.key] = entry
        tables.apply_values()
    if change.kind == "add" and change.configuration is not None:
        state.configurations[change.configuration] = Configuration(
            name=change.configuration, model=UNIFORM_MODEL, since=0
        )
        state.shards[change.configuration] = []
    if change.kind == "pause":
        tables.pauses[change.scope] = entry
    if change.kind == "resume":
        _resume(state, change.scope)
    return entry


def _check_form(state: State, change: SteeringChange) -> None:
    """Check what does not depend on which settings and configurations this program knows."""
    name = change.configuration
    if change.kind == "add":
        if name in state.configurations:
            raise _refuse(f"{name} is played already")
        return
    if name is not None and name not in state.configurations:
        raise _refuse(f"{name} is not played here")
    if change.kind == "set" and is_fixed(change.setting or ""):
        raise _refuse(f"{change.setting} holds as long as the swarm does")
    if change.kind == "pause" and is_paused(state, *change.scope):
        raise _refuse("that is paused already")
    if change.kind == "resume" and not _pauses_within(state.decisions, change.scope):
        raise _refuse("nothing is paused there")


def _check_value(state: State, change: SteeringChange) -> str | None:
    """Return the value that members had set there before; None if there is none.

    Raise RefusedError if the new one cannot be used there, alone or with all the others.
    """
    setting, value, name = change.setting or "", change.value, change.configuration
    tables = state.decisions
    kind, own_name, _ = find_setting(setting)
    if name is not None and own_name in kind.SWARM_WIDE:
        raise _refuse(f"{setting} has one value in the whole swarm; leave the configuration out")
    if value is None:
        return _check_removal(state, setting, name or "")
    try:
        if name is None:
            present, changed = tables.settings, tables.founding.with_values({**tables.values(), setting: value})
            for other in state.configurations:
                _on(other, changed, tables.values(other))
        else:
            present = settings_on(state, name)
            changed = _on(name, tables.settings, {**tables.values(name), setting: value})
    except SettingsError as error:
        raise _refuse(str(error)) from None
    if changed.text_of(setting) != value:
        raise _refuse(f"{setting}: write {changed.text_of(setting)}, not {value}")
    if changed.text_of(setting) == present.text_of(setting):
        raise _refuse("it would change nothing")
    return tables.values(name or "").get(setting)


def _check_removal(state: State, setting: str, name: str) -> str:
    """Return the value of its own that a configuration has. Raise RefusedError if it needs it, or has none."""
    tables = state.decisions
    own = tables.values(name)
    if setting not in own:
        raise _refuse(f"{setting} has no value of its own on {name}")
    before = own.pop(setting)
    try:
        _on(name, tables.settings, own)
    except SettingsError as error:
        raise _refuse(str(error)) from None
    return before


def _refuse(detail: str) -> RefusedError:
    return RefusedError("change does not fit", detail)


def _pauses_within(tables: DecisionTables, scope: Scope) -> list[Scope]:
    """Return the pauses of no more than this."""
    return [
        paused
        for paused in sorted(tables.pauses)
        if all(part in ("", mine) for part, mine in zip(scope, paused, strict=True))
    ]


def _resume(state: State, scope: Scope) -> None:
    """End the pauses within a scope. Matches that nobody could play have not been idle meanwhile."""
    waiting = [entry for entry in state.candidates.values() if is_paused(state, "match", entry.configuration)]
    for paused in _pauses_within(state.decisions, scope):
        del state.decisions.pauses[paused]
    for candidacy in waiting:
        if not is_paused(state, "match", candidacy.configuration):
            state.candidates[candidacy.id] = replace(candidacy, last_result_clock=state.clock)
