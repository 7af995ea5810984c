"""What peers say opened the epoch, weighed: who may silence a node, and who may not."""

from dataclasses import replace

import pytest

from consensus.epoch import EpochRecord, Opening
from consensus.roster import Roster, RosterMember, make_roster
from node.config.identity import Identity
from node.member.record_comparison import compare_with_peers, describe_refutation, record_differences
from tests.node.statesync.chains import genesis_of, links, next_record, sealed_by

ALL = sorted((Identity(bytes([number]) * 32) for number in range(1, 8)), key=lambda one: one.id)
ME, *PEERS = (one.id for one in ALL)
CHAIN = [link.record for link in links(ALL, 3)]
OWN = CHAIN[1]
OTHER, THIRD = (replace(OWN, snapshot=bytes([number]) * 32) for number in (1, 2))


def roster(*weights: int) -> Roster:
    return make_roster(RosterMember(one.id, weight) for one, weight in zip(ALL, weights or [1] * 7, strict=True))


def said(*records: EpochRecord | None) -> dict[bytes, EpochRecord | None]:
    return dict(zip(PEERS, records, strict=False))


@pytest.mark.parametrize(
    ("words", "weights", "verdict", "reason"),
    [
        (said(), (), "agree", ""),
        (said(OTHER, OTHER, OTHER), (), "agree", ""),  # three of seven: too few
        (said(*[OTHER] * 4), (), "minority", "members of weight 4 of 7 opened epoch 2 with another record (snap"),
        (said(OTHER, OTHER, OTHER, OWN, OWN, OWN), (), "agree", ""),
        (said(OTHER, OTHER), (3, 2, 2, 0, 0, 0, 0), "minority", "members of weight 4 of 7"),
        (said(OTHER, OTHER, OTHER), (4, 1, 1, 1, 0, 0, 0), "agree", ""),  # we alone are the majority
        (said(OTHER, OTHER, OTHER, OWN, THIRD, THIRD), (), "none", "no record of epoch 2 has the majority"),
        (said(OTHER, OTHER, OTHER, OWN, THIRD), (), "agree", ""),  # the last one may still make it four
        (said(OTHER, OTHER, OTHER, OWN, THIRD, CHAIN[2]), (), "agree", ""),
        (said(*[CHAIN[2]] * 6), (), "agree", ""),
    ],
)
def test_a_record_has_the_majority_with_more_than_half_of_the_weight(
    words: dict[bytes, EpochRecord | None], weights: tuple[int, ...], verdict: str, reason: str
) -> None:
    found = compare_with_peers(ME, OWN, words, roster(*weights))
    assert found.verdict == verdict
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)


@pytest.mark.parametrize(
    ("words", "early"),
    [
        (said(None, CHAIN[0], CHAIN[0]), False),
        (said(None, CHAIN[0], CHAIN[0], CHAIN[0]), True),
        (said(*[CHAIN[0]] * 6), True),
        (said(OWN, OTHER, CHAIN[2], CHAIN[2]), False),
    ],
)
def test_who_is_early_is_ahead_of_more_than_half_of_the_weight(
    words: dict[bytes, EpochRecord | None], early: bool
) -> None:
    found = compare_with_peers(ME, OWN, words, roster())
    assert (found.verdict == "early") == early
    assert ("epoch 2 began here, and most members have not closed the one before" in found.reason) == early


def test_differences_are_told_field_by_field() -> None:
    genesis, heavier = genesis_of(ALL), roster(2, 1, 1, 1, 1, 1, 1)
    judges = (b"\2" * 32, b"\3" * 32)
    other = next_record(genesis, Opening.of_record(CHAIN[0]), b"other", roster=heavier, judges=judges)
    found = record_differences(OWN, other)
    assert list(found) == ["roster", "roster_version", "snapshot", "judges"]
    assert found["roster_version"] == ("1", "2")
    assert found["judges"] == ("01" * 8, "02" * 8 + " " + "03" * 8)
    assert "weight 8" in found["roster"][1]
    line = describe_refutation(OWN, sealed_by(other, ALL[:6]))
    assert "another record than members of weight 7 of 8 sealed (roster, roster_version, snapshot, judges)" in line
