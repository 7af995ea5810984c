"""Rows that are encoded again only when they change give the same bytes as rows that always are."""

import random

from consensus.encoding import Encoded, Value, encode
from consensus.ledger.state.rows import EncodedRows


def test_whatever_changes_the_encoding_is_that_of_the_rows() -> None:
    chance, table, rows = random.Random(7), dict[bytes, int](), EncodedRows()
    for _ in range(200):
        key = bytes([chance.randrange(9)])
        if chance.random() < 0.3:
            table.pop(key, None)
        else:
            table[key] = chance.randrange(5)
        plain: list[Value] = [[name, count] for name, count in sorted(table.items())]
        assert rows.encode(sorted(table.items())) == encode(plain)


def test_an_encoded_value_goes_in_as_it_is_and_bytes_do_not() -> None:
    inner = encode([1, "x", None])
    assert encode([Encoded(inner), 2]) == encode([[1, "x", None], 2])
    assert encode([inner, 2]) != encode([[1, "x", None], 2])
