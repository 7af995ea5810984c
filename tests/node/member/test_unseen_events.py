"""Which own events others have, and what tips become without the rest."""

from consensus.event import Event, make_event
from consensus.sync import Tip
from node.config.identity import Identity
from node.member.unseen_events import UnseenEvents, without_hidden

ME, OTHER = Identity(b"m" * 32), Identity(b"o" * 32)


def chain(length: int, *, after: Event | None = None, branch: int = 0, by: Identity = ME) -> list[Event]:
    events = [] if after is None else [after]
    for _ in range(length):
        newest = events[-1] if events else None
        seq, parent = (0, None) if newest is None else (newest.seq + 1, newest.hash)
        events.append(make_event(by.key, epoch=bytes(32), seq=seq, self_parent=parent, time=1000 * seq + branch))
    return events if after is None else events[1:]


def tip(event: Event) -> Tip:
    return Tip(event.creator, event.seq, event.hash)


def test_who_has_an_event_has_those_before_it() -> None:
    unseen, own = UnseenEvents(ME.id), chain(4)
    for event in own:
        unseen.observe_attached(event)
    assert list(unseen.by_hash.values()) == own
    unseen.observe_seen([b"unknown", own[1].hash])
    assert list(unseen.by_hash.values()) == own[2:]
    built = make_event(OTHER.key, epoch=bytes(32), seq=0, self_parent=None, other_parents=(own[2].hash,), time=9)
    unseen.observe_attached(built)
    assert list(unseen.by_hash.values()) == own[3:]


def test_events_that_another_process_made_in_their_place_do_not_show_them() -> None:
    unseen, own = UnseenEvents(ME.id), chain(4)
    theirs = chain(5, after=own[1], branch=1)
    for event in own:
        unseen.observe_attached(event)
    for event in theirs:
        unseen.observe_attached(event)
        unseen.observe_seen([event.hash])
    assert list(unseen.by_hash.values()) == own[2:]


def test_tips_without_what_is_hidden() -> None:
    own, other = chain(4), chain(1, by=OTHER)[0]
    hidden = {event.hash: event for event in own[2:]}
    assert without_hidden([tip(own[3]), tip(other)], hidden) == [tip(own[1]), tip(other)]
    assert without_hidden([tip(own[3])], {event.hash: event for event in own}) == []
    assert without_hidden([tip(own[3])], {}) == [tip(own[3])]


def test_not_more_are_kept_than_somebody_may_need() -> None:
    unseen = UnseenEvents(ME.id)
    for event in chain(100):
        unseen.observe_attached(event)
    assert [event.seq for event in unseen.by_hash.values()] == list(range(36, 100))
