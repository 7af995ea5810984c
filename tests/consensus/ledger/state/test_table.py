"""What is kept of a table is what would be computed from it now, however it changed; and it is computed seldom."""

import random

import pytest

from consensus.ledger.state.table import Table


def _ordered(table: Table[int, str]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted(table.items()))


def test_whatever_changes_what_is_recalled_is_what_follows_from_the_table() -> None:
    chance, plain, table = random.Random(5), dict[int, str](), Table[int, str]()
    for _ in range(300):
        key = chance.randrange(9)
        if chance.random() < 0.4:
            plain.pop(key, None)
            table.discard(key)
        elif chance.random() < 0.2 and key in plain:
            del plain[key], table[key]
        else:
            plain[key] = table[key] = chance.choice("abc")
        assert table.recall(_ordered) == tuple(sorted(plain.items()))
        assert list(table) == list(plain)


def test_it_is_computed_once_until_a_record_is_another_one() -> None:
    table, seen = Table({1: "a", 2: "b"}), list[int]()

    def count(entries: Table[int, str]) -> int:
        seen.append(len(entries))
        return len(entries)

    table[1] = table[1]
    table.discard(7)
    assert [table.recall(count), table.recall(count)] == [2, 2]
    table[1] = table[1]
    table.discard(7)
    assert table.recall(count) == 2
    table[3] = "c"
    assert table.recall(count) == 3
    del table[1]
    assert table.recall(count) == 2
    assert seen == [2, 3, 2]


def test_no_way_to_change_a_dict_leaves_what_was_kept() -> None:
    changing = {"__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"}
    reading = {"copy", "fromkeys", "get", "items", "keys", "values"}
    assert {name for name in dir(dict) if not name.startswith("__")} == {n for n in changing if n[0] != "_"} | reading
    assert changing <= vars(Table).keys()
    with pytest.raises(TypeError, match="one record at a time"):
        Table({1: "a"}).update({2: "b"})
