"""Families: training goes to what gains most per cost, each has a floor, and others' networks do not count."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from consensus.ledger import Ledger
from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.rules import families as rule
from consensus.ledger.steering.families import family_shares, next_family
from consensus.settings import SettingsError, SteeringSettings, TrainingSettings
from tests.consensus.ledger.swarm import SMALL, Swarm

FAMILIES = "c16b2.c32b4"
RULES = replace(SMALL, steering=SteeringSettings(rules=1, families=FAMILIES, turn_s=1, cooldown_s=0))


def train(swarm: Swarm, family: str, number: int, score: int) -> None:
    """A training whose candidate gets `score` of 4 points in each block, and is promoted if that is enough."""
    author = number % 2
    claim = swarm.next_id(author)
    swarm.act(author, t.TrainClaim(claim, "hex8-2", family))
    live = swarm.ledger.claim(swarm.id(author), claim)
    assert live is not None
    files = {"weights.safetensors": bytes([number]) * 32}
    model = t.model_digest(files, family, live.model)
    news = replace(
        swarm.candidate(author), claim=claim, model=model, files=files, architecture=family, parent=live.model
    )
    swarm.act(author, news)
    swarm.order()
    swarm.order()
    candidate = t.candidate_id(swarm.id(author), news.id)
    slot = 0
    while (open_ := swarm.ledger.candidate(candidate)) is not None and open_.ripe is None:
        swarm.play_slot(2 + slot % 2, candidate, slot, score)
        slot += 1
    for voter in range(4):
        if swarm.ledger.candidate(candidate) is not None:
            swarm.vote(voter, candidate)
    swarm.wait(10)


def test_what_gains_more_per_cost_gets_more_and_each_has_its_floor() -> None:
    swarm = Swarm(4, RULES)
    hex8 = swarm.ledger.configuration("hex8-2")
    assert next_family(swarm.ledger, hex8) == "c16b2"
    assert [entry.share for entry in family_shares(swarm.ledger, hex8)] == [Fraction(1, 2)] * 2
    train(swarm, "c16b2", 1, score=0)
    assert next_family(swarm.ledger, swarm.ledger.configuration("hex8-2")) == "c32b4"  # it has had nothing yet
    train(swarm, "c32b4", 2, score=4)
    small, large = family_shares(swarm.ledger, swarm.ledger.configuration("hex8-2"))
    assert (small.gain, large.gain) == (0, 500_000)
    assert (small.share, large.share) == (Fraction(1, 10), Fraction(9, 10))
    steps, batch = RULES.training.steps, RULES.training.batch
    assert small.cost == steps * batch - steps * batch // 8
    assert large.cost == steps * batch * 3800 // 1000
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_the_next_training_is_of_the_family_that_lacks_most() -> None:
    swarm = Swarm(4, RULES)
    train(swarm, "c16b2", 1, score=0)
    while next_work(swarm.ledger, swarm.id(3), ("train",)) is None:
        swarm.play(3)
    work = next_work(swarm.ledger, swarm.id(3), ("train",))
    assert work is not None
    assert (work.family, work.model) == ("c32b4", t.UNIFORM)
    swarm.act(2, t.TrainClaim(swarm.next_id(2), "hex8-2", "c32b4"))
    assert next_work(swarm.ledger, swarm.id(3), ("train",)) is None


def test_only_the_families_of_the_settings_are_trained_and_accounted_for() -> None:
    swarm = Swarm(4, RULES)
    swarm.act(0, t.TrainClaim(swarm.next_id(0), "hex8-2", "c99b9"))
    assert swarm.refusal() == "family is not trained here"
    without = Swarm(4, replace(SMALL, steering=SteeringSettings()))
    train(without, "c16b2", 1, score=0)
    assert without.ledger._state.families == {}


def test_the_accounts_come_through_a_close() -> None:
    swarm = Swarm(4, replace(RULES, epoch=replace(RULES.epoch, events=40)))
    train(swarm, "c16b2", 1, score=0)
    swarm.open(0, 1, 2, 3)
    while swarm.ledger.closing is None:
        swarm.wait(30)
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    assert restored.family("hex8-2", "c16b2").trainings == 1


@pytest.mark.parametrize(
    "families", ["", "c16b2.", "c16b2.c16b2", ".", "a b", ".".join(f"c{n}b1" for n in range(1, 10))]
)
def test_families_are_a_few_distinct_names(families: str) -> None:
    with pytest.raises(SettingsError, match=r"settings\.steering\.families: must be"):
        SteeringSettings(families=families)


def test_a_gain_is_what_a_match_was_won_by() -> None:
    assert [rule.gain_of(score, 10, 4) for score in (40, 24, 20)] == [500, 100, 1]
    assert SteeringSettings(families="none").family_names == ()
    assert TrainingSettings().architecture == "c16b2"
