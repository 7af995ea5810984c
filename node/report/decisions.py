"""What the members have decided that the swarm does, in the shapes of `node.api`; pure functions."""

from consensus.ledger import Ledger
from consensus.ledger.records.decisions import Adopted, SteeringChange
from consensus.ledger.rules.decisions import is_known
from node.api.status import DecisionInfo, DecisionsInfo
from node.report.membership import NameOf, steering_text


def decisions(ledger: Ledger, name_of: NameOf) -> DecisionsInfo:
    """Return the changes in force, and the proposals that this program does not know."""
    return {
        "settings_version": ledger.settings_version,
        "changed": [_decision(entry, name_of) for entry in ledger.changed_settings()],
        "paused": [_decision(entry, name_of) for entry in ledger.pauses()],
        "unknown": [steering_text(change) for change in unknown_changes(ledger)],
    }


def unknown_changes(ledger: Ledger) -> list[SteeringChange]:
    """Return the proposed changes that this program does not know: it ends when one passes."""
    changes = [entry.change for entry in ledger.proposals()]
    return [change for change in changes if isinstance(change, SteeringChange) and not is_known(change)]


def _decision(entry: Adopted, name_of: NameOf) -> DecisionInfo:
    change = entry.change
    return {
        "text": steering_text(change),
        "setting": change.setting,
        "value": change.value,
        "configuration": change.configuration,
        "work": change.work,
        "version": entry.version,
        "by_name": "" if entry.author is None else name_of(entry.author),
        "round": entry.place.round,
    }
