"""The games of a shard count once others hold it; rendezvous hashing says who should."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from consensus.ledger import Ledger
from consensus.ledger.priorities import training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.entities import Shard
from consensus.ledger.rules.custody import GIVEN_UP, MOST_CHANCES, chances_of, order_of
from consensus.ledger.steering.custody import kept_shards
from consensus.settings import EpochSettings, Settings, SettingsError, SteeringSettings
from node.blobs.needs import needed_blobs
from tests.consensus.ledger.swarm import SECOND, Swarm, digest_of, settings

STEP_S = 60
CUSTODY = settings(steering=SteeringSettings(rules=1, custodians=2, custody_s=STEP_S))


def guarded(count: int, kept: Settings = CUSTODY) -> Swarm:
    """A swarm in which all have said something just now, so that all are there."""
    swarm = Swarm(count, kept)
    greet(swarm, *range(count))
    return swarm


def greet(swarm: Swarm, *members: int, step_s: int = 1) -> None:
    swarm.order(*((swarm.id(member), []) for member in members), step=step_s * SECOND)


def pass_time(swarm: Swarm, seconds: int, *members: int) -> None:
    """Time in which only these members say something."""
    until = swarm.ledger.clock + seconds * SECOND
    while swarm.ledger.clock < until:
        greet(swarm, *members, step_s=3)


def hold(swarm: Swarm, member: bytes, *shards: bytes) -> str | None:
    """The refusal of a `held`."""
    number = next(number for number, key in enumerate(swarm.keys) if key.id == member)
    swarm.act(number, t.Held(swarm.next_id(number), shards))
    return swarm.refusal()


def kept(swarm: Swarm, digest: bytes) -> Shard:
    shard = swarm.ledger.shard(digest)
    assert shard is not None
    return shard


def games_of(swarm: Swarm) -> int:
    return swarm.ledger.configuration("hex8-2").games


def test_everybody_finds_the_same_order_and_one_that_goes_moves_nothing_else() -> None:
    chance = random.Random(5)
    members = [digest_of("member", number) for number in range(12)]
    firsts: Counter[bytes] = Counter()
    for number in range(300):
        digest = digest_of("shard", number)
        weights = {member: chance.choice([1, 1, 3, 0]) for member in chance.sample(members, chance.randrange(2, 13))}
        order = order_of(weights, digest)
        assert order_of(dict(sorted(weights.items(), reverse=True)), digest) == order
        gone = chance.choice(order)
        assert order_of({member: weights[member] for member in order if member != gone}, digest) == [
            member for member in order if member != gone
        ]
        voteless = [weights[member] == 0 for member in order]
        assert voteless == sorted(voteless)
        firsts.update(order_of(dict.fromkeys(members, 1), digest)[:2])
    assert sum(firsts.values()) == 600
    assert min(firsts.values()) > 25, "each of twelve holds about 50"


def test_who_cannot_be_reached_comes_last() -> None:
    swarm = guarded(5)
    shard = swarm.play(0)
    first, second = swarm.ledger.custodians(kept(swarm, shard))
    number = next(number for number in range(5) if swarm.id(number) == first)
    roles: dict[str, Any] = {"roles": (), "device": "cpu", "software": bytes(32), "rates": {}, "cost": 0, "life": 0}
    swarm.act(number, t.Profile(swarm.next_id(number), **roles, hidden=True))
    assert swarm.ledger.custody_order(shard)[-1] == first
    assert swarm.ledger.custodians(kept(swarm, shard))[0] == second
    assert first not in swarm.ledger.custodians(kept(swarm, shard))
    swarm.act(number, t.Profile(swarm.next_id(number), **roles))
    assert swarm.ledger.custodians(kept(swarm, shard)) == (first, second)
    old = Swarm(2)
    old.act(0, t.Profile(old.next_id(0), **roles, hidden=True))
    assert old.refusal() == "malformed"


@pytest.mark.parametrize(
    ("disk", "chances"),
    [(None, 1), (0, 0), (49, 0), (50, 1), (99, 1), (100, 2), (199, 2), (399, 4), (10**9, MOST_CHANCES)],
)
def test_twice_the_disk_is_twice_the_chances(disk: int | None, chances: int) -> None:
    assert chances_of(disk, 50) == chances
    assert chances_of(disk, 0) == 1


def test_who_has_more_disk_holds_more_in_proportion_and_moves_nothing_else() -> None:
    members = [digest_of("member", number) for number in range(8)]
    weights, chances = dict.fromkeys(members, 1), {members[0]: 4, members[1]: 2, members[2]: 0}
    firsts: Counter[bytes] = Counter()
    for number in range(1200):
        digest = digest_of("shard", number)
        order = order_of(weights, digest, chances=chances)
        assert order[-1] == members[2]
        assert order_of(weights, digest, {members[3]}, chances)[-2:] == [members[2], members[3]]
        plain = [member for member in order_of(weights, digest) if member not in chances]
        assert [member for member in order if member not in chances] == plain
        firsts.update(order[:1])
    shares = [firsts[member] / 1200 for member in members]
    expected = [4 / 11, 2 / 11, 0, *[1 / 11] * 5]
    assert all(abs(share - wanted) < 0.04 for share, wanted in zip(shares, expected, strict=True)), shares


def test_the_disk_that_members_tell_moves_shards_if_the_swarm_wants_that() -> None:
    """A profile with a disk is nothing that programs know which do not know the setting: both refuse it alike."""
    roles: dict[str, Any] = {"roles": (), "device": "cpu", "software": bytes(32), "rates": {}, "cost": 0, "life": 0}
    plain = guarded(5)
    plain.act(0, t.Profile(plain.next_id(0), **roles, disk=500))
    assert plain.refusal() == "malformed"
    swarm = guarded(5, replace(CUSTODY, steering=replace(CUSTODY.steering, custody_disk_gib=50)))
    shard = swarm.play(0)
    while swarm.ledger.custody_order(shard)[0] == swarm.id(0):
        shard = swarm.play(0)
    before, asked = swarm.ledger.custody_order(shard), swarm.ledger.custodians(kept(swarm, shard))
    assert before[0] in asked
    first = next(number for number in range(5) if swarm.id(number) == before[0])
    swarm.act(first, t.Profile(swarm.next_id(first), **roles, disk=49))
    assert swarm.refusal() is None
    assert swarm.ledger.custody_order(shard) == [*before[1:], before[0]]
    assert before[0] not in swarm.ledger.custodians(kept(swarm, shard))
    swarm.act(first, t.Profile(swarm.next_id(first), **roles, disk=50))
    assert swarm.ledger.custody_order(shard) == before
    assert swarm.ledger.custodians(kept(swarm, shard)) == asked
    for number in range(5):
        swarm.act(number, t.Profile(swarm.next_id(number), **roles, disk=5000 if number == first else 60))
    held = sum(swarm.ledger.custody_order(digest_of("blob", number))[0] == before[0] for number in range(200))
    assert 100 < held < 170, "eight chances of twelve"


def test_games_count_once_two_others_hold_them_and_teach_nobody_before() -> None:
    swarm = guarded(5)
    shard = swarm.play(1, games=32)
    assert (games_of(swarm), kept(swarm, shard).standing) == (0, "unsafe")
    assert swarm.ledger.deliveries("hex8-2").cost == 0
    assert training_shards(swarm.ledger, "hex8-2") == ()
    assert [entry.digest for entry in swarm.ledger.unsafe_shards()] == [shard]
    first, second = swarm.ledger.custodians(kept(swarm, shard))
    assert swarm.id(1) not in (first, second)
    hold(swarm, second, shard)
    assert swarm.kinds() == ["held"]
    assert (games_of(swarm), swarm.ledger.lacks_holders(kept(swarm, shard))) == (0, 1)
    hold(swarm, first, shard)
    assert swarm.kinds() == ["held", "safe"]
    found = kept(swarm, shard)
    assert (found.standing, found.clock, found.holders) == ("counted", swarm.ledger.clock, (second, first))
    assert (games_of(swarm), swarm.ledger.configuration("hex8-2").new_games) == (32, 32)
    assert swarm.ledger.games_played(swarm.id(1)) == 32
    assert swarm.ledger.deliveries("hex8-2").cost == found.cost > 0
    assert training_shards(swarm.ledger, "hex8-2") == (found,)
    assert swarm.ledger.unsafe_shards() == ()


@pytest.mark.parametrize(("count", "wanted"), [(1, 0), (2, 1), (3, 2), (4, 2)])
def test_a_small_swarm_wants_as_many_as_there_are(count: int, wanted: int) -> None:
    swarm = guarded(count)
    shard = swarm.play(0)
    assert swarm.ledger.lacks_holders(kept(swarm, shard)) == wanted
    assert games_of(swarm) == (0 if wanted else 32)
    for member in swarm.ledger.custodians(kept(swarm, shard))[:wanted]:
        hold(swarm, member, shard)
    assert games_of(swarm) == 32


def test_only_whoever_is_asked_can_hold_and_only_once() -> None:
    swarm = guarded(5)
    shard, other = swarm.play(0), swarm.play(0)
    asked = swarm.ledger.custodians(kept(swarm, shard))
    rest = next(member for member in swarm.ledger.roster.ids if member not in (*asked, swarm.id(0)))
    assert hold(swarm, rest, shard) == "others are to hold the shard"
    assert hold(swarm, swarm.id(0), shard) == "others are to hold the shard"
    assert hold(swarm, asked[0], shard) is None
    assert hold(swarm, asked[0], shard) == "held is known, or its shard is not"
    assert hold(swarm, asked[1], digest_of("nothing")) == "held is known, or its shard is not"
    assert hold(swarm, asked[1], shard, digest_of("nothing")) == "held is known, or its shard is not"
    assert kept(swarm, shard).holders == asked[:1]
    both = swarm.ledger.custodians(kept(swarm, other))[0]
    assert hold(swarm, both, other) is None
    assert games_of(swarm) == 0


@pytest.mark.parametrize("named", [(), (bytes(32),) * 2, tuple(digest_of(number) for number in range(65))])
def test_a_held_names_one_to_64_shards(named: tuple[bytes, ...]) -> None:
    swarm = guarded(3)
    assert hold(swarm, swarm.id(0), *named) == "malformed"


def test_a_custodian_that_is_there_and_says_nothing_is_waited_for_no_longer_than_that() -> None:
    swarm = guarded(6)
    shard = swarm.play(0)
    order = swarm.ledger.custodians(kept(swarm, shard))
    hold(swarm, order[0], shard)
    pass_time(swarm, STEP_S, *range(6))
    longer = swarm.ledger.custodians(kept(swarm, shard))
    assert (longer[:2], len(longer)) == (order, 3)
    assert hold(swarm, longer[2], shard) is None
    assert games_of(swarm) == 32


def test_who_is_not_there_is_not_asked() -> None:
    swarm = guarded(5)
    first = swarm.play(0)
    silent = [number for number in range(5) if swarm.id(number) in swarm.ledger.custodians(kept(swarm, first))]
    here = [number for number in range(5) if number not in silent]
    pass_time(swarm, STEP_S, *here)
    assert not {swarm.id(number) for number in silent} & set(swarm.ledger.custodians(kept(swarm, first)))
    for member in swarm.ledger.custodians(kept(swarm, first)):
        hold(swarm, member, first)
    assert games_of(swarm) == 32


def test_a_shard_that_nobody_gets_is_lost_after_a_time_and_its_games_never_count() -> None:
    swarm = guarded(4)
    shard = swarm.play(3)
    pass_time(swarm, GIVEN_UP * STEP_S - 20, 0, 1, 2)
    assert kept(swarm, shard).standing == "unsafe"
    hold(swarm, swarm.ledger.custodians(kept(swarm, shard))[0], shard)
    pass_time(swarm, 20, 0, 1, 2)
    assert kept(swarm, shard).standing == "lost"
    assert (games_of(swarm), swarm.ledger.unsafe_shards()) == (0, ())
    assert swarm.ledger.custodians(kept(swarm, shard)) == ()
    member = swarm.ledger.roster.ids[0]
    assert hold(swarm, member, shard) in ("others are to hold the shard", "held is known, or its shard is not")
    swarm.act(0, t.ShardFinding(swarm.next_id(0), shard, wrong=True, reason="odd"))
    assert swarm.refusal() == "shard is lost"


@pytest.mark.parametrize("is_voted_out", [True, False])
def test_a_custodian_that_goes_is_replaced_by_the_next_in_the_order(is_voted_out: bool) -> None:
    swarm = guarded(6)
    shard = swarm.play(0)
    first, second = swarm.ledger.custodians(kept(swarm, shard))
    for member in (first, second):
        hold(swarm, member, shard)
    numbers = [number for number in range(6) if swarm.id(number) != first]
    if is_voted_out:
        swarm.agree(Change("leave", first), *numbers)
        swarm.close()
    else:
        pass_time(swarm, STEP_S, *numbers)
    found = kept(swarm, shard)
    assert (swarm.ledger.holders(found), swarm.ledger.lacks_holders(found)) == ((second,), 1)
    order = order_of(swarm.ledger.roster.weights, shard)
    third = next(member for member in order if member not in (first, second, swarm.id(0)))
    assert swarm.ledger.custodians(found)[1] == third
    assert hold(swarm, third, shard) is None
    assert swarm.ledger.lacks_holders(kept(swarm, shard)) == 0
    assert games_of(swarm) == 32, "what has counted goes on counting"


def test_one_that_comes_back_holds_what_it_held() -> None:
    swarm = guarded(5)
    shard = swarm.play(0)
    asked = swarm.ledger.custodians(kept(swarm, shard))
    for member in asked:
        hold(swarm, member, shard)
    gone = next(number for number in range(5) if swarm.id(number) == asked[0])
    pass_time(swarm, STEP_S, *(number for number in range(5) if number != gone))
    assert swarm.ledger.lacks_holders(kept(swarm, shard)) == 1
    greet(swarm, gone)
    assert swarm.ledger.lacks_holders(kept(swarm, shard)) == 0


def test_what_waits_for_a_check_counts_when_it_is_checked_and_held() -> None:
    swarm = guarded(4)
    bad = swarm.play(0)
    for member in (1, 2, 3):
        swarm.act(member, t.ShardFinding(swarm.next_id(member), bad, wrong=True, reason="odd"))
    held, checked = swarm.play(0), swarm.play(0)
    for custodian in swarm.ledger.custodians(kept(swarm, held)):
        hold(swarm, custodian, held)
    assert (kept(swarm, held).standing, kept(swarm, held).is_safe) == ("waiting", True)
    pass_time(swarm, STEP_S + 20, 0, 1, 2, 3)
    swarm.act(1, t.ShardFinding(swarm.next_id(1), checked, wrong=False, reason=""))
    assert (kept(swarm, held).standing, kept(swarm, checked).standing) == ("counted", "unsafe")
    assert games_of(swarm) == 32
    for custodian in swarm.ledger.custodians(kept(swarm, checked))[:2]:
        hold(swarm, custodian, checked)
    assert games_of(swarm) == 64


def test_a_huge_shard_that_nobody_gets_makes_nobody_forget_others() -> None:
    swarm = guarded(4)
    good = swarm.play(0)
    for member in swarm.ledger.custodians(kept(swarm, good)):
        hold(swarm, member, good)
    huge = swarm.play(1, games=1 << 20)
    assert [shard.digest for shard in kept_shards(swarm.ledger, "hex8-2")] == [huge, good]
    assert needed_blobs(swarm.ledger) >= {huge, good}
    pass_time(swarm, GIVEN_UP * STEP_S, *range(4))
    assert needed_blobs(swarm.ledger) == {good}


def test_members_can_do_without_custody_and_what_waited_for_it_counts() -> None:
    swarm = guarded(4)
    shard = swarm.play(0)
    swarm.agree(SteeringChange("set", setting="steering.custodians", value="0"), 0, 1, 2)
    assert (kept(swarm, shard).standing, games_of(swarm)) == ("counted", 32)
    swarm.play(1)
    assert games_of(swarm) == 64


def test_without_the_setting_nobody_is_asked_and_nothing_can_be_held() -> None:
    swarm = Swarm(4, settings(steering=SteeringSettings(rules=1)))
    shard = swarm.play(0)
    assert (games_of(swarm), swarm.ledger.custodians(kept(swarm, shard))) == (32, ())
    assert hold(swarm, swarm.id(1), shard) == "others are to hold the shard"
    old = Swarm(4)
    old.play(0)
    assert hold(old, old.id(1), shard) is None
    assert old.ledger.accepted_counts().keys() == {"claim", "games"}


def test_a_restored_ledger_goes_on_where_shards_were_unsafe() -> None:
    swarm = guarded(4, replace(CUSTODY, epoch=EpochSettings(events=12)))
    shard, later = swarm.play(0), swarm.play(1)
    hold(swarm, swarm.ledger.custodians(kept(swarm, shard))[0], shard)
    while swarm.ledger.closing is None:
        greet(swarm, *range(4))
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    assert [entry.digest for entry in restored.unsafe_shards()] == [shard, later]
    for member in swarm.ledger.custodians(kept(swarm, later)):
        hold(swarm, member, later)
        restored.apply_round(swarm.rounds[-1])
    assert restored.digest() == swarm.ledger.digest() == swarm.replayed().digest()
    assert restored.configuration("hex8-2").games == 32


@pytest.mark.parametrize(
    "changes", [{"custodians": 9}, {"custodians": -1}, {"custody_s": 29}, {"custody_s": 0}, {"custody_disk_gib": -1}]
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        SteeringSettings(rules=1, **changes)
