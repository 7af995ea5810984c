"""Which configuration a member should train, and what is in the way of it."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.spread import spread
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.records.entities import Configuration
from consensus.ledger.rules.siblings import is_waiting
from consensus.ledger.steering.amounts import enough_games
from consensus.ledger.steering.capability import lets_better_ones_train
from consensus.ledger.steering.congestion import congestion
from consensus.ledger.steering.families import next_family
from consensus.ledger.steering.training_due import has_enough_games, training_due
from consensus.ledger.views import Views


def wanted_training(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return the training for which the most new games wait; None if there is none for the member."""
    if _evaluators_lag(ledger):
        return None
    possible = ledger.remember(_trainable)
    ready = [entry for entry in possible if not _obstacle(ledger, member, entry, avoided)]
    if not ready:
        return None
    chosen = min(ready, key=lambda entry: (-entry.new_games, spread(member, entry.name)))
    family = next_family(ledger, chosen)
    return Work(
        kind="train",
        configuration=chosen.name,
        amount=ledger.settings_on(chosen.name).training.steps,
        model=ledger.training_start(chosen.name, family).digest,
        family=family,
    )


def _trainable(ledger: Views) -> tuple[Configuration, ...]:
    """Return the configurations with games enough for a training: mostly few, so that others are not looked at."""
    entries = ledger.configurations()
    return tuple(entry for entry in entries if has_enough_games(ledger, ledger.settings_on(entry.name), entry))


def why_no_training(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> str:
    """Return why `wanted_training` has nothing for the member: what is in the way where most new games wait."""
    if _evaluators_lag(ledger):
        return "evaluators lag behind: no more candidates until they have caught up"
    first = max(ledger.configurations(), key=lambda entry: (entry.new_games, entry.name))
    return f"{first.name}: {_obstacle(ledger, member, first, avoided)}"


def _obstacle(ledger: Ledger, member: MemberId, configuration: Configuration, avoided: Collection[Subject]) -> str:
    """Return why the member should not train a configuration now; empty if it should."""
    name = configuration.name
    settings = ledger.settings_on(name)
    is_steered = bool(settings.steering.rules)
    if ("train", name, None) in avoided:
        return "its training failed here lately"
    if is_steered and any(claim.kind == "train" for claim in ledger.claims_of(member)):
        return "it trains already, and nobody trains two at once"
    if ledger.is_paused("train", name):
        return "training is paused"
    if (name, next_family(ledger, configuration)) in ledger.remember(_trained_now):
        return "it is trained already"
    if _is_contested(ledger, name, avoided, is_steered):
        return "a candidate is measured"
    if wait_ns := ledger.waits_for_turn(member, name):
        return f"others come first for {wait_ns // 10**9} s"
    if not has_enough_games(ledger, settings, configuration):
        return f"{configuration.new_games} new games are too few for the next training, or the last one is too recent"
    if is_steered and _leaves_it_to_better_ones(ledger, member, configuration):
        return "faster or cheaper trainers come first"
    return "its first network waits for the sibling's" if _waits_for_sibling(ledger, configuration, avoided) else ""


def _trained_now(ledger: Views) -> set[tuple[str, str | None]]:
    """Return the configurations and families that somebody trains."""
    return {(claim.configuration, claim.family) for claim in ledger.claims() if claim.kind == "train"}


def _evaluators_lag(ledger: Ledger) -> bool:
    return bool(ledger.genesis.settings.steering.rules) and congestion(ledger).is_congested


def _is_contested(ledger: Ledger, name: str, avoided: Collection[Subject], is_steered: bool) -> bool:
    """Return whether a candidate is measured whose verdict the next training should wait for.

    With the rules, who nominates what was not trained keeps nobody from training.
    """
    return any(
        candidacy.configuration == name
        and ("match", name, candidacy.id) not in avoided
        and (candidacy.was_trained or not is_steered)
        for candidacy in ledger.candidates()
    )


def _leaves_it_to_better_ones(ledger: Ledger, member: MemberId, configuration: Configuration) -> bool:
    """Return whether the member waits for those that train first; not where no more games come."""
    due, name = training_due(ledger, configuration), configuration.name
    most = enough_games(ledger.settings_on(name), configuration)
    if configuration.new_games >= most or ledger.is_paused("selfplay", name):
        return False
    excess = configuration.new_games - (due.floor if due.is_certain else due.needed)
    return lets_better_ones_train(ledger, member, name, excess, due.needed)


def _waits_for_sibling(ledger: Ledger, configuration: Configuration, avoided: Collection[Subject]) -> bool:
    """Return whether the first network should wait for the sibling's; not if the member fails at training that."""
    name = configuration.name
    awaited = ledger.awaited_sibling(name)
    if awaited is None or ("train", awaited.name, None) in avoided:
        return False
    if not is_waiting(configuration, awaited, ledger.settings_on(name).training):
        return False
    best = ledger.best_sibling(name, next_family(ledger, configuration))
    return best is None or not best.is_experienced
