"""Work, models and certificates of the ledger, in the shapes of `node.api`; pure functions."""

import json
from collections.abc import Mapping
from typing import TypedDict

from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Candidacy, Claim, ClaimKey, ClosedCandidate, Promotion
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.scores import most_of_block, sequential_test_of
from consensus.settings import MatchSettings
from node.api.certificates import CertificateInfo
from node.api.models import ModelInfo
from node.api.status import CanonicalInfo, CountsInfo
from node.api.work import CandidateInfo, ClaimInfo, WorkInfo
from node.report.conduct import cases, faults
from node.report.membership import NS_PER_S, NameOf
from node.report.ratings import canonical_rating
from node.work.context import subject_of

_CLOSED_SHOWN = 20  # promoted candidates, and as many rejected or dropped ones
_MILLIONTHS = 10**6  # the ledger counts losses in these


class _Test(TypedDict):
    """What `CandidateInfo` says of the sequential test."""

    llr: float
    rejects_at: float
    accepts_at: float


def canonical(ledger: Ledger) -> dict[str, CanonicalInfo]:
    """Return the canonical model of each configuration."""
    found: dict[str, CanonicalInfo] = {}
    for entry in ledger.configurations():
        rated = canonical_rating(ledger, entry.name)
        found[entry.name] = {
            "model": entry.model.digest.hex(),
            "since_round": entry.since,
            "promotions": entry.promotions,
            "certificate": _certificate_of(ledger, entry.statement),
            "rating": None if rated is None else rated["rating"],
            "rating_error": None if rated is None else rated["error"],
        }
    return found


def counts(ledger: Ledger) -> CountsInfo:
    """Return the totals over the whole history."""
    configurations = ledger.configurations()
    return {
        "games": sum(entry.games for entry in configurations),
        "plies": sum(entry.plies for entry in configurations),
        "shards": sum(entry.shards for entry in configurations),
        "candidates": sum(entry.candidates for entry in configurations),
        "promotions": sum(entry.promotions for entry in configurations),
        "certificates": sum(bool(promotion.certified) for promotion in ledger.promotions()),
        "wrong_results": sum(ledger.fault_counts().values()),
        "open_cases": len(ledger.cases()),
        "rejected": dict(ledger.refused_counts()),
    }


def work(ledger: Ledger, name_of: NameOf, own_done: Mapping[ClaimKey, int] | None = None) -> WorkInfo:
    """Return live claims, open and lately closed candidates, results in doubt and results proven wrong.

    `own_done` is how far this node is with its own claims by its slots: the order has only what it told last.
    """
    return {
        "claims": [_claim(ledger, name_of, claim, (own_done or {}).get(claim.key, 0)) for claim in ledger.claims()],
        "candidates": [
            *(_open_candidate(ledger, name_of, entry) for entry in ledger.candidates()),
            *(_promoted_candidate(ledger, name_of, entry) for entry in reversed(ledger.promotions()[-_CLOSED_SHOWN:])),
            *(
                _closed_candidate(ledger, name_of, entry)
                for entry in reversed(ledger.closed_candidates()[-_CLOSED_SHOWN:])
            ),
        ],
        "cases": cases(ledger, name_of),
        "faults": faults(ledger, name_of),
    }


def find_candidate(ledger: Ledger, name_of: NameOf, candidate: bytes) -> CandidateInfo | None:
    """Return a candidate that the ledger keeps, whether it is open or not."""
    if (entry := ledger.candidate(candidate)) is not None:
        return _open_candidate(ledger, name_of, entry)
    for promotion in ledger.promotions():
        if promotion.candidate == candidate:
            return _promoted_candidate(ledger, name_of, promotion)
    for closed in reversed(ledger.closed_candidates()):
        if closed.candidate == candidate:
            return _closed_candidate(ledger, name_of, closed)
    return None


def models(ledger: Ledger, name_of: NameOf) -> list[ModelInfo]:
    """Return every model that is or was canonical, by configuration, oldest first."""
    answer: list[ModelInfo] = []
    for configuration in ledger.configurations():
        history = ledger.promotions(configuration.name)
        answer.append(_first_model(configuration.name, is_canonical=not history))
        for promotion in history:
            answer.append(_model(name_of, promotion, is_canonical=promotion is history[-1]))
    return answer


def certificates(ledger: Ledger, name_of: NameOf) -> list[CertificateInfo]:
    """Return one entry for each promotion, oldest first."""
    return [
        {
            "id": promotion.digest.hex(),
            "configuration": promotion.configuration,
            "model": promotion.model.digest.hex(),
            "parent": promotion.previous.hex(),
            "round": promotion.place.round,
            "time": promotion.place.time,
            "seals": len(promotion.certificate_seals),
            "sealed": ledger.roster_of(promotion).weight(entry.author for entry in promotion.certificate_seals),
            "weight": ledger.roster_of(promotion).total_weight,
            "missing": [
                name_of(member.id)
                for member in ledger.roster_of(promotion).members
                if all(entry.author != member.id for entry in promotion.certificate_seals)
            ],
            "complete": bool(promotion.certified),
        }
        for promotion in ledger.promotions()
    ]


def claims_in_words(ledger: Ledger, member: MemberId) -> str:
    """Return a member's live claims in a few words; empty if it has none."""
    claims = ledger.claims_of(member)
    return ", ".join(f"{claim.kind} {subject_of(claim)}" for claim in claims)


def _certificate_of(ledger: Ledger, statement: bytes | None) -> str | None:
    promotion = None if statement is None else ledger.promotion(statement)
    return None if promotion is None or not promotion.certified else promotion.digest.hex()


def _claim(ledger: Ledger, name_of: NameOf, claim: Claim, own_done: int) -> ClaimInfo:
    return {
        "claim": f"{id_text(claim.author)[:8]}-{claim.id}",
        "kind": claim.kind,
        "configuration": claim.configuration,
        "subject": subject_of(claim),
        "member": id_text(claim.author),
        "name": name_of(claim.author),
        "done": max(claim.done, claim.delivered, own_done),
        "wished": claim.amount,
        "age_s": (ledger.clock - claim.place.clock) / NS_PER_S,
        "lease_s": (claim.deadline - ledger.clock) / NS_PER_S,
    }


def _open_candidate(ledger: Ledger, name_of: NameOf, entry: Candidacy) -> CandidateInfo:
    now = ledger.standing(entry)
    approve = ledger.roster.weight(vote.author for vote in entry.ballots if vote.approve)
    reject = ledger.roster.weight(vote.author for vote in entry.ballots if not vote.approve)
    return {
        "candidate": entry.id.hex(),
        "model": entry.model.digest.hex(),
        "configuration": entry.configuration,
        "incumbent": entry.incumbent.hex(),
        "member": id_text(entry.author),
        "name": name_of(entry.author),
        "losses": {name: loss / _MILLIONTHS for name, loss in entry.losses.items()},
        "measures": dict(entry.measures),
        "state": "match" if entry.ripe is None else "ripe",
        "reason": "",
        "counted": now.blocks,
        "limit": entry.settings.block_limit,
        "score": now.score,
        "null_score": now.blocks * now.most // 2,
        **_test(entry.settings, now.llr),
        "approve": approve,
        "reject": reject,
    }


def _promoted_candidate(ledger: Ledger, name_of: NameOf, entry: Promotion) -> CandidateInfo:
    cast = json.loads(entry.statement)["predicate"]["votes"]["cast"]
    weights = {id_text(member.id): member.weight for member in ledger.roster_of(entry).members}
    settings = ledger.settings_on(entry.configuration, entry.match_version).match
    return {
        "candidate": entry.candidate.hex(),
        "model": entry.model.digest.hex(),
        "configuration": entry.configuration,
        "incumbent": entry.previous.hex(),
        "member": id_text(entry.author),
        "name": name_of(entry.author),
        "losses": None,  # the ledger keeps them only as long as the candidate is open
        "measures": dict(entry.measures),
        "state": "promoted",
        "reason": "",
        "counted": entry.blocks,
        "limit": settings.block_limit,
        "score": entry.score,
        "null_score": entry.blocks * entry.most // 2,
        **_test(settings, entry.llr),
        "approve": sum(weights[vote["member"]] for vote in cast if vote["approve"]),
        "reject": sum(weights[vote["member"]] for vote in cast if not vote["approve"]),
    }


def _closed_candidate(ledger: Ledger, name_of: NameOf, entry: ClosedCandidate) -> CandidateInfo:
    settings = ledger.settings_on(entry.configuration, entry.settings_version).match
    return {
        "candidate": entry.candidate.hex(),
        "model": entry.model.hex(),
        "configuration": entry.configuration,
        "incumbent": entry.incumbent.hex(),
        "member": id_text(entry.author),
        "name": name_of(entry.author),
        "losses": None,
        "measures": dict(entry.measures),
        "state": "rejected" if entry.outcome in ("rejected", "limit") else "dropped",
        "reason": entry.reason,
        "counted": entry.blocks,
        "limit": settings.block_limit,
        "score": entry.score,
        "null_score": entry.blocks * most_of_block(entry.configuration) // 2,
        **_test(settings, entry.llr),
        "approve": None,  # the ledger does not keep the votes on what was not promoted
        "reject": None,
    }


def _test(settings: MatchSettings, llr: str) -> _Test:
    test = sequential_test_of(settings)
    return {"llr": float(llr), "rejects_at": float(test.lower), "accepts_at": float(test.upper)}


def _first_model(configuration: str, *, is_canonical: bool) -> ModelInfo:
    return {
        "model": UNIFORM.hex(),
        "configuration": configuration,
        "canonical": is_canonical,
        "since_round": 0,
        "time": 0,
        "parent": None,
        "candidate": None,
        "member": None,
        "name": None,
        "certificate": None,
        "measures": {},
    }


def _model(name_of: NameOf, promotion: Promotion, *, is_canonical: bool) -> ModelInfo:
    return {
        "model": promotion.model.digest.hex(),
        "configuration": promotion.configuration,
        "canonical": is_canonical,
        "since_round": promotion.place.round,
        "time": promotion.place.time,
        "parent": None if promotion.model.parent is None else promotion.model.parent.hex(),
        "candidate": promotion.candidate.hex(),
        "member": id_text(promotion.author),
        "name": name_of(promotion.author),
        "certificate": promotion.digest.hex() if promotion.certified else None,
        "measures": dict(promotion.measures),
    }
