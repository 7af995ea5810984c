"""What is kept of keys and a basis: computed once, and anew with another basis or when there is no room."""

from __future__ import annotations

from consensus.ledger.state import memo
from consensus.ledger.state.memo import Memo


def test_values_are_made_once_with_each_basis() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    kept = Memo[str, str]()
    assert [kept.recall(frozenset("ab"), key, make) for key in "xyxy"] == list("XYXY")
    assert kept.recall(frozenset("ba"), "x", make) == "X"  # an equal basis
    assert made == ["x", "y"]
    assert kept.recall(frozenset("a"), "x", make) == "X"
    assert made == ["x", "y", "x"]


def test_there_is_room_for_so_many_and_then_it_begins_anew() -> None:
    kept, made = Memo[int, int](), list[int]()

    def make(key: int) -> int:
        made.append(key)
        return -key

    for key in (*range(memo._MOST), 0, memo._MOST):
        assert kept.recall(None, key, make) == -key
    assert len(made) == memo._MOST + 2
    assert kept.recall(None, 0, make) == 0
    assert len(made) == memo._MOST + 2
