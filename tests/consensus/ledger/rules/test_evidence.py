"""Proof of equivocation: what counts as one, what it takes away, and that nobody honest can be hit by it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.encoding import decode, encode
from consensus.event import Header, decode_header
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.state.epoch_state import RECENT_EPOCHS
from consensus.settings import EpochSettings, MembershipSettings
from tests.consensus.ledger.forks import evidence, fork, signed
from tests.consensus.ledger.swarm import Swarm, digest_of
from tests.consensus.ledger.swarm import settings as small


def weights(swarm: Swarm) -> list[int]:
    return [member.weight for member in swarm.ledger.roster.members]


def turn(swarm: Swarm) -> None:
    """Closes the epoch; all that are in the roster go on."""
    swarm.close()
    swarm.open(*(n for n, key in enumerate(swarm.keys) if key.id in swarm.ledger.roster))
    assert swarm.ledger.sealed is not None


def test_a_proof_takes_the_weight_with_the_epoch_that_it_closes() -> None:
    swarm = Swarm(4)
    swarm.act(1, fork(swarm, 3))
    (effect,) = swarm.last
    assert (effect.kind, effect.member) == ("evidence", swarm.id(1))
    told = {"accused": swarm.id(3), "epoch": 0, "seq": 3, "weight": 1, "voids": False}
    assert told.items() <= effect.fields.items()
    assert swarm.ledger.closing == "roster"
    assert weights(swarm) == [1, 1, 1, 1]  # the DAG of this epoch weighs as before
    record = swarm.close().record
    assert record.changes_roster
    assert weights(swarm) == [1, 1, 1, 0]
    assert [entry.member for entry in swarm.ledger.convictions()] == [swarm.id(3)]
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_the_first_proof_counts() -> None:
    swarm = Swarm(4)
    swarm.act(1, fork(swarm, 3))
    for proof in (fork(swarm, 3), fork(swarm, 3, seq=9)):
        swarm.act(2, proof)
        assert swarm.refusal() == "equivocation is proven already"
    turn(swarm)
    for proof in (fork(swarm, 3, epoch=swarm.genesis.digest), fork(swarm, 3)):
        swarm.act(2, proof)
        assert swarm.refusal() == "equivocation is proven already"
    assert swarm.ledger.closing is None


def test_nothing_that_is_proven_to_lie_is_heard_from_then_on_but_its_seal_of_what_was() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    slot = swarm.claim_slot(3, candidate, 0)
    games = swarm.next_id(3)
    swarm.act(3, t.SelfplayClaim(games, "hex8-2", 9))
    proposal = swarm.propose(0, Change("address", swarm.id(1), address="host:1"))
    swarm.act(3, t.Ballot(swarm.next_id(3), proposal, approve=True))
    swarm.act(1, fork(swarm, 3))
    assert swarm.kinds() == ["evidence", "expired", "expired"]
    assert swarm.ledger.claims_of(swarm.id(3)) == ()
    left = swarm.ledger.proposal(proposal)
    assert left is not None
    assert [voice.author for voice in left.ballots] == [swarm.id(0)]
    words: tuple[t.Transaction, ...] = (
        swarm.result(3, slot, 0, 4), t.SelfplayClaim(swarm.next_id(3), "hex8-2", 9), fork(swarm, 2),
        t.Ballot(swarm.next_id(3), proposal, approve=False),
    )  # fmt: skip
    for word in words:
        swarm.act(3, word)
        assert swarm.refusal() == "author is a proven equivocator"
    swarm.close()
    swarm.open(0, 1, 2, 3)
    assert swarm.refusal() is None
    assert swarm.ledger.sealed is not None
    for word in words:
        swarm.act(3, word)
        assert swarm.refusal() == "author is a proven equivocator"


def test_its_votes_on_candidates_are_struck_while_the_thresholds_stay() -> None:
    swarm = Swarm(5)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    for member in (4, 1, 2):
        swarm.vote(member, candidate)
    swarm.act(1, fork(swarm, 4))
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert [ballot.author for ballot in open_.ballots] == [swarm.id(1), swarm.id(2)]
    swarm.vote(3, candidate)
    assert swarm.ledger.candidate(candidate) is not None  # 3 of 5
    turn(swarm)  # 3 of 4: that is enough
    assert swarm.ledger.candidate(candidate) is None
    assert len(swarm.ledger.promotions()) == 1


@pytest.mark.parametrize("accused", [(5, 6), (6, 5), (4, 5, 6)])
def test_several_are_convicted_together_whatever_they_weigh(accused: tuple[int, ...]) -> None:
    """Also a third and more: no rule about small steps may protect who is proven to lie."""
    swarm = Swarm(7)
    for member in accused:
        swarm.act(0, fork(swarm, member))
        assert swarm.kinds() == ["evidence"]
    turn(swarm)
    assert sum(weights(swarm)) == 7 - len(accused)
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_others_seal_the_change_without_those_who_lost_their_say() -> None:
    swarm = Swarm(7)
    for member in (5, 6):
        swarm.act(0, fork(swarm, member))
    swarm.close()
    swarm.open(0, 1, 2, 3, 4)
    assert swarm.ledger.sealed is not None


def test_a_weight_that_grows_to_a_veto_protects_nobody() -> None:
    swarm = Swarm(5, weights=(5, 3, 3, 3, 3))
    swarm.act(0, fork(swarm, 4))
    turn(swarm)
    assert weights(swarm) == [5, 3, 3, 3, 0]  # 5 of 14 is more than a third
    swarm.agree(Change("address", swarm.id(1), address="host:1"), 0, 1, 2, 3)
    assert swarm.ledger.closing == "roster"


def test_what_was_agreed_on_gives_way_if_it_leans_on_the_liar() -> None:
    """One leaves and another is convicted: the half that is left could not seal both."""
    swarm = Swarm(4)
    swarm.agree(Change("leave", swarm.id(2)), 0, 1, 3)
    assert swarm.ledger.closing == "roster"
    swarm.act(0, fork(swarm, 3))
    assert swarm.last[0].fields["voids"]
    turn(swarm)
    assert weights(swarm) == [1, 1, 1, 0]
    again = Swarm(4)
    again.act(0, fork(again, 3))
    proposal = again.propose(0, Change("leave", again.id(2)))
    assert again.refusal() == "change is too large"
    assert again.ledger.proposal(proposal) is None


def test_who_would_have_another_key_is_convicted_first() -> None:
    swarm = Swarm(7)
    new = swarm.enlist(40)
    swarm.agree(Change("key", swarm.id(6), key=swarm.id(new)), 0, 1, 2, 3, 4)
    swarm.act(0, fork(swarm, 6))
    assert swarm.last[0].fields["voids"]
    turn(swarm)
    assert swarm.id(new) not in swarm.ledger.roster
    assert weights(swarm) == [1] * 6 + [0]


def test_votes_for_its_weight_that_did_not_know_of_the_proof_count_for_nothing() -> None:
    swarm = Swarm(7)
    raised = swarm.propose(0, Change("weight", swarm.id(6), weight=2))
    lowered = swarm.propose(0, Change("leave", swarm.id(6)))
    for member in (1, 2, 3):
        swarm.act(member, t.Ballot(swarm.next_id(member), raised, approve=True))
    swarm.act(0, fork(swarm, 6))
    assert swarm.kinds() == ["evidence", "shelved"]
    swarm.act(4, t.Ballot(swarm.next_id(4), raised, approve=True))
    assert swarm.refusal() == "no open proposal"
    assert swarm.ledger.proposal(lowered) is not None
    swarm.close()
    assert weights(swarm) == [1, 1, 1, 1, 1, 1, 0]


def test_an_unrelated_change_comes_into_force_with_the_conviction() -> None:
    swarm = Swarm(7)
    new = swarm.enlist(40)
    swarm.agree(Change("join", swarm.id(new), weight=1, address="host:1"), 0, 1, 2, 3, 4)
    swarm.act(0, fork(swarm, 6))
    assert not swarm.last[0].fields["voids"]
    turn(swarm)
    assert sorted(weights(swarm)) == [0] + [1] * 7


def test_the_last_who_has_a_say_keeps_it() -> None:
    swarm = Swarm(2)
    swarm.act(0, fork(swarm, 1))
    swarm.close()
    swarm.open(0, 1)  # a third or more is convicted: it takes their seals as well
    swarm.act(0, fork(swarm, 0))
    assert swarm.refusal() == "nobody else has a say"
    alone = Swarm(1)
    alone.act(0, fork(alone, 0))
    assert alone.refusal() == "nobody else has a say"
    assert alone.ledger.convictions() == ()


def test_the_genesis_may_propose_that_the_liar_leaves() -> None:
    swarm = Swarm(4, small(membership=MembershipSettings(expel=1)))
    swarm.act(0, fork(swarm, 3))
    assert swarm.kinds() == ["evidence", "proposal"]
    (proposal,) = swarm.ledger.proposals()
    assert (proposal.author, proposal.change) == (None, Change("leave", swarm.id(3)))
    turn(swarm)
    for member in (0, 1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal.id, approve=True))
    assert swarm.kinds() == ["ballot", "roster"]
    turn(swarm)
    assert swarm.id(3) not in swarm.ledger.roster


def test_who_is_given_a_weight_again_answers_only_for_what_it_does_then() -> None:
    swarm = Swarm(4)
    swarm.act(0, fork(swarm, 3))
    first = swarm.ledger.epoch_digest
    turn(swarm)
    swarm.agree(Change("weight", swarm.id(3), weight=1), 0, 1, 2)
    turn(swarm)
    assert not swarm.ledger.is_silenced(swarm.id(3))
    swarm.act(3, t.SelfplayClaim(swarm.next_id(3), "hex8-2", 9))
    assert swarm.kinds() == ["claim"]
    swarm.act(0, fork(swarm, 3, epoch=first))
    assert swarm.refusal() == "equivocation is proven already"
    swarm.act(0, fork(swarm, 3))
    assert swarm.kinds()[-2:] == ["evidence", "expired"]


def test_proof_of_an_epoch_of_some_time_ago_counts_and_older_proof_does_not() -> None:
    swarm = Swarm(4, small(epoch=EpochSettings(events=1)))
    digests = [swarm.ledger.epoch_digest]
    for _ in range(RECENT_EPOCHS + 1):
        swarm.order(*((swarm.id(member), []) for member in range(4)))
        turn(swarm)
        digests.append(swarm.ledger.epoch_digest)
    swarm.act(0, fork(swarm, 3, epoch=digests[0]))
    assert swarm.refusal() == "events of an unknown epoch"
    swarm.act(0, fork(swarm, 3, epoch=digests[1]))
    assert swarm.last[0].fields["epoch"] == 1
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    assert restored.convictions() == swarm.ledger.convictions()


def test_of_those_who_left_long_ago_nothing_is_kept() -> None:
    swarm = Swarm(5, small(epoch=EpochSettings(events=1)))
    swarm.act(0, fork(swarm, 4))
    turn(swarm)
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    turn(swarm)
    for _ in range(RECENT_EPOCHS - 1):
        assert len(swarm.ledger.convictions()) == 1
        swarm.order(*((swarm.id(member), []) for member in range(4)))
        turn(swarm)
    assert swarm.ledger.convictions() == ()


HONEST, LIAR = 0, 3


def attempts(swarm: Swarm) -> list[t.Evidence]:
    """What a liar can put together against an honest member from everything that the member ever signed."""
    first, second, third = (signed(swarm, HONEST, "honest", seq=seq) for seq in (3, 4, 5))
    elsewhere = signed(swarm, HONEST, "honest too", epoch=digest_of("another swarm"))
    again = replace(first, signature=bytes(64))
    liar = signed(swarm, LIAR, "lie")
    forged = decode_header(encode_as(signed(swarm, LIAR, "lie", seq=3), swarm.id(HONEST)), liar.signature)
    other_epoch = decode_header(signed(swarm, HONEST, "x", seq=3).header, elsewhere.signature)
    swapped = decode_header(signed(swarm, HONEST, "y", seq=3).header, first.signature)
    return [
        evidence(first, second), evidence(first, second, number=4), evidence(first, third),
        evidence(first, elsewhere), evidence(elsewhere, first, number=3), evidence(first, first),
        evidence(first, again), evidence(first, liar), evidence(liar, first, number=3),
        evidence(first, forged), evidence(first, swapped), evidence(swapped, first),
        evidence(first, replace(other_epoch, signature=elsewhere.signature)),
    ]  # fmt: skip


def encode_as(header: Header, creator: bytes) -> bytes:
    """The header with another creator."""
    fields = decode(header.header, limit=1000)
    assert isinstance(fields, list)
    fields[2] = creator
    return encode(fields)


def test_nothing_that_an_honest_member_signs_is_evidence_against_it() -> None:
    swarm = Swarm(4)
    for attempt in attempts(swarm):
        swarm.act(LIAR, attempt)
        assert swarm.refusal() in ("no proof", "events of an unknown epoch")
        backwards = replace(attempt, first=attempt.second, second=attempt.first)
        swarm.act(LIAR, backwards)
        assert swarm.refusal() in ("no proof", "events of an unknown epoch")
    assert swarm.ledger.convictions() == ()
    assert swarm.ledger.closing is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_mixture_and_no_damage_makes_evidence_against_an_honest_member(data: st.DataObject) -> None:
    """Headers and signatures of honest and lying members, mixed, cut and changed at will."""
    swarm = Swarm(4)
    honest = [signed(swarm, HONEST, "only one", seq=seq) for seq in range(4)]
    lies = [signed(swarm, LIAR, note, seq=seq) for seq in range(2) for note in range(2)]
    headers = [header.header for header in (*honest, *lies)]
    headers += [encode_as(lie, swarm.id(HONEST)) for lie in lies]
    signatures = [header.signature for header in (*honest, *lies)]

    def damaged(raw: bytes) -> bytes:
        if data.draw(st.integers(0, 2)):
            return raw
        at = data.draw(st.integers(0, len(raw) - 1))
        return raw[:at] + bytes([data.draw(st.integers(0, 255))]) + raw[at + 1 :]

    def part() -> tuple[bytes, bytes]:
        return damaged(data.draw(st.sampled_from(headers))), damaged(data.draw(st.sampled_from(signatures)))

    for _ in range(4):
        swarm.act(LIAR, t.Evidence(data.draw(st.integers(0, 3)), part(), part()))
        assert all(entry.member != swarm.id(HONEST) for entry in swarm.ledger.convictions())
    assert swarm.replayed().digest() == swarm.ledger.digest()


@pytest.mark.parametrize("field", ["first", "second"])
@pytest.mark.parametrize(
    "value", [None, 1, b"x", [], [b"x"], [b"x", b"y"], [b"x" * 513, bytes(64)], ["x", bytes(64)], [1, 2, 3]]
)
def test_other_shapes_are_malformed(field: str, value: object) -> None:
    swarm = Swarm(4)
    table = {**fork(swarm, 3).as_table(), field: value}
    swarm.order((swarm.id(0), [table]))
    assert swarm.refusal() == "malformed"
    assert swarm.ledger.convictions() == ()


@pytest.mark.parametrize("seed", range(5))
def test_random_proofs_at_random_times_end_the_same_everywhere(seed: int) -> None:
    chance = random.Random(seed)
    swarm = Swarm(7, small(membership=MembershipSettings(expel=1)))
    epochs = [swarm.ledger.epoch_digest]
    for _ in range(200):
        author, accused = (chance.randrange(7) for _ in range(2))
        if accused in (5, 6) and chance.random() < 0.3:
            swarm.act(author, fork(swarm, accused, seq=chance.randrange(3), epoch=chance.choice(epochs)))
        elif author < 5 and (proposals := swarm.ledger.proposals()):
            swarm.act(author, t.Ballot(swarm.next_id(author), chance.choice(proposals).id, approve=True))
        if swarm.ledger.closing is not None:
            turn(swarm)
            epochs.append(swarm.ledger.epoch_digest)
        accusable = {swarm.id(5), swarm.id(6)}
        assert {entry.member for entry in swarm.ledger.convictions()} <= accusable
    assert weights(swarm) == [1] * 5
    assert swarm.replayed().digest() == swarm.ledger.digest()
