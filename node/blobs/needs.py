"""The blobs and models that are still needed: what the ledger names and somebody may yet ask for."""

import json
from collections.abc import Iterator

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Lineage, Model, Promotion
from consensus.ledger.steering.custody import kept_shards


def needed_blobs(ledger: Ledger) -> frozenset[bytes]:
    """Return the digests of shards to train on, of models' files, of states of training, and of games.

    Those of the newest model of a lineage are needed until the next one. Games are needed of open matches and series,
    of proven faults, and of promotions for as long as the ledger keeps them, so that an auditor of a certificate can
    repeat everything; and of the results from which trainings learn.
    """
    return frozenset({*_shards(ledger), *_files(ledger), *_states(ledger), *_games(ledger)})


def needed_models(ledger: Ledger) -> frozenset[bytes]:
    """Return the digests of the models with which work may be done now."""
    canonical = {entry.model.digest for entry in ledger.configurations()}
    claimed = {claim.model for claim in ledger.claims()}
    measured = {model for entry in ledger.candidates() for model in (entry.model.digest, entry.incumbent)}
    newest = {lineage.model.digest for lineage in _lineages(ledger)}
    rated = {model.digest for model in _rated(ledger)}
    return frozenset(canonical | claimed | measured | newest | rated)


def _shards(ledger: Ledger) -> Iterator[bytes]:
    for configuration in ledger.configurations():
        yield from (shard.digest for shard in kept_shards(ledger, configuration.name))
    yield from (shard.digest for shard in ledger.unsafe_shards())
    yield from (case.shard for case in ledger.shard_cases())


def _files(ledger: Ledger) -> Iterator[bytes]:
    models = [entry.model for entry in ledger.configurations()]
    models += [promotion.model for promotion in ledger.promotions()]
    models += [candidacy.model for candidacy in ledger.candidates()]
    models += [lineage.model for lineage in _lineages(ledger)]
    models += _rated(ledger)
    for model in models:
        yield from model.files.values()


def _lineages(ledger: Ledger) -> Iterator[Lineage]:
    for configuration in ledger.configurations():
        yield from configuration.lineages.values()


def _rated(ledger: Ledger) -> Iterator[Model]:
    """Yield the models that are rated, which may be nominated again."""
    for configuration in ledger.configurations():
        ratings = ledger.ratings(configuration.name)
        yield from (milestone.model for milestone in (*ratings.compared, *ratings.challengers))


def _states(ledger: Ledger) -> Iterator[bytes]:
    yield from (lineage.state.digest for lineage in _lineages(ledger) if lineage.state is not None)


def _games(ledger: Ledger) -> Iterator[bytes]:
    slots = [slot for candidacy in ledger.candidates() for slot in candidacy.slots]
    slots += [slot for series in ledger.series() for slot in series.slots]
    yield from (slot.result.blob for slot in slots if slot.result is not None)
    for promotion in ledger.promotions():
        yield from counted_games(promotion)
    reports = [case.report for case in ledger.cases()] + [fault.report for fault in ledger.faults()]
    for configuration in ledger.configurations():
        reports += ledger.outcomes(configuration.name)
    yield from (report.result.blob for report in reports)


def counted_games(promotion: Promotion) -> Iterator[bytes]:
    """Yield the digests of the games that were counted, which only the promotion's statement names."""
    for slot in json.loads(promotion.statement)["predicate"]["results"]["slots"]:
        yield bytes.fromhex(slot["games"]["sha256"])
