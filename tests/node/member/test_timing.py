"""When the next own event is due."""

import random

from node.member.timing import CreationTimer, CreationTiming

TIMING = CreationTiming(busy_s=1.0, prompt_s=0.1, heartbeat_s=5.0)


def test_the_first_event_is_due_at_once() -> None:
    timer = CreationTimer(TIMING, random.Random(1))
    assert timer.next_busy_at < 0
    assert timer.next_heartbeat_at < 0


def test_gaps_vary_by_a_fifth_and_the_heartbeat_does_not() -> None:
    timer = CreationTimer(TIMING, random.Random(1))
    gaps = []
    for now in range(0, 1000, 10):
        timer.restart(now, 0)
        assert timer.next_heartbeat_at == now + 5.0
        gaps.append(timer.next_busy_at - now)
    assert 0.8 <= min(gaps) < 0.85
    assert 1.15 < max(gaps) <= 1.2


def test_before_an_exchange_the_next_event_comes_sooner_unless_the_last_one_was_full() -> None:
    timer = CreationTimer(TIMING, random.Random(1))
    timer.restart(100.0, TIMING.few)
    assert timer.next_prompt_at == 100.1
    timer.restart(100.1, TIMING.few + 1)
    assert timer.next_prompt_at == timer.next_busy_at > 100.8


def test_before_an_exchange_it_comes_never_later_than_otherwise() -> None:
    timer = CreationTimer(CreationTiming(busy_s=0.01), random.Random(1))
    timer.restart(100.0, 0)
    assert timer.next_prompt_at == timer.next_busy_at
