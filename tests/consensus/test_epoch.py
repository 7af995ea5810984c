"""Epoch records: one form, no forgery, and a chain that no mixture of rosters can bend."""

import random
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.encoding import Value, encode
from consensus.epoch import (
    EpochError,
    EpochRecord,
    Opening,
    SealedRecord,
    can_seal_change,
    decode_record,
    decode_sealed,
    has_enough_seals,
    verify_chain,
    verify_seals,
)
from consensus.keys import SigningKey
from consensus.roster import Roster, RosterMember, make_roster
from tests.consensus.gossip import genesis_of, keys_of

KEYS = keys_of(7)
BY_ID = {key.id: key for key in KEYS}
GENESIS = genesis_of(KEYS[:4])


def roster_of(weights: dict[int, int]) -> Roster:
    return make_roster(RosterMember(KEYS[number].id, weight) for number, weight in weights.items())


def next_record(before: Opening, roster: Roster | None = None, **changes: Any) -> EpochRecord:
    roster = before.roster if roster is None else roster
    version = before.roster_version + (roster.digest != before.roster.digest)
    record = EpochRecord(
        genesis=GENESIS.digest,
        number=before.number + 1,
        previous=before.digest,
        old=before.roster.digest,
        roster=roster,
        roster_version=version,
        ledger=bytes([before.number]) * 32,
        snapshot=bytes(32),
        round=before.round + 5,
        ordered=before.ordered + 50,
        time=(before.time or 0) + 9,
        judges=(b"\1" * 32, b"\2" * 32),
    )
    return replace(record, **changes)


def sealed(record: EpochRecord, members: list[int] | None = None) -> SealedRecord:
    keys = KEYS if members is None else [KEYS[number] for number in members]
    return SealedRecord(record, tuple(sorted((key.id, record.seal(key)) for key in keys)))


def chain_of(*rosters: Roster | None, skip: tuple[int, ...] = ()) -> list[SealedRecord]:
    """One record per roster (None: unchanged), each sealed by all who are in either roster."""
    opening, chain = Opening.of_genesis(GENESIS), []
    for roster in rosters:
        record = next_record(opening, roster)
        signers = [n for n, key in enumerate(KEYS) if key.id in opening.roster or key.id in record.roster]
        chain.append(sealed(record, signers))
        opening = Opening.of_record(record)
    return [link for number, link in enumerate(chain) if number not in skip]


GROWN = roster_of({0: 1, 1: 1, 2: 1, 3: 1, 4: 1})
SHRUNK = roster_of({0: 1, 1: 1, 2: 1, 3: 1})


def test_bytes_and_back() -> None:
    for link in chain_of(None, GROWN, None, SHRUNK):
        assert decode_record(link.record.raw) == link.record
        assert decode_sealed(link.raw) == link
        assert decode_record(link.record.raw).digest == link.record.digest


@settings(max_examples=200, deadline=None)
@given(bit=st.integers(0, 10**6))
def test_no_flipped_bit_passes(bit: int) -> None:
    good = chain_of(GROWN)[0]
    raw = bytearray(good.raw)
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    with pytest.raises(EpochError) as caught:
        verify_seals(decode_sealed(bytes(raw)), GENESIS.roster)
    assert "\n" not in str(caught.value)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_one_clear_error(data: bytes) -> None:
    for read in (decode_record, decode_sealed):
        with pytest.raises(EpochError) as caught:
            read(data)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["genesis", "number", "judges", "roster", "time", "version", "round"])
@pytest.mark.parametrize("value", [None, True, -1, 2**63, "x", b"", [], {}, [[]], [b""]])
def test_a_field_of_another_shape_is_refused(field: str, value: Value) -> None:
    record = chain_of(GROWN)[0].record
    table: dict[str, Value] = {
        "version": 1, "genesis": record.genesis, "number": 1, "previous": record.previous, "old": record.old,
        "roster": record.roster.table(), "roster_version": 2, "ledger": record.ledger,
        "snapshot": record.snapshot, "round": record.round, "ordered": 50, "time": 9,
        "judges": list(record.judges),
    }  # fmt: skip
    assert encode(table) == record.raw
    with pytest.raises(EpochError):
        decode_record(encode({**table, field: value}))


def test_a_walk_ends_where_the_chain_does() -> None:
    chain = chain_of(None, GROWN, None, SHRUNK)
    end = verify_chain(GENESIS, chain)
    assert (end.number, end.roster, end.roster_version, end.ordered) == (4, SHRUNK, 3, 200)
    assert end == Opening.of_record(chain[-1].record)
    assert verify_chain(GENESIS, []) == Opening.of_genesis(GENESIS)


def test_the_short_chain_needs_only_changes() -> None:
    short = chain_of(None, GROWN, None, None, SHRUNK, skip=(0, 2, 3))
    assert verify_chain(GENESIS, short, complete=False).roster == SHRUNK
    with pytest.raises(EpochError, match="does not follow the record of epoch 0"):
        verify_chain(GENESIS, short)
    with pytest.raises(EpochError, match="does not change the roster"):
        verify_chain(GENESIS, chain_of(None, GROWN), complete=False)
    with pytest.raises(EpochError, match=r"roster version 3 after 1|does not follow the roster"):
        verify_chain(GENESIS, short[1:], complete=False)


def test_what_does_not_follow_is_named() -> None:
    first = chain_of(GROWN)[0].record
    opening = Opening.of_record(first)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"genesis": bytes(32)}, "another swarm"),
        ({"number": 3}, "does not follow"),
        ({"previous": bytes(32)}, "does not follow"),
        ({"old": GENESIS.roster.digest}, "roster version 2 after 2"),
        ({"old": GENESIS.roster.digest, "roster_version": 3}, "does not follow the roster before it"),
        ({"round": first.round}, "not later"),
        ({"ordered": first.ordered - 1}, "back in the order"),
        ({"time": first.time - 1}, "back in the order"),
        ({"roster_version": 7}, "roster version 7 after 2"),
    ]
    for changes, reason in wrong:
        with pytest.raises(EpochError, match=f"^epoch record [23]: .*{reason}"):
            verify_chain(GENESIS, [*chain_of(GROWN), sealed(next_record(opening, **changes), [0, 1, 2, 3, 4])])


def test_seals_are_checked_one_by_one() -> None:
    record = next_record(Opening.of_genesis(GENESIS))
    forged = replace(sealed(record), seals=((KEYS[0].id, record.seal(KEYS[1])),))
    with pytest.raises(EpochError, match="does not verify"):
        verify_seals(forged, GENESIS.roster)
    with pytest.raises(EpochError, match="in neither roster"):
        verify_seals(sealed(record, [0, 1, 2, 5]), GENESIS.roster)
    with pytest.raises(EpochError, match="two thirds or less"):
        verify_seals(sealed(record, [0, 1]), GENESIS.roster)
    verify_seals(sealed(record, [0, 1, 2]), GENESIS.roster)
    seals = sealed(record).seals
    for wrong in ((*seals, seals[0]), seals[::-1], (seals[0], *seals)):
        with pytest.raises(EpochError, match="sorted by member"):
            SealedRecord(record, wrong)


weights_of = st.dictionaries(st.integers(0, 6), st.integers(0, 4), min_size=1, max_size=7)


def any_roster(weights: dict[int, int]) -> Roster | None:
    try:
        return roster_of(weights)
    except ValueError:
        return None


@settings(max_examples=300, deadline=None)
@given(weights_of, weights_of, st.randoms(use_true_random=False))
def test_no_mixture_of_old_and_new_weight_passes_twice(
    before: dict[int, int], after: dict[int, int], chance: random.Random
) -> None:
    """Two different records can both be sealed only if a third of the old weight sealed twice."""
    old, new, other = any_roster(before), any_roster(after), any_roster({**before, chance.randrange(7): 1})
    if old is None or new is None or other is None:
        return
    opening = replace(Opening.of_genesis(GENESIS), roster=old)
    first, second = next_record(opening, new), next_record(opening, other, ledger=b"\7" * 32)
    signers = chance.sample(range(7), chance.randrange(8)), chance.sample(range(7), chance.randrange(8))
    passes = [
        has_enough_seals(record, old, [KEYS[number].id for number in members])
        for record, members in zip((first, second), signers, strict=True)
    ]
    if all(passes):
        twice = [KEYS[number].id for number in set(signers[0]) & set(signers[1])]
        assert 3 * old.weight(twice) > old.total_weight


def test_those_who_stay_can_always_seal() -> None:
    """If the change is allowed, the stayers are enough; a set that lacks either sum never is."""
    for stay, leave, join in [(4, 0, 1), (4, 1, 0), (3, 1, 0), (4, 1, 1), (2, 1, 1), (5, 1, 1), (2, 0, 1)]:
        old = roster_of(dict.fromkeys(range(stay + leave), 1))
        new = roster_of(dict.fromkeys([*range(stay), *range(6, 6 - join, -1)], 1))
        record = next_record(replace(Opening.of_genesis(GENESIS), roster=old), new)
        staying = [KEYS[number].id for number in range(stay)]
        assert can_seal_change(old, new) == has_enough_seals(record, old, staying)
        for count in range(8):
            for members in combinations([key.id for key in KEYS], count):
                if has_enough_seals(record, old, members):
                    assert old.supermajority(members)
                    assert new.supermajority(members) or new.digest == old.digest


def test_a_seal_is_of_one_record() -> None:
    record = next_record(Opening.of_genesis(GENESIS))
    key = SigningKey(bytes(32))
    assert record.verify_seal(key.id, record.seal(key))
    assert not replace(record, time=10).verify_seal(key.id, record.seal(key))


def test_the_largest_record_is_read_and_the_densest_bytes_take_no_time() -> None:
    members = [RosterMember(bytes([number, *[2] * 31]), 1, bytes(32), "h" * 255) for number in range(256)]
    judges = tuple(number.to_bytes(32) for number in range(256))
    record = next_record(Opening.of_genesis(GENESIS), Roster(tuple(members)), judges=judges)
    seals = tuple((number.to_bytes(32), bytes(64)) for number in range(512))
    assert decode_sealed(SealedRecord(record, seals).raw).record == record
    for unit in (b"\x80", b"\xa0", b"\x00"):
        count = (1 << 18) - 5
        with pytest.raises(EpochError, match="more values than are allowed"):
            decode_record(b"\x9a" + count.to_bytes(4) + unit * count)
        with pytest.raises(EpochError, match="more values than are allowed"):
            decode_sealed(b"\x82\x41x" + b"\x9a" + count.to_bytes(4) + unit * count)
