"""A table of the ledger's records that keeps what was made of it as a whole until one of its records changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

K = TypeVar("K")
R = TypeVar("R")
T = TypeVar("T")


class Table(dict[K, R]):
    """Frozen records by their keys.

    Most rounds change few tables, and others are sorted, filtered and digested as they were. What is kept cannot be
    stale: records never change, and every method that changes the table forgets what was made of it.
    """

    def __init__(self, records: Mapping[K, R] | Iterable[tuple[K, R]] = ()) -> None:
        super().__init__(records)
        self._made: dict[Callable[[Any], Any], Any] = {}

    def recall(self, make: Callable[[Table[K, R]], T]) -> T:
        """Return what a pure function makes of this table; it is computed once until a record is put or removed."""
        if make not in self._made:
            self._made[make] = make(self)
        return self._made[make]  # type: ignore[no-any-return]

    def __setitem__(self, key: K, record: R) -> None:
        if self.get(key) is not record:
            self._made.clear()
            super().__setitem__(key, record)

    def __delitem__(self, key: K) -> None:
        self._made.clear()
        super().__delitem__(key)

    def discard(self, key: K) -> None:
        """Remove a record if it is there."""
        if key in self:
            del self[key]

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a table changes by one record at a time")

    # The other ways to change a dict are not needed, and would not forget.
    clear = pop = popitem = setdefault = update = __ior__ = _refuse
