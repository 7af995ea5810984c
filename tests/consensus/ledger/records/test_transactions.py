"""Transactions come back from their tables, and nothing an author can write crashes the reader."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.encoding import MAX_DEPTH, decode, encode
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))
FILES = {"weights.safetensors": A, "config.json": B}
MODEL = t.model_digest(FILES, "c16b2", None)
SAMPLES: list[t.Transaction] = [
    t.Profile(
        0, roles=("match", "train"), device="cpu, 2 cores", software=A, rates={"plies": 10_000}, cost=0, life=3600
    ),
    t.SelfplayClaim(1, "hex8-2", 32),
    t.TrainClaim(2, "hex8-2", "c16b2"),
    t.MatchClaim(3, A),
    t.Progress(4, 1, 12),
    t.Release(5, 1, "the worker was killed"),
    t.Games(6, claim=1, configuration="hex8-2", model=A, shard=B, size=4096, games=32, plies=3000, root=C),
    t.Candidate(
        7,
        claim=2,
        configuration="hex8-2",
        model=MODEL,
        files=FILES,
        architecture="c16b2",
        parent=None,
        incumbent=A,
        shards=(B, C),
        losses={"policy": -3},
        measures={"brier": 190_000, "value_correlation_1": -3},
        state=(C, 4096),
    ),
    t.Candidate(
        8,
        claim=None,
        configuration="hex8-2",
        model=t.UNIFORM,
        files={},
        architecture="uniform",
        parent=None,
        incumbent=A,
        shards=(),
        losses={},
        measures={},
        state=None,
    ),
    t.Result(9, claim=3, scores=((0, 4), (1, 0)), root=A, blob=B, size=100, games=4),
    t.Vote(10, A, True, B, ""),
    t.Seal(11, A, bytes(64)),
    t.ShardFinding(13, A, wrong=True, reason="searched is 7, but 9 was announced"),
    t.Games(
        14,
        claim=1,
        configuration="hex8-2",
        model=A,
        shard=B,
        size=4096,
        games=32,
        plies=3000,
        root=C,
        facts={"searched": 0},
    ),
    t.Missing(18, A, 3, B),
    t.Missing(19, A, None, B),
    t.Finding(12, candidate=A, slot=3, result=B, wrong=True, reason="block 7 scores 1, but 4 was claimed for block 7"),
    t.RateClaim(13, A),
    t.Propose(20, Change("leave", A), "its disk fails"),
    t.Propose(26, Change("join", A, weight=1, address="host:7", name="delta"), "one more"),
    t.Propose(21, SteeringChange("set", setting="match.p1", value="3/5", configuration="hex8-2"), ""),
    t.Propose(22, SteeringChange("set", setting="coming.soon", value="x"), "of a later version"),
    t.Propose(23, SteeringChange("add", configuration="hex8-3"), ""),
    t.Propose(24, SteeringChange("pause", work="train", configuration="hex8-2"), ""),
    t.Propose(25, SteeringChange("resume"), ""),
    t.Profile(0, roles=(), device="cpu", software=A, rates={}, cost=0, life=0, hidden=True),
    t.Profile(1, roles=(), device="cpu", software=A, rates={}, cost=0, life=0, disk=900),
    t.Held(1, (A, B)),
]


@pytest.mark.parametrize("transaction", SAMPLES, ids=lambda sample: f"{sample.TYPE}-{sample.id}")
def test_comes_back(transaction: t.Transaction) -> None:
    assert parse_transaction(decode(encode(transaction.as_table()), limit=1 << 18)) == transaction


def test_unknown_types_are_nobody_s_business() -> None:
    assert parse_transaction({"type": "weather", "id": 0}) is None


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"roles": ["train", "match"]}, "roles must be sorted"),
        (0, {"roles": ["king"]}, "roles must be sorted"),
        (0, {"device": "two\nlines"}, "device must be one line"),
        (0, {"rates": {"Plies": 1}}, "rates has text that is not allowed"),
        (0, {"rates": {"plies": True}}, "rates must be a whole number"),
        (1, {"kind": "king"}, "kind must be"),
        (1, {"amount": 0}, "amount must be a whole number from 1"),
        (1, {"id": -1}, "id must be a whole number"),
        (1, {"id": 2**63}, "id must be a whole number"),
        (1, {"more": 1}, "unknown field"),
        (3, {"candidate": b"short"}, "candidate must be 32 bytes"),
        (6, {"shard": None}, "shard must be 32 bytes"),
        (7, {"model": A}, "model is not the digest of"),
        (7, {"shards": [A, A]}, "names a shard twice"),
        (7, {"files": {"../weights": A}}, "files has text that is not allowed"),
        (7, {"files": {".hidden": A}}, "files has text that is not allowed"),
        (7, {"files": {"manifest.cbor": A}}, "must not name manifest.cbor"),
        (7, {"measures": None}, "measures must be a map"),
        (7, {"measures": {f"m{number}": 0 for number in range(33)}}, "measures must be a map of at most 32"),
        (7, {"measures": {"Brier": 0}}, "measures has text that is not allowed"),
        (7, {"measures": {"brier": 0.5}}, "measures must be a whole number"),
        (7, {"measures": {"brier": 2**63}}, "measures must be a whole number"),
        (7, {"state": [A]}, "state must be"),
        (7, {"state": A}, "state must be"),
        (7, {"state": [B[:-1], 5]}, "state must be 32 bytes"),
        (7, {"state": [A, 0]}, "state must be a whole number from 1"),
        (7, {"state": [A, 1 << 49]}, "state must be a whole number"),
        (9, {"scores": [[0]]}, "pairs"),
        (9, {"scores": [[0, -1]]}, "whole number"),
        (10, {"approve": 1}, "true or false"),
        (11, {"signature": bytes(63)}, "64 bytes"),
    ],
)
def test_refuses(number: int, change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        parse_transaction({**SAMPLES[number].as_table(), **change})


NONE: list[object] = [None, 3, [], {}, {"type": 3}, {1: 2}, {"type": "claim"}, {"type": "vote", "id": 1}]


@pytest.mark.parametrize("table", NONE)
def test_refuses_what_is_no_transaction(table: Any) -> None:
    with pytest.raises(MalformedError):
        parse_transaction(table)


LEAVES = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=64) | st.text("ab")
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=MAX_DEPTH,
)


@given(st.sampled_from(SAMPLES), st.data())
def test_never_crashes(transaction: t.Transaction, data: st.DataObject) -> None:
    table: dict[str, Any] = transaction.as_table()
    table[data.draw(st.sampled_from(sorted(table)))] = data.draw(VALUES)
    with contextlib.suppress(MalformedError):
        parsed = parse_transaction(table)
        assert parsed is None or parsed.as_table() == table
