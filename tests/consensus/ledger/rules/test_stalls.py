"""Stalls: what a member that is less than a third of the weight can hold up, and for how long at most.

Each test is a row of the table in docs/steering.md, "Stalls".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from consensus.ledger import Ledger
from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import SlotReport, report_of
from consensus.ledger.records.entities import Candidacy
from consensus.settings import SelfplaySettings, Settings, SteeringSettings, TimingSettings
from tests.consensus.ledger.rules.test_claims import train
from tests.consensus.ledger.rules.test_series import rate, series_of, steered
from tests.consensus.ledger.swarm import SECOND, SMALL, Swarm

RULES = replace(SMALL, steering=SteeringSettings(rules=1))
LIAR, AUTHOR, OTHER, THIRD = 0, 1, 2, 3
TURN_S, STALL_S, SLOT_S = (getattr(RULES.steering, name) for name in ("turn_s", "stall_s", "slot_s"))


def swarm_of(count: int = 4, settings: Settings = RULES) -> Swarm:
    return Swarm(count, settings)


def open_(swarm: Swarm, candidate: bytes) -> Candidacy:
    found = swarm.ledger.candidate(candidate)
    assert found is not None
    return found


def report(swarm: Swarm, candidate: bytes, slot: int) -> SlotReport:
    found = report_of(open_(swarm, candidate), slot)
    assert found is not None
    return found


def seconds(swarm: Swarm) -> float:
    return swarm.ledger.clock / SECOND


def telling(swarm: Swarm, member: int, claim: int, step: int = 1) -> Iterator[int]:
    """Tell of progress every 20 s, `step` more each time, while the claim is live."""
    done = 0
    while (live := swarm.ledger.claim(swarm.id(member), claim)) is not None:
        done = min(done + step, live.amount)
        swarm.act(member, t.Progress(swarm.next_id(member), claim, done))
        swarm.wait(20)
        yield done


def miss(swarm: Swarm, member: int, candidate: bytes, slot: int | None) -> None:
    subject = open_(swarm, candidate).model.digest if slot is None else report(swarm, candidate, slot).digest
    swarm.act(member, t.Missing(swarm.next_id(member), candidate, slot, subject))


def hold(swarm: Swarm, member: int, candidate: bytes, slot: int) -> float:
    """Hold a slot for as long as telling of progress allows; for how long that was, in s."""
    began = seconds(swarm)
    claim = swarm.claim_slot(member, candidate, slot)
    for _ in telling(swarm, member, claim):
        assert seconds(swarm) - began < 4000
    return seconds(swarm) - began


def due_swarm(settings: Settings = RULES) -> Swarm:
    """A swarm with games enough for a training."""
    swarm = swarm_of(settings=settings)
    while next_work(swarm.ledger, swarm.id(OTHER), ("train",)) is None:
        swarm.play(OTHER)
    return swarm


def test_progress_that_does_not_grow_renews_a_lease_no_longer_than_compiling_takes() -> None:
    swarm = swarm_of()
    claim = train(swarm, LIAR)
    began = seconds(swarm)
    for _ in telling(swarm, LIAR, claim, step=0):
        assert seconds(swarm) - began < 4000
    assert STALL_S <= seconds(swarm) - began <= STALL_S + 30


def test_progress_that_grows_renews_it_up_to_the_longest_life_of_a_claim() -> None:
    swarm = swarm_of()
    claim = train(swarm, LIAR)
    began = seconds(swarm)
    for _ in telling(swarm, LIAR, claim):
        assert seconds(swarm) - began < 4000
    assert 3600 <= seconds(swarm) - began <= 3630


def test_who_trained_in_vain_lets_others_go_first_twice_as_long_each_time() -> None:
    swarm = due_swarm()
    for failures in range(4):
        claim = train(swarm, LIAR)
        assert swarm.refusal() is None
        swarm.act(LIAR, t.Release(swarm.next_id(LIAR), claim, "tired"))
        wait = TURN_S << failures
        assert swarm.ledger.waits_for_turn(swarm.id(LIAR), "hex8-2") == wait * SECOND
        swarm.wait(wait - 2)
        train(swarm, LIAR)
        assert swarm.refusal() == "others come first"
        swarm.wait(2)
    claim = train(swarm, LIAR)
    for _ in telling(swarm, LIAR, claim):
        pass
    assert swarm.ledger.waits_for_turn(swarm.id(LIAR), "hex8-2") >= (3600 << 4) * SECOND - 60 * SECOND
    train(swarm, OTHER)
    assert swarm.refusal() is None


def test_a_day_is_the_longest_wait_and_a_swarm_of_two_waits_for_nobody() -> None:
    swarm = due_swarm()
    for _ in range(14):
        swarm.act(LIAR, t.Release(swarm.next_id(LIAR), train(swarm, LIAR), "tired"))
        swarm.ledger._state.clock += 10**5 * SECOND
    assert swarm.refusal() is None
    assert swarm.ledger._state.vain_of(*next(iter(swarm.ledger._state.vain))).until - swarm.ledger.clock < 0
    small = swarm_of(2)
    for _ in range(3):
        small.act(LIAR, t.Release(small.next_id(LIAR), train(small, LIAR), "tired"))
        assert small.refusal() is None


def test_a_slot_is_held_in_vain_no_longer_than_stated_and_never_again() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    first = hold(swarm, LIAR, candidate, 0)  # its four games are told of soon: then it does not grow
    assert STALL_S <= first <= STALL_S + 120
    assert SLOT_S <= first + hold(swarm, LIAR, candidate, 0) <= SLOT_S + 60
    swarm.ask(LIAR, candidate)
    assert swarm.refusal() == "no slot for this member"
    swarm.play_slot(OTHER, candidate, 0)
    assert open_(swarm, candidate).slots[0].result is not None


def test_holding_a_slot_in_parts_sums_up() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    began = seconds(swarm)
    while True:
        claim = swarm.ask(LIAR, candidate)
        if swarm.refusal() is not None:
            break
        swarm.order()
        swarm.order()
        swarm.wait(100)
        swarm.act(LIAR, t.Release(swarm.next_id(LIAR), claim, "tired"))
        assert seconds(swarm) - began < 4000
    assert SLOT_S <= seconds(swarm) - began <= SLOT_S + 150
    assert swarm.refusal() == "no slot for this member"


def test_a_slot_that_was_held_in_vain_does_not_let_the_candidate_idle_out() -> None:
    """Several liars, one after the other, hold the first slot for longer than `timing.idle_s`; then it is played."""
    swarm = swarm_of(7, replace(RULES, timing=TimingSettings(idle_s=SLOT_S)))
    candidate = swarm.nominate(AUTHOR)
    began = seconds(swarm)
    for liar in (LIAR, THIRD):
        while swarm.ledger.open_slots(open_(swarm, candidate), swarm.id(liar)):
            hold(swarm, liar, candidate, 0)
    assert 2 * SLOT_S <= seconds(swarm) - began <= 2 * (SLOT_S + 60)
    swarm.play_slot(OTHER, candidate, 0)
    assert open_(swarm, candidate).slots[0].result is not None
    swarm.wait(SLOT_S)
    assert swarm.ledger.candidate(candidate) is None  # nobody plays on


def test_games_that_more_than_two_thirds_cannot_fetch_free_the_slot() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    swarm.play_slot(LIAR, candidate, 0)
    for member in (AUTHOR, OTHER):
        miss(swarm, member, candidate, 0)
        assert swarm.kinds() == ["missing"]
    miss(swarm, OTHER, candidate, 0)
    assert swarm.refusal() == "member has said that it is missing"
    miss(swarm, THIRD, candidate, 0)
    assert swarm.kinds() == ["missing", "absent"]
    slot = open_(swarm, candidate).slots[0]
    assert (slot.result, slot.claim, slot.was_struck) == (None, None, True)
    assert open_(swarm, candidate).faulty == (swarm.id(LIAR),)
    assert swarm.ledger.fault_counts() == {}
    assert swarm.ledger.absences() == ()
    swarm.ask(LIAR, candidate)
    assert swarm.refusal() == "no slot for this member"
    swarm.play_slot(OTHER, candidate, 0)
    assert open_(swarm, candidate).slots[0].result is not None
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_ripe_candidate_whose_games_are_missing_is_played_again() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    swarm.ripen(candidate, (LIAR, OTHER))
    for member in (AUTHOR, OTHER, THIRD):
        miss(swarm, member, candidate, 0)
    assert swarm.last[-1].fields["reopened"] is True
    assert open_(swarm, candidate).ripe is None
    swarm.play_slot(OTHER if open_(swarm, candidate).slots[1].result is None else THIRD, candidate, 0)
    assert open_(swarm, candidate).ripe is not None


def test_less_than_two_thirds_make_nothing_missing() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    swarm.play_slot(OTHER, candidate, 0)
    for member in (LIAR, THIRD):
        miss(swarm, member, candidate, 0)
        miss(swarm, member, candidate, None)
    assert open_(swarm, candidate).slots[0].result is not None
    assert len(swarm.ledger.absences()) == 4


def test_what_is_missing_has_to_be_named() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    for slot, subject in ((0, bytes(32)), (None, bytes(32)), (10**6, bytes(32))):
        swarm.act(OTHER, t.Missing(swarm.next_id(OTHER), candidate, slot, subject))
        assert swarm.refusal() == "missing of another result"
    swarm.act(OTHER, t.Missing(swarm.next_id(OTHER), bytes(32), 0, bytes(32)))
    assert swarm.refusal() == "no open candidate"


def test_a_case_about_missing_games_ends_with_them() -> None:
    """Else its proof, which comes later, would strike the result of whoever played the slot again."""
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    swarm.play_slot(LIAR, candidate, 0)
    about = report(swarm, candidate, 0)
    finding = t.Finding(
        swarm.next_id(OTHER), candidate=candidate, slot=0, result=about.digest, wrong=True, reason="wrong"
    )
    swarm.act(OTHER, finding)
    assert swarm.ledger.cases()
    for member in (AUTHOR, OTHER, THIRD):
        miss(swarm, member, candidate, 0)
    assert not swarm.ledger.cases()


def test_a_candidate_whose_files_nobody_has_is_dropped_and_its_author_waits() -> None:
    swarm = swarm_of()
    for failures in range(3):
        candidate = swarm.nominate(LIAR, f"no. {failures}")
        assert swarm.ledger.candidate(candidate) is not None
        for member in (AUTHOR, OTHER, THIRD):
            miss(swarm, member, candidate, None)
        assert swarm.last[-1].kind == "dropped"
        assert swarm.last[-1].fields["outcome"] == "missing"
        swarm.act(LIAR, swarm.candidate(LIAR, "again"))
        assert swarm.refusal() == "others come first"
        swarm.wait(TURN_S << failures)
    swarm.act(OTHER, swarm.candidate(OTHER, "mine"))
    assert swarm.refusal() is None


def test_a_trained_candidate_that_is_rejected_costs_its_author_one_turn() -> None:
    """Most candidates are rejected: that alone must not keep anybody from training."""
    swarm = due_swarm()
    for number in range(3):
        claim = train(swarm, LIAR)
        assert swarm.refusal() is None
        news = replace(swarm.candidate(LIAR, f"no. {number}"), claim=claim)
        live = swarm.ledger.claim(swarm.id(LIAR), claim)
        assert live is not None
        model, files = swarm.model(f"no. {number}", live.model)
        swarm.act(LIAR, replace(news, model=model, files=files, parent=live.model))
        assert swarm.refusal() is None
        swarm.order()
        swarm.order()
        candidate = t.candidate_id(swarm.id(LIAR), news.id)
        slot = 0
        while swarm.ledger.candidate(candidate) is not None:
            swarm.play_slot((OTHER, THIRD)[slot % 2], candidate, slot, score=0)
            slot += 1
        assert swarm.ledger.waits_for_turn(swarm.id(LIAR), "hex8-2") == TURN_S * SECOND
        swarm.wait(TURN_S)


def nominate_trained(swarm: Swarm, member: int, name: str) -> bytes | None:
    """A training and its candidate, which uses up the new games; None if the training is refused."""
    claim = train(swarm, member)
    live = swarm.ledger.claim(swarm.id(member), claim)
    if live is None:
        return None
    model, files = swarm.model(name, live.model)
    shards = tuple(shard.digest for shard in swarm.ledger.shards("hex8-2")[-1:])
    news = replace(swarm.candidate(member, name), claim=claim, model=model, files=files, parent=live.model)
    swarm.act(member, replace(news, shards=shards))
    assert swarm.refusal() is None
    swarm.order()
    swarm.order()
    return t.candidate_id(swarm.id(member), news.id)


def test_who_failed_once_trains_only_when_it_is_due_so_that_nobody_uses_up_the_games_of_others() -> None:
    swarm = swarm_of()
    swarm.play(OTHER)
    candidate = nominate_trained(swarm, LIAR, "too early")
    assert candidate is not None
    for slot in range(16):
        if swarm.ledger.candidate(candidate) is not None:
            swarm.play_slot((OTHER, THIRD)[slot % 2], candidate, slot, score=0)
    swarm.wait(TURN_S)
    while next_work(swarm.ledger, swarm.id(OTHER), ("train",)) is None:
        assert nominate_trained(swarm, LIAR, "again") is None
        assert swarm.refusal() == "too few new games"
        swarm.play(OTHER)
    assert swarm.replayed().digest() == swarm.ledger.digest()
    assert nominate_trained(swarm, LIAR, "in time") is not None


def test_nobody_holds_the_training_of_two_configurations() -> None:
    swarm = swarm_of(settings=replace(RULES, configurations=("hex8-2", "square8-2")))
    claim = train(swarm, LIAR)
    train(swarm, LIAR, configuration="square8-2")
    assert swarm.refusal() == "member trains already"
    train(swarm, OTHER, configuration="square8-2")
    assert swarm.refusal() is None
    swarm.act(LIAR, t.Release(swarm.next_id(LIAR), claim, "tired"))
    train(swarm, LIAR, configuration="square8-2")
    assert swarm.refusal() == "training is taken"


def test_a_candidate_at_which_everybody_fails_ends_for_idleness() -> None:
    """Its files are there, but no machine can load them: all give their slots back at once, and try again later."""
    swarm = swarm_of()
    candidate = swarm.nominate(AUTHOR)
    began = seconds(swarm)
    while swarm.ledger.candidate(candidate) is not None:
        for member in (OTHER, THIRD, LIAR):
            claim = swarm.ask(member, candidate)
            swarm.order()
            swarm.order()
            swarm.act(member, t.Release(swarm.next_id(member), claim, "cannot load it"))
        swarm.wait(60)
        assert seconds(swarm) - began < 4000
    assert swarm.ledger.closed_candidates()[-1].outcome == "idle"
    assert seconds(swarm) - began <= RULES.timing.idle_s + 200


def test_who_holds_slots_of_series_in_vain_keeps_others_from_rating_no_longer_than_that() -> None:
    """One member of so few rates at once. A liar that claims slots and reports nothing counts as one at first."""
    swarm = steered(4)
    while not next_work(swarm.ledger, swarm.id(OTHER), ("selfplay",)):
        swarm.order()
    began = seconds(swarm)
    series = [entry.id for entry in swarm.ledger.series()]
    roles = ("match", "selfplay")
    while True:
        for name in series:
            claim = swarm.next_id(LIAR + 1)
            swarm.act(LIAR + 1, t.RateClaim(claim, name))
            if swarm.refusal() is None:
                break
        swarm.wait(30)
        work = next_work(swarm.ledger, swarm.id(OTHER), roles)
        assert work is not None
        if work.kind == "rate" and swarm.ledger.claims_of(swarm.id(LIAR + 1)):
            break
        assert seconds(swarm) - began < 4000
    assert seconds(swarm) - began <= SLOT_S


def test_a_word_that_files_are_missing_ends_with_its_match() -> None:
    """Else it would count against the same model when that is nominated again, and its author has come back."""
    swarm = swarm_of(7)
    first = swarm.nominate(AUTHOR)
    for member in (0, 2, 3, 4):
        miss(swarm, member, first, None)
    swarm.wait(RULES.timing.idle_s)
    assert swarm.ledger.candidate(first) is None
    assert swarm.ledger.absences() == ()
    swarm.wait(TURN_S)
    again = swarm.nominate(AUTHOR)
    miss(swarm, 5, again, None)
    assert swarm.ledger.candidate(again) is not None


def test_a_model_that_is_a_candidate_twice_is_missed_in_each_match_by_itself() -> None:
    swarm = swarm_of(4, replace(RULES, configurations=("hex8-2", "square8-2")))
    first, second = swarm.nominate(AUTHOR), swarm.nominate(AUTHOR, configuration="square8-2")
    for member in (LIAR, OTHER):
        miss(swarm, member, first, None)
        miss(swarm, member, second, None)
        assert swarm.refusal() is None
    miss(swarm, THIRD, second, None)
    assert (swarm.ledger.candidate(first) is None, swarm.ledger.candidate(second) is None) == (False, True)
    miss(swarm, THIRD, first, None)
    assert swarm.ledger.candidate(first) is None


def test_a_nomination_without_training_neither_uses_up_games_nor_keeps_others_from_training() -> None:
    swarm = swarm_of()
    shards = tuple(swarm.play(OTHER) for _ in range(7))
    assert swarm.ledger.configuration("hex8-2").new_games == 7 * 32 >= RULES.training.games
    news = replace(swarm.candidate(LIAR), shards=shards)
    swarm.act(LIAR, news)
    assert swarm.refusal() is None
    assert swarm.ledger.configuration("hex8-2").new_games == 7 * 32
    work = next_work(swarm.ledger, swarm.id(OTHER), ("train",))
    assert work is not None
    assert work.kind == "train"


def test_claims_of_games_that_never_come_keep_nobody_from_playing() -> None:
    """As many liars as may be less than a third claim all random games of a young configuration."""
    settings = replace(RULES, selfplay=SelfplaySettings(games=32, random_games=512, ceiling=512))
    swarm = swarm_of(7, settings)
    for liar in (0, 1):
        for _ in range(4):
            swarm.act(liar, t.SelfplayClaim(swarm.next_id(liar), "hex8-2", 1 << 20))
    work = next_work(swarm.ledger, swarm.id(2), ("selfplay",))
    assert work is not None
    assert work.kind == "selfplay"


@pytest.mark.parametrize("rules", [0, 1])
def test_without_the_rules_nothing_of_this_is_known(rules: int) -> None:
    """`missing` is ordered and ignored then, even if it is malformed, as every unknown type is."""
    swarm = swarm_of(settings=replace(SMALL, steering=SteeringSettings(rules=rules)))
    candidate = swarm.nominate(AUTHOR)
    swarm.order((swarm.id(OTHER), [{"type": "missing", "id": 99, "candidate": 3}]))
    assert swarm.refusal() == ("malformed" if rules else None)
    swarm.play_slot(LIAR, candidate, 0)
    for member in (AUTHOR, OTHER, THIRD):
        miss(swarm, member, candidate, 0)
    assert (open_(swarm, candidate).slots[0].result is None) == bool(rules)
    assert swarm.ledger.accepted_counts().get("missing", 0) == 3 * rules
    claim = train(swarm, LIAR)
    swarm.act(LIAR, t.Release(swarm.next_id(LIAR), claim, "tired"))
    train(swarm, LIAR)
    assert swarm.refusal() == ("others come first" if rules else None)


def test_what_is_remembered_of_stalls_is_pruned() -> None:
    settings = replace(RULES, epoch=replace(RULES.epoch, events=40))
    swarm = swarm_of(settings=settings)
    candidate = swarm.nominate(AUTHOR)
    hold(swarm, LIAR, candidate, 0)
    swarm.act(LIAR, t.Release(swarm.next_id(LIAR), train(swarm, LIAR), "tired"))
    miss(swarm, OTHER, candidate, None)
    state = swarm.ledger._state
    assert (len(state.vain), len(state.absences)) == (2, 1)
    swarm.open(0, 1, 2, 3)
    swarm.wait(30)
    assert swarm.ledger.closing == "length"
    swarm.close()
    restored = Ledger.restore(swarm.genesis, swarm.ledger.record, list(swarm.closings.values())[-1].snapshot)  # type: ignore[arg-type]
    assert restored.digest() == swarm.ledger.digest()
    assert (len(state.vain), len(state.absences)) == (2, 1)


def test_missing_games_of_a_series_free_the_slot_as_in_a_match() -> None:
    swarm = steered()
    series = series_of(swarm)
    number = rate(swarm, LIAR + 1, series.id)
    about = report_of(series_of(swarm), number)
    assert about is not None
    for member in (0, 2, 3):
        swarm.act(member, t.Missing(swarm.next_id(member), series.id, number, about.digest))
    assert swarm.kinds() == ["missing", "absent"]
    assert series_of(swarm).slots[number].result is None
    assert rate(swarm, LIAR + 1, series.id) == -1
    swarm.act(0, t.Missing(swarm.next_id(0), series.id, None, about.digest))
    assert swarm.refusal() == "missing of another result"
