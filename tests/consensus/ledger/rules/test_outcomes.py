"""Results that trainings learn from: which are kept, which leave, and how many join a training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.priorities import training_outcomes, training_shards
from consensus.ledger.records.cases import SlotReport, report_of
from consensus.ledger.rules.outcomes import REPORTS_KEPT, observe_result
from consensus.settings import SteeringSettings
from tests.consensus.ledger.rules.test_findings import prove
from tests.consensus.ledger.rules.test_series import STEERED, rate, series_of, steered
from tests.consensus.ledger.swarm import SMALL, Swarm


def outcomes(swarm: Swarm) -> tuple[SlotReport, ...]:
    return swarm.ledger.outcomes("hex8-2")


def test_results_of_matches_and_series_are_kept_whatever_becomes_of_these() -> None:
    swarm = steered()
    match = outcomes(swarm)
    assert match  # the candidate was promoted: its match is over
    assert {entry.candidate for entry in match} == {swarm.ledger.promotions()[0].candidate}
    series = series_of(swarm)
    slot = rate(swarm, 1, series.id)
    assert [(entry.candidate, entry.slot) for entry in outcomes(swarm)[len(match) :]] == [(series.id, slot)]
    candidate = swarm.nominate(1, "weak")
    swarm.play_slot(2, candidate, 0, score=0)
    assert outcomes(swarm)[-1].candidate == candidate
    swarm.wait(4000)
    assert swarm.ledger.candidate(candidate) is None
    assert outcomes(swarm)[-1].candidate == candidate
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_games_against_random_play_are_not_kept() -> None:
    swarm = steered()
    before = outcomes(swarm)
    assert rate(swarm, 1, series_of(swarm, opponent="random").id) >= 0
    assert outcomes(swarm) == before


def test_a_result_that_is_struck_leaves() -> None:
    swarm = Swarm(4, STEERED)
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    swarm.play_slot(2, candidate, 1)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    about = report_of(open_, 0)
    assert about is not None
    assert about in outcomes(swarm)
    prove(swarm, about, 0, 2, 3)
    assert [entry.slot for entry in outcomes(swarm)] == [1]
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_only_the_newest_are_kept() -> None:
    swarm = Swarm(4, STEERED)
    candidate = swarm.nominate(0)
    swarm.play_slot(1, candidate, 0)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    for number in range(REPORTS_KEPT + 3):
        observe_result(swarm.ledger._state, replace(open_, beacon=number.to_bytes(32)), 0)
    assert [int.from_bytes(entry.beacon) for entry in outcomes(swarm)] == list(range(3, REPORTS_KEPT + 3))


def test_without_the_rules_none_are_kept() -> None:
    swarm = Swarm(4, SMALL)
    swarm.promote(0)
    assert outcomes(swarm) == ()
    assert training_outcomes(swarm.ledger, "hex8-2", training_shards(swarm.ledger, "hex8-2")) == ()


@pytest.mark.parametrize(("share", "slots"), [(0, 0), (100, 1), (249, 3), (250, 4), (1000, 16)])
def test_a_training_takes_the_newest_up_to_a_share_of_its_games(share: int, slots: int) -> None:
    """Slots have four games, and 64 games of the model were played."""
    swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1, outcome_share=share)))
    swarm.play(1)  # random games do not count
    swarm.promote(0)
    for member in (1, 2):
        swarm.play(member)
    shards = training_shards(swarm.ledger, "hex8-2")
    assert sum(shard.games for shard in shards) == 96
    found = training_outcomes(swarm.ledger, "hex8-2", shards)
    assert found == outcomes(swarm)[max(0, len(outcomes(swarm)) - slots) :]
    assert sum(entry.result.games for entry in found) <= 64 * share / 1000
    if slots:
        lost = {found[-1].result.blob}
        assert found[-1] not in training_outcomes(swarm.ledger, "hex8-2", shards, lost)
