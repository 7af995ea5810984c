"""Random transactions, sound and not: never a crash, the same everywhere, the rules hold after each round."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from consensus.ledger import Effect, Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.changes import FIELDS, KINDS, Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.entities import Promotion, WorkKind
from consensus.ledger.rules.outcomes import REPORTS_KEPT
from consensus.settings import (
    EpochSettings,
    MatchSettings,
    MembershipSettings,
    Settings,
    TimingSettings,
    TrainingSettings,
)
from tests.consensus.ledger.forks import forged, fork
from tests.consensus.ledger.swarm import SECOND, Swarm, digest_of, facts_of

ROOT = Path(__file__).parents[3]
WILD = Settings(
    configurations=("hex8-2", "square8-3"),
    training=TrainingSettings(steps=20, rejections=2, sibling_promotions=1),
    match=MatchSettings(slot_blocks=2, block_limit=16, p1=Fraction(13, 20)),
    timing=TimingSettings(lease_s=120, vote_s=200, idle_s=900),
    epoch=EpochSettings(events=100),
    membership=MembershipSettings(vote_s=300, absence_s=400, names=1),
)


STEERED = (
    ("match.p1", "3/5"),
    ("match.p1", "13/20"),
    ("match.slot_blocks", "4"),  # not with half of the block limit that others propose
    ("match.block_limit", "4"),
    ("selfplay.games", "100"),
    ("training.steps", "30"),
    ("training.architecture", "c16b2"),
    ("timing.lease_s", "10"),
)


class Author:
    """Writes transactions that often make sense in the present state of the ledger, and often nearly do."""

    def __init__(self, swarm: Swarm, seed: int) -> None:
        self.swarm = swarm
        self.random = random.Random(seed)
        self.steering = random.Random(f"steering {seed}")
        self.written: list[tuple[bytes, dict[str, Any]]] = []
        self.makers: list[Callable[[int], t.Transaction | None]] = [
            self.profile,
            self.selfplay,
            self.train,
            self.slot,
            self.slot,
            self.slot,
            self.progress,
            self.release,
            self.games,
            self.games,
            self.candidate,
            self.result,
            self.result,
            self.result,
            self.result,
            self.vote,
            self.vote,
            self.vote,
            self.finding,
            self.finding,
            self.shard_finding,
            self.missing,
            self.seal,
            self.seal,
            self.ballot,
            self.evidence,
        ]
        if swarm.genesis.settings.steering.rules:
            self.makers += [
                *(self.rating,) * 3, *(self.rated,) * 3, self.doubt, self.selfplay, *(self.games,) * 2,
                *(self.shard_finding,) * 4, *(self.ballot,) * 3, self.slot, *(self.result,) * 3, *(self.vote,) * 2,
                self.rating, *(self.rated,) * 2, *(self.result,) * 7, *(self.slot,) * 3, *(self.vote,) * 4,
                self.candidate, self.train,
            ]  # fmt: skip
        if swarm.genesis.settings.steering.custodians:
            self.makers += [self.held] * 12

    def event(self) -> tuple[bytes, list[dict[str, Any]]]:
        """An event of one member (seldom of a stranger) with up to three transactions."""
        numbers: Sequence[int] = range(len(self.swarm.keys))
        if self.random.random() < 0.97:
            numbers = [n for n in numbers if self.swarm.id(n) in self.swarm.ledger.roster]
        member = self.random.choice(numbers)
        if self.random.random() < (0.01 if self.swarm.ledger.sealed else 0.3):
            return self.swarm.id(member), [self.swarm.opening(self.swarm.id(member))]
        tables = [table for _ in range(self.random.randrange(4)) if (table := self.table(member)) is not None]
        creator = self.swarm.id(member) if self.random.random() < 0.98 else digest_of("stranger")
        self.written += [(creator, table) for table in tables]
        if self.written and self.random.random() < 0.05:
            creator, table = self.random.choice(self.written)
            tables = [table]
        return creator, tables

    def table(self, member: int) -> dict[str, Any] | None:
        maker = self.propose if self.random.random() < 0.02 else self.random.choice(self.makers)
        if self.swarm.genesis.settings.steering.rules and self.random.random() < 0.03:
            maker = self.steer
        transaction = maker(member)
        if transaction is None:
            return None
        if self.random.random() < 0.15:
            transaction = self.spoil(transaction)
        table: dict[str, Any] = transaction.as_table()
        if self.random.random() < 0.05:
            table[self.random.choice(sorted(table))] = self.random.choice([None, -1, "x", b"", [], {}, True])
        if type(table.get("id")) is not int or not isinstance(table.get("type"), str):
            return None  # no event can hold it
        return table

    def spoil(self, transaction: t.Transaction) -> t.Transaction:
        told = [
            item.name
            for item in fields(transaction)
            if item.name not in ("hidden", "disk") or item.name in transaction.as_table()
        ]
        name = self.random.choice(told)
        value = getattr(transaction, name)
        others = {bytes: digest_of(self.random.random()), str: "square8-3", int: self.random.randrange(8)}
        change: dict[str, Any] = {name: others.get(type(value), value)}
        return replace(transaction, **change) if name != "kind" else transaction

    def any_claim(self, member: int, kind: str) -> Any:
        claims = [claim for claim in self.swarm.ledger.claims_of(self.swarm.id(member)) if claim.kind == kind]
        return self.random.choice(claims) if claims else None

    def any_candidate(self) -> Any:
        candidates = self.swarm.ledger.candidates()
        return self.random.choice(candidates) if candidates else None

    def profile(self, member: int) -> t.Transaction:
        return t.Profile(
            self.swarm.next_id(member),
            roles=("match",),
            device="cpu",
            software=bytes(32),
            rates={"plies": 3},
            cost=1,
            life=2,
            hidden=(self.swarm.genesis.settings.steering.custodians > 0 and member % 2 > 0) or None,
            disk=self.random.choice([None, 5, 10, 70]) if self.swarm.genesis.settings.steering.custodians else None,
        )

    def selfplay(self, member: int) -> t.Transaction:
        return t.SelfplayClaim(self.swarm.next_id(member), self.configuration(), self.random.randrange(1, 50))

    def train(self, member: int) -> t.Transaction:
        return t.TrainClaim(self.swarm.next_id(member), self.configuration(), "c16b2")

    def configuration(self) -> str:
        return self.random.choice([entry.name for entry in self.swarm.ledger.configurations()])

    def slot(self, member: int) -> t.Transaction | None:
        open_ = self.any_candidate()
        if open_ is None:
            return None
        return t.MatchClaim(self.swarm.next_id(member), open_.id)

    def progress(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, self.random.choice(["train", "selfplay", "match"]))
        return claim and t.Progress(self.swarm.next_id(member), claim.id, claim.done + 1)

    def release(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, self.random.choice(["train", "selfplay", "match"]))
        return claim and t.Release(self.swarm.next_id(member), claim.id, "tired")

    def games(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, "selfplay")
        if claim is None:
            return None
        number = self.swarm.next_id(member)
        return t.Games(
            number, claim=claim.id, configuration=claim.configuration, model=claim.model,
            shard=digest_of(member, number), size=10, games=20, plies=900, root=digest_of("root"),
            facts=facts_of(self.swarm.genesis.settings, 20, 900),
        )  # fmt: skip

    def candidate(self, member: int) -> t.Transaction:
        claim = self.any_claim(member, "train")
        configuration = claim.configuration if claim else self.configuration()
        shards = tuple(shard.digest for shard in self.swarm.ledger.shards(configuration)[-3:])
        incumbent = self.swarm.ledger.configuration(configuration).model.digest
        parent = claim.model if claim and self.random.random() < 0.95 else None
        model, files = self.swarm.model(str(self.random.randrange(30)), parent)
        return t.Candidate(
            self.swarm.next_id(member), claim=claim and claim.id, configuration=configuration, model=model, files=files,
            architecture="c16b2", parent=parent, incumbent=incumbent, shards=shards, losses={"policy": 5},
            measures={"brier": -7},
            state=(digest_of("state", model), 9) if claim else None,
        )  # fmt: skip

    def result(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, "match")
        if claim is None or claim.slot is None:
            return None
        most = 4 if claim.configuration == "hex8-2" else 12
        size = claim.amount // int(claim.configuration[-1])
        blocks = range(size * claim.slot, size * (claim.slot + 1))
        scores = tuple((block, self.strength(claim.candidate, most)) for block in blocks)
        name = digest_of(member, claim.id)
        return t.Result(
            self.swarm.next_id(member), claim=claim.id, scores=scores, root=name, blob=name, size=10, games=claim.amount
        )

    def rating(self, member: int) -> t.Transaction | None:
        series = self.swarm.ledger.series()
        return t.RateClaim(self.swarm.next_id(member), self.random.choice(series).id) if series else None

    def rated(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, "rate")
        if claim is None or claim.slot is None:
            return None
        least, most = (0, 4) if claim.configuration == "hex8-2" else (3, 12)
        blocks = (2 * claim.slot, 2 * claim.slot + 1)
        better = claim.model[0] % 2
        scores = tuple((block, self.random.randrange(least + better, most + better)) for block in blocks)
        name = digest_of(member, claim.id)
        return t.Result(
            self.swarm.next_id(member), claim=claim.id, scores=scores, root=name, blob=name, size=10, games=claim.amount
        )

    def doubt(self, member: int) -> t.Transaction | None:
        """Rarely against a result of a series."""
        found = [report_of(entry, slot) for entry in self.swarm.ledger.series() for slot in range(len(entry.slots))]
        reports = [report for report in found if report is not None]
        if not reports or self.random.random() < 0.9:
            return None
        chosen = reports[0]
        number = self.swarm.next_id(member)
        return t.Finding(
            number, candidate=chosen.candidate, slot=chosen.slot, result=chosen.digest, wrong=True, reason="replayed"
        )

    def strength(self, candidate: bytes, most: int) -> int:
        """Strong, better, middling or weak by its number, so that every verdict is reached."""
        return (most, most, most * 3 // 4, most * 3 // 4, most // 2, self.random.randrange(2))[candidate[0] % 6]

    def vote(self, member: int) -> t.Transaction | None:
        ripe = [(entry.id, entry.ripe) for entry in self.swarm.ledger.candidates() if entry.ripe is not None]
        if not ripe:
            return None
        candidate, reached = self.random.choice(ripe)
        approve = self.random.random() < 0.8
        return t.Vote(self.swarm.next_id(member), candidate, approve, reached.results, "")

    def finding(self, member: int) -> t.Transaction | None:
        """Mostly on what is under suspicion already; now and then against any result."""
        cases = list(self.swarm.ledger.cases())
        reports = [case.report for case in cases]
        if self.random.random() < 0.02:
            open_ = self.any_candidate()
            found = [] if open_ is None else [report_of(open_, slot) for slot in range(len(open_.slots))]
            reports = [report for report in found if report is not None]
        if not reports:
            return None
        chosen = self.random.choice(reports)
        wrong = not cases or chosen.candidate[1] % 2 > 0
        number = self.swarm.next_id(member)
        return t.Finding(
            number, candidate=chosen.candidate, slot=chosen.slot, result=chosen.digest, wrong=wrong, reason="replayed"
        )

    def shard_finding(self, member: int) -> t.Transaction | None:
        """Mostly on what is in doubt or waits; now and then against any shard."""
        ledger = self.swarm.ledger
        names = [case.shard for case in ledger.shard_cases()]
        kept = [shard for entry in ledger.configurations() for shard in ledger.shards(entry.name)]
        names += [shard.digest for shard in kept if shard.standing == "waiting"]
        if (not names or self.random.random() < 0.1) and self.random.random() < 0.1:
            names = [shard.digest for shard in kept]
        if not names:
            return None
        name = self.random.choice(names)
        in_doubt = ledger.shard_case(name) is not None or self.random.random() < 0.5
        return t.ShardFinding(self.swarm.next_id(member), name, in_doubt and name[0] % 2 > 0, "loaded")

    def held(self, member: int) -> t.Transaction | None:
        """What the member is to hold, now and then with what it is not; or what has to do without holders."""
        ledger, me = self.swarm.ledger, self.swarm.id(member)
        kept = [shard for entry in ledger.configurations() for shard in ledger.shards(entry.name)]
        shards = [shard for shard in kept if me in ledger.custodians(shard) and me not in shard.holders]
        if self.random.random() < 0.05:
            shards = [self.random.choice(kept)] if kept else []
        shards = [shard for shard in shards if shard.digest[0] % 4]  # others are lost
        return t.Held(self.swarm.next_id(member), tuple(shard.digest for shard in shards[-3:])) if shards else None

    def missing(self, member: int) -> t.Transaction | None:
        """Mostly what somebody missed before; now and then any games or files."""
        said = list(self.swarm.ledger.absences())
        if said and self.random.random() < 0.8:
            chosen = self.random.choice(said)
            return t.Missing(self.swarm.next_id(member), chosen.candidate, chosen.slot, chosen.subject)
        open_ = self.any_candidate()
        if open_ is None or self.random.random() < 0.7:
            return None
        reports = [report for slot in range(len(open_.slots)) if (report := report_of(open_, slot)) is not None]
        if not reports or self.random.random() < 0.3:
            return t.Missing(self.swarm.next_id(member), open_.id, None, open_.model.digest)
        report = self.random.choice(reports)
        return t.Missing(self.swarm.next_id(member), open_.id, report.slot, report.digest)

    def seal(self, member: int) -> t.Transaction | None:
        promotions = self.swarm.ledger.promotions()
        return self.swarm.seal(member, self.random.choice(promotions).digest) if promotions else None

    def propose(self, member: int) -> t.Transaction:
        kind = self.random.choice(KINDS)
        subject, other = (self.swarm.id(self.random.randrange(len(self.swarm.keys))) for _ in range(2))
        about: dict[str, Any] = {
            "weight": self.random.randrange(4), "address": "host:1", "key": other, "anchor": None,
            "name": (None, "delta", "Delta", "echo", "foxtrot", "golf")[subject[0] % 6],
        }  # fmt: skip
        chosen = {name: about[name] for name in sorted(FIELDS[kind])}
        return t.Propose(self.swarm.next_id(member), Change(kind, subject, **chosen), "because")

    def steer(self, member: int) -> t.Transaction:
        """A change of what the swarm does that often fits."""
        names = [None, *self.swarm.ledger.settings.configurations]
        works: list[WorkKind | None] = [None, "selfplay", "match"]
        name, work = self.steering.choice(names), self.steering.choice(works)
        setting, value = self.steering.choice(STEERED)
        changes = [
            SteeringChange("set", setting=setting, value=value, configuration=name),
            SteeringChange("set", setting=setting, configuration=name or "hex8-2"),
            SteeringChange("add", configuration=self.steering.choice(("hex8-3", "square8-3"))),
            SteeringChange("pause", work=work, configuration=name),
            SteeringChange("resume", work=work, configuration=name),
            SteeringChange("resume"),
        ]
        return t.Propose(self.swarm.next_id(member), self.steering.choice(changes), "because")

    def evidence(self, member: int) -> t.Transaction | None:
        """Against a few only, and not often true: else nobody would be left to do anything."""
        if self.random.random() < 0.9:
            return None
        accused = 0 if len(self.swarm.keys) > 4 and self.random.random() < 0.2 else None
        return forged(self.swarm) if accused is None else fork(self.swarm, accused)

    def ballot(self, member: int) -> t.Transaction | None:
        proposals = self.swarm.ledger.proposals()
        if not proposals:
            return None
        return t.Ballot(self.swarm.next_id(member), self.random.choice(proposals).id, self.random.random() < 0.9)


def run(seed: int, count: int, rounds: int = 250) -> tuple[Swarm, list[tuple[bytes, tuple[Effect, ...]]]]:
    weights = tuple(2 + (seed + number) % 2 for number in range(count))
    custody: dict[str, Any] = {"custodians": 2, "custody_s": 30} if seed % 4 == 3 else {}
    custody |= {"custody_disk_gib": 10} if custody and count % 2 else {}
    settings = replace(
        WILD,
        timing=replace(WILD.timing, by_weight=seed % 2),
        steering=replace(WILD.steering, rules=seed // 2 % 2, **custody),
    )
    swarm = Swarm(count, settings, weights=weights)
    if count > 2:
        for stranger in range(2):
            swarm.enlist(200 + stranger)  # who may join
    author = Author(swarm, seed)
    trace = []
    for _ in range(rounds):
        before = swarm.ledger.candidates()
        events = [author.event() for _ in range(author.random.randrange(6))]
        effects = swarm.order(*events, step=author.random.choice([SECOND, SECOND, 5 * SECOND]))
        check_rules(swarm, effects, {entry.id: entry for entry in before})
        trace.append((swarm.ledger.digest(), effects))
        if swarm.ledger.closing is not None:
            swarm.close()
    return swarm, trace


def check_rules(swarm: Swarm, effects: tuple[Effect, ...], before: dict[bytes, Any]) -> None:
    ledger = swarm.ledger
    claims = ledger.claims()
    trainers = [(claim.configuration, claim.family) for claim in claims if claim.kind == "train"]
    assert len(set(trainers)) == len(trainers)
    players = [claim for claim in claims if claim.kind in ("match", "rate")]
    assert len({(claim.candidate, claim.author) for claim in players}) == len(players)
    drawn = [(claim.candidate, claim.slot) for claim in players if claim.slot is not None]
    assert len(set(drawn)) == len(drawn)
    for claim in claims:
        assert claim.deadline > ledger.clock
        if claim.kind == "match":
            open_ = ledger.candidate(claim.candidate or b"")
            assert open_ is not None
            assert open_.ripe is None
            assert claim.slot is None or open_.slots[claim.slot].claim == claim.key
            assert claim.slot is not None or claim.place.round >= ledger.round - 1
        if claim.kind == "rate":
            series = ledger.contest(claim.candidate or b"")
            assert series is not None
            assert series.beacon is not None
            assert claim.slot is None or series.slots[claim.slot].claim == claim.key
    for open_ in ledger.candidates():
        check_match(swarm, open_)
    for name in WILD.configurations:
        check_ratings(swarm, name)
    for configuration in ledger.configurations():
        mine = ledger.promotions(configuration.name)
        assert configuration.promotions >= len(mine)
        assert configuration.promotions == (mine[-1].number if mine else 0)
        assert configuration.model.digest == (mine[-1].model.digest if mine else t.UNIFORM)
        assert configuration.lineages.keys() <= {"c16b2"}
        for lineage in configuration.lineages.values():
            assert lineage.state is None or lineage.state.digest == digest_of("state", lineage.model.digest)
        kept = ledger.shards(configuration.name)
        assert configuration.games == sum(shard.games for shard in kept if shard.standing == "counted")
    check_custody(swarm)
    check_cases(swarm)
    for promotion in ledger.promotions():
        check_seals(swarm.ledger, promotion)
    for effect in effects:
        if effect.kind == "promotion":
            check_promotion(swarm, effect, effects, before)


def check_custody(swarm: Swarm) -> None:
    ledger = swarm.ledger
    kept = [shard for entry in ledger.configurations() for shard in ledger.shards(entry.name)]
    unsafe = [shard for shard in kept if not shard.is_safe and shard.standing in ("unsafe", "waiting")]
    assert sorted(shard.digest for shard in unsafe) == sorted(shard.digest for shard in ledger.unsafe_shards())
    assert all(ledger.lacks_holders(shard) for shard in unsafe)
    for shard in kept if swarm.genesis.settings.steering.custodians else ():
        assert shard.is_safe or shard.standing != "counted"
        assert len({shard.author, *shard.holders}) == 1 + len(shard.holders)


def check_match(swarm: Swarm, open_: Any) -> None:
    ledger, roster = swarm.ledger, swarm.ledger.roster
    assert open_.incumbent == ledger.configuration(open_.configuration).model.digest
    others = [entry for entry in ledger.candidates() if entry.configuration == open_.configuration]
    assert [entry.author for entry in others].count(open_.author) == 1
    holders = [slot.claim[0] if slot.claim else None for slot in open_.slots]
    for slot in open_.slots:
        assert slot.result is None or slot.result.author == slot.claim[0]
    if min(len(swarm.genesis.members), *(len(c.record.roster) for c in swarm.closings.values()), 99) >= 3:
        assert open_.author not in holders
        held = Counter(holder for holder in holders if holder is not None)
        assert all(2 * number <= len(holders) for number in held.values())
        assert all(a != b or a is None for a, b in zip(holders[::2], holders[1::2], strict=True))
    voters = [ballot.author for ballot in open_.ballots]
    assert len(set(voters)) == len(voters)
    assert set(voters) <= set(roster.ids)
    approved = roster.weight(ballot.author for ballot in open_.ballots if ballot.approve)
    rejected = roster.weight(ballot.author for ballot in open_.ballots if not ballot.approve)
    if not ledger._state.epoch.needs_recount:  # else the next event counts again, by the new weights
        assert 3 * approved <= 2 * roster.total_weight
        assert 3 * rejected < roster.total_weight
    assert (open_.ripe is not None) == (ledger.standing(open_).verdict == "accept")


def check_ratings(swarm: Swarm, name: str) -> None:
    ledger = swarm.ledger
    compared = [entry.model.digest for entry in ledger.ratings(name).compared]
    assert bool(compared) == bool(swarm.genesis.settings.steering.rules and ledger.promotions(name))
    if compared:
        assert compared[0] == ledger.configuration(name).model.digest
    small = min(len(swarm.genesis.members), *(len(c.record.roster) for c in swarm.closings.values()), 99) < 3
    reports = ledger.outcomes(name)
    assert len(reports) <= REPORTS_KEPT
    assert not {entry.digest for entry in reports} & {fault.id for fault in ledger.faults()}
    for series in ledger.series(name):
        assert series.pair.model in compared
        assert all(slot.result is None or min(series.reported) >= 0 for slot in series.slots)
        assert max(series.reported, default=0) <= series.pair.most
        assert series.reported[: len(series.points)] == series.points
        holders = [slot.claim[0] if slot.claim else None for slot in series.slots]
        assert small or series.author not in holders
        assert small or all(a != b or a is None for a, b in zip(holders[::2], holders[1::2], strict=True))


def check_cases(swarm: Swarm) -> None:
    ledger, roster = swarm.ledger, swarm.ledger.roster
    for case in ledger.cases():
        authors = [entry.author for entry in case.replays]
        assert len(set(authors)) == len(authors)
        assert set(authors) <= set(roster.ids)
        wrong = roster.weight(entry.author for entry in case.replays if entry.wrong)
        right = roster.weight(entry.author for entry in case.replays if not entry.wrong)
        if not ledger._state.epoch.needs_recount:
            assert 3 * wrong <= 2 * roster.total_weight
            assert 3 * right < roster.total_weight
    verifiers = Counter((case.author, case.report.candidate) for case in ledger.cases())
    assert set(verifiers.values()) <= {1}
    for open_ in ledger.candidates():
        assert not {ballot.author for ballot in open_.ballots} & set(open_.faulty)
        held = {slot.claim[0] for slot in open_.slots if slot.result is None and slot.claim is not None}
        assert not held & set(open_.faulty)
    wrong_results = {fault.id for fault in ledger.faults()}
    assert len(wrong_results) == len(ledger.faults())
    assert not wrong_results & {case.id for case in ledger.cases()}
    for open_ in ledger.candidates():
        standing_ = [report_of(open_, slot) for slot in range(len(open_.slots))]
        assert not wrong_results & {report.digest for report in standing_ if report is not None}


def check_seals(ledger: Ledger, promotion: Promotion) -> None:
    roster = ledger.roster_of(promotion)
    authors = [entry.author for entry in promotion.seals]
    assert len(set(authors)) == len(authors)
    if promotion.certified:
        assert roster.supermajority(authors[: promotion.certified])
        assert not roster.supermajority(authors[: promotion.certified - 1])
    else:
        assert not roster.supermajority(authors)


def check_promotion(swarm: Swarm, effect: Effect, effects: tuple[Effect, ...], before: dict[bytes, Any]) -> None:
    """Its votes, of this round and of earlier ones, weigh more than two thirds."""
    candidate = effect.fields["candidate"]
    assert isinstance(candidate, bytes)
    approving = {ballot.author for ballot in before[candidate].ballots if ballot.approve}
    for other in effects:
        if other.kind == "vote" and other.fields["candidate"] == candidate and other.fields["approve"]:
            approving.add(other.member)
    assert swarm.ledger.roster.supermajority(approving)


class Lines:
    """Where trainings have to start, found by walking backwards through everything that has happened.

    `log` has, newest last, what bears on it: ("trained", model, parent), ("other", model), ("rejected", model) and
    ("promoted", model).
    """

    def __init__(self, *, is_steered: bool) -> None:
        self.is_steered = is_steered
        names = (*WILD.configurations, "hex8-3")
        self.log: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names}

    def observe(self, effect: Effect, was_trained: bool) -> None:
        log = self.log.get(str(effect.fields.get("configuration")))
        if effect.kind == "candidate":
            assert log is not None
            fields = effect.fields
            log.append(("trained", fields["model"], fields["parent"]) if was_trained else ("other", fields["model"]))
        elif effect.kind == "dropped" and effect.fields["outcome"] in ("rejected", "limit"):
            assert log is not None
            log.append(("rejected", effect.fields["model"]))
        elif effect.kind == "promotion":
            assert log is not None
            log.append(("promoted", effect.fields["model"]))

    def starts(self, name: str) -> list[object]:
        """The models of which a training starts from one; several only where those of siblings are compared."""
        log = self.log[name]
        promoted = [entry[1] for entry in log if entry[0] == "promoted"]
        newest, rejections = self._newest(log), 0
        for number in reversed(range(len(log))):
            kind, _, *parent = log[number]
            begins = kind == "trained" and parent != [self._newest(log[:number])]
            if begins or kind == "promoted":
                break
            rejections += kind == "rejected" and self._is_trained(log, number)
        if newest is not None and rejections < WILD.training.rejections:
            return [newest]
        return promoted[-1:] or self._siblings(name) or [t.UNIFORM]

    def _siblings(self, name: str) -> list[object]:
        """The canonical models of siblings: of hex8-2 alone, or with the rules of any, but first on the same board."""
        others = [other for other in self.log if other != name and (self.is_steered or other == "hex8-2")]
        promoted = {
            other: [entry[1] for entry in self.log[other] if entry[0] == "promoted"][-1:] for other in sorted(others)
        }
        near = [model for other, models in promoted.items() for model in models if other.split("-")[0] in name]
        return near or [model for models in promoted.values() for model in models]

    def _newest(self, log: list[tuple[Any, ...]]) -> object:
        """The model that the lineage ends with; None if there is none yet."""
        for number in reversed(range(len(log))):
            kind, model, *_ = log[number]
            if kind == "trained" or (kind == "promoted" and not self._is_trained(log, number)):
                return model
        return None

    @staticmethod
    def _is_trained(log: list[tuple[Any, ...]], number: int) -> bool:
        nominations = [entry for entry in log[:number] if entry[0] in ("trained", "other")]
        kinds: list[str] = [entry[0] for entry in nominations if entry[1] == log[number][1]]
        return kinds[-1] == "trained"


def test_every_training_starts_where_a_walk_backwards_says() -> None:
    kinds = set[object]()
    kept = 0  # starts that are neither canonical nor the built-in model
    for seed in range(8):
        swarm, trace = run(seed, 4, 400)
        lines = Lines(is_steered=bool(swarm.genesis.settings.steering.rules))
        for decided, (_, effects) in zip(swarm.rounds, trace, strict=True):
            trained = {
                t.candidate_id(ordered.event.creator, table["id"])
                for ordered in decided.events
                for table in ordered.event.transactions
                if table.get("type") == "candidate" and table.get("claim") is not None
            }
            for effect in effects:
                if effect.kind == "claim" and effect.fields["family"] == "c16b2":
                    start = effect.fields["model"]
                    assert start in lines.starts(str(effect.fields["configuration"])), seed
                    log = lines.log[str(effect.fields["configuration"])]
                    kept += start not in (t.UNIFORM, *(entry[1] for entry in log if entry[0] == "promoted"))
                lines.observe(effect, effect.fields.get("candidate") in trained)
        kinds |= {entry[0] for log in lines.log.values() for entry in log}
    assert kinds == {"trained", "other", "rejected", "promoted"}
    assert kept > 10


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("seed", range(4))
def test_the_rules_hold_and_replay_agrees(seed: int, count: int) -> None:
    swarm, trace = run(seed, count)
    again = Ledger.found(swarm.genesis)
    for decided, (digest, effects) in zip(swarm.rounds, trace, strict=True):
        assert again.apply_round(decided) == effects
        assert again.digest() == digest
        if decided.number in swarm.closings:
            assert again.close(decided) == swarm.closings[decided.number]
    assert again.digest() == swarm.ledger.digest()


def test_the_random_author_reaches_everything() -> None:
    """Otherwise the test above would hold vacuously. Some of it is rare: then further histories are made."""
    everything = "profile claim progress release expired games candidate beacon result ripe vote promotion dropped"
    later = "proposal ballot roster decision shelved sealed slot withheld evidence finding fault unproven series rated"
    later += " shard_finding shard_unproven struck checked held safe lost missing absent seal certificate rejected"
    wanted = {*everything.split(), *later.split()}
    kinds: Counter[str] = Counter()
    outcomes: Counter[object] = Counter()
    deciders: Counter[object] = Counter()
    refusals: Counter[str] = Counter()
    for seed in range(40):
        swarm, trace = run(seed, 4, 400)
        kinds.update(effect.kind for _, effects in trace for effect in effects)
        outcomes.update(entry.outcome for entry in swarm.ledger.closed_candidates())
        tests = [json.loads(entry.statement)["predicate"]["test"] for entry in swarm.ledger.promotions()]
        deciders.update(test["decided_by"] for test in tests)
        refusals.update(swarm.ledger.refused_counts())
        if seed >= 11 and wanted <= set(kinds) and len(deciders) == 2:
            break
    assert set(kinds) == wanted
    assert {"rejected", "limit", "stale", "votes"} <= set(outcomes)
    assert set(deciders) == {"test", "limit"}
    assert len(refusals) >= 28


def test_a_refused_transaction_changes_nothing_but_counts() -> None:
    swarm = Swarm(4, WILD)
    author = Author(swarm, 5)
    refused = 0
    for _ in range(600):
        before = visible(swarm.ledger)
        creator, tables = author.event()
        effects = swarm.order((creator, tables[:1]))
        if [effect.kind for effect in effects] == ["rejected"]:
            refused += 1
            assert visible(swarm.ledger) == before
    assert refused > 50


def visible(ledger: Ledger) -> tuple[object, ...]:
    return (
        ledger.claims(),
        ledger.candidates(),
        ledger.configurations(),
        ledger.promotions(),
        ledger.closed_candidates(),
        ledger.cases(),
        ledger.absences(),
        ledger.faults(),
        ledger.shard_cases(),
        ledger.unsafe_shards(),
        ledger.distrusted,
        ledger.accepted_counts(),
        [ledger.shards(configuration.name) for configuration in ledger.configurations()],
    )


def test_the_digest_tells_states_apart() -> None:
    """Every round that did something has its own digest, also when only counts changed."""
    _, trace = run(3, 4)
    digests = [digest for digest, _ in trace]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_python_s_hash_seed_does_not_matter(hash_seed: str) -> None:
    script = "from tests.consensus.ledger.test_random import run; print(run(2, 7, 80)[0].ledger.digest().hex())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == run(2, 7, 80)[0].ledger.digest().hex()
