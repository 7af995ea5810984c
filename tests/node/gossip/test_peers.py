"""What a node keeps of one peer: what went wrong last, when it may be asked again, and what it said it has."""

import random

from consensus.sync import Tip
from node.gossip.backoff import PeerBackoff
from node.gossip.peers import Peer
from node.transport import BadAnswer, Refused, Unreachable

ME, OTHER = bytes(32), b"\1" * 32
CHANCE = random.Random(1)


def tip(member: bytes, seq: int) -> Tip:
    return Tip(member, seq, bytes([seq]) * 32)


def test_a_refusal_is_told_from_silence() -> None:
    peer = Peer(OTHER)
    peer.observe_failure(Refused(403, "not a member"), 0, CHANCE)
    assert (peer.refused_with, peer.error) == (403, "refused with 403: not a member")
    peer.observe_failure(Unreachable("refused with 403"), 1, CHANCE)  # whatever the text says
    assert peer.refused_with is None
    peer.observe_failure(Refused(409, "not in that epoch"), 2, CHANCE)
    peer.observe_misbehaviour(BadAnswer("too large"), 3)
    assert (peer.refused_with, peer.error) == (None, "too large")
    peer.observe_failure(Refused(409, "not in that epoch"), 4, CHANCE)
    peer.observe_success()
    assert (peer.refused_with, peer.error) == (None, "")


def test_failures_double_the_wait_up_to_a_bound_and_answers_shorten_it() -> None:
    backoff = PeerBackoff()
    assert backoff.may_ask(0)
    waits = []
    for _ in range(9):
        backoff.observe_failure(100, CHANCE)
        waits.append(backoff.penalty_s)
        assert 0.5 * backoff.penalty_s <= backoff.ask_at - 100 <= 1.5 * backoff.penalty_s
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert not backoff.may_ask(100)
    assert backoff.may_listen(100)
    backoff.observe_success()
    assert backoff.penalty_s == 7.5
    for _ in range(3):
        backoff.observe_success()
    assert backoff.penalty_s == 0


def test_who_misbehaves_is_neither_asked_nor_listened_to() -> None:
    peer = Peer(OTHER)
    peer.observe_misbehaviour(BadAnswer("nonsense"), 100)
    peer.observe_request(105)
    assert not peer.backoff.may_ask(109.9)
    assert not peer.backoff.may_listen(109.9)
    assert peer.backoff.may_ask(110)
    assert peer.backoff.may_listen(110)


def test_who_asks_us_is_asked_soon() -> None:
    peer = Peer(OTHER)
    for _ in range(9):
        peer.observe_failure(Unreachable("no answer"), 100, CHANCE)
    peer.observe_request(101)
    assert not peer.backoff.may_ask(101.9)
    assert peer.backoff.may_ask(102)


def test_what_a_peer_said_counts_until_the_epoch_ends() -> None:
    peer, ours = Peer(OTHER), {ME: 4, OTHER: 2}
    assert peer.lacks(ours) == 8
    peer.observe_tips([tip(ME, 1), tip(OTHER, 3), tip(OTHER, 2)], 10)
    assert (peer.lacks(ours), peer.leads(ours)) == (3, 1)
    assert not peer.is_level(ours)
    peer.observe_tips([tip(ME, 4), tip(OTHER, 2)], 11)
    assert peer.is_level(ours)
    assert not peer.has_closed_with(ours)
    peer.observe_tips([tip(ME, 4), tip(OTHER, 2)], 12, ahead=True)
    assert peer.has_closed_with(ours)
    assert peer.has_spoken_since(11)
    peer.observe_epoch(13)
    assert not peer.has_spoken_since(11)
    assert peer.lacks(ours) == 8
    assert peer.state() == "ok"


def test_what_a_new_event_of_a_peer_builds_on_counts_until_its_next_word() -> None:
    peer, ours = Peer(OTHER), {ME: 4, OTHER: 3}
    peer.observe_tips([tip(ME, 1), tip(OTHER, 2)], 10, newest_seq=2)
    peer.observe_proven([tip(ME, 3), tip(OTHER, 3)], 3)
    assert peer.lacks(ours) == 1
    assert tip(ME, 3) in peer.tips
    assert peer.newest_seq == 3
    peer.observe_tips([tip(ME, 1), tip(OTHER, 2)], 11, newest_seq=3)  # its disk has lost the rest
    assert peer.lacks(ours) == 4
    assert peer.tips == [tip(ME, 1), tip(OTHER, 2)]
    peer.observe_proven([tip(ME, 3), tip(OTHER, 4)], 4)
    peer.observe_epoch(12)
    assert peer.lacks(ours) == 9


def test_who_never_spoke_has_been_silent_longest() -> None:
    peer, other = Peer(ME), Peer(OTHER)
    other.observe_tips([], 0)
    assert peer.silent_since < other.silent_since
