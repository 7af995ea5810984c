"""A bucket begins full, empties as it is used, and fills up again with time."""

from node.system.token_bucket import TokenBucket


def test_so_many_at_once_and_so_many_a_second() -> None:
    bucket = TokenBucket(rate=2, burst=10)
    assert bucket.take(10, now=100)
    assert not bucket.take(1, now=100)
    assert not bucket.take(1, now=100.25)
    assert bucket.take(1, now=100.5)
    assert not bucket.take(1, now=100.5)


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=5)
    assert not bucket.take(6, now=0)
    assert bucket.take(5, now=0)


def test_a_long_pause_fills_it_to_the_brim_only() -> None:
    bucket = TokenBucket(rate=1, burst=5)
    assert bucket.take(5, now=0)
    assert not bucket.take(6, now=1000)
    assert bucket.take(5, now=1000)
