"""A ledger restored from a snapshot shows the same as one that saw everything, whatever members decide and say.

The random author is bolder than that of `test_random`: all settings at their limits, all configurations, boasts, shards
with facts from nothing to the largest, models of other configurations.
"""

from __future__ import annotations

import inspect
import random
from dataclasses import replace
from typing import Any

import pytest

from consensus.ledger import Ledger
from consensus.ledger.priorities import due_findings, due_seals, due_votes, next_work, training_shards, why_rest
from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.entities import WorkKind
from consensus.ledger.steering import congestion, families, quality, regression, shares, training_due, velocity
from consensus.ledger.steering.checks import due_shard_checks
from consensus.ledger.views import Views
from consensus.settings import EpochSettings, SteeringSettings, players
from tests.consensus.ledger.swarm import SECOND, Swarm, digest_of
from tests.consensus.ledger.test_random import WILD, Author
from tests.consensus.ledger.test_setting_limits import CASES

NAMES = [f"{board}-{count}" for board in ("hex8", "hexagonal", "square19", "square8") for count in (2, 3, 4)]
WORKS: tuple[WorkKind | None, ...] = (None, "selfplay", "train", "match", "rate")
NO_MATCH_ENDS = ("match.p0", "match.p1", "match.alpha", "match.beta", "match.limit_share")  # at their limits
ROLES = ("match", "selfplay", "train")
LARGEST = 2**63 - 1


class Bold(Author):
    """Writes what is at the limits, and plays and votes more, so that models are promoted all the same."""

    def __init__(self, swarm: Swarm, seed: int) -> None:
        super().__init__(swarm, seed)
        self.makers += [*(self.slot,) * 6, *(self.result,) * 12, *(self.vote,) * 12]

    def table(self, member: int) -> dict[str, Any] | None:
        proposals = [entry for entry in self.swarm.ledger.proposals() if isinstance(entry.change, SteeringChange)]
        if proposals and self.random.random() < 0.2:
            return t.Ballot(self.swarm.next_id(member), self.random.choice(proposals).id, approve=True).as_table()
        return super().table(member)

    def steer(self, member: int) -> t.Transaction:
        names = [None, *self.swarm.ledger.settings.configurations]
        name, work = self.steering.choice(names), self.steering.choice(WORKS)
        setting, value = self.steering.choice([case for case in CASES if case[0] not in NO_MATCH_ENDS])
        changes = [
            *(SteeringChange("set", setting=setting, value=value, configuration=name),) * 6,
            SteeringChange("set", setting=setting, configuration=name or "hex8-2"),
            SteeringChange("add", configuration=self.steering.choice(NAMES)),
            SteeringChange("pause", work=work, configuration=name),
            *(SteeringChange("resume"),) * 6,
        ]
        return t.Propose(self.swarm.next_id(member), self.steering.choice(changes), "because")

    def profile(self, member: int) -> t.Transaction:
        names = ["evaluations", "positions", "random-hex8-2", "selfplay-hex8-2", "train-hex8-2"]
        return t.Profile(
            self.swarm.next_id(member),
            roles=ROLES,
            device="cpu",
            software=bytes(32),
            rates={name: self.random.choice([0, 1, 10**6, LARGEST]) for name in names},
            cost=1,
            life=self.random.choice([0, 1, 1000, LARGEST]),
        )

    def games(self, member: int) -> t.Transaction | None:
        made = super().games(member)
        if not isinstance(made, t.Games):
            return made
        games = self.random.choice([1, 20, 200, 1 << 20])
        plies = self.random.choice([1, 40 * games, 1 << 32])
        most = (plies, games, plies, games, games - 1, 16_000, 10**6)
        names = ("searched", "decisive", "forced", "openings", "duplicates", "entropy", "value_error")
        facts = {name: self.random.choice([0, limit // 2, limit]) for name, limit in zip(names, most, strict=True)}
        return replace(made, games=games, plies=plies, facts=facts)

    def candidate(self, member: int) -> t.Transaction:
        made, promotions = super().candidate(member), self.swarm.ledger.promotions()
        assert isinstance(made, t.Candidate)
        if promotions and self.random.random() < 0.3:
            model = self.random.choice(promotions).model
            nomination = replace(made, model=model.digest, files=model.files, parent=model.parent)
            return replace(nomination, claim=None, state=None)
        losses = {name: self.random.choice([-LARGEST, 0, 5, LARGEST]) for name in ("policy", "value")}
        return replace(made, losses=losses)

    def result(self, member: int) -> t.Transaction | None:
        claim = self.any_claim(member, self.random.choice(["match", "rate"]))
        if claim is None or claim.slot is None:
            return None
        count = players(claim.configuration)
        size, least = claim.amount // count, count * (count - 2) if claim.kind == "rate" else 0
        scores = tuple(
            (claim.slot * size + number, max(least, self.strength(claim.candidate, 2 * count * (count - 1))))
            for number in range(size)
        )
        name = digest_of(member, claim.id)
        number = self.swarm.next_id(member)
        return t.Result(number, claim=claim.id, scores=scores, root=name, blob=name, size=10, games=claim.amount)

    rated = result


def shown(ledger: Ledger) -> dict[object, object]:
    """Everything that a ledger shows, and what follows from it."""
    seen: dict[object, object] = {"digest": ledger.digest(), "shares": shares.table(ledger)}
    seen["congestion"] = congestion.congestion(ledger)
    for name, view in inspect.getmembers(Views):
        if isinstance(view, property):
            seen[name] = getattr(ledger, name)
        elif not name.startswith("_") and len(inspect.signature(view).parameters) == 1:
            seen[name] = getattr(ledger, name)()
    for member in ledger.roster.ids:
        seen[member] = [next_work(ledger, member, roles) for roles in (ROLES, *((role,) for role in ROLES))]
        seen[member, "rest"] = why_rest(ledger, member, ROLES)
        due = (due_votes, due_seals, due_findings, due_shard_checks)
        seen[member, "due"] = [each(ledger, member) for each in due], ledger.last_id(member)
    for entry in ledger.configurations():
        name = entry.name
        seen[name] = [
            quality.quality_of(ledger, name),
            training_due.training_due(ledger, entry),
            velocity.learning(ledger, name),
            velocity.rating_error(ledger, name),
            regression.compared_models(ledger, name),
            regression.nominee(ledger, name),
            families.family_shares(ledger, entry),
            training_shards(ledger, name),
            ledger.shards(name),
            [(ledger.custodians(shard), ledger.lacks_holders(shard)) for shard in ledger.unsafe_shards()],
            ledger.tallies(name),
            [ledger.settings_on(name, version) for version in range(ledger.settings_version + 1)],
        ]
    return seen


@pytest.mark.parametrize("seed", [16, 10, 11])  # with promotions, which are rare, and in the first with names
def test_a_restored_ledger_shows_the_same_at_any_time(seed: int) -> None:
    custody: dict[str, Any] = {"custodians": 2, "custody_s": 30, "custody_disk_gib": 10} if seed % 2 else {}
    settings = replace(WILD, steering=SteeringSettings(rules=1, **custody), epoch=EpochSettings(events=120))
    swarm = Swarm(4, replace(settings, timing=replace(WILD.timing, by_weight=seed % 2)))
    author, chance = Bold(swarm, seed), random.Random(seed)
    restored: list[Ledger] = []
    for _ in range(250):
        events = [author.event() for _ in range(author.random.randrange(6))]
        effects = swarm.order(*events, step=author.random.choice([SECOND, SECOND, 5 * SECOND]))
        for ledger in restored:
            assert ledger.apply_round(swarm.rounds[-1]) == effects
            assert ledger.digest() == swarm.ledger.digest(), swarm.ledger.differences(ledger)
        if swarm.ledger.closing is not None:
            closing = swarm.close()
            assert all(ledger.close(swarm.rounds[-1]) == closing for ledger in restored)
            restored.append(Ledger.restore(swarm.genesis, closing.record, closing.snapshot))
        if chance.random() < 0.05:
            now = shown(swarm.ledger)
            for ledger in restored:
                assert {key for key, value in shown(ledger).items() if value != now[key]} == set()
    assert len(restored) >= 3
    assert swarm.ledger.settings_version >= 3
    assert swarm.ledger.promotions()
