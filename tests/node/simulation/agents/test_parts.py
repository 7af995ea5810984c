"""The parts that agents are made of: time, learning curves, scores, and what is measured."""

from __future__ import annotations

import random
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import pytest

from consensus.ledger import Effect
from consensus.ledger.records.ratings import points_of
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.steering.estimates import Estimate
from consensus.ledger.steering.velocity import Learning
from node.simulation.agents.curves import Curve, Turn
from node.simulation.agents.machines import DEVICE_CLASSES, draw_machines
from node.simulation.agents.measures import WINDOW_S, Floors, Leases, Progress, Usage
from node.simulation.agents.models import Models, chance_to_win, score_of_block
from node.simulation.agents.timeline import Timeline

DAY_S = 24 * 3600.0
NAMES = ("hex8-2", "square8-3")


def later(timeline: Timeline, seen: list[str]) -> None:
    timeline.after(0.5, lambda: seen.append(f"later at {timeline.now_s}"))


def test_what_is_due_happens_in_the_order_of_the_clock_and_what_is_cancelled_does_not() -> None:
    timeline, seen = Timeline(), list[str]()
    timeline.at(2.0, lambda: seen.append("two"))
    timeline.at(1.0, lambda: seen.append("one"))
    timeline.at(1.0, lambda: later(timeline, seen))
    timeline.at(1.9, lambda: seen.append("never")).cancel()
    timeline.at(3.0, lambda: seen.append("three"))
    timeline.run(2.5)
    assert seen == ["one", "later at 1.5", "two"]
    assert timeline.now_s == 2.5


def test_machines_are_of_all_classes_and_a_fifth_are_liars() -> None:
    machines = draw_machines(7, 40)
    assert {machine.device for machine in machines} == {kind.name for kind in DEVICE_CLASSES}
    assert sum(not machine.character.is_honest for machine in machines) == 8
    assert machines == draw_machines(7, 40) != draw_machines(8, 40)
    for count in range(1, 12):
        liars = sum(not machine.character.is_honest for machine in draw_machines(1, count))
        assert 3 * liars < count or liars == 0


def test_a_curve_gains_stalls_and_does_not_recover_from_what_it_learned_wrong() -> None:
    curve = Curve("hex8-2", 1, 2 * DAY_S)
    kinds = [turn.kind for turn in curve.turns]
    assert sorted(set(kinds)) == ["jump", "regress", "stall"]
    stall = next(turn for turn in curve.turns if turn.kind == "stall")
    assert curve.stall_at(stall.begin_s) == stall
    assert curve.stall_at(stall.end_s) is None
    still = Curve("hex8-2", 1, 3600.0)
    gains = [still.train(0.0, 300.0, is_spoilt=False, quality=1.0).strength - 300.0 for _ in range(200)]
    bad = [still.train(0.0, 300.0, is_spoilt=False, quality=0.2).strength - 300.0 for _ in range(200)]
    assert fmean(gains) > 15 > 0 > fmean(bad)
    spoilt = [still.train(0.0, 300.0, is_spoilt=True, quality=1.0) for _ in range(200)]
    assert all(training.is_spoilt for training in spoilt)
    assert fmean(training.strength for training in spoilt) < 303.0


def test_a_regression_comes_once_and_wins_its_match_by_luck() -> None:
    curve = Curve("hex8-2", 3, DAY_S)
    regression = next(turn for turn in curve.turns if turn.kind == "regress")
    late = [curve.train(DAY_S, 800.0, is_spoilt=False, quality=1.0) for _ in range(9)]
    hit = [training for training in late if training.turn == regression]
    assert [(training.strength, training.is_lucky, training.is_spoilt) for training in hit] == [(650.0, True, True)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_scores_are_such_as_games_with_one_winner_give(count: int) -> None:
    chance, most = random.Random(1), 2 * count * (count - 1)
    scores = [score_of_block(chance, 0.0, count) for _ in range(2000)]
    assert min(scores) >= count * (count - 2)
    assert max(scores) <= most
    assert {points_of(f"hex8-{count}", score) % count for score in scores} == {0}
    assert abs(fmean(scores) / most - 0.5) < 0.02
    assert chance_to_win(0.0, count) == pytest.approx(1 / count)
    assert chance_to_win(200.0, count) > 1 / count > chance_to_win(-200.0, count)


def test_a_model_is_worth_less_where_it_was_not_trained_and_bad_games_teach_less() -> None:
    models = Models(NAMES, 1, DAY_S)
    models.observe_shard(b"bad", quality=0.0, is_false=True)
    assert models.is_false(b"bad")
    assert not models.is_false(b"good")
    models.train("hex8-2", b"one", UNIFORM, [b"good"], 0.0)
    own = models.strength("hex8-2", b"one")
    assert 100 < own < 400
    assert models.strength("square8-3", b"one") == pytest.approx(0.6 * own)
    assert models.strength("square8-3", UNIFORM) == 0.0


def test_the_use_of_machines_is_that_of_honest_ones() -> None:
    usage = Usage()
    usage.ignored.add(b"liar")
    for member in (b"honest", b"liar"):
        usage.begin_capable(member, 10.0)
        usage.begin_grant(member, 20.0)
        usage.end_grant(member, 50.0)
        usage.end_capable(member, 70.0)
    usage.end_grant(b"honest", 99.0)
    assert (usage.granted_s, usage.capable_s) == (30.0, 60.0)


def test_a_floor_is_violated_by_less_than_two_per_cent_of_a_whole_window() -> None:
    floors = Floors(("a", "b", "c"))
    for name, cost in (("a", 970.0), ("b", 30.0)):
        floors.observe_games(name, cost, 100.0)
    floors.observe_games("a", 5.0, WINDOW_S + 1.0)  # this window is not whole yet
    assert floors.shares(0) == {"a": 0.97, "b": 0.03, "c": 0.0}
    assert floors.violations(1.5 * WINDOW_S) == 1


class _Claims:
    """A ledger with one live claim."""

    def __init__(self, lease_s: int) -> None:
        self.live = True
        timing: Any = type("Timing", (), {"lease_s": lease_s})
        self.settings: Any = type("Settings", (), {"timing": timing})

    def claim(self, author: bytes, number: int) -> object:
        return object() if self.live else None


def test_a_claim_that_outlives_its_lease_is_counted_once() -> None:
    timeline, ledger = Timeline(), _Claims(120)
    leases = Leases(timeline)
    told: Any = lambda: ledger  # noqa: E731
    leases.ledger = told
    leases.watch((b"m", 1), 0.0)
    leases.watch((b"m", 1), 0.0)
    timeline.run(149.0)
    assert leases.over == 0
    timeline.run(151.0)
    assert leases.over == 1
    ledger.live = False
    leases.watch((b"m", 2), 151.0)
    timeline.run(999.0)
    assert leases.over == 1


def promotion(configuration: str, model: bytes) -> Effect:
    fields: Mapping[str, Any] = {"configuration": configuration, "model": model}
    return Effect(kind="promotion", member=b"m", round=1, time=1, index=1, fields=fields)


def test_a_regression_counts_when_it_is_canonical_and_as_rolled_back_when_an_earlier_model_is_again() -> None:
    class Truth:
        turns: Mapping[bytes, Turn] = {b"bad": Turn("regress", 1.0, 1.0), b"great": Turn("jump", 2.0, 2.0)}

        def turn(self, configuration: str, model: bytes) -> Turn | None:
            return self.turns.get(model)

    truth: Any = Truth()
    progress = Progress(truth)
    for model in (b"one", b"great", b"bad", b"after"):
        progress.observe_promotion(promotion("hex8-2", model))
    assert (len(progress.regressions), len(progress.rolled_back)) == (1, 0)
    progress.observe_candidate(promotion("hex8-2", b"great"))
    progress.observe_promotion(promotion("hex8-2", b"great"))
    assert (len(progress.regressions), len(progress.rolled_back), progress.nominations) == (1, 1, 1)
    assert progress.promotions == 5


def test_a_regression_is_not_rolled_back_by_a_model_that_came_after_it() -> None:
    class Truth:
        def turn(self, configuration: str, model: bytes) -> Turn | None:
            return Turn("regress", 1.0, 1.0) if model == b"bad" else None

    truth: Any = Truth()
    progress = Progress(truth)
    for model in (b"one", b"bad", b"after", b"later", b"after", b"bad"):
        progress.observe_promotion(promotion("hex8-2", model))
    assert (len(progress.regressions), len(progress.rolled_back)) == (1, 0)
    progress.observe_promotion(promotion("hex8-2", b"one"))
    assert (len(progress.regressions), len(progress.rolled_back)) == (1, 1)


def test_an_alarm_about_a_stall_is_false_where_models_got_stronger() -> None:
    class Truth:
        curves: Mapping[str, Curve] = {"hex8-2": Curve("hex8-2", 1, 20 * 3600.0)}

        def turn(self, configuration: str, model: bytes) -> Turn | None:
            return Turn("jump", 1.0, 1.0)

    truth: Any = Truth()
    progress = Progress(truth)
    (stall,) = (turn for turn in Truth.curves["hex8-2"].turns if turn.kind == "stall")

    def found(cost: int, gained: int) -> Learning:
        return Learning(
            configuration="hex8-2", steps=(), begun=0, cost=cost, window=100, gained=Estimate(1000 * gained, 0)
        )

    for number, (gained, truly) in enumerate(((0, 50.0), (0, 60.0), (60, 60.0), (0, 49.0))):
        progress.observe_learning(found(1000 + number, gained), float(number), truly)
    assert (progress.stall_alarms, progress.false_stall_alarms, progress.noticed) == (2, 1, set())
    progress.observe_learning(found(2000, 0), stall.begin_s, 0.0)
    assert (progress.stall_alarms, progress.noticed, progress.long_stalls) == (2, {stall}, set())
    progress.observe_learning(found(2199, 0), stall.begin_s + 1.0, 0.0)
    assert progress.long_stalls == set()
    progress.observe_promotion(promotion("hex8-2", b"great"))  # a jump
    progress.observe_learning(found(2200, 0), stall.begin_s + 2.0, 0.0)
    progress.observe_learning(found(2399, 0), stall.begin_s + 3.0, 0.0)
    assert progress.long_stalls == set()
    progress.observe_learning(found(2400, 0), stall.begin_s + 4.0, 0.0)
    assert progress.long_stalls == {stall}
