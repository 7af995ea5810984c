"""Events that came before their parents, kept within bounds that no member can make others pay for."""

from dataclasses import dataclass, field

from consensus.event import Event
from consensus.keys import MemberId


@dataclass(slots=True)
class _Shelf:
    """The orphans of one creator."""

    events: dict[bytes, Event] = field(default_factory=dict)
    size: int = 0


class Orphans:
    """At most `count` events and `size` bytes per creator; those with the lowest seq are kept.

    The lowest are the first that can be attached, and what is dropped comes again with a later sync. Only
    the creator's own signature can fill its shelf, so it crowds out nobody else.
    """

    def __init__(self, count: int = 256, size: int = 4 << 20) -> None:
        self._count = count
        self._size = size
        self._shelves: dict[MemberId, _Shelf] = {}
        self._missing: dict[bytes, set[bytes]] = {}  # of each orphan: the parents it waits for
        self._waiting: dict[bytes, dict[bytes, Event]] = {}  # of each parent: who waits for it

    def __len__(self) -> int:
        return len(self._missing)

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._missing

    def by_creator(self, creator: MemberId) -> list[Event]:
        """The orphans by `creator`, in order of arrival."""
        return list(self._shelves[creator].events.values()) if creator in self._shelves else []

    def wanted(self) -> list[bytes]:
        """Hashes of the parents that are nowhere here, lowest orphans first, the creators taking turns.

        So a member whose orphans name parents that do not exist does not keep others from being asked for.
        """
        turns: list[tuple[int, int, bytes]] = []
        for creator, (_, shelf) in enumerate(sorted(self._shelves.items())):
            orphans = sorted(shelf.events.values(), key=lambda orphan: (orphan.seq, orphan.hash))
            parents = [parent for orphan in orphans for parent in sorted(self._missing[orphan.hash])]
            absent = [parent for parent in parents if parent not in self._missing]
            turns += [(turn, creator, parent) for turn, parent in enumerate(dict.fromkeys(absent))]
        return list(dict.fromkeys(parent for _, _, parent in sorted(turns)))

    def add(self, event: Event, missing: list[bytes]) -> None:
        """Keeps `event`, not here yet, until each of `missing` was attached; drops what is too much."""
        shelf = self._shelves.setdefault(event.creator, _Shelf())
        shelf.events[event.hash] = event
        shelf.size += len(event.raw)
        self._missing[event.hash] = set(missing)
        for parent in missing:
            self._waiting.setdefault(parent, {})[event.hash] = event
        while len(shelf.events) > self._count or shelf.size > self._size:
            self._remove(max(shelf.events.values(), key=lambda orphan: (orphan.seq, orphan.hash)))

    def release(self, parent: bytes) -> list[Event]:
        """The orphans that waited for `parent` only, now attached; they are no longer here."""
        ready = []
        for event in self._waiting.pop(parent, {}).values():
            missing = self._missing[event.hash]
            missing.discard(parent)
            if not missing:
                self._remove(event)
                ready.append(event)
        return ready

    def drop_descendants(self, refused: bytes) -> int:
        """Drops all orphans that descend from an event that was refused; how many they were."""
        doomed, dropped = [refused], 0
        while doomed:
            for event in list(self._waiting.get(doomed.pop(), {}).values()):
                if event.hash in self._missing:
                    self._remove(event)
                    doomed.append(event.hash)
                    dropped += 1
        return dropped

    def _remove(self, event: Event) -> None:
        shelf = self._shelves[event.creator]
        del shelf.events[event.hash]
        shelf.size -= len(event.raw)
        for parent in self._missing.pop(event.hash):
            waiting = self._waiting[parent]
            del waiting[event.hash]
            if not waiting:
                del self._waiting[parent]
