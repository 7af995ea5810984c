"""Looks in all that comes in for own events that this process did not make, and tells `SecondInstance`."""

from collections.abc import Sequence

import trio

from consensus.event import Event
from consensus.keys import MemberId
from consensus.replica import Replica
from node.member.listening import Listening
from node.member.second_instance import SecondInstance


class KeyWatch:
    """What tells `second_instance` about other processes that sign with the key of `member`.

    `may_be_copy` if what the store holds may be a copy, while the process that they were copied from runs on.
    """

    def __init__(self, member: MemberId, *, may_be_copy: bool) -> None:
        self._member, self._may_be_copy = member, may_be_copy
        self.second_instance = SecondInstance()
        self.knows_own = False  # all own events of the epoch are here: what comes besides, another process has made

    def look_for_copy(self, newest: Event | None, newest_made: int) -> None:
        """Look whether another process may run on what the store holds: own events in it were not made from it.

        `newest` is the newest own event that it holds, `newest_made` the seq of the newest that was made from it.
        """
        if self._may_be_copy or (newest is not None and newest.seq > newest_made):
            self.second_instance.observe_copied_disk(trio.current_time())

    def observe_received(self, events: Sequence[Event], replica: Replica) -> None:
        """Look for own events of this epoch that are not here. All that peers send comes through this door.

        Raise IdentityError if another process makes them, and this one has made none.
        """
        here = replica.held_epochs[-1]
        for event in events:
            if event.creator == self._member and event.epoch == replica.epoch_digest and not here.has_event(event.hash):
                self._observe_unmade(event, replica)

    def _observe_unmade(self, event: Event, replica: Replica) -> None:
        place, newest = f"event {event.seq} of epoch {replica.epoch_number}", replica.newest(self._member)
        if newest is not None and event.seq <= newest.seq:
            self.second_instance.observe_other(f"{place} is signed with it twice")
        elif self.knows_own:
            self.second_instance.observe_other(f"{place} is signed with it, and this process did not make it")
        else:
            self.second_instance.observe_lost(event, trio.current_time())

    def observe_stored(self, events: Sequence[Event], listening: Listening | None) -> None:
        """Look for own events that came when all that the disk had lost was here. Raise IdentityError as above."""
        if listening is not None and listening.has_been_level and not self.knows_own:
            for event in events:
                if event.creator == self._member:
                    self.second_instance.observe_renewal(event, trio.current_time())
