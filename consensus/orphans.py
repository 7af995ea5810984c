"""Orphans: events that arrived before their parents, kept within bounds so that no member can exhaust the memory."""

from dataclasses import dataclass, field

from consensus.event import Event
from consensus.keys import MemberId


@dataclass(slots=True)
class _CreatorOrphans:
    """The orphans by one creator."""

    events: dict[bytes, Event] = field(default_factory=dict)
    size: int = 0  # bytes


class Orphans:
    """At most `count` events and `size` bytes per creator; those with the lowest seq are kept.

    The lowest are the first that can be attached, and a dropped event comes again with a later sync. Only the creator's
    own signature adds to its share, so it crowds out nobody else.
    """

    def __init__(self, count: int = 256, size: int = 4 << 20) -> None:
        self._count = count
        self._size = size
        self._by_creator: dict[MemberId, _CreatorOrphans] = {}
        self._missing: dict[bytes, set[bytes]] = {}  # by orphan: the parents that it waits for
        self._waiting: dict[bytes, dict[bytes, Event]] = {}  # by parent: the orphans that wait for it

    def __len__(self) -> int:
        return len(self._missing)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._missing

    def is_waited_for(self, digest: bytes) -> bool:
        """Return whether an orphan waits for the event with this hash."""
        return digest in self._waiting

    def by_creator(self, creator: MemberId) -> list[Event]:
        """Return the orphans by `creator`, in order of arrival."""
        return list(self._by_creator[creator].events.values()) if creator in self._by_creator else []

    def wanted(self) -> list[bytes]:
        """Return the hashes of the parents that are absent, lowest orphans first, alternating between creators.

        So a member whose orphans name parents that do not exist does not delay the parents of others.
        """
        turns: list[tuple[int, int, bytes]] = []
        for creator, (_, kept) in enumerate(sorted(self._by_creator.items())):
            orphans = sorted(kept.events.values(), key=lambda orphan: (orphan.seq, orphan.hash))
            parents = [parent for orphan in orphans for parent in sorted(self._missing[orphan.hash])]
            absent = [parent for parent in parents if parent not in self._missing]
            turns += [(turn, creator, parent) for turn, parent in enumerate(dict.fromkeys(absent))]
        return list(dict.fromkeys(parent for _, _, parent in sorted(turns)))

    def add(self, event: Event, missing: list[bytes]) -> None:
        """Keep `event`, which is not here yet, until each of `missing` has been attached.

        Drop the creator's highest orphans beyond the bounds.
        """
        kept = self._by_creator.setdefault(event.creator, _CreatorOrphans())
        kept.events[event.hash] = event
        kept.size += len(event.raw)
        self._missing[event.hash] = set(missing)
        for parent in missing:
            self._waiting.setdefault(parent, {})[event.hash] = event
        while len(kept.events) > self._count or kept.size > self._size:
            self._remove(max(kept.events.values(), key=lambda orphan: (orphan.seq, orphan.hash)))

    def release(self, parent: bytes) -> list[Event]:
        """Remove and return the orphans that waited only for `parent`, which is now attached."""
        ready = []
        for event in self._waiting.pop(parent, {}).values():
            missing = self._missing[event.hash]
            missing.discard(parent)
            if not missing:
                self._remove(event)
                ready.append(event)
        return ready

    def remove_all(self, creator: MemberId) -> list[Event]:
        """Remove and return the orphans by `creator`, in order of arrival."""
        events = self.by_creator(creator)
        for event in events:
            self._remove(event)
        return events

    def drop_descendants(self, refused: bytes) -> int:
        """Drop all orphans that descend from a refused event, and return how many there were."""
        doomed, dropped = [refused], 0
        while doomed:
            for event in list(self._waiting.get(doomed.pop(), {}).values()):
                if event.hash in self._missing:
                    self._remove(event)
                    doomed.append(event.hash)
                    dropped += 1
        return dropped

    def _remove(self, event: Event) -> None:
        kept = self._by_creator[event.creator]
        del kept.events[event.hash]
        kept.size -= len(event.raw)
        for parent in self._missing.pop(event.hash):
            waiting = self._waiting[parent]
            del waiting[event.hash]
            if not waiting:
                del self._waiting[parent]
