"""Which blobs and models the ledger still needs: whatever it names and somebody may yet ask for."""

import json
from collections.abc import Iterator

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Promotion

_WINDOWS = 2  # of training games: should newer shards be lost, older ones take their place


def needed_blobs(ledger: Ledger) -> frozenset[bytes]:
    """Shards to train on, files of models, and games of open matches, of promotions and of proven faults.

    A promotion's are needed for as long as the ledger keeps it, so that who audits its certificate can repeat it all.
    """
    return frozenset({*_shards(ledger), *_files(ledger), *_games(ledger)})


def needed_models(ledger: Ledger) -> frozenset[bytes]:
    """The models that work may be done with now."""
    canonical = {entry.model.digest for entry in ledger.configurations()}
    claimed = {claim.model for claim in ledger.claims()}
    measured = {model for entry in ledger.candidates() for model in (entry.model.digest, entry.incumbent)}
    return frozenset(canonical | claimed | measured)


def _shards(ledger: Ledger) -> Iterator[bytes]:
    wanted = _WINDOWS * ledger.genesis.settings.training.window
    for configuration in ledger.configurations():
        games = 0
        for shard in reversed(ledger.shards(configuration.name)):
            if games >= wanted:
                break
            games += shard.games
            yield shard.digest


def _files(ledger: Ledger) -> Iterator[bytes]:
    models = [entry.model for entry in ledger.configurations()]
    models += [promotion.model for promotion in ledger.promotions()]
    models += [candidacy.model for candidacy in ledger.candidates()]
    for model in models:
        yield from model.files.values()


def _games(ledger: Ledger) -> Iterator[bytes]:
    for candidacy in ledger.candidates():
        yield from (slot.result.blob for slot in candidacy.slots if slot.result is not None)
    for promotion in ledger.promotions():
        yield from _counted(promotion)
    reports = [case.report for case in ledger.cases()] + [fault.report for fault in ledger.faults()]
    yield from (report.result.blob for report in reports)


def _counted(promotion: Promotion) -> Iterator[bytes]:
    """The games that its statement names, in the ledger's own words."""
    for slot in json.loads(promotion.statement)["predicate"]["results"]["slots"]:
        yield bytes.fromhex(slot["games"]["sha256"])
