"""Replicas: one result whatever arrives when, bounded buffers, hostile input, own events that never fork."""

import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import decode, encode
from consensus.event import Event, EventError, decode_event, make_event
from consensus.genesis import make_genesis
from consensus.keys import SigningKey
from consensus.orphans import Orphans
from consensus.preimages import Preimages
from consensus.replica import ForkError, Replica
from consensus.roster import RosterMember
from consensus.settings import Settings
from consensus.sync import TIPS_PER_MEMBER, Tip, parse_tips
from tests.consensus.gossip import SECOND, START, Gossip, digests, genesis_of, keys_of, sync

KEYS = keys_of(4)
GENESIS = genesis_of(KEYS)


def event_by(
    key: SigningKey,
    *,
    seq: int = 0,
    self_parent: bytes | None = None,
    other_parents: Iterable[bytes] = (),
    time: int = START,
    epoch: bytes = GENESIS.digest,
    note: int = 0,
) -> Event:
    return make_event(
        key,
        epoch=epoch,
        seq=seq,
        self_parent=self_parent,
        other_parents=tuple(other_parents),
        time=time,
        transactions=({"type": "note", "id": note},),
    )


def chain_by(key: SigningKey, length: int, start: Event | None = None) -> list[Event]:
    """`length` events of `key` without other-parents."""
    events = [start or event_by(key)]
    while len(events) < length:
        last = events[-1]
        events.append(event_by(key, seq=last.seq + 1, self_parent=last.hash, time=last.time + 1))
    return events


# The same result for all.


@pytest.mark.parametrize(
    ("count", "forkers", "weights"),
    [
        (1, (), None),
        (2, (), None),
        (4, (), None),
        (4, (1,), None),
        (7, (0, 3), None),
        (5, (2,), [9, 9, 1, 9, 9]),
    ],
)
def test_replicas_agree_on_every_round_whatever_arrives_when(
    count: int, forkers: Sequence[int], weights: Sequence[int] | None
) -> None:
    swarm = Gossip(count, seed=count, weights=weights, forkers=forkers).run(60 * count).settle()
    expected = digests(swarm.rounds[0])
    assert len(expected) >= 5
    assert all(digests(rounds) == expected for rounds in swarm.rounds)
    rng = random.Random(count)
    for batch in (1, 17, 10_000):
        events = list(swarm.made)
        rng.shuffle(events)
        late = Replica.found(swarm.genesis)
        rounds = []
        for start in range(0, len(events), batch):
            late.insert(events[start : start + batch])
            rounds += late.advance()
        assert len(late.dag) == len(events)
        assert digests(rounds) == expected


def test_a_replica_recovers_from_its_stored_events() -> None:
    swarm = Gossip(4, seed=5).run(200)
    before = swarm.replicas[2]
    after = Replica.found(swarm.genesis, swarm.keys[2])
    assert after.insert(before.dag.events) == before.dag.events
    assert digests(after.advance()) == digests(swarm.rounds[2])
    assert after.tips() == before.tips()
    assert after.ledger.digest() == before.ledger.digest()
    assert after.create(START, [], []).seq == before.create(START, [], []).seq


def test_the_order_is_one_and_its_times_ascend() -> None:
    swarm = Gossip(4, seed=6).run(300)
    ordered = [item for result in swarm.rounds[0] for item in result.round.events]
    assert [item.index for item in ordered] == list(range(len(ordered)))
    times = [item.time for item in ordered]
    assert times == sorted(set(times))
    assert len({item.event.hash for item in ordered}) == len(ordered)
    assert [result.round.number for result in swarm.rounds[0]] == list(range(1, len(swarm.rounds[0]) + 1))
    for result in swarm.rounds[0]:
        judges = result.round.judges
        assert [judge.hash for judge in judges] == sorted(judge.hash for judge in judges)
        assert len({judge.creator for judge in judges}) == len(judges)


def test_an_event_says_what_its_creator_had_decided() -> None:
    swarm = Gossip(4, seed=6).run(300).settle()
    digests = {result.round.number: result.digest for result in swarm.rounds[0]}
    told = [event.ledger for event in swarm.made]
    assert told[0] is None
    assert len({item[0] for item in told if item}) > 10
    for item in told:
        if item:
            assert item == (item[0], digests[item[0]])


@pytest.mark.parametrize(("count", "forkers"), [(1, ()), (2, ()), (4, ()), (7, (2, 5))])
def test_own_witnesses_and_no_other_events_show_the_preimage_of_their_round(count: int, forkers: Sequence[int]) -> None:
    swarm = Gossip(count, seed=count, forkers=forkers, anchored=True).run(60 * count).settle()
    chains = {key.id: Preimages(key, 0) for key in swarm.keys}
    honest = [key.id for member, key in enumerate(swarm.keys) if member not in forkers]
    graph, shown = swarm.replicas[0].hashgraph, 0
    for row, event in enumerate(swarm.replicas[0].dag.events):
        if event.creator in honest:
            due = chains[event.creator].preimage(graph.round_of(row)) if graph.is_witness(row) else None
            assert event.reveal == due
            shown += due is not None
    assert shown > 10
    revealed = [judge.reveal for result in swarm.rounds[0] for judge in result.round.judges if judge.creator in honest]
    assert len(revealed) > 10
    assert None not in revealed


def test_nothing_is_revealed_without_an_anchor_or_with_that_of_another_key() -> None:
    a, b = KEYS[:2]
    strangers = Preimages(KEYS[3], 0).anchor
    genesis = make_genesis("test", [RosterMember(a.id, 1, strangers), RosterMember(b.id, 1)], Settings())
    for key in (a, b):
        replica = Replica.found(genesis, key)
        assert not replica.can_reveal
        assert replica.create(START).reveal is None
    assert not Replica.found(genesis).can_reveal
    assert not Replica.found(genesis, KEYS[2]).can_reveal
    assert Replica.found(genesis_of(KEYS, anchored=True), a).can_reveal


def test_half_of_the_weight_decides_nothing_and_loses_nothing() -> None:
    swarm = Gossip(4, seed=7).run(200)
    before = max(len(rounds) for rounds in swarm.rounds)
    swarm.run(300, members=[0, 1])
    assert max(len(rounds) for rounds in swarm.rounds) <= before + 2
    swarm.run(200, members=[0, 1, 2]).settle()
    assert len(swarm.rounds[0]) > before + 5
    assert digests(swarm.rounds[1]) == digests(swarm.rounds[0])
    ordered = {item.event.hash for result in swarm.rounds[0] for item in result.round.events}
    assert all(event.hash in ordered for event in swarm.made[:500])


def test_a_transaction_is_undecided_until_it_is_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = Gossip(4, seed=8)
    replica = swarm.replicas[0]
    assert not replica.needs_rounds()
    replica.insert([replica.create(START, [{"type": "note", "id": 0}])])
    assert replica.needs_rounds()
    swarm.ids = 1000
    monkeypatch.setattr(swarm.rng, "random", lambda: 1.0)  # from here on nobody has transactions
    swarm.run(150)
    assert len(swarm.rounds[0]) > 2
    assert not replica.needs_rounds()


# What is refused.


def refusal(replica: Replica, event: Event) -> str:
    """The reason for which `event` is refused."""
    before = dict(replica.refused)
    assert replica.insert([event]) == []
    (reason,) = [reason for reason, count in replica.refused.items() if count != before.get(reason, 0)]
    assert "\n" not in reason
    return reason


def test_events_that_break_a_rule_are_refused_with_the_reason() -> None:
    replica = Replica.found(GENESIS)
    a, b, c, _ = KEYS
    first, other, forked = event_by(a, time=START), event_by(b), event_by(b, time=START + 1)
    replica.insert([first, other, forked])
    stranger = SigningKey(b"\xee" * 32)
    after: dict[str, Any] = {"seq": 1, "self_parent": first.hash, "time": START + 1}
    assert refusal(replica, event_by(stranger)) == "the creator is not a member"
    assert refusal(replica, event_by(a, epoch=b"\1" * 32)) == "the event is of another epoch or swarm"
    assert refusal(replica, event_by(a, **after | {"seq": 2})) == "the seq is not the self-parent's + 1"
    late = "the time is not after the self-parent's"
    assert refusal(replica, event_by(a, **after | {"time": START})) == late
    assert refusal(replica, event_by(c, **after)) == "the self-parent is by another member"
    not_distinct = "the other-parents are not by distinct other members"
    assert refusal(replica, event_by(a, **after, other_parents=[other.hash, forked.hash])) == not_distinct
    assert refusal(replica, event_by(b, other_parents=[other.hash])) == not_distinct
    assert len(replica.dag) == 3


def test_what_descends_from_a_refused_event_is_refused_too_early_or_late() -> None:
    replica = Replica.found(GENESIS)
    a, b, _, _ = KEYS
    good = event_by(a)
    bad = event_by(a, seq=2, self_parent=good.hash, time=START + 1)
    child = event_by(b, other_parents=[bad.hash])
    grandchild = event_by(b, seq=1, self_parent=child.hash, time=START + 1)
    late = event_by(b, seq=2, self_parent=grandchild.hash, time=START + 2)
    assert replica.insert([grandchild, child, bad]) == []
    assert replica.insert([good]) == [good]
    assert replica.insert([late]) == []
    assert replica.refused == {"the seq is not the self-parent's + 1": 1, "a parent was refused": 2}
    assert replica.insert([bad, child]) == []
    assert replica.wanted() == [grandchild.hash]


def test_an_event_counts_once_also_with_a_second_signature() -> None:
    replica = Replica.found(GENESIS)
    event = event_by(KEYS[0])
    again = decode_event(encode([event.header, b"\1" * 64, event.payload]), GENESIS.digest)
    assert replica.insert([event, event, again]) == [event]
    assert len(replica.dag) == 1


def orphans(replica: Replica) -> Orphans:
    """What waits for its parents in the open epoch."""
    served = replica.find_epoch(replica.epoch_digest)
    assert served is not None
    return served.orphans


def test_orphans_are_bounded_per_creator_and_the_lowest_are_kept() -> None:
    replica = Replica.found(GENESIS)
    long, short = chain_by(KEYS[0], 600), chain_by(KEYS[1], 3)
    rng = random.Random(1)
    flood = long[1:]
    rng.shuffle(flood)
    replica.insert(short[1:])
    replica.insert(flood)
    assert len(orphans(replica)) == 256 + 2
    assert replica.insert(long[:1]) == long[:257]
    assert replica.insert(long) == long[257:]
    assert replica.insert(short[:1]) == short


def test_orphans_are_bounded_in_bytes() -> None:
    replica = Replica.found(GENESIS)
    first = event_by(KEYS[0])
    events = [first]
    for seq in range(1, 40):
        large = ({"type": "note", "id": seq, "text": "x" * 200_000},)
        last = events[-1]
        events.append(
            make_event(
                KEYS[0],
                epoch=GENESIS.digest,
                seq=seq,
                self_parent=last.hash,
                time=START + seq,
                transactions=large,
            )
        )
    replica.insert(events[:0:-1])
    assert sum(len(event.raw) for event in orphans(replica).by_creator(KEYS[0].id)) <= 4 << 20
    assert replica.insert([first]) == events[:21]


def test_a_missing_parent_is_wanted_until_it_comes() -> None:
    replica = Replica.found(GENESIS)
    events = chain_by(KEYS[0], 4)
    replica.insert(events[2:])
    assert replica.wanted() == [events[1].hash]
    replica.insert(events[1:2])
    assert replica.wanted() == [events[0].hash]
    assert replica.insert(events[:1]) == events
    assert replica.wanted() == []


def test_parents_that_do_not_exist_keep_nobody_from_being_asked_for_others() -> None:
    replica = Replica.found(GENESIS)
    for note in range(300):
        lies = [bytes([number, note % 256, note // 256]) + bytes(29) for number in range(4)]
        replica.insert([event_by(KEYS[0], other_parents=lies, note=note)])
    honest = chain_by(KEYS[1], 3)
    replica.insert(honest[2:])
    wanted = replica.wanted()
    assert len(wanted) == 256
    assert honest[1].hash in wanted[:2]


# Own events.


def test_own_events_continue_the_newest_and_time_never_stands_still() -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    for seq, clock in enumerate((START, START - 3600 * SECOND, START + 5)):
        event = replica.create(clock)
        assert event.seq == seq
        assert event.verify()
        assert replica.insert([event]) == [event]
    assert [event.time for event in replica.dag.events] == [START, START + 1, START + 5]


def test_a_second_event_cannot_be_made_before_the_first_is_inserted() -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    first = replica.create(START)
    with pytest.raises(ForkError, match="own event 0 was made before"):
        replica.create(START)
    replica.insert([first])
    assert replica.create(START).seq == 1


def test_nothing_is_made_while_an_own_event_waits_for_its_parents() -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    other = event_by(KEYS[1])
    lost = event_by(KEYS[0], other_parents=[other.hash])
    replica.insert([lost])
    with pytest.raises(ForkError, match="own event 0 waits for parents"):
        replica.create(START)
    replica.insert([other])
    assert replica.create(START).seq == 1


def test_nothing_is_made_while_a_peer_has_own_events_that_are_not_here() -> None:
    peer, replica = Replica.found(GENESIS, KEYS[1]), Replica.found(GENESIS, KEYS[0])
    own = chain_by(KEYS[0], 3)
    peer.insert(own)
    replica.insert(own[:1])
    replica.observe_tips(KEYS[1].id, peer.tips())
    with pytest.raises(ForkError, match="own event 2, which is not here"):
        replica.create(START)
    assert replica.wanted() == [own[2].hash]
    replica.insert(peer.events_for_peer(replica.tips(), 100, replica.wanted()))
    assert replica.create(START).seq == 3
    assert replica.wanted() == []


def test_a_peer_that_lies_about_own_events_can_be_dismissed() -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    replica.observe_tips(KEYS[1].id, [Tip(KEYS[0].id, 99, b"\1" * 32)])
    replica.observe_tips(KEYS[2].id, [Tip(KEYS[0].id, 98, b"\2" * 32)])
    assert replica.wanted() == [b"\1" * 32, b"\2" * 32]
    replica.forget_tips(KEYS[1].id)
    with pytest.raises(ForkError, match="own event 98"):
        replica.create(START)
    replica.observe_tips(KEYS[2].id, [Tip(KEYS[3].id, 98, b"\2" * 32)])
    assert replica.create(START).seq == 0


def test_parents_of_own_events_must_be_attached_and_by_distinct_others() -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    other, forked = event_by(KEYS[1]), event_by(KEYS[1], time=START + 1)
    replica.insert([other, forked])
    with pytest.raises(EventError, match="not attached"):
        replica.create(START, [], [b"\1" * 32])
    with pytest.raises(EventError, match="distinct other members"):
        replica.create(START, [], [other.hash, forked.hash])
    with pytest.raises(EventError, match="named twice"):
        replica.create(START, [], [other.hash, other.hash])
    with pytest.raises(EventError, match="text `type`"):
        replica.create(START, [{"id": 1}], [])
    assert replica.create(START, [], [other.hash]).other_parents == (other.hash,)


@pytest.mark.parametrize("key", [None, SigningKey(b"\xee" * 32)])
def test_only_members_make_events(key: SigningKey | None) -> None:
    with pytest.raises(ForkError, match="no key of a member"):
        Replica.found(GENESIS, key).create(START)


# What peers tell each other.


@pytest.mark.parametrize("forkers", [(), (1,), (0, 2)])
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_two_replicas_with_different_parts_end_with_the_same(forkers: Sequence[int], limit: int) -> None:
    swarm = Gossip(7, seed=limit, forkers=forkers).run(150)
    rng = random.Random(limit)
    for left, right in [rng.sample(swarm.replicas, 2) for _ in range(5)]:
        union = {event.hash for replica in (left, right) for event in replica.dag.events}
        while sync(left, right, limit) or sync(right, left, limit):
            pass
        assert set(left.dag.rows) == set(right.dag.rows) == union


def test_a_sync_is_cut_at_its_limits_and_goes_on() -> None:
    full, empty = Replica.found(GENESIS), Replica.found(GENESIS)
    events = chain_by(KEYS[0], 50)
    full.insert(events)
    assert full.events_for_peer(empty.tips(), 20) == events[:20]
    size = sum(len(event.raw) for event in events[:5])
    assert full.events_for_peer([], 20, size=size) == events[:5]
    assert full.events_for_peer([], 20, size=1) == events[:1]
    assert full.events_for_peer([Tip(KEYS[0].id, 9, events[9].hash)], 3) == events[10:13]
    assert full.events_for_peer([Tip(KEYS[0].id, 49, b"\1" * 32)], 3) == []


def test_nothing_is_sent_twice_when_both_are_ahead() -> None:
    left, right = Replica.found(GENESIS), Replica.found(GENESIS)
    ours, theirs, shared = (chain_by(key, 30) for key in KEYS[:3])
    left.insert(ours + shared[:10] + theirs[:5])
    right.insert(theirs + shared + ours[:5])
    assert set(right.events_for_peer(left.tips(), 1000)) == {*theirs[5:], *shared[10:]}
    assert left.events_for_peer(right.tips(), 1000) == ours[5:]


def test_a_hidden_branch_comes_over_whole_when_a_descendant_asks_for_it() -> None:
    left, right = Replica.found(GENESIS), Replica.found(GENESIS)
    start = event_by(KEYS[0])
    seen = chain_by(KEYS[0], 100, start)
    hidden = [start]
    for seq in range(1, 60):
        hidden.append(event_by(KEYS[0], seq=seq, self_parent=hidden[-1].hash, time=START + 7 * seq, note=seq))
    child = event_by(KEYS[1], other_parents=[hidden[-1].hash])
    left.insert(seen)
    right.insert([*hidden, child])
    assert sync(left, right) == []
    assert left.wanted() == [hidden[-1].hash]
    assert set(sync(left, right)) == {*hidden[1:], child}  # one round trip, not one an event
    assert left.dag.has_forked(left.dag.index[KEYS[0].id])


def test_a_member_with_very_many_branches_does_not_swell_a_sync() -> None:
    left, right = Replica.found(GENESIS), Replica.found(GENESIS)
    branches = [event_by(KEYS[0], note=note) for note in range(100)]
    left.insert(branches)
    right.insert(branches[:1])
    assert len(left.tips()) == TIPS_PER_MEMBER
    assert len(left.events_for_peer(right.tips(), 1000)) <= TIPS_PER_MEMBER
    assert left.events_for_peer(left.tips(), 1000) == []
    assert right.insert(left.events_for_peer(right.tips(), 1000, [branches[50].hash, b"\1" * 32]))[:1] == [branches[50]]


def test_tips_read_back_from_a_message() -> None:
    swarm = Gossip(4, seed=3, forkers=(1,)).run(60)
    tips = swarm.replicas[0].tips()
    message = decode(encode({"tips": tips}), limit=1 << 16)
    assert isinstance(message, dict)
    assert parse_tips(message["tips"], 4) == tips


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [[]],
        [[b"\1" * 32, 0]],
        [[b"\1" * 31, 0, b"\1" * 32]],
        [[b"\1" * 32, -1, b"\1" * 32]],
        [[b"\1" * 32, 2**63, b"\1" * 32]],
        [[b"\1" * 32, True, b"\1" * 32]],
        [[b"\1" * 32, 0, "1" * 32]],
        [[b"\1" * 32, 0, b"\1" * 32]] * 33,
    ],
)
def test_other_values_are_no_tips(value: object) -> None:
    with pytest.raises(EventError):
        parse_tips(value, 4)


digest = st.sampled_from([event.hash for event in chain_by(KEYS[0], 5)]) | st.binary(min_size=32, max_size=32)
member = st.sampled_from([key.id for key in KEYS]) | st.binary(min_size=32, max_size=32)
tip = st.builds(Tip, member, st.integers(0, 9) | st.integers(0, 2**63 - 1), digest)


@given(st.lists(tip, max_size=20), st.lists(digest, max_size=5))
def test_lying_tips_do_no_harm(tips: list[Tip], want: list[bytes]) -> None:
    replica = Replica.found(GENESIS, KEYS[0])
    replica.insert([*chain_by(KEYS[0], 5), event_by(KEYS[0], time=START + 1), event_by(KEYS[1])])
    sent = replica.events_for_peer(tips, 100, want)
    assert len(set(sent)) == len(sent)
    assert set(sent) <= set(replica.dag.events)
    replica.observe_tips(KEYS[1].id, tips)
    replica.forget_tips(KEYS[1].id)
    assert replica.create(START).seq == 5


@given(st.data())
def test_no_event_makes_a_replica_raise_or_fork(data: st.DataObject) -> None:
    """Members sign whatever they like; parents are picked among what exists and what does not."""
    replica = Replica.found(GENESIS, KEYS[0])
    hashes = [b"\1" * 32, b"\2" * 32]
    for number in range(data.draw(st.integers(1, 12))):
        seq = data.draw(st.integers(0, 3))
        try:
            event = event_by(
                data.draw(st.sampled_from(KEYS[1:])),
                seq=seq,
                self_parent=data.draw(st.sampled_from(hashes)) if seq else None,
                other_parents=data.draw(st.lists(st.sampled_from(hashes), max_size=4)),
                time=data.draw(st.sampled_from([0, START, 2**63 - 1])),
                note=number,
            )
        except EventError:
            continue
        hashes.append(event.hash)
        replica.insert([event])
        replica.advance()
    own = replica.create(START, [], [])
    assert replica.insert([own]) == [own]
