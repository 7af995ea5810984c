"""What went wrong in other systems, replayed here: our code copes, and the same mistake in it would be noticed.

The incidents are those that an operator of a large hashgraph network has published (a counter of the node's own
in consensus, a fork after a reconnect, rounds that ran backwards), the gap in the definitions of 2016 that
`SPEC.md` section 7 closes, and mistakes found in the source of other implementations.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import pytest

from consensus.event import Event, make_event
from consensus.hashgraph import Decision, Hashgraph
from consensus.hashgraph.ancestry import Ancestry
from consensus.hashgraph.fame import Election
from consensus.hashgraph.rounds import Rounds, Witnesses
from consensus.keys import SigningKey
from consensus.ledger.records.changes import Change
from consensus.replica import ForkError, Replica
from consensus.roster import RosterMember, make_roster
from node.member.verification import ParallelVerifier
from scripts import vectors
from tests.consensus.brute_force import BruteForce
from tests.consensus.gossip import Gossip, genesis_of, keys_of, sync
from tests.consensus.hashgraph.test_vectors import DAGS
from tests.consensus.random_dags import DagEvent, random_dag
from tests.consensus.test_epochs import Swarm as EpochSwarm
from tests.consensus.test_epochs import ordered_of

Fed: TypeAlias = tuple[dict[int, int], list[Decision], dict[int, int]]


def fed(weights: list[int], events: list[DagEvent], ids: Sequence[int], every: int = 1) -> Fed:
    """What a node makes of these events when they reach it in this order: rounds by event, and decisions."""
    dag = vectors.Dag(name="story", kind="story", weights=weights, events=events, expect={}, views=[])
    graph, decisions, rows = vectors.feed(dag, ids, every)
    return {index: graph.round_of(row) for index, row in rows.items()}, decisions, rows


def order_of(decisions: list[Decision], rows: dict[int, int]) -> list[tuple[int, int, int]]:
    """Everything that is final, in order: event, received round, time."""
    ids = {row: index for index, row in rows.items()}
    return [(ids[item.row], decision.round, item.time) for decision in decisions for item in decision.received]


def disagree(one: Iterable[object], other: Iterable[object]) -> bool:
    """Whether two orders contradict each other: neither is the beginning of the other."""
    return any(first != second for first, second in zip(one, other, strict=False))


# A node-local counter that reached consensus.


def late_joiner(seed: int) -> tuple[list[DagEvent], int]:
    """Members 0 to 3 gossip; member 4 is silent at first, then speaks up with an event that has no parents at all."""
    rng = random.Random(seed)
    events: list[DagEvent] = []
    last: dict[int, int] = {}
    own: dict[int, int] = {}

    def add(creator: int, *others: int) -> None:
        parents = [last[other] for other in others if other in last]
        last[creator] = len(events)
        events.append((creator, own.get(creator), parents, 1000 * len(events), rng.randbytes(32)))
        own[creator] = last[creator]

    for _ in range(160):
        creator = rng.randrange(4)
        add(creator, rng.choice([member for member in range(4) if member != creator]))
    late = len(events)
    add(4)
    for _ in range(120):
        creator = rng.randrange(5)
        add(creator, rng.choice([member for member in range(5) if member != creator]))
    return events, late


def test_what_arrives_when_reaches_no_round() -> None:
    """Two nodes hear an event without parents early and late: it, and all else, has one round and one place.

    Elsewhere such an event was given a round by how far the node itself had come: some nodes said 3, one said 4.
    """
    for seed in range(6):
        events, late = late_joiner(seed)
        ids = list(range(len(events)))
        early = [late, *ids[:late], *ids[late + 1 :]]
        user = next(index for index in ids if late in events[index][2] or events[index][1] == late)
        as_late_as_can_be = [*(i for i in ids[:user] if i != late), late, *ids[user:]]
        views = [fed([1] * 5, events, order, every) for order in (ids, early, as_late_as_can_be) for every in (1, 7)]
        rounds, decisions, rows = views[0]
        assert rounds[late] == 1
        assert len(decisions) > 5
        for other_rounds, other_decisions, other_rows in views[1:]:
            assert other_rounds == rounds
            assert order_of(other_decisions, other_rows) == order_of(decisions, rows)


def test_a_round_by_the_node_s_own_progress_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Rounds.add

    def by_progress(self: Rounds, row: int) -> bool:
        if self.ancestry.parents[row] or len(self.witnesses) <= 3:
            return add(self, row)
        self.round[row], self.witness[row] = len(self.witnesses) - 2, row  # as far as this node has come
        return True

    monkeypatch.setattr(Rounds, "add", by_progress)
    events, late = late_joiner(1)
    rounds = []
    for before in (0, late):
        graph = Hashgraph([1] * 5)
        for creator, self_parent, others, time, digest in events[:before]:
            graph.add(creator, self_parent, others, time, digest)
        rounds.append(graph.round_of(graph.add(4, None, [], *events[late][3:])))
    assert rounds[0] != rounds[1]


# An honest fork after a reconnect.


@pytest.mark.parametrize("seed", range(5))
def test_who_gets_its_own_events_back_in_any_order_goes_on_from_the_highest(seed: int) -> None:
    """Elsewhere "my latest event" was the one that came in last after a reconnect: an honest node forked."""
    gossip = Gossip(4, seed=seed).run(60).settle()
    key = gossip.keys[1]
    own = [event for event in gossip.made if event.creator == key.id]
    events = list(gossip.made)
    random.Random(seed).shuffle(events)
    back = Replica.found(gossip.genesis, key)
    peer = gossip.replicas[0]
    back.observe_tips(gossip.keys[0].id, peer.tips())
    refused = 0
    for event in events:
        back.insert([event])
        if len(back.dag) < len(events):
            with pytest.raises(ForkError):
                back.create(gossip.time, (), ())
            refused += 1
        while len(back.dag) < len(events) and event is events[-1] and sync(back, peer):
            pass  # orphans that did not fit are asked for again
    assert refused > 20
    made = back.create(gossip.time, (), ())
    assert made.seq == max(event.seq for event in own) + 1
    assert made.self_parent == max(own, key=lambda event: event.seq).hash


def test_the_newest_by_arrival_would_fork() -> None:
    """The mistake, on the same events: what came in last is not what has the highest number."""
    gossip = Gossip(4, seed=2).run(60).settle()
    key = gossip.keys[1]
    own = [event for event in gossip.made if event.creator == key.id]
    arrived = random.Random(2).sample(own, len(own))
    by_arrival = arrived[-1]
    second = make_event(
        key, epoch=gossip.genesis.digest, seq=by_arrival.seq + 1, self_parent=by_arrival.hash, time=by_arrival.time + 1
    )
    replica = gossip.replicas[0]
    assert second in replica.insert([second])
    assert replica.hashgraph.forkers() == (1,)
    assert gossip.replicas[2].newest(key.id) == max(own, key=lambda event: event.seq)


# A change of weights that made rounds run backwards.


def test_rounds_never_run_backwards_along_an_edge() -> None:
    """A round is fixed when its event is added, by ancestors and the weights of the epoch, and never computed again.

    Elsewhere weights changed inside a DAG: what was not yet received was computed again with the new ones, and a
    child got a lower round than its parent. Here another roster is another epoch, another DAG, another Hashgraph.
    """
    for seed in range(250):
        dag = random_dag(seed)
        graph = Hashgraph(dag.weights)
        rounds = []
        for creator, self_parent, others, time, digest in dag.events:
            row = graph.add(creator, self_parent, others, time, digest)
            rounds.append(graph.round_of(row))
            parents = [rounds[parent] for parent in (self_parent, *others) if parent is not None]
            assert rounds[row] - max(parents, default=rounds[row]) in (0, 1)
            if row % 9 == 0:
                graph.decide()
        assert [graph.round_of(row) for row in range(len(rounds))] == rounds


def test_rounds_computed_again_with_other_weights_would_run_backwards() -> None:
    """The mistake: what was received keeps its round, and the rest of the DAG gets rounds by the new weights."""
    backwards = 0
    for seed in range(12):
        events, _ = late_joiner(seed)
        rounds, decisions, rows = fed([1] * 5, events, list(range(len(events))))
        received = {index for index, _, _ in order_of(decisions, rows)}
        again = BruteForce([1, 1, 1, 1, 3], events).rounds
        mixed = [rounds[index] if index in received else again[index] for index in range(len(events))]
        backwards += any(
            mixed[index] < mixed[parent]
            for index, (_, self_parent, others, _, _) in enumerate(events)
            for parent in (self_parent, *others)
            if parent is not None
        )
    assert backwards > 3


def has_version(version: int, replica: Replica) -> bool:
    return replica.ledger.roster_version == version


def test_a_change_of_weights_is_another_epoch_in_which_rounds_and_times_go_on() -> None:
    """Through several changes of weights: along every edge, and from epoch to epoch, nothing runs backwards."""
    swarm = EpochSwarm(7, seed=4)
    swarm.run(30)
    for version, member, weight in ((2, 0, 2), (3, 1, 2), (4, 0, 1)):
        swarm.agree(Change("weight", swarm.keys[member].id, weight=weight), *range(1, 7))
        swarm.run_until(partial(has_version, version))
    rounds = swarm.run(40).settle().agreement()
    assert [result.round.number for result in rounds] == list(range(1, len(rounds) + 1))
    place = {ordered.event.hash: ordered for ordered in ordered_of(rounds)}
    epochs: dict[bytes, list[int]] = {}
    last = -1
    for ordered in ordered_of(rounds):
        assert ordered.time > last
        last = ordered.time
        epochs.setdefault(ordered.event.epoch, []).append(ordered.round)
        for parent in ordered.event.parents:
            assert place[parent].round <= ordered.round
            assert place[parent].event.epoch == ordered.event.epoch, "no edge leads from epoch to epoch"
    spans = [(min(numbers), max(numbers)) for numbers in epochs.values()]
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


# The fork that makes a witness lose sight of a quorum (SPEC section 7).


def without_proxy(self: Rounds, row: int, record: Witnesses) -> int:
    """S10 as it was in 2016: a witness votes as itself, with whatever it strongly sees."""
    if row not in record.proxy_of:
        earlier = self._earlier_witnesses(row)
        record.electors[row] = self.place.take(earlier[self._reached(row, earlier) >= self.quorum])
        record.proxy_of[row] = row
    return row


def test_without_the_proxy_the_vectors_fail_and_only_those_with_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(vectors.check(dag) for dag in DAGS if dag.kind in ("deficient", "mutant"))
    monkeypatch.setattr(Rounds, "_proxy", without_proxy)
    wrong = {dag.name: (dag.kind, vectors.check(dag)) for dag in DAGS}
    kinds = Counter(kind for kind, mismatches in wrong.values() if mismatches)
    assert kinds["deficient"] == sum(dag.kind == "deficient" for dag in DAGS)
    assert kinds["mutant"] >= 1
    assert all(kind in ("deficient", "mutant") or kind.startswith("fork") for kind in kinds)
    what = {mismatch.what for kind, mismatches in wrong.values() for mismatch in mismatches}
    assert {"fame", "order", "view"} <= what, "also what one node had already decided"


def test_without_the_proxy_two_honest_nodes_would_decide_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    """One decides before the event arrives that makes the other decide otherwise; the proxy rules that out."""

    def disagreements() -> int:
        found = 0
        for dag in (dag for dag in DAGS if dag.kind == "deficient"):
            ids = list(range(len(dag.events)))
            step_by_step = fed(dag.weights, dag.events, ids, 1)
            at_once = fed(dag.weights, dag.events, ids, len(ids))
            found += disagree(order_of(*step_by_step[1:]), order_of(*at_once[1:]))
        return found

    assert disagreements() == 0
    monkeypatch.setattr(Rounds, "_proxy", without_proxy)
    assert disagreements() > 0


# Mistakes found in the source of others.


@pytest.mark.parametrize(("members", "needed"), [(1, 1), (2, 2), (3, 3), (4, 3), (6, 5), (7, 5), (9, 7), (10, 7)])
def test_two_thirds_are_not_enough(members: int, needed: int) -> None:
    """Elsewhere ceil(2n/3) members were: 2 of 3, 4 of 6, 6 of 9."""
    roster = make_roster(RosterMember(key.id, 1) for key in keys_of(members))
    assert roster.supermajority(roster.ids[:needed])
    assert not roster.supermajority(roster.ids[: needed - 1])
    graph = Hashgraph([1] * members)
    assert graph._rounds.quorum == needed
    talking = range(needed)
    events: list[DagEvent] = []
    for layer in range(12):
        before = {member: (layer - 1) * needed + member for member in talking} if layer else {}
        for member in talking:
            others = [row for other, row in before.items() if other != member]
            events.append((member, before.get(member), others, 10 * len(events), bytes(30) + len(events).to_bytes(2)))
    assert fed([1] * members, events, range(len(events)))[1], "so many decide"
    silent = [event for event in events if event[0] < needed - 1]
    renumbered = {index: place for place, index in enumerate(i for i, e in enumerate(events) if e[0] < needed - 1)}
    fewer: list[DagEvent] = []
    for creator, parent, parents, time, digest in silent:
        left = [renumbered[other] for other in parents if other in renumbered]
        fewer.append((creator, None if parent is None else renumbered[parent], left, time, digest))
    assert not fed([1] * members, fewer, range(len(fewer)))[1], "and one less decide nothing"


def test_a_member_counts_once_whatever_it_signs() -> None:
    """Elsewhere one process voted under three names, and one name by many events."""
    roster = make_roster(RosterMember(key.id, 1) for key in keys_of(4))
    stranger = SigningKey(b"s" * 32).id
    assert not roster.supermajority([stranger] * 9)
    assert not roster.supermajority({roster.ids[0], stranger, SigningKey(b"t" * 32).id})
    gossip = Gossip(4, seed=1)
    gossip.run(200, members=[0, 1])  # two of four speak all the time
    assert not gossip.rounds[0]


def test_a_round_is_never_taken_from_an_event() -> None:
    """Elsewhere an event named its round, and 1,000,000 was believed. Here it only names the round of its ledger."""
    gossip = Gossip(4, seed=3).run(80).settle()
    replica = gossip.replicas[0]
    liar = gossip.keys[2]
    newest = replica.newest(liar.id)
    assert newest is not None
    before = replica.hashgraph.round_of(replica.dag.rows[newest.hash])
    lie = make_event(
        liar,
        epoch=gossip.genesis.digest,
        seq=newest.seq + 1,
        self_parent=newest.hash,
        time=newest.time + 1,
        reveal=bytes(32),
        ledger=(1_000_000, bytes(32)),
    )
    assert lie in replica.insert([lie])
    assert replica.hashgraph.round_of(replica.dag.rows[lie.hash]) in (before, before + 1)
    assert not replica.advance()
    assert replica.ledger.round < 1000


COINS: dict[str, Callable[[bytes], int]] = {
    "the whole byte": lambda digest: digest[16] != 0,
    "the byte before": lambda digest: digest[15] & 1,
    "the highest bit": lambda digest: digest[16] >> 7,
    "always yes": lambda _: True,
    "always no": lambda _: False,
}


@pytest.mark.parametrize("coin", COINS)
def test_the_coin_is_one_bit_of_the_voter_s_hash(coin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the coin was a whole byte, so yes in 255 of 256, or came from a set in the order of its hashes."""
    dags = [dag for dag in DAGS if dag.kind in ("coin", "mutant")]
    assert not any(vectors.check(dag) for dag in dags)
    init = Election.__init__

    def other_coin(self: Election, ancestry: Ancestry, rounds: Rounds, hashes: list[bytes], number: int) -> None:
        coins = Coins(hashes, COINS[coin])
        init(self, ancestry, rounds, coins, number)  # type: ignore[arg-type]  # an election only indexes them

    monkeypatch.setattr(Election, "__init__", other_coin)
    assert any(vectors.check(dag) for dag in dags)


class Coins:
    """Hashes whose coin bit is what another rule makes of the real hash."""

    def __init__(self, hashes: list[bytes], coin: Callable[[bytes], int]) -> None:
        self.hashes, self.coin = hashes, coin

    def __getitem__(self, row: int) -> bytes:
        return bytes(16) + bytes([int(self.coin(self.hashes[row]))])


async def test_a_junk_signature_neither_passes_nor_displaces_the_valid_copy() -> None:
    """A known event is not looked at again; an unknown one counts for nothing before its signature is verified."""
    gossip = Gossip(4, seed=4).run(30).settle()
    genuine = gossip.made[10]
    raw = genuine.raw.replace(genuine.signature, bytes(64))
    assert raw != genuine.raw
    verifier, epoch = ParallelVerifier(), gossip.genesis.digest
    replica = Replica.found(gossip.genesis)

    def is_known(digest: bytes) -> bool:
        return digest in replica.dag

    async def insert(events: Sequence[Event]) -> None:
        replica.insert(events)

    for _ in range(2):
        with pytest.raises(ValueError, match="is not signed by it"):
            await verifier.verify([raw], epoch, is_known, insert)
    assert len(replica.dag) == 0
    assert not replica.wanted()
    assert await verifier.verify([event.raw for event in gossip.made], epoch, is_known, insert) == len(gossip.made)
    assert len(replica.dag) == len(gossip.made)
    assert await verifier.verify([raw], epoch, is_known, insert) == 0, (
        "known already: dropped unseen, and held against nobody"
    )
    kept = replica.dag.events[replica.dag.rows[genuine.hash]]
    assert kept.raw == genuine.raw


def test_the_weight_decides_and_not_the_number_of_heads() -> None:
    """Elsewhere a count of creators was compared with stake."""
    roster = genesis_of(keys_of(7), [5, 5, 5, 1, 1, 1, 1]).roster
    assert roster.supermajority(roster.ids[:3])
    assert not roster.supermajority(roster.ids[2:])
    assert Hashgraph([5, 5, 5, 1, 1, 1, 1])._rounds.quorum == 13
