"""Own transactions without a place in the order: groups stay whole, in order and within bounds."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import cast

import pytest

from consensus.event import Event
from node.member.transaction_pool import MAX_FILLED_BYTES, BacklogError, TransactionPool


def group(first: int, count: int) -> list[dict[str, object]]:
    return [{"type": "t", "id": first + number} for number in range(count)]


def attach(pool: TransactionPool, ids: Iterable[int], digest: bytes = b"event") -> None:
    """An own event with these transactions, beside the one that the replica adds, is stored and attached."""
    transactions = [{"type": "open"}, *({"type": "t", "id": number} for number in ids)]
    pool.observe_attached(cast(Event, SimpleNamespace(hash=digest, transactions=transactions)))


def test_groups_come_out_in_order_and_stay_until_they_are_attached() -> None:
    pool = TransactionPool()
    pool.add(group(0, 3), 100)
    pool.add(group(3, 2), 100)
    pool.add([], 10)
    assert pool.fill() == tuple(group(0, 5)) == pool.fill()
    pool.add(group(5, 1), 100)
    attach(pool, range(5))
    assert pool.fill() == tuple(group(5, 1))
    assert pool.waiting == 1
    attach(pool, [5])
    assert pool.fill() == ()


def test_a_group_is_never_split() -> None:
    pool = TransactionPool()
    pool.add(group(0, 10), MAX_FILLED_BYTES - 100)
    pool.add(group(10, 2), 101)
    pool.add(group(12, 1), 10)
    assert pool.fill() == tuple(group(0, 10))
    attach(pool, range(10))
    assert pool.fill() == tuple(group(10, 3))
    pool = TransactionPool()
    pool.add(group(0, 1000), 5000)
    pool.add(group(1000, 25), 100)
    assert len(pool.fill()) == 1000


def test_too_much_is_refused() -> None:
    pool = TransactionPool(max_bytes=1000)
    with pytest.raises(BacklogError, match="too much for one event"):
        pool.add(group(0, 1), MAX_FILLED_BYTES + 1)
    with pytest.raises(BacklogError, match="too much for one event"):
        pool.add(group(0, 1025), 900)
    pool.add(group(0, 3), 990)
    with pytest.raises(BacklogError, match="3 transactions wait already"):
        pool.add(group(3, 1), 11)
    attach(pool, [0, 1, 2])
    pool.add(group(3, 1), 1000)


def test_what_a_close_cut_off_goes_first_and_within_the_limits() -> None:
    pool = TransactionPool()
    pool.add(group(50, 2), 100)
    large = {"type": "note", "id": 9, "data": bytes(MAX_FILLED_BYTES - 55)}
    pool.put_back([group(0, 2), [large], group(2, 1)])
    assert pool.waiting == 6
    assert pool.last_id() == 51
    assert pool.fill() == (*group(0, 2), large)
    attach(pool, [0, 1, 9])
    assert pool.fill() == (*group(2, 1), *group(50, 2))
    attach(pool, [2, 50])
    assert pool.groups() == (tuple(group(51, 1)),)
    attach(pool, [51])
    pool.begin_epoch()
    assert pool.last_id() == -1
    pool.put_back([group(0, 1022), group(2000, 3)])
    assert len(pool.fill()) == 1022  # one more place is for what opens an epoch


def test_what_waits_already_is_not_put_back_twice() -> None:
    pool = TransactionPool()
    pool.add([{"type": "note", "id": 3}, {"type": "note", "id": 4}], 40)
    pool.put_back([[{"type": "note", "id": 1}], [{"type": "note", "id": 2}, {"type": "note", "id": 3}]])
    assert [entry["id"] for entry in pool.fill()] == [1, 2, 3, 4]
    attach(pool, {1, 2, 3, 4})
    assert pool.waiting == 0


def test_what_is_in_an_event_is_pending_until_that_is_ordered_or_the_epoch_ends() -> None:
    pool = TransactionPool()
    pool.add(group(0, 5), 100)
    attach(pool, [0, 1], b"one")
    attach(pool, [2], b"two")
    assert (pool.waiting, pool.pending, pool.last_id()) == (2, 5, 4)
    attach(pool, [3, 4, 9], b"three")
    assert (pool.waiting, pool.pending, pool.last_id()) == (0, 6, 9)
    for digest in (b"one", b"of another member"):
        pool.observe_ordered(cast(Event, SimpleNamespace(hash=digest)))
    assert (pool.waiting, pool.pending) == (0, 4)
    pool.begin_epoch()
    assert (pool.pending, pool.last_id()) == (0, -1)
