"""What a node concludes from the ledger digests in events: every split, late and missing words, liars."""

import random
from itertools import product

import pytest

from consensus.comparison import KEPT_ROUNDS, Comparison, LedgerVerdict
from consensus.event import make_event
from consensus.keys import SigningKey
from consensus.roster import Roster, RosterMember, make_roster
from tests.consensus.ledger.swarm import Swarm, digest_of

KEYS = sorted((SigningKey(bytes([number + 1]) * 32) for number in range(7)), key=lambda key: key.id)


def roster_of(weights: tuple[int, ...]) -> Roster:
    return make_roster(RosterMember(key.id, weight) for key, weight in zip(KEYS, weights, strict=False))


def say(comparison: Comparison, member: int, number: int, digest: bytes, seq: int = 0) -> None:
    """An event of the member with this word in it."""
    parent = bytes(32) if seq else None
    said = (number, digest)
    comparison.observe_event(
        make_event(KEYS[member], epoch=bytes(32), seq=seq, self_parent=parent, time=1, ledger=said)
    )


def compared(own: str, others: str, weights: tuple[int, ...] = ()) -> LedgerVerdict:
    """Node 0 has digest `own` after round 1; each other member says its letter, and nothing for "."."""
    comparison = Comparison(KEYS[0].id)
    comparison.observe_round(1, own.encode() * 32)
    for number, letter in enumerate(others):
        if letter != ".":
            say(comparison, number + 1, 1, letter.encode() * 32)
    return comparison.verdict(roster_of(weights or (1,) * (1 + len(others))))


@pytest.mark.parametrize(
    ("own", "others", "weights", "verdict", "against"),
    [
        ("a", "", (), "agree", 0),
        ("a", "a", (), "agree", 0),
        ("a", "b", (), "none", 1),
        ("a", ".", (), "open", 0),
        ("a", "bb", (), "minority", 2),
        ("a", "bc", (), "none", 2),
        ("a", "aab", (), "agree", 1),
        ("a", "bbb", (), "minority", 3),
        ("a", "bb.", (), "open", 0),
        ("a", "abb", (), "none", 2),
        ("a", "b..", (), "open", 0),
        ("a", "aa.", (), "agree", 0),
        ("a", "aabb..", (), "open", 0),
        ("a", "aabbcc", (), "none", 4),
        ("a", "bbbbaa", (), "minority", 4),
        ("a", "b", (1, 2), "minority", 2),
        ("a", "b", (2, 1), "agree", 1),
        ("a", "bbb", (4, 1, 1, 1), "agree", 3),
        ("a", "bbb", (0, 1, 1, 1), "minority", 3),
    ],
)
def test_a_round_is_weighed(own: str, others: str, weights: tuple[int, ...], verdict: str, against: int) -> None:
    finding = compared(own, others, weights)
    assert (finding.agreement, finding.against) == (verdict, against)


def test_liars_below_a_third_put_no_honest_node_into_the_minority_and_take_no_majority_away() -> None:
    """Whatever two of seven say, and whoever of the others has not spoken yet."""
    for lies in product("abcd.", repeat=2):
        for silent in product("a.", repeat=4):
            assert compared("a", "".join((*silent, *lies))).agreement in ("agree", "open")
        assert compared("a", "aaaa" + "".join(lies)).agreement == "agree"
        assert compared("b", "aaaa" + "".join(lies)).agreement == "minority"


def test_the_first_differing_round_is_named() -> None:
    comparison, roster = Comparison(KEYS[0].id), roster_of((1, 1, 1, 1))
    assert comparison.verdict(roster) == LedgerVerdict("open")
    for number in range(1, 9):
        comparison.observe_round(number, digest_of("mine" if number >= 5 else "all", number))
        if number != 6:  # of which nobody speaks
            for member in (1, 2, 3):
                say(comparison, member, number, digest_of("all", number))
        finding = comparison.verdict(roster)
        assert finding.agreement == ("minority" if number >= 5 else "agree")
        assert finding.since_round == (5 if number >= 5 else 0)
    assert comparison.majority(7, roster) == digest_of("all", 7) != comparison.own_digest(7)


def test_words_count_when_we_get_there_and_the_first_one_counts() -> None:
    comparison, roster = Comparison(KEYS[0].id), roster_of((1, 1, 1, 1))
    for member in (1, 2, 3):
        say(comparison, member, 1, digest_of("a"))
        say(comparison, member, 1, digest_of("b"), seq=1)
    assert comparison.verdict(roster).agreement == "open"
    comparison.observe_round(1, digest_of("a"))
    assert comparison.verdict(roster) == LedgerVerdict("agree", 1)


def test_own_events_say_nothing_new_and_a_member_that_left_weighs_nothing() -> None:
    comparison = Comparison(KEYS[0].id)
    comparison.observe_round(1, digest_of("a"))
    say(comparison, 0, 1, digest_of("b"))
    say(comparison, 1, 1, digest_of("b"))
    assert comparison.verdict(roster_of((1, 1))).agreement == "none"
    assert comparison.verdict(roster_of((1,))).agreement == "agree"


def test_what_is_kept_is_bounded_whatever_is_said() -> None:
    comparison, chance = Comparison(KEYS[0].id), random.Random(1)
    for number in range(1, 2 * KEPT_ROUNDS):
        comparison.observe_round(number, digest_of(number))
        say(comparison, 1, chance.randrange(2**63), digest_of("x"))
        say(
            comparison,
            2,
            number + chance.randrange(-KEPT_ROUNDS, KEPT_ROUNDS) if number > KEPT_ROUNDS else 1,
            digest_of("y"),
        )
    assert len(comparison._digests) <= KEPT_ROUNDS + 1
    assert len(comparison._claims) <= 2 * KEPT_ROUNDS + 2


def test_ledgers_are_told_apart_entry_by_entry() -> None:
    swarm = Swarm(4)
    swarm.play(1)
    other = swarm.replayed()
    assert swarm.ledger.differences(other) == []
    state = swarm.ledger._state
    state.accepted["claim"] += 1
    state.last_event_clocks[swarm.id(2)] += 1
    del state.used[swarm.id(1)]
    assert swarm.ledger.differences(other) == [
        f"used {swarm.id(1).hex()[:16]}", f"heard {swarm.id(2).hex()[:16]}", "accepted claim"
    ]  # fmt: skip
