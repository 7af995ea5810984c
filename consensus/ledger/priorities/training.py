"""Which configuration a member should train."""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.spread import spread
from consensus.ledger.priorities.work import Subject, Work
from consensus.ledger.records.entities import Configuration
from consensus.ledger.rules.siblings import is_waiting
from consensus.ledger.steering.amounts import enough_games
from consensus.ledger.steering.capability import lets_faster_ones_train
from consensus.ledger.steering.training_due import has_enough_games, training_due


def wanted_training(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return the training for which the most new games wait; None if there is none for the member."""
    is_steered = bool(ledger.genesis.settings.steering.rules)
    contested = {
        candidacy.configuration
        for candidacy in ledger.candidates()
        if ("match", candidacy.configuration, candidacy.id) not in avoided
        and (candidacy.was_trained or not is_steered)  # who nominates what was not trained keeps nobody from training
    }
    settings = {entry.name: ledger.settings_on(entry.name) for entry in ledger.configurations()}
    trained = {(claim.configuration, claim.family) for claim in ledger.claims() if claim.kind == "train"}
    ready = [
        configuration
        for configuration in ledger.configurations()
        if has_enough_games(ledger, settings[configuration.name], configuration)
        and configuration.name not in contested
        and (configuration.name, settings[configuration.name].training.architecture) not in trained
        and not ledger.is_paused("train", configuration.name)
        and not ledger.waits_for_turn(member, configuration.name)
        and not (is_steered and _leaves_it_to_faster_ones(ledger, member, configuration))
        and not _waits_for_sibling(ledger, configuration, avoided)
        and ("train", configuration.name, None) not in avoided
    ]
    if not ready:
        return None
    chosen = min(ready, key=lambda entry: (-entry.new_games, spread(member, entry.name)))
    training = settings[chosen.name].training
    return Work(
        kind="train",
        configuration=chosen.name,
        amount=training.steps,
        model=ledger.training_start(chosen.name, training.architecture).digest,
        family=training.architecture,
    )


def _leaves_it_to_faster_ones(ledger: Ledger, member: MemberId, configuration: Configuration) -> bool:
    """Return whether the member waits for faster ones; not where no more games come than are needed."""
    due = training_due(ledger, configuration)
    if due.needed >= enough_games(ledger.settings_on(configuration.name), configuration):
        return False
    excess = configuration.new_games - (due.floor if due.is_certain else due.needed)
    return lets_faster_ones_train(ledger, member, configuration.name, excess, due.needed)


def _waits_for_sibling(ledger: Ledger, configuration: Configuration, avoided: Collection[Subject]) -> bool:
    """Return whether the first network should wait for the sibling's; not if the member fails at training that."""
    sibling = ledger.sibling(configuration.name)
    if sibling is None or ("train", sibling.name, None) in avoided:
        return False
    return is_waiting(configuration, sibling, ledger.settings_on(configuration.name).training)
