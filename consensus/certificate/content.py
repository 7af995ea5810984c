"""The content of a sealed statement, with everything recomputed that can be recomputed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from consensus.certificate.parts import CertificateError, Part
from consensus.certificate.settings import StatedSettings, check_match_settings, read_settings
from consensus.genesis import EARLIER_VERSION, Genesis
from consensus.keys import MemberId
from consensus.ledger.records.beacon import block_seed
from consensus.ledger.records.transactions import model_digest
from consensus.ledger.rules.promotion_statement import roster_table, verdict_numbers, votes_digest
from consensus.ledger.rules.scores import counted_slots, most_of_block, results_digest, standing_of
from consensus.ledger.state.state import SMALL_SWARM
from consensus.roster import Roster
from consensus.settings import MatchSettings, SettingsError, players
from consensus.statement import MANIFEST, PREDICATE_TYPE, STATEMENT_TYPE, Json, canonical_json

_SIGNED = re.compile("-?[0-9]{1,20}")


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a statement claims, with digests as bytes."""

    statement: bytes  # its SHA-256: the id of the certificate
    configuration: str
    number: int  # of the promotion within the configuration
    round: int
    index: int
    time: int  # consensus time, ns
    model: bytes
    architecture: str
    parent: bytes | None
    subjects: Mapping[str, bytes]  # SHA-256 of each file by name, including the manifest
    incumbent: bytes
    previous: bytes | None  # id of the configuration's previous certificate
    candidate: bytes
    author: MemberId
    measures: Mapping[str, int]  # what the author says that it measured; nobody else vouches for that
    blocks: int
    score: int
    most: int  # of one block
    llr: str
    at_limit: bool  # the test was undecided at the block limit, and the share of the points sufficed
    approved: int  # weight of the approving votes
    ledger: bytes  # digest of the ledger at the end of the round before
    settings: StatedSettings | None  # None if the swarm cannot change its settings


@dataclass(frozen=True)
class _Slot:
    author: MemberId
    scores: tuple[int, ...]
    root: bytes
    blob: bytes
    size: int


@dataclass(frozen=True)
class Sealers:
    """The roster that seals, as the chain of a certificate proves it."""

    genesis: Genesis
    roster: Roster
    version: int  # of the roster
    smallest: int  # number of members of the smallest roster of the chain
    ever: frozenset[MemberId]  # all members of this roster or an earlier one: their work counts


def verify_content(statement: bytes, sealers: Sealers) -> Content:
    """Return the content of a statement that members of a roster have sealed. Raise CertificateError if it is wrong."""
    whole = _parse(statement)
    whole["_type"].must_be(STATEMENT_TYPE, f"must be {STATEMENT_TYPE}")
    whole["predicateType"].must_be(PREDICATE_TYPE, f"only {PREDICATE_TYPE} is known here")
    predicate = whole["predicate"]
    _check_swarm(predicate, sealers)
    stated = read_settings(predicate, sealers.genesis)
    subjects = _read_subjects(whole["subject"])
    model = _check_model(predicate["model"], subjects)
    scores, settings = _check_match(predicate)
    check_match_settings(predicate, stated, sealers.genesis)
    results = _check_results(predicate, sealers, settings, scores)
    approved = _check_votes(predicate["votes"], sealers.roster, results)
    order, test = predicate["order"], predicate["test"]
    return Content(
        statement=hashlib.sha256(statement).digest(),
        configuration=predicate["configuration"].text(),
        number=predicate["number"].whole(),
        round=order["round"].whole(),
        index=order["index"].whole(),
        time=_decimal(order["time_ns"]),
        model=model,
        architecture=predicate["model"]["architecture"].text(),
        parent=predicate["model"]["parent"].maybe_digest(),
        subjects=subjects,
        incumbent=predicate["incumbent"]["model"].digest(),
        previous=predicate["incumbent"]["statement"].maybe_digest(),
        candidate=predicate["proposal"]["candidate"].digest(),
        author=predicate["proposal"]["member"].member(),
        measures=_read_measures(predicate["proposal"], sealers.genesis.version),
        blocks=len(scores),
        score=sum(scores),
        most=predicate["match"]["most"].whole(),
        llr=test["llr"].text(),
        at_limit="decided_by" in test.value and test["decided_by"].text() == "limit",
        approved=approved,
        ledger=predicate["ledger"].digest(),
        settings=stated,
    )


def _parse(statement: bytes) -> Part:
    try:
        value = json.loads(statement.decode("ascii"))
        canonical = canonical_json(value)
    except (ValueError, RecursionError):
        raise CertificateError("statement: not JSON") from None
    if canonical != statement:
        raise CertificateError("statement: not canonical JSON")
    return Part(value)


def _decimal(part: Part) -> int:
    text = part.text()
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise part.refuse("must be a whole number as text")
    return int(text)


def _read_measures(proposal: Part, version: int) -> Mapping[str, int]:
    if version == EARLIER_VERSION:
        return {}
    part = proposal["measures"]
    if not isinstance(part.value, dict):
        raise part.refuse("must be a map")
    for name, text in part.value.items():
        if not isinstance(text, str) or _SIGNED.fullmatch(text) is None:
            raise part[name].refuse("must be a whole number as text")
    return {name: int(text) for name, text in part.value.items()}


def _check_swarm(predicate: Part, sealers: Sealers) -> None:
    swarm, genesis = predicate["swarm"], sealers.genesis
    swarm["genesis"].must_be(genesis.digest.hex(), "is of another swarm than the genesis in the chain")
    swarm["name"].must_be(genesis.swarm, "is not the name in the genesis")
    expected = roster_table(sealers.roster, sealers.version)
    predicate["roster"].must_be(expected, "is not the roster to which the chain leads")


def _read_subjects(part: Part) -> dict[str, bytes]:
    subjects: dict[str, bytes] = {}
    for item in part.items():
        subjects[item["name"].text()] = item["digest"]["sha256"].digest()
    if len(subjects) != len(part.items()):
        raise part.refuse("names a file twice")
    return subjects


def _check_model(part: Part, subjects: Mapping[str, bytes]) -> bytes:
    files = {name: digest for name, digest in subjects.items() if name != MANIFEST}
    digest = part["digest"].digest()
    if digest != subjects.get(MANIFEST):
        raise part["digest"].refuse(f"is not the SHA-256 of the subject {MANIFEST}")
    if digest != model_digest(files, part["architecture"].text(), part["parent"].maybe_digest()):
        raise part["digest"].refuse("is not the digest of the files, architecture and parent")
    return digest


def _check_match(predicate: Part) -> tuple[tuple[int, ...], MatchSettings]:
    """Return block scores and settings, after computing the seeds and the test again."""
    match, configuration = predicate["match"], predicate["configuration"].text()
    try:
        settings = MatchSettings.parse_table(match["settings"].value)
    except SettingsError as error:
        raise match["settings"].refuse(str(error)) from None
    match["players"].must_be(players(configuration), "is not what the configuration says")
    most = most_of_block(configuration)
    match["most"].must_be(most, "is not the highest score of a block")
    scores = match["scores"].wholes()
    if len(scores) > settings.block_limit or any(score > most for score in scores):
        raise match["scores"].refuse("are impossible")
    beacon, candidate = match["beacon"]["value"].digest(), predicate["proposal"]["candidate"].digest()
    seeds: list[Json] = [block_seed(beacon, candidate, block).hex() for block in range(len(scores))]
    match["seeds"].must_be(seeds, "do not follow from beacon and candidate")
    now = standing_of(settings, scores, most)
    if now.verdict != "accept" or now.blocks != len(scores):
        raise match["scores"].refuse("do not make the test accept at the last block, nor suffice at the block limit")
    predicate["test"].must_be(verdict_numbers(settings, now), "does not follow from the scores")
    return scores, settings


def _check_results(predicate: Part, sealers: Sealers, settings: MatchSettings, scores: tuple[int, ...]) -> bytes:
    """Return the digest of the results, after checking the slots against the scores and the rules of the match."""
    part, candidate = predicate["results"], predicate["proposal"]["candidate"].digest()
    slots: list[_Slot] = []
    for number, item in enumerate(part["slots"].items()):
        item["slot"].must_be(number, "slots must be complete and in order")
        games = item["games"]
        slot = _Slot(
            item["member"].member(),
            item["scores"].wholes(),
            item["root"].digest(),
            games["sha256"].digest(),
            games["size"].whole(),
        )
        if len(slot.scores) != settings.slot_blocks:
            raise item["scores"].refuse(f"must be {settings.slot_blocks}")
        slots.append(slot)
    if len(slots) != counted_slots(len(scores), settings.slot_blocks):
        raise part["slots"].refuse("are not those of the counted blocks")
    if tuple(score for slot in slots for score in slot.scores)[: len(scores)] != scores:
        raise part["slots"].refuse("have other scores than the match")
    _check_holders(predicate, sealers, [slot.author for slot in slots])
    digest = results_digest(candidate, len(scores), slots)
    part["digest"].must_be(digest.hex(), "is not the digest of the slots")
    return digest


def _check_holders(predicate: Part, sealers: Sealers, holders: list[MemberId]) -> None:
    part, author = predicate["results"]["slots"], predicate["proposal"]["member"].member()
    if any(member not in sealers.ever for member in (author, *holders)):
        raise part.refuse("were played or proposed by somebody who was never a member")
    if sealers.smallest > SMALL_SWARM:
        if author in holders:
            raise part.refuse("the author of the candidate played some")
        if any(first == second for first, second in zip(holders[::2], holders[1::2], strict=False)):
            raise part.refuse("one member played both slots of a pair")


def _check_votes(part: Part, roster: Roster, results: bytes) -> int:
    """Return the approving weight, after counting it again."""
    votes = [
        (item["member"].member(), item["approve"].boolean(), item["checked"].digest(), item["event"].digest())
        for item in part["cast"].items()
    ]
    members = [member for member, *_ in votes]
    if len(set(members)) != len(members) or any(member not in roster for member in members):
        raise part["cast"].refuse("must be of distinct members")
    approving = [member for member, approve, checked, _ in votes if approve and checked == results]
    if not roster.supermajority(approving):
        raise part["cast"].refuse("do not approve with more than two thirds of the weight")
    weight = roster.weight(approving)
    part["approved"].must_be(weight, "is not the weight of the approvals")
    part["digest"].must_be(votes_digest(votes).hex(), "is not the digest of the votes")
    return weight
