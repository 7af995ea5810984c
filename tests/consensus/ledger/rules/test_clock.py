"""The clock by which leases end: who can move it, and how far."""

import random
from dataclasses import replace

import pytest

from consensus.ledger.rules.clock import weighted_median
from consensus.settings import NEW_SWARM, Settings, SettingsError, TimingSettings
from tests.consensus.ledger.swarm import SECOND, SMALL, Swarm

FAR = 1 << 61  # the year 2043


@pytest.mark.parametrize("seed", range(50))
def test_the_weighted_median_lies_between_the_others_clocks(seed: int) -> None:
    rng = random.Random(seed)
    members = [bytes([number]) * 32 for number in range(rng.randint(1, 12))]
    weights = {member: rng.choice((0, 1, 2, 7)) for member in members} | {members[0]: 3}
    times = {member: rng.randrange(5) for member in members}
    liars: list[bytes] = []
    for member in rng.sample(members, len(members)):
        if 2 * sum(weights[liar] for liar in [*liars, member]) < sum(weights.values()):
            liars.append(member)
    honest = [times[member] for member in members if member not in liars and weights[member]]
    each = sorted(time for member in members for time in [times[member]] * weights[member])
    assert weighted_median(times, weights) == each[(len(each) - 1) // 2]
    for told in (0, FAR):
        lie = times | dict.fromkeys(liars, told)
        assert min(honest) <= weighted_median(lie, weights) <= max(honest)


def lying(by_weight: int) -> Swarm:
    """Six members, of which three with 3 of 15 of the weight say it is 2043, and so does consensus time."""
    timing = replace(SMALL.timing, by_weight=by_weight)
    swarm = Swarm(6, replace(SMALL, timing=timing), weights=(4, 4, 4, 1, 1, 1))
    for _ in range(2):
        for member in range(6):
            swarm.order((swarm.id(member), []))
    swarm.clocks = {swarm.id(member): swarm.time + member * SECOND for member in range(3)}
    swarm.clocks |= {swarm.id(member): FAR + member for member in range(3, 6)}
    swarm.time = FAR
    return swarm


@pytest.mark.parametrize("by_weight", [0, 1])
def test_who_has_little_weight_cannot_move_the_clock_by_weight(by_weight: int) -> None:
    swarm = lying(by_weight)
    before = swarm.ledger.clock
    for turn in range(20):
        for member in range(6):
            swarm.order((swarm.id(member), []), step=40 * SECOND)
            swarm.clocks[swarm.id(member)] += SECOND
        assert swarm.ledger.time > FAR
        if by_weight:
            assert swarm.ledger.clock - before <= (turn + 12) * SECOND
    assert (swarm.ledger.clock - before > 3000 * SECOND) == (not by_weight)
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_the_clock_by_weight_goes_on_without_a_third_and_counts_a_long_gap_as_gap_s() -> None:
    swarm = Swarm(4, replace(SMALL, timing=replace(SMALL.timing, by_weight=1)))
    assert swarm.ledger.clock == 0
    for _ in range(10):
        for member in range(3):
            swarm.order((swarm.id(member), []))
    assert 24 * SECOND <= swarm.ledger.clock <= 30 * SECOND
    before = swarm.ledger.clock
    swarm.time += 10**6 * SECOND
    for member in range(3):
        swarm.order((swarm.id(member), []))
    assert before < swarm.ledger.clock <= before + (SMALL.timing.gap_s + 3) * SECOND


def test_swarms_that_do_not_ask_for_it_are_as_before() -> None:
    table = Settings().table()
    assert "by_weight" not in table["timing"]  # type: ignore[operator]
    assert "ahead" not in table["epoch"]  # type: ignore[operator]
    assert Settings.parse_table(table) == Settings()
    assert (NEW_SWARM.timing.by_weight, NEW_SWARM.epoch.ahead) == (1, 8)
    with pytest.raises(SettingsError, match="by_weight: must be 0 or 1, not 2"):
        TimingSettings(by_weight=2)
