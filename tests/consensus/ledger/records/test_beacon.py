"""The beacon: made of what judges owed before, deaf to wrong and withheld preimages, cheap whatever is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from consensus import preimages
from consensus.encoding import encode
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.ledger import Effect, Ledger
from consensus.ledger.records.beacon import Commitment, after_reveal
from consensus.ordered import DecidedRound, Judge
from consensus.preimages import LENGTH, Preimages
from consensus.roster import Roster, RosterMember
from tests.consensus.gossip import Gossip, digests
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of

KEYS = sorted((SigningKey(bytes([number + 1]) * 32) for number in range(4)), key=lambda key: key.id)
CHAINS = [Preimages(key, 0) for key in KEYS]


def genesis(anchored: int = 4) -> Genesis:
    """Four members, of whom the first few have anchors."""
    members = [
        RosterMember(key.id, 1, chain.anchor if number < anchored else None)
        for number, (key, chain) in enumerate(zip(KEYS, CHAINS, strict=True))
    ]
    return make_genesis("test", members, SMALL)


def judged(number: int, reveals: Mapping[int, bytes | None], salt: int = 0) -> DecidedRound:
    """A round without events, whose judges show these preimages (by member)."""
    judges = [Judge(digest_of(number, member, salt), KEYS[member].id, shown) for member, shown in reveals.items()]
    return DecidedRound(number, tuple(sorted(judges, key=lambda judge: judge.hash)), ())


def right(number: int, *members: int) -> dict[int, bytes | None]:
    return {member: CHAINS[member].preimage(number) for member in members}


class Candidate:
    """A ledger in which a candidate waits for the beacon of a further round."""

    def __init__(self, founded: Genesis, ledger: Ledger | None = None) -> None:
        swarm = Swarm()
        swarm.genesis, swarm.ledger = founded, ledger or Ledger.found(founded)
        swarm.rounds = [DecidedRound(number + 1, (), ()) for number in range(swarm.ledger.round)]
        news = swarm.candidate(0)
        self.swarm, self.ledger = swarm, swarm.ledger
        swarm.order((swarm.id(0), [news.as_table()]), judges=())

    def shine(self, decided: DecidedRound) -> bytes | None:
        self.effects = self.ledger.apply_round(decided)
        return self.ledger.candidates()[0].beacon


def expected(founded: Genesis, number: int, reveals: Mapping[int, bytes | None]) -> bytes:
    """The definition once more."""
    pairs = [[KEYS[member].id, reveals[member]] for member in sorted(reveals)]
    return sha256(encode(["ringrift/beacon/2", founded.digest, number, ["preimages", pairs]])).digest()


def test_the_beacon_is_the_hash_of_the_preimages_and_of_nothing_that_a_judge_can_choose() -> None:
    founded = genesis()
    value = expected(founded, 3, right(3, 0, 1, 3))
    for salt in range(3):  # other events by the same judges
        assert Candidate(founded).shine(judged(3, right(3, 3, 0, 1), salt)) == value
    assert Candidate(founded).shine(judged(3, right(3, 0, 1))) == expected(founded, 3, right(3, 0, 1)) != value
    assert Candidate(founded).shine(judged(7, right(7, 0, 1, 3))) == expected(founded, 7, right(7, 0, 1, 3))


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        (None, False),
        (bytes(32), True),
        (CHAINS[2].preimage(3), True),  # that of another member
        (CHAINS[1].preimage(4), True),  # that of another round
        (CHAINS[1].anchor, True),
    ],
)
def test_who_does_not_show_what_it_owes_adds_nothing_any_more(shown: bytes | None, wrong: bool) -> None:
    founded = genesis()
    world = Candidate(founded)
    assert world.shine(judged(3, right(3, 0, 2) | {1: shown})) == expected(founded, 3, right(3, 0, 2))
    withheld = [effect for effect in world.effects if effect.kind == "withheld"]
    assert [(effect.member, dict(effect.fields)) for effect in withheld] == [(KEYS[1].id, {"shown": wrong, "times": 1})]
    assert world.ledger.withheld_counts() == {KEYS[1].id: 1}
    assert not effects_of(world.ledger, judged(4, right(4, 0, 1, 2)))
    assert not effects_of(world.ledger, judged(5, right(5, 0, 2) | {1: None}))
    assert world.ledger.withheld_counts() == {KEYS[1].id: 1}


def test_what_was_withheld_once_does_not_count_later() -> None:
    founded = genesis()
    ledger = Ledger.found(founded)
    ledger.apply_round(judged(1, right(1, 0, 2) | {1: None}))
    assert Candidate(founded, ledger).shine(judged(4, right(4, 0, 1, 2))) == expected(founded, 4, right(4, 0, 2))


def effects_of(ledger: Ledger, decided: DecidedRound) -> list[Effect]:
    return [effect for effect in ledger.apply_round(decided) if effect.kind == "withheld"]


def test_who_was_no_judge_for_long_is_believed_again() -> None:
    founded = genesis()
    world = Candidate(founded)
    for number in range(2, 40):
        world.ledger.apply_round(judged(number, right(number, 0, 2, 3)))
    assert not effects_of(world.ledger, judged(40, right(40, 0, 1, 2, 3)))
    assert world.ledger.withheld_counts() == {}


@pytest.mark.parametrize("anchored", [0, 2])
def test_without_any_preimage_the_judges_hashes_make_the_beacon(anchored: int) -> None:
    founded = genesis(anchored)
    nothing: dict[int, bytes | None] = {2: None, 3: bytes(32)}
    value = Candidate(founded).shine(judged(3, nothing))
    hashes = sorted(judge.hash for judge in judged(3, nothing).judges)
    assert value == sha256(encode(["ringrift/beacon/2", founded.digest, 3, ["judges", hashes]])).digest()
    assert Candidate(founded).shine(judged(3, nothing, salt=1)) != value
    assert Candidate(founded).ledger.withheld_counts() == {}


def test_preimages_are_part_of_the_ledgers_digest() -> None:
    seen = set()
    for shown in (right(1, 0, 1), right(1, 0), right(1, 0) | {1: None}, {0: None, 1: None}):
        ledger = Ledger.found(genesis())
        ledger.apply_round(judged(1, shown))
        seen.add(ledger.digest())
    assert len(seen) == 4


def test_a_member_costs_at_most_two_chains_of_hashes_whatever_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = 0

    def counted(data: bytes) -> object:
        nonlocal hashes
        hashes += 1
        return sha256(data)

    commitment = Commitment(KEYS[0].id, 0, CHAINS[0].anchor)
    monkeypatch.setattr(preimages, "sha256", counted)
    shown = [(number, CHAINS[0].preimage(number)) for number in (1, 2, 1000, LENGTH - 500)]
    hashes = 0
    for number, reveal in shown:
        commitment = after_reveal(commitment, number, reveal)
    assert (commitment.withheld, hashes) == (0, LENGTH - 500)
    for number in range(LENGTH - 499, LENGTH):
        commitment = after_reveal(commitment, number, digest_of(number))
    assert commitment.withheld == 1
    assert hashes == LENGTH - 499
    fresh = Commitment(KEYS[0].id, 0, CHAINS[0].anchor)
    for number in range(LENGTH - 100, LENGTH):
        fresh = after_reveal(fresh, number, bytes(32))
    assert hashes < 2 * LENGTH


def test_nobody_owes_a_preimage_beyond_the_end_of_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that lacks seals goes on for ever; that is not the fault of those who sealed it."""
    founded = genesis()
    monkeypatch.setattr(preimages, "LENGTH", 5)
    world = Candidate(founded)
    for number in range(2, 6):
        world.ledger.apply_round(judged(number, right(number, 0, 1)))
    for number in range(6, 9):
        assert not effects_of(world.ledger, judged(number, dict.fromkeys(range(4))))
    assert world.ledger.withheld_counts() == {}
    other = Candidate(founded)
    other.ledger.apply_round(judged(4, right(4, 0)))
    assert other.shine(judged(6, {0: None})) is not None


def test_a_member_without_weight_adds_nothing() -> None:
    founded = genesis()
    world = Candidate(founded)
    members = tuple(replace(member, weight=int(member.id != KEYS[1].id)) for member in founded.members)
    world.ledger._state.epoch.roster = Roster(members)
    assert world.shine(judged(3, right(3, 0, 1, 3))) == expected(founded, 3, right(3, 0, 3))
    assert world.ledger.withheld_counts() == {}


def test_a_member_whose_fork_is_proven_adds_nothing() -> None:
    founded = genesis()
    world = Candidate(founded)
    world.swarm.order((KEYS[0].id, [fork(world.swarm, 1).as_table()]), judges=())
    assert world.ledger.is_silenced(KEYS[1].id)
    assert world.shine(judged(3, right(3, 0, 1, 3))) == expected(founded, 3, right(3, 0, 3))


@pytest.mark.parametrize(("count", "forkers"), [(1, ()), (2, ()), (4, (1,)), (7, (2, 5))])
def test_a_swarm_agrees_on_its_beacons_and_only_those_who_fork_owe_anything(
    count: int, forkers: tuple[int, ...]
) -> None:
    swarm = Gossip(count, seed=count, forkers=forkers, anchored=True).run(60 * count).settle()
    for rounds in swarm.rounds[1:]:
        assert digests(rounds) == digests(swarm.rounds[0])
    chains = {key.id: Preimages(key, 0) for key in swarm.keys}
    honest = {key.id for member, key in enumerate(swarm.keys) if member not in forkers}
    for replica in swarm.replicas:
        assert honest.isdisjoint(replica.ledger.withheld_counts())
        for member, commitment in replica.ledger._state.commitments.items():
            if member in honest:
                assert commitment.value == chains[member].preimage(commitment.round)
                assert commitment.round >= replica.ledger.round - 3
