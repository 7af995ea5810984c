"""Transactions in the queue: in order, groups whole, within bounds."""

import pytest

from node.member.transaction_pool import MAX_FILLED, BacklogError, TransactionPool


def group(first: int, count: int) -> list[dict[str, object]]:
    return [{"type": "t", "id": first + number} for number in range(count)]


def test_groups_come_out_in_order_and_stay_until_taken() -> None:
    pending = TransactionPool()
    pending.add(group(0, 3), 100)
    pending.add(group(3, 2), 100)
    pending.add([], 10)
    assert pending.fill() == tuple(group(0, 5)) == pending.fill()
    pending.add(group(5, 1), 100)
    pending.taken(range(5))
    assert pending.fill() == tuple(group(5, 1))
    assert len(pending) == 1
    pending.taken([5])
    assert pending.fill() == ()


def test_a_group_is_never_split() -> None:
    pending = TransactionPool()
    pending.add(group(0, 10), MAX_FILLED - 100)
    pending.add(group(10, 2), 101)
    pending.add(group(12, 1), 10)
    assert pending.fill() == tuple(group(0, 10))
    pending.taken(range(10))
    assert pending.fill() == tuple(group(10, 3))
    pending = TransactionPool()
    pending.add(group(0, 1000), 5000)
    pending.add(group(1000, 25), 100)
    assert len(pending.fill()) == 1000


def test_too_much_is_refused() -> None:
    pending = TransactionPool(limit=1000)
    with pytest.raises(BacklogError, match="too much for one event"):
        pending.add(group(0, 1), MAX_FILLED + 1)
    with pytest.raises(BacklogError, match="too much for one event"):
        pending.add(group(0, 1025), 900)
    pending.add(group(0, 3), 990)
    with pytest.raises(BacklogError, match="3 transactions wait already"):
        pending.add(group(3, 1), 11)
    pending.taken([0, 1, 2])
    pending.add(group(3, 1), 1000)


def test_what_a_close_cut_off_goes_first_and_within_the_limits() -> None:
    pending = TransactionPool()
    pending.add(group(50, 2), 100)
    large = {"type": "note", "id": 9, "data": bytes(MAX_FILLED - 55)}
    pending.put_back([group(0, 2), [large], group(2, 1)])
    assert len(pending) == 6
    assert pending.last_id() == 51
    assert pending.fill() == (*group(0, 2), large)
    pending.taken([0, 1, 9])
    assert pending.fill() == (*group(2, 1), *group(50, 2))
    pending.taken([2, 50])
    assert pending.groups() == (tuple(group(51, 1)),)
    pending.taken([51])
    assert pending.last_id() == -1
    pending.put_back([group(0, 1022), group(2000, 3)])
    assert len(pending.fill()) == 1022  # one more place is for what opens an epoch


def test_what_waits_already_is_not_put_back_twice() -> None:
    pending = TransactionPool()
    pending.add([{"type": "note", "id": 3}, {"type": "note", "id": 4}], 40)
    pending.put_back([[{"type": "note", "id": 1}], [{"type": "note", "id": 2}, {"type": "note", "id": 3}]])
    assert [entry["id"] for entry in pending.fill()] == [1, 2, 3, 4]
    pending.taken({1, 2, 3, 4})
    assert len(pending) == 0
