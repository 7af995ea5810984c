"""The worked examples of docs/steering.md are what the program computes."""

from __future__ import annotations

from pathlib import Path

from consensus.ledger.steering.shares import ShareBounds, shares_of

PAGE = " ".join((Path(__file__).parents[4] / "docs" / "steering.md").read_text().split())
MILLION = 10**6


def test_shares_and_deficits() -> None:
    assert "weights 300,000, 300,000 and 100,000, quota 400" in PAGE
    weights = {"first": 300_000, "second": 300_000, "third": 100_000}
    shares = shares_of(weights, ShareBounds(20, 400))
    assert "gets what is left: 400, 400, 200" in PAGE
    assert list(shares.values()) == [400, 400, 200]
    assert "Delivered were 500, 300 and 100 million, claimed 100 million in the second" in PAGE
    used = {"first": 500 * MILLION, "second": 400 * MILLION, "third": 100 * MILLION}
    total = sum(used.values())
    assert "the deficits are -100, 0 and 100 million" in PAGE
    assert [shares[name] * total // 1000 - used[name] for name in used] == [-100 * MILLION, 0, 100 * MILLION]
