"""Promotions: a new canonical model, the statement about it, and the seals that make its certificate."""

from __future__ import annotations

import hashlib

from consensus import keys
from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, Place, Promotion, SealEntry
from consensus.ledger.records.entity import replace
from consensus.ledger.records.transactions import Seal
from consensus.ledger.rules import exploration, families, lineage, series, turns
from consensus.ledger.rules.candidates import drop, remove
from consensus.ledger.rules.promotion_statement import make_statement
from consensus.ledger.rules.scores import most_of_block
from consensus.ledger.state.state import RefusedError, State
from consensus.statement import pae


def promote(state: State, place: Place, candidacy: Candidacy, ledger_digest: bytes) -> None:
    """Make the model canonical, fix the statement, and drop the other candidates of the configuration."""
    assert candidacy.ripe is not None
    configuration = state.configurations[candidacy.configuration]
    epoch = state.epoch
    statement = make_statement(
        state.genesis,
        epoch.roster,
        epoch.version,
        configuration=configuration,
        candidacy=candidacy,
        place=place,
        ledger_digest=ledger_digest,
        decisions=state.decisions,
    )
    promotion = Promotion(
        number=configuration.promotions + 1,
        candidate=candidacy.id,
        author=candidacy.author,
        configuration=candidacy.configuration,
        model=candidacy.model,
        measures=candidacy.measures,
        previous=configuration.model.digest,
        statement=statement,
        digest=hashlib.sha256(statement).digest(),
        blocks=candidacy.ripe.blocks,
        score=candidacy.ripe.score,
        most=most_of_block(candidacy.configuration),
        llr=candidacy.ripe.llr,
        place=place,
        roster_version=epoch.version,
        match_version=candidacy.settings_version,
        settings_version=state.decisions.version,
    )
    remove(state, candidacy)
    state.promotions[promotion.digest] = promotion
    state.promotion_chain.add(promotion.fingerprint)
    state.configurations[configuration.name] = replace(
        configuration,
        model=candidacy.model,
        since=place.round,
        promotions=promotion.number,
        statement=promotion.digest,
    )
    lineage.observe_promotion(state, candidacy)
    exploration.observe_promotion(state, promotion)
    turns.observe_promotion(state, candidacy)
    families.observe_end(state, candidacy, families.gain_of(promotion.score, promotion.blocks, promotion.most))
    _emit_promotion(state, place, promotion)
    series.observe_promotion(state, place, candidacy, configuration)
    for _, other in sorted(state.candidates.items()):
        if other.configuration == configuration.name:
            drop(state, place, other, "stale", "another model was promoted")


def _emit_promotion(state: State, place: Place, promotion: Promotion) -> None:
    state.emit(
        "promotion",
        place,
        promotion.author,
        candidate=promotion.candidate,
        configuration=promotion.configuration,
        model=promotion.model.digest,
        previous=promotion.previous,
        statement=promotion.digest,
        number=promotion.number,
        blocks=promotion.blocks,
        score=promotion.score,
        most=promotion.most,
        llr=promotion.llr,
    )


def apply_seal(state: State, place: Place, author: MemberId, transaction: Seal) -> None:
    """Keep a member's first valid seal; the first seals of more than 2/3 of the weight make the certificate."""
    promotion = state.promotions.get(transaction.statement)
    if promotion is None:
        raise RefusedError("unknown statement")
    roster = state.epoch.roster_of(promotion.roster_version)
    if author not in roster:
        raise RefusedError("not of the roster that seals")
    if any(entry.author == author for entry in promotion.seals):
        raise RefusedError("member has sealed")
    if not keys.verify(author, pae(promotion.statement), transaction.signature):
        raise RefusedError("seal does not verify")
    promotion = replace(promotion, seals=(*promotion.seals, SealEntry(author, transaction.signature)))
    complete = not promotion.certified and roster.supermajority(entry.author for entry in promotion.seals)
    if complete:
        promotion = replace(promotion, certified=len(promotion.seals))
    state.promotions[promotion.digest] = promotion
    state.seal_chain.add(transaction.statement, author, transaction.signature)
    state.emit(
        "seal",
        place,
        author,
        statement=transaction.statement,
        configuration=promotion.configuration,
        sealed=roster.weight(entry.author for entry in promotion.seals),
        weight=roster.total_weight,
    )
    if complete:
        state.emit(
            "certificate",
            place,
            None,
            statement=transaction.statement,
            configuration=promotion.configuration,
            model=promotion.model.digest,
            number=promotion.number,
            seals=promotion.certified,
        )
