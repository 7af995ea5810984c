"""What is deleted and written in the database when other records take the place of wrong ones."""

import sqlite3
from collections.abc import Sequence

from consensus.epoch import SealedRecord
from consensus.outcome import ClosedEpoch
from node.store import write_groups

EPOCH = 1 << 40
"""Positions of events that one epoch has for itself."""


def correct(database: sqlite3.Connection, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
    """The statements of `Store.correct`, within a transaction."""
    first, last = chain[0].record.number, closed.record.number
    query = "SELECT number, record FROM records WHERE number >= ?"
    stored: dict[int, bytes] = dict(database.execute(query, (first,)).fetchall())
    right = {sealed.record.number: sealed.record.raw for sealed in chain}
    for number, record in stored.items():
        if right.get(number) != record:
            bounds = (number * EPOCH, (number + 1) * EPOCH)
            database.execute("DELETE FROM events WHERE position > ? AND position < ?", bounds)
            database.execute("DELETE FROM turns WHERE number = ?", (number,))
    database.execute("DELETE FROM records WHERE number >= ?", (first,))
    rows = [(one.record.number, one.record.raw, one.raw if one.seals else None) for one in chain]
    database.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
    row = (last, closed.snapshot, write_groups(closed))
    database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", row)
