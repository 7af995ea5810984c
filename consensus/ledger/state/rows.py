"""The encodings of tables that are digested again and again, although most of their rows stay as they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consensus.encoding import Encoded, Value, encode, encode_array


class EncodedRows:
    """The rows of one table with their encodings, as of the last digest."""

    def __init__(self) -> None:
        self._rows: dict[Value, tuple[Sequence[Value], bytes]] = {}

    def encode(self, rows: Iterable[Sequence[Value]]) -> Encoded:
        """Return the encoding of all rows, an array; the first value of a row is its key."""
        before, self._rows = self._rows, {}
        for row in rows:
            known = before.get(row[0])
            if known is None or known[0] != row:
                known = row, encode(row)
            self._rows[row[0]] = known
        return encode_array([encoded for _, encoded in self._rows.values()])
