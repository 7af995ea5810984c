"""Changes of the roster by vote, the epochs that they close, and what becomes of those who leave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import CertificateError
from consensus.encoding import decode
from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.state.state import RefusedError
from consensus.roster import MEMBERS_LIMIT, RosterMember, make_roster
from consensus.settings import EpochSettings, MembershipSettings
from tests.consensus.certificate.both import verify
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.swarm import SECOND, Swarm, digest_of, settings


def weights(swarm: Swarm) -> list[int]:
    return [member.weight for member in swarm.ledger.roster.members]


def changed(swarm: Swarm, change: Change, *members: int) -> None:
    """A swarm in which this change is in force: agreed on, the record of it sealed, whoever left gone."""
    swarm.agree(change, *members)
    while swarm.ledger.closing is not None:
        assert swarm.ledger.closing == "roster"
        swarm.close()
        swarm.open(*(n for n, key in enumerate(swarm.keys) if key.id in swarm.ledger.roster))
        assert swarm.ledger.sealed is not None


def test_a_member_joins_when_more_than_two_thirds_want_it() -> None:
    swarm = Swarm(4)
    new = swarm.enlist(9)
    join = Change("join", swarm.id(new), weight=1, address="host:7")
    proposal = swarm.propose(0, join)
    assert swarm.kinds() == ["proposal"]
    swarm.act(new, t.Profile(0, roles=(), device="cpu", software=bytes(32), rates={}, cost=0, life=0))
    assert swarm.refusal() == "not a member"
    swarm.act(1, t.Ballot(swarm.next_id(1), proposal, approve=True))
    assert swarm.kinds() == ["ballot"]
    assert swarm.ledger.closing is None
    assert swarm.ledger.tally(swarm.ledger.proposals()[0]) == (2, 0)
    swarm.act(2, t.Ballot(swarm.next_id(2), proposal, approve=True))
    assert swarm.kinds() == ["ballot", "roster"]
    assert swarm.ledger.closing == "roster"
    assert swarm.id(new) not in swarm.ledger.roster  # until the epoch is over, the old roster alone decides
    record = swarm.close().record
    assert (record.number, record.roster_version, record.changes_roster) == (1, 2, True)
    assert swarm.ledger.roster == record.roster
    assert swarm.ledger.roster.member(swarm.id(new)) == RosterMember(swarm.id(new), 1, None, "host:7")
    swarm.act(new, t.Profile(0, roles=(), device="cpu", software=bytes(32), rates={}, cost=0, life=0))
    assert swarm.kinds() == ["profile"]
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_who_has_left_counts_for_nothing() -> None:
    swarm = Swarm(5)
    candidate = swarm.nominate(0)
    slot = swarm.claim_slot(4, candidate, 0)
    proposal = swarm.propose(4, Change("address", swarm.id(1), address="host:2"))
    swarm.propose(3, Change("address", swarm.id(4), address="host:1"))
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    effects = swarm.close().effects
    assert [effect.kind for effect in effects] == ["expired", "shelved", "epoch"]
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert 0 in swarm.ledger.open_slots(open_, swarm.id(1))
    assert open_.slots[0].claim is None
    left = swarm.ledger.proposal(proposal)
    assert left is not None
    assert left.ballots == ()
    for transaction in (
        swarm.result(4, slot, 0, 4),
        t.Ballot(swarm.next_id(4), proposal, approve=True),
        t.Propose(swarm.next_id(4), Change("leave", swarm.id(0)), ""),
    ):
        swarm.act(4, transaction)
        assert swarm.refusal() == "author is leaving"
    swarm.open(0, 1, 2, 4)
    swarm.close()
    swarm.act(4, t.Profile(swarm.next_id(4), roles=(), device="cpu", software=bytes(32), rates={}, cost=0, life=0))
    assert swarm.refusal() == "not a member"


def test_who_leaves_seals_the_record_of_it_and_is_gone_then() -> None:
    """Otherwise another silent member, of less than a third before and after, could keep it unsealed for ever."""
    swarm = Swarm(5)
    swarm.agree(Change("leave", swarm.id(3)), 0, 1, 2)
    swarm.agree(Change("leave", swarm.id(3)), 3)
    assert swarm.ledger.closing is None  # 4 is silent from the first day on
    swarm.act(3, t.Ballot(swarm.next_id(3), swarm.ledger.proposals()[0].id, approve=True))
    assert swarm.ledger.closing == "roster"
    record = swarm.close().record
    assert [member.weight for member in record.roster.members] == [1, 1, 1, 0, 1]
    assert swarm.ledger.leaving == (swarm.id(3),)
    with pytest.raises(RefusedError, match="does not fit"):
        swarm.ledger.roster_with(Change("weight", swarm.id(3), weight=1))
    swarm.open(0, 1, 2)
    assert swarm.ledger.closing is None  # 3 of the 5 that decided
    swarm.open(3)
    assert swarm.ledger.closing == "roster"
    assert swarm.ledger.sealed is not None
    assert len(swarm.close().record.roster) == 4
    assert not swarm.ledger.leaving
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_who_leaves_can_come_back_at_once_and_is_convicted_like_others() -> None:
    swarm = Swarm(5)
    swarm.agree(Change("leave", swarm.id(3)), 0, 1, 2, 4)
    swarm.close()
    swarm.agree(Change("join", swarm.id(3), weight=1, address="host:1"), 0, 1, 2)
    swarm.open(0, 1, 2, 3)
    swarm.act(0, fork(swarm, 3))
    assert [entry.member for entry in swarm.ledger.convictions()] == [swarm.id(3)]
    assert not swarm.last[0].fields["voids"]
    swarm.close()
    assert weights(swarm) == [1, 1, 1, 1, 1]  # the members wanted it back
    assert swarm.ledger.leaving == ()
    swarm.open(0, 1, 2, 3)
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    swarm.close()
    swarm.act(0, fork(swarm, 4))
    assert swarm.ledger.closing is None
    swarm.open(0, 1, 2, 3)
    assert len(swarm.close().record.roster) == 4


def test_a_roster_without_room_for_who_leaves_is_refused() -> None:
    swarm = Swarm(4)
    listed = [RosterMember(digest_of(number), 0) for number in range(MEMBERS_LIMIT - 4)]
    swarm.ledger._state.epoch.roster = make_roster([*swarm.genesis.members, *listed])
    with pytest.raises(RefusedError, match="does not fit"):
        swarm.ledger.roster_with(Change("key", swarm.id(1), key=digest_of("new")))
    assert len(swarm.ledger.roster_with(Change("leave", swarm.id(1)))) == MEMBERS_LIMIT - 1


def test_weight_key_and_address_change() -> None:
    swarm = Swarm(4)
    changed(swarm, Change("weight", swarm.id(3), weight=0), 0, 1, 2)
    assert weights(swarm) == [1, 1, 1, 0]
    changed(swarm, Change("weight", swarm.id(3), weight=1), 0, 1, 2)
    version = swarm.ledger.roster_version
    changed(swarm, Change("address", swarm.id(2), address="host:9"), 0, 1, 2)
    assert swarm.ledger.roster.member(swarm.id(2)).address == "host:9"
    assert swarm.ledger.roster_version == version  # who decides has not changed
    new = swarm.enlist(11)
    changed(swarm, Change("key", swarm.id(3), key=swarm.id(new), anchor=bytes(32)), 0, 1, 2)
    assert swarm.id(3) not in swarm.ledger.roster
    handover = list(swarm.closings.values())[-2].record.roster
    assert handover.member(swarm.id(new)) == RosterMember(swarm.id(new), 1, bytes(32), "")
    assert handover.member(swarm.id(3)).weight == 0
    changed(swarm, Change("key", swarm.id(2), key=swarm.id(swarm.enlist(12))), 0, 1, new)
    assert swarm.ledger.roster.member(swarm.id(5)).address == "host:9"  # where the member was
    moved = Change("key", swarm.id(5), key=swarm.id(swarm.enlist(13)), address="host:8")
    changed(swarm, moved, 0, 1, new)
    assert swarm.ledger.roster.member(swarm.id(6)).address == "host:8"
    assert swarm.replayed().digest() == swarm.ledger.digest()


NAMED = settings(membership=MembershipSettings(names=1))


def test_who_joins_gets_a_name_that_its_next_keys_keep_and_that_leaves_with_it() -> None:
    swarm = Swarm(4, NAMED)
    new, next_key, last_key = (swarm.enlist(seed) for seed in (21, 22, 23))
    join = Change("join", swarm.id(new), weight=1, address="host:7", name="Echo-5")
    swarm.agree(join, 0, 1, 2)
    assert swarm.last[-1].fields["name"] == "Echo-5"
    assert dict(swarm.ledger.member_names()) == {swarm.id(new): "Echo-5"}
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert dict(restored.member_names()) == {swarm.id(new): "Echo-5"}, "who comes later knows it, too"
    swarm.open(0, 1, 2, 3, new)
    changed(swarm, Change("key", swarm.id(new), key=swarm.id(next_key)), 0, 1, 2, 3)
    assert dict(swarm.ledger.member_names()) == {swarm.id(next_key): "Echo-5"}
    changed(swarm, Change("key", swarm.id(next_key), key=swarm.id(last_key), name="foxtrot"), 0, 1, 2, 3)
    assert dict(swarm.ledger.member_names()) == {swarm.id(last_key): "foxtrot"}
    assert swarm.replayed().digest() == swarm.ledger.digest()
    changed(swarm, Change("leave", swarm.id(last_key)), 0, 1, 2, 3)
    assert dict(swarm.ledger.member_names()) == {}
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_name_stands_for_one_member_and_is_no_id() -> None:
    swarm = Swarm(7, NAMED)
    first, second = swarm.enlist(21), swarm.enlist(22)
    join = Change("join", swarm.id(first), weight=1, address="host:7", name="echo")
    twin = Change("join", swarm.id(second), weight=1, address="host:8", name="ECHO")
    proposal = swarm.propose(3, twin)
    swarm.agree(join, 0, 1, 2, 4, 5)
    for member in (0, 1, 2, 4):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal, approve=True))
    assert swarm.kinds() == ["ballot", "shelved"]
    assert "another member has the name ECHO" in str(swarm.last[-1].fields["reason"])
    swarm.propose(3, replace(twin, name="Echo"))
    assert swarm.refusal() == "change does not fit"
    swarm.propose(3, replace(twin, name=id_text(swarm.id(0))[:8]))
    assert swarm.refusal() == "change does not fit"
    assert "an id begins with the name" in str(swarm.last[-1].fields["detail"])
    swarm.propose(3, replace(twin, name="echo-2"))
    assert swarm.kinds() == ["proposal"]


@pytest.mark.parametrize("name", ["", " echo", "écho", "a" * 33, "echo\n", "-echo"])
def test_a_name_is_plain(name: str) -> None:
    swarm = Swarm(4, NAMED)
    swarm.propose(0, Change("join", swarm.id(swarm.enlist(21)), weight=1, address="host:7", name=name))
    assert swarm.refusal() == "malformed"


def test_a_swarm_that_was_founded_without_names_goes_on_without_and_writes_what_it_wrote() -> None:
    swarm = Swarm(4)
    join = Change("join", swarm.id(swarm.enlist(21)), weight=1, address="host:7")
    swarm.propose(0, replace(join, name="echo"))
    assert swarm.refusal() == "malformed", "as a program says that does not know names"
    swarm.agree(join, 0, 1, 2)
    assert "name" not in {**join.table(), **swarm.last[-1].fields}
    assert swarm.kinds() == ["ballot", "roster"]
    assert "names" not in decode_map(swarm.close().snapshot)
    assert [*decode_map(join.encoded)] == ["join", join.member, 1, "host:7", None, None]


def decode_map(data: bytes) -> Any:
    return decode(data, limit=1 << 26)


@pytest.mark.parametrize(
    ("count", "change", "reason"),
    [
        (4, Change("leave", digest_of("stranger")), "change does not fit"),
        (4, Change("join", digest_of("new"), weight=3, address=""), "change does not fit"),
        (4, Change("join", b"\1" + bytes(31), weight=1, address=""), "change does not fit"),
        (4, Change("key", Swarm(4).id(0), key=b"\xed" + b"\xff" * 31), "change does not fit"),
        (2, Change("join", digest_of("new"), weight=1, address=""), "change is too large"),
        (1, Change("join", digest_of("new"), weight=1, address=""), "change is too large"),
        (4, Change("weight", digest_of("stranger"), weight=1), "change does not fit"),
    ],
)
def test_a_change_that_cannot_be_is_refused_at_once(count: int, change: Change, reason: str) -> None:
    swarm = Swarm(count)
    swarm.propose(0, change)
    assert swarm.refusal() == reason
    assert swarm.ledger.proposals() == ()


def test_three_members_become_two_in_small_steps() -> None:
    """Those who stay have to outweigh 2/3 on both sides: so the leaver's weight goes down first."""
    swarm = Swarm(3)
    swarm.propose(0, Change("leave", swarm.id(2)))
    assert swarm.refusal() == "change is too large"
    changed(swarm, Change("weight", swarm.id(2), weight=0), 0, 1, 2)
    changed(swarm, Change("leave", swarm.id(2)), 0, 1)
    assert weights(swarm) == [1, 1]


def test_proposals_end_by_rejection_or_time_and_nobody_floods() -> None:
    swarm = Swarm(4, settings(membership=MembershipSettings(vote_s=100)))
    change = Change("weight", swarm.id(3), weight=0)
    proposal = swarm.propose(0, change)
    swarm.propose(1, change)
    assert swarm.refusal() == "change is proposed already"
    swarm.act(0, t.Ballot(swarm.next_id(0), proposal, approve=True))
    assert swarm.refusal() == "member has voted"
    for member in (1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal, approve=False))
    assert swarm.kinds() == ["ballot", "shelved"]
    swarm.act(3, t.Ballot(swarm.next_id(3), proposal, approve=True))
    assert swarm.refusal() == "no open proposal"
    for number in range(5):
        swarm.propose(0, Change("address", swarm.id(1), address=f"host:{number}"))
    assert swarm.refusal() == "too many open proposals"
    assert [effect.kind for effect in swarm.wait(120)] == ["shelved"] * 4
    assert swarm.ledger.proposals() == ()


def test_a_third_of_the_weight_is_enough_to_reject_and_two_thirds_are_not_enough_to_agree() -> None:
    swarm = Swarm(3)
    proposal = swarm.propose(0, Change("address", swarm.id(1), address="host:1"))
    swarm.act(1, t.Ballot(swarm.next_id(1), proposal, approve=True))
    assert swarm.kinds() == ["ballot"]
    swarm.act(2, t.Ballot(swarm.next_id(2), proposal, approve=False))
    assert swarm.kinds() == ["ballot", "shelved"]


def test_an_epoch_closes_by_length_but_never_before_its_record_is_sealed() -> None:
    swarm = Swarm(4, settings(epoch=EpochSettings(events=5)))
    for _ in range(5):
        swarm.act(0)
    assert swarm.ledger.closing is None
    swarm.act(0)
    assert swarm.ledger.closing == "length"
    record = swarm.close().record
    assert (record.ordered, record.round, record.roster_version) == (6, 6, 1)
    for _ in range(9):
        swarm.act(0)
    swarm.open(0, 1)
    assert swarm.ledger.closing is None
    swarm.open(3)
    assert [effect.kind for effect in swarm.last] == ["sealed"]
    assert swarm.ledger.closing == "length"
    sealed = swarm.ledger.sealed
    assert sealed is not None
    assert [member for member, _ in sealed.seals] == sorted(swarm.id(n) for n in (0, 1, 3))


def test_an_epoch_of_large_events_closes_before_it_has_many() -> None:
    """All members hold the open epoch in memory; a member that fills its events to the limit must not fill that."""
    swarm = Swarm(4, settings(epoch=EpochSettings(bytes=300_000)))
    for _ in range(2):
        swarm.act(3, Filler(swarm.next_id(3), bytes(100_000)))
        assert swarm.ledger.closing is None
    digest = swarm.ledger.digest()
    swarm.act(3, Filler(swarm.next_id(3), bytes(100_000)))
    assert swarm.ledger.digest() != digest
    assert swarm.ledger.closing == "length"
    swarm.close()
    swarm.open(0, 1, 2, 3)
    assert swarm.ledger.closing is None


@dataclass(frozen=True)
class Filler(t.Transaction):
    """A transaction of an unknown type."""

    TYPE = "filler"
    data: bytes


def test_seals_and_anchors() -> None:
    swarm = Swarm(4)
    swarm.open(0, 1, 2)
    swarm.open(0)
    assert swarm.refusal() == "member has opened the epoch"
    swarm.agree(Change("address", swarm.id(0), address="host:1"), 0, 1, 2)
    swarm.close()
    anchors = [member.anchor for member in swarm.ledger.roster.members]
    assert anchors == [*(digest_of("anchor", swarm.id(n), 1) for n in range(3)), None]
    other = swarm.opening(swarm.id(1))
    swarm.order((swarm.id(0), [{**other, "anchor": None}]))
    assert swarm.refusal() == "seal does not verify"
    swarm.order((swarm.id(0), [{**other, "seal": None}]))
    assert swarm.refusal() == "seal does not verify"
    swarm.order((swarm.id(1), [{**other, "id": 0}]))
    assert swarm.refusal() == "opens another epoch"
    swarm.open(0, 1, 2, 3)
    assert swarm.ledger.sealed is not None


def test_absence_proposes_a_leave_by_itself() -> None:
    swarm = Swarm(4, settings(membership=MembershipSettings(absence_s=100, vote_s=500)))
    for _ in range(3):
        for member in (0, 1, 2):
            swarm.order((swarm.id(member), []), step=20 * SECOND)
    assert [(p.author, p.change) for p in swarm.ledger.proposals()] == [(None, Change("leave", swarm.id(3)))]
    (proposal,) = swarm.ledger.proposals()
    for member in (0, 1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal.id, approve=True))
    assert swarm.ledger.closing == "roster"
    assert [member.weight for member in swarm.close().record.roster.members] == [1, 1, 1, 0]
    assert swarm.ledger.leaving == (swarm.id(3),)


def test_an_outage_is_no_absence() -> None:
    swarm = Swarm(4, settings(membership=MembershipSettings(absence_s=100)))
    swarm.order(*((swarm.id(member), []) for member in range(4)), step=SECOND)
    swarm.order(*((swarm.id(member), []) for member in range(4)), step=20 * SECOND)
    swarm.order((swarm.id(0), []), step=3_000_000 * SECOND)
    assert swarm.ledger.proposals() == ()


def test_votes_are_counted_again_when_weights_change() -> None:
    swarm = Swarm(5)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    for member in (0, 1, 2):
        swarm.vote(member, candidate)
    assert swarm.ledger.candidate(candidate) is not None  # 3 of 5
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    swarm.close()
    swarm.open(0)
    assert "promotion" in swarm.kinds()  # 3 of 4


def certificate_of(swarm: Swarm, statement: bytes) -> bytes | None:
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    return make_certificate(promotion, swarm.ledger)


def test_a_certificate_leads_from_the_genesis_through_every_roster() -> None:
    swarm = Swarm(4)
    first = swarm.promote(0, "first")
    new = swarm.enlist(9)
    changed(swarm, Change("join", swarm.id(new), weight=1, address="host:7"), 0, 1, 2)
    swarm.certify(first, (0, 1))
    swarm.act(new, swarm.seal(new, first))
    assert swarm.refusal() == "not of the roster that seals"
    swarm.certify(first, (2,))
    old = certificate_of(swarm, first)
    assert old is not None
    assert len(verify(old, swarm.genesis.digest).roster) == 4
    changed(swarm, Change("leave", swarm.id(0)), 1, 2, 3, new)
    candidate = swarm.nominate(1, "second")
    swarm.ripen(candidate, (2, 3))
    for member in (1, 2, 3):
        swarm.vote(member, candidate)
    second = swarm.ledger.promotions()[-1].digest
    swarm.certify(second, (1, 2, 3, new))
    data = certificate_of(swarm, second)
    assert data is not None
    found = verify(data, swarm.genesis.digest)
    assert found.roster == swarm.ledger.roster
    assert swarm.id(0) not in found.sealed_by
    assert (found.sealed_weight, found.roster.total_weight) == (3, 4)
    for cut in (0, 1, 2):
        chain = [swarm.genesis.raw, *(link.raw for link in swarm.ledger.chain_to(4) or ())]
        del chain[1 + cut]
        with pytest.raises(CertificateError):
            verify(rechained(data, chain), swarm.genesis.digest)


def rechained(data: bytes, chain: list[bytes]) -> bytes:
    import json

    from consensus.certificate.envelope import to_base64
    from consensus.statement import canonical_json

    table = json.loads(data)
    table["chain"] = [to_base64(raw) for raw in chain]
    return canonical_json(table) + b"\n"


def test_there_is_no_certificate_before_the_record_of_its_roster_is_sealed() -> None:
    swarm = Swarm(4)
    swarm.agree(Change("weight", swarm.id(3), weight=0), 0, 1, 2)
    swarm.close()
    statement = swarm.promote(0)
    swarm.certify(statement, (0, 1, 2))
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    assert promotion.certified
    assert make_certificate(promotion, swarm.ledger) is None
    swarm.open(0, 1, 2)
    data = make_certificate(promotion, swarm.ledger)
    assert data is not None
    assert verify(data, swarm.genesis.digest).content.statement == statement


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "gone"}, {"kind": None}, {"member": b"short"}, {"weight": -1}, {"weight": 2**33},
        {"weight": None}, {"address": "two\nlines"}, {"address": "x" * 256}, {"key": bytes(32)},
        {"anchor": b""}, {"more": 1}, {"weight": True},
    ],
)  # fmt: skip
def test_a_malformed_change_is_refused(change: dict[str, object]) -> None:
    swarm = Swarm(4)
    good = Change("join", digest_of("new"), weight=1, address="host:1", key=None, anchor=bytes(32)).table()
    propose = {"type": "propose", "id": 0, "change": {**good, **change}, "reason": ""}
    swarm.order((swarm.id(0), [propose]))
    assert swarm.refusal() == "malformed"
    swarm.order((swarm.id(0), [{**propose, "id": 1, "change": good}]))
    assert swarm.kinds() == ["proposal"]


def test_history_is_bounded_and_ids_stay_used() -> None:
    from consensus.ledger.state import pruning

    swarm = Swarm(1, settings(epoch=EpochSettings(events=2 * pruning.SHARDS_KEPT + 10)))
    shards = [swarm.play(0) for _ in range(pruning.SHARDS_KEPT + 8)]
    assert len(swarm.ledger.shards("hex8-2")) == len(shards)
    assert swarm.ledger.closing == "length"
    swarm.close()
    assert [shard.digest for shard in swarm.ledger.shards("hex8-2")] == shards[8:]
    assert swarm.ledger.configuration("hex8-2").shards == len(shards)
    assert swarm.ledger.games_played(swarm.id(0)) == 32 * len(shards)
    last = swarm.ledger.last_id(swarm.id(0))
    assert last == swarm.ids[0] - 1
    swarm.act(0, t.SelfplayClaim(last, "hex8-2", 1))
    assert swarm.refusal() == "id was used before"
