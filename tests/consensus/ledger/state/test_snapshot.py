"""The ledger at a close as bytes: complete, of one form, and strict."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from typing import Any

import pytest

from consensus.encoding import decode, encode
from consensus.ledger import Ledger
from consensus.ledger.state.snapshot import SIZE_LIMIT, SnapshotError, decode_snapshot, encode_snapshot
from consensus.ledger.state.state import State
from tests.consensus.ledger.swarm import Swarm
from tests.consensus.ledger.test_random import run, visible


def closed_swarm(seed: int = 0, count: int = 4) -> Swarm:
    swarm, _ = run(seed, count)
    assert len(swarm.closings) >= 3
    return swarm


@pytest.mark.parametrize("count", [1, 4, 7])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_restored_has_the_same_digest_and_the_same_future(seed: int, count: int) -> None:
    swarm = closed_swarm(seed, count)
    for closing_round, closing in swarm.closings.items():
        ledger = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
        whole = Ledger.found(swarm.genesis)
        for decided in swarm.rounds:
            effects = whole.apply_round(decided)
            if decided.number > closing_round:
                assert ledger.apply_round(decided) == effects
            if decided.number in swarm.closings:
                again = whole.close(decided)
                assert again == swarm.closings[decided.number]
                if decided.number > closing_round:
                    assert ledger.close(decided) == again
            if decided.number >= closing_round:
                assert ledger.digest() == whole.digest()
        assert visible(ledger) == visible(whole) == visible(swarm.ledger)
        assert ledger.chain_to(ledger.roster_version) == swarm.ledger.chain_to(ledger.roster_version)


def test_the_digest_after_a_close_is_that_of_what_is_restored() -> None:
    swarm = closed_swarm()
    for closing_round, closing in swarm.closings.items():
        whole = Ledger.found(swarm.genesis)
        for decided in swarm.rounds[:closing_round]:
            whole.apply_round(decided)
            if decided.number in swarm.closings:
                whole.close(decided)
        restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
        assert restored.digest() == whole.digest()
        assert (restored.round, restored.time, restored.clock) == (whole.round, whole.time, whole.clock)
        assert restored.ordered == whole.ordered == closing.record.ordered


def refused(swarm: Swarm, record: Any, data: bytes) -> str:
    record = replace(record, snapshot=hashlib.sha256(data).digest())
    with pytest.raises(SnapshotError) as caught:
        decode_snapshot(swarm.genesis, record, data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def attempt(swarm: Swarm, record: Any, data: bytes) -> tuple[State | None, str]:
    """What is read from these bytes if the record named them, or the one line that says why nothing is."""
    record = replace(record, snapshot=hashlib.sha256(data).digest())
    try:
        return decode_snapshot(swarm.genesis, record, data), ""
    except SnapshotError as error:
        return None, str(error)


def test_another_snapshot_than_the_records_is_refused() -> None:
    swarm = closed_swarm()
    first, second = list(swarm.closings.values())[:2]
    with pytest.raises(SnapshotError, match="not the one that the epoch record names"):
        Ledger.restore(swarm.genesis, first.record, second.snapshot)
    assert "contradicts the epoch record" in refused(swarm, first.record, second.snapshot)


def test_damage_is_one_clear_error_even_if_the_record_named_it() -> None:
    """Changed bytes are refused or give another state: nothing is skipped, nothing crashes."""
    swarm = closed_swarm(1)
    closing = list(swarm.closings.values())[-1]
    chance = random.Random(1)
    refused_of = 0
    for _ in range(100):
        data = bytearray(closing.snapshot)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        state, reason = attempt(swarm, closing.record, bytes(data))
        assert "\n" not in reason
        assert state is None or encode_snapshot(state) == data
        refused_of += state is None
    assert refused_of > 10


@pytest.mark.parametrize("value", [None, True, -1, 2**64 - 1, "x", b"", [], {}, [[]], [[None] * 12], [b"x"]])
def test_fields_of_another_shape_are_refused(value: Any) -> None:
    swarm = closed_swarm()
    closing = list(swarm.closings.values())[-1]
    table: Any = decode(closing.snapshot, limit=SIZE_LIMIT)
    for name in sorted(table):
        if table[name] != value:
            state, reason = attempt(swarm, closing.record, encode({**table, name: value}))
            assert "\n" not in reason
            assert state is None or value in ([], {}), name
    assert "exactly the fields" in refused(swarm, closing.record, encode({**table, "more": 1}))
    del table["closed"]
    assert "exactly the fields" in refused(swarm, closing.record, encode(table))
