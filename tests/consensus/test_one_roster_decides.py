"""No mixture of old and new members decides twice: all small rosters, all changes that the ledger allows, all liars.

Two things could decide otherwise than the order: seals over another record of the same epoch, and chains of
records that an auditor is shown. An honest member seals one record of an epoch; liars seal whatever they like.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, product

import pytest

from consensus.epoch import EpochError, EpochRecord, Opening, SealedRecord, has_enough_seals, verify_chain
from consensus.genesis import Genesis, make_genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger.records.changes import Change
from consensus.ledger.rules.membership import roster_with
from consensus.ledger.state.state import RefusedError, State
from consensus.roster import Roster, RosterMember, make_roster
from consensus.settings import Settings

KEYS = sorted((SigningKey(bytes([number]) * 32) for number in range(1, 6)), key=lambda key: key.id)
IDS = [key.id for key in KEYS]
WEIGHTS = (0, 1, 2)
GENESIS = make_genesis("small", [RosterMember(one, 1) for one in IDS], Settings())
EVERYBODY = frozenset(IDS)

Enough = Callable[[EpochRecord, Roster, Iterable[MemberId]], bool]
Part = frozenset[MemberId]


def roster_of(weights: Iterable[int | None]) -> Roster:
    """The weight of each of the five; None: no member."""
    return make_roster(
        RosterMember(one, weight) for one, weight in zip(IDS, weights, strict=False) if weight is not None
    )


def changes_of(roster: Roster) -> Iterator[Change]:
    """All that somebody could propose, with these ids and weights."""
    strangers = [one for one in IDS if one not in roster]
    for one in strangers:
        for weight in WEIGHTS:
            yield Change("join", one, weight=weight, address="")
    for one in roster.ids:
        yield Change("leave", one)
        for weight in WEIGHTS:
            yield Change("weight", one, weight=weight)
        for key in strangers:
            yield Change("key", one, key=key)


@cache
def successors(roster: Roster, together: int = 1) -> frozenset[Roster]:
    """The rosters that may follow in the ledger, after up to so many changes in one epoch."""
    found: set[Roster] = set()
    waiting: list[tuple[Roster | None, int]] = [(None, 0)]
    seen: set[tuple[Roster | None, int]] = set()
    while waiting:
        coming, steps = waiting.pop()
        state = State(GENESIS)
        state.epoch.roster = roster
        for change in changes_of(coming or roster):
            state.epoch.next = coming
            try:
                state.epoch.next = roster_with(state, change)
            except RefusedError:
                continue
            found.add(state.epoch.successor(0).roster)
            if steps + 1 < together and (following := (state.epoch.next, steps + 1)) not in seen:
                seen.add(following)
                waiting.append(following)
    return frozenset(found)


@cache
def parts(members: Part) -> tuple[Part, ...]:
    """All subsets."""
    ordered = sorted(members)
    return tuple(frozenset(some) for count in range(len(ordered) + 1) for some in combinations(ordered, count))


def few(roster: Roster, liars: Part) -> bool:
    """Less than a third of the weight."""
    return 3 * roster.weight(liars) < roster.total_weight


def opened_by(roster: Roster) -> Opening:
    """An epoch of this roster."""
    return Opening(number=3, digest=bytes([7]) * 32, roster=roster, roster_version=3, round=9, ordered=99, time=999)


def record_of(opening: Opening, new: Roster, ledger: int = 1) -> EpochRecord:
    return EpochRecord(
        genesis=GENESIS.digest,
        number=opening.number + 1,
        previous=opening.digest,
        old=opening.roster.digest,
        roster=new,
        roster_version=opening.roster_version + (new.digest != opening.roster.digest),
        ledger=bytes([ledger]) * 32,
        snapshot=bytes(32),
        round=opening.round + 1,
        ordered=opening.ordered,
        time=opening.time or 0,
        judges=(bytes(32),),
    )


def decided_twice(old: Roster, news: Iterable[Roster], enough: Enough) -> list[tuple[Roster, Roster, Part]]:
    """Two records that could both be sealed while no honest member seals both: the rosters, and the liars.

    The first is one to which the order could lead; the other one names any roster at all.
    """
    opening, found = opened_by(old), []
    for new in news:
        first = record_of(opening, new)
        for other in any_rosters():
            second = record_of(opening, other, ledger=2)
            for liars in parts(EVERYBODY):
                if not few(old, liars) or not few(new, liars):
                    continue
                for truthful in parts(EVERYBODY - liars):  # they seal the first, the rest of the honest the second
                    if enough(first, old, truthful | liars) and enough(second, old, EVERYBODY - truthful):
                        found.append((new, other, liars))
                        break
    return found


@cache
def any_rosters() -> tuple[Roster, ...]:
    """A liar may write any roster into a record: here, the most useful ones."""
    return tuple(
        roster_of(weights) for weights in product((None, 1), repeat=len(IDS)) if any(weight for weight in weights)
    )


OLD = [
    (1,),
    (1, 1),
    (2, 1),
    (1, 1, 1),
    (2, 2, 1),
    (1, 1, 0, None),
    (1, 1, 1, 1),
    (2, 1, 1, 2),
    (2, 2, 2, 1, 0),
    (1, 1, 1, 1, 1),
    (2, 2, 2, 1, 1),
]


@pytest.mark.parametrize("weights", OLD)
def test_two_records_of_one_epoch_are_not_both_sealed(weights: tuple[int | None, ...]) -> None:
    old = roster_of(weights)
    assert decided_twice(old, successors(old), has_enough_seals) == []


def by_either(record: EpochRecord, old: Roster, members: Iterable[MemberId]) -> bool:
    sealed = list(members)
    return old.supermajority(sealed) or record.roster.supermajority(sealed)


def by_the_new(record: EpochRecord, _old: Roster, members: Iterable[MemberId]) -> bool:
    return record.roster.supermajority(members)


def by_the_sum(record: EpochRecord, old: Roster, members: Iterable[MemberId]) -> bool:
    sealed = list(members)
    weight = old.weight(sealed) + record.roster.weight(sealed)
    return 3 * weight > 2 * (old.total_weight + record.roster.total_weight)


def by_half(record: EpochRecord, old: Roster, members: Iterable[MemberId]) -> bool:
    return 2 * old.weight(members) > old.total_weight


@pytest.mark.parametrize("wrong", [by_either, by_the_new, by_the_sum, by_half])
def test_with_another_rule_they_were(wrong: Enough) -> None:
    """With a weaker rule the search finds two decisions, so it can fail."""
    old = roster_of((1, 1, 1, 1, 1) if wrong is by_half else (1, 1, 1, 1))
    assert decided_twice(old, successors(old), wrong)


def test_those_who_tell_the_truth_can_seal_every_change() -> None:
    """Whoever lies may also be silent. All rosters of up to five members."""
    tried = 0
    for weights in product((None, *WEIGHTS), repeat=len(IDS)):
        if not any(weights):
            continue
        old = roster_of(weights)
        for new in successors(old):
            record = record_of(opened_by(old), new)
            for liars in parts(EVERYBODY):
                if few(old, liars) and few(new, liars):
                    tried += 1
                    honest = [one for one in new.ids if one not in liars]
                    assert has_enough_seals(record, old, honest), (old.weights, new.weights, liars)
    assert tried > 10_000


# Chains, as an auditor sees them.


def sealed_by(record: EpochRecord, members: Iterable[MemberId]) -> SealedRecord:
    chosen = set(members)
    return SealedRecord(record, tuple((key.id, record.seal(key)) for key in KEYS if key.id in chosen))


def histories(length: int) -> list[list[Roster]]:
    """Rosters that follow each other by the ledger's rules; one of them comes back twice."""
    start = roster_of((1, 1, 1, 1))
    without = roster_of((1, 1, 1, 0))
    paths = [[start, without, start, without, start][: length + 1]]
    chance = random.Random(length)
    for _ in range(12):
        path = [start]
        while len(path) <= length:
            others = successors(path[-1], 2) - {path[-1]}
            path.append(chance.choice(sorted(others, key=lambda one: one.digest)))
        paths.append(path)
    return paths


def swarm_of(path: list[Roster]) -> tuple[Genesis, list[Opening], list[SealedRecord]]:
    """A swarm that had these rosters: what opened its epochs, and the chain, sealed by all there were."""
    genesis = make_genesis("walked", path[0].members, Settings())
    openings, chain = [Opening.of_genesis(genesis)], []
    for new in path[1:]:
        record = replace(record_of(openings[-1], new), genesis=genesis.digest)
        chain.append(sealed_by(record, (*openings[-1].roster.ids, *new.ids)))
        openings.append(Opening.of_record(record))
    return genesis, openings, chain


def leads(genesis: Genesis, chain: Sequence[SealedRecord]) -> bool:
    """Whether an auditor who has the genesis believes this."""
    try:
        verify_chain(genesis, chain, complete=False)
    except EpochError:
        return False
    return True


def test_of_a_true_chain_an_auditor_believes_beginnings_only() -> None:
    """Nobody can leave a change out, not even where the same roster came back."""
    for path in histories(4):
        genesis, _, chain = swarm_of(path)
        for count in range(len(chain) + 1):
            for chosen in combinations(chain, count):
                assert leads(genesis, chosen) == (list(chosen) == chain[:count])


def test_liars_and_who_is_no_member_lead_no_auditor_astray() -> None:
    """They write another record, with any roster, after any beginning of the true chain."""
    for path in histories(3)[:7]:
        genesis, openings, chain = swarm_of(path)
        for step, opening in enumerate(openings[:-1]):
            for liars in most(opening.roster):
                helpers = liars | (EVERYBODY - set(opening.roster.ids))
                for new in any_rosters():
                    if new.digest != opening.roster.digest:
                        record = replace(record_of(opening, new, ledger=2), genesis=genesis.digest)
                        forged = sealed_by(record, [one for one in helpers if one in opening.roster or one in new])
                        assert not leads(genesis, [*chain[:step], forged])


def most(roster: Roster) -> list[Part]:
    """The sets of less than a third of the weight that no further member fits into."""
    small = [some for some in parts(frozenset(roster.ids)) if few(roster, some)]
    return [some for some in small if not any(some < other for other in small)]
