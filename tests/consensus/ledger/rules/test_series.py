"""Series: what is played to rate a model, by whom, and that only the results matter, not their order."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import permutations

import pytest

from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.entities import Slot, SlotResult
from consensus.ledger.records.ratings import Series, points_of
from consensus.settings import Settings, SteeringSettings
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of

STEERED = replace(SMALL, steering=SteeringSettings(rules=1))


def steered(count: int = 4, settings: Settings = STEERED) -> Swarm:
    swarm = Swarm(count, settings)
    swarm.promote(0, "first")
    swarm.order()
    swarm.order()  # the beacon
    return swarm


def series_of(swarm: Swarm, player: str = "search", opponent: str = "heuristic", model: bytes | None = None) -> Series:
    wanted = model or swarm.ledger.configuration("hex8-2").model.digest
    (found,) = (
        entry
        for entry in swarm.ledger.series("hex8-2")
        if (entry.pair.model, entry.pair.player, entry.pair.opponent) == (wanted, player, opponent)
    )
    return found


def rate(swarm: Swarm, member: int, series: bytes, score: int = 3) -> int:
    """Claims a slot and reports it; its number, or -1 if there is none for the member."""
    claim = swarm.next_id(member)
    swarm.act(member, t.RateClaim(claim, series))
    if swarm.refusal() is not None:
        return -1
    swarm.order()
    swarm.order()
    granted = swarm.ledger.claim(swarm.id(member), claim)
    assert granted is not None
    assert granted.slot is not None
    swarm.act(member, swarm.result(member, claim, granted.slot, score))
    assert swarm.refusal() is None
    return granted.slot


def test_a_promotion_opens_the_series_of_its_model() -> None:
    swarm = steered()
    pairs = {(entry.pair.player, entry.pair.opponent) for entry in swarm.ledger.series()}
    assert pairs == {("search", "heuristic"), ("search", "random"), ("policy", "heuristic")}
    first = swarm.ledger.configuration("hex8-2").model.digest
    swarm.promote(1, "second")
    second = swarm.ledger.configuration("hex8-2").model.digest
    against = [entry.pair for entry in swarm.ledger.series() if entry.pair.opponent == "model"]
    assert [(pair.model, pair.opponent_model) for pair in against] == [(second, first)]
    assert {entry.pair.model for entry in swarm.ledger.series()} == {first, second}
    assert [entry.number for entry in swarm.ledger.ratings("hex8-2").milestones] == [1, 2]


def test_without_the_switch_there_are_none() -> None:
    swarm = Swarm(4, SMALL)
    swarm.promote(0)
    assert swarm.ledger.series() == ()
    assert swarm.ledger.ratings("hex8-2").milestones == ()
    swarm.act(1, t.RateClaim(swarm.next_id(1), digest_of("series")))
    assert swarm.refusal() == "malformed"
    assert swarm.last[0].fields["detail"] == "field kind must be selfplay, train or match"


def test_nobody_plays_for_the_own_model_nor_both_halves_of_a_pair() -> None:
    swarm = steered()
    series = series_of(swarm).id
    assert rate(swarm, 0, series) == -1
    assert swarm.refusal() == "no slot for this member"
    while any(slot.result is None for slot in series_of(swarm).slots):
        while rate(swarm, 1, series) >= 0:
            pass
        assert rate(swarm, 2, series) >= 0
    slots = series_of(swarm).slots
    assert all(slot.result is not None for slot in slots)
    for one, other in zip(slots[::2], slots[1::2], strict=True):
        assert one.result is not None
        assert other.result is not None
        assert one.result.author != other.result.author


def test_a_claim_waits_for_the_beacon_and_one_is_enough() -> None:
    swarm = Swarm(4, STEERED)
    swarm.promote(0, "first")
    series = series_of(swarm).id
    swarm.act(1, t.RateClaim(swarm.next_id(1), series))
    assert swarm.refusal() == "seeds are not fixed yet"
    assert swarm.ledger.waits_for_beacon
    swarm.order()
    swarm.order()
    for wanted in (None, "member has a claim on this series"):
        swarm.act(1, t.RateClaim(swarm.next_id(1), series))
        assert swarm.refusal() == wanted
    swarm.act(1, t.RateClaim(swarm.next_id(1), digest_of("none")))
    assert swarm.refusal() == "no such series"


@pytest.mark.parametrize("score", [5, -1])
def test_impossible_scores_are_refused(score: int) -> None:
    swarm = steered()
    claim = swarm.next_id(1)
    swarm.act(1, t.RateClaim(claim, series_of(swarm).id))
    swarm.order()
    swarm.order()
    granted = swarm.ledger.claim(swarm.id(1), claim)
    assert granted is not None
    assert granted.slot is not None
    swarm.act(1, swarm.result(1, claim, granted.slot, score))
    assert swarm.refusal() in ("impossible score", "malformed")


def test_points_count_games_that_are_won() -> None:
    assert [points_of("hex8-2", score) for score in (0, 2, 4)] == [0, 2, 4]
    assert points_of("hex8-3", 3) == 0  # three games lost, in each of which a player ties with another
    assert points_of("hex8-3", 12) == 9
    assert points_of("hex8-4", 4 * 3) == 4  # four games that nobody won
    assert points_of("hex8-4", 6 + 2 + 2 + 2) == 4  # one of four won: the share of an equal player


def test_a_series_is_over_when_nearly_all_points_went_to_one_side() -> None:
    swarm = steered()
    series = series_of(swarm, opponent="random").id
    member = 1
    while rate(swarm, member, series, 4) >= 0:
        member = 3 - member
    assert sum(slot.result is not None for slot in series_of(swarm, opponent="random").slots) == 1


def test_results_of_older_models_are_kept_when_their_series_close() -> None:
    swarm = steered()
    series = series_of(swarm)
    for member in (1, 2, 1, 2):
        rate(swarm, member, series.id)
    points = series_of(swarm).points
    swarm.promote(1, "second")
    assert series.id in {entry.id for entry in swarm.ledger.series()}
    claim = swarm.next_id(3)
    swarm.act(3, t.RateClaim(claim, series.id))
    swarm.promote(0, "third")
    assert series.id not in {entry.id for entry in swarm.ledger.series()}
    assert swarm.ledger.claim(swarm.id(3), claim) is None
    tally = swarm.ledger.ratings("hex8-2").tally(series.id)
    assert tally is not None
    assert tally.points == points
    swarm.act(3, t.RateClaim(swarm.next_id(3), series.id))
    assert swarm.refusal() == "no such series"


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_the_order_of_results_does_not_matter(order: tuple[int, ...]) -> None:
    swarm = steered(5)
    series = series_of(swarm)
    claims: list[tuple[int, int, int]] = []
    for member in (1, 2):  # two slots are in play at a time
        claim = swarm.next_id(member)
        swarm.act(member, t.RateClaim(claim, series.id))
        swarm.order()
        swarm.order()
        granted = swarm.ledger.claim(swarm.id(member), claim)
        assert granted is not None
        assert granted.slot is not None
        claims.append((member, claim, granted.slot))
    for place in order:
        member, claim, slot = claims[place]
        swarm.act(member, swarm.result(member, claim, slot, slot % 5))
    assert sorted(slot for _, _, slot in claims) == [0, 1]
    assert series_of(swarm).points == (0, 0, 1, 1)
    assert swarm.ledger.tallies("hex8-2") == swarm.replayed().tallies("hex8-2")


def filled(series: Series, order: list[int], scores: list[int]) -> Series:
    """The series after its slots got these results in this order; at each moment a prefix of them counts."""
    for number in order:
        result = SlotResult(
            author=bytes(32), scores=(scores[2 * number], scores[2 * number + 1]), root=bytes(32), blob=bytes(32),
            size=9, games=4, place=series.place,
        )  # fmt: skip
        slots = list(series.slots)
        slots[number] = Slot(None, result)
        series = replace(series, slots=tuple(slots))
        assert series.points == tuple(scores[: len(series.points)])
    return series


def test_all_orders_of_a_few_results_add_up_to_the_same() -> None:
    series, scores = series_of(steered()), [4, 3, 2, 1, 0, 1, 2, 3]
    expected = filled(series, list(range(4)), scores).tally
    for order in permutations(range(4)):
        assert filled(series, list(order), scores).tally == expected


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_results_add_up_to_the_same(seed: int) -> None:
    series, chance = series_of(steered()), random.Random(seed)
    scores = [chance.randrange(5) for _ in range(2 * len(series.slots))]
    order = list(range(len(series.slots)))
    chance.shuffle(order)
    assert filled(series, order, scores).tally == filled(series, sorted(order), scores).tally
    assert filled(series, order, scores).points == tuple(scores)


def test_a_result_that_is_proven_wrong_is_struck_and_played_again() -> None:
    swarm = steered()
    series = series_of(swarm)
    slot = rate(swarm, 1, series.id)
    report = report_of(series_of(swarm), slot)
    assert report is not None
    about = {"candidate": series.id, "slot": slot, "result": report.digest, "wrong": True, "reason": "other games"}
    for member in (0, 2, 3):
        swarm.act(member, t.Finding(swarm.next_id(member), **about))  # type: ignore[arg-type]
    assert [fault.accused for fault in swarm.ledger.faults()] == [swarm.id(1)]
    after = series_of(swarm)
    assert after.slots[slot].result is None
    assert after.faulty == (swarm.id(1),)
    assert rate(swarm, 1, series.id) == -1
    assert rate(swarm, 2, series.id) == slot  # before any other
    assert swarm.ledger.digest() == swarm.replayed().digest()


def test_an_unproven_case_bars_who_opened_it() -> None:
    swarm = steered()
    series = series_of(swarm)
    slot = rate(swarm, 1, series.id)
    report = report_of(series_of(swarm), slot)
    assert report is not None
    about = {"candidate": series.id, "slot": slot, "result": report.digest, "reason": "other games"}
    swarm.act(3, t.Finding(swarm.next_id(3), wrong=True, **about))  # type: ignore[arg-type]
    for member in (0, 2):
        swarm.act(member, t.Finding(swarm.next_id(member), wrong=False, **about))  # type: ignore[arg-type]
    assert swarm.ledger.cases() == ()
    assert series_of(swarm).barred == (swarm.id(3),)
    assert series_of(swarm).slots[slot].result is not None
