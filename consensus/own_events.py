"""One member's own events in an epoch: which ones exist, and whether the next can be made without a fork."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consensus.epoch_events import EpochEvents
from consensus.event import Event
from consensus.keys import MemberId, SigningKey
from consensus.outcome import ForkError
from consensus.preimages import Preimages
from consensus.sync import Tip


class OwnEvents:
    """The own events of one epoch: those in `events`, those that peers claim to have, and the one made last."""

    def __init__(self, key: SigningKey, events: EpochEvents) -> None:
        self.key = key
        self._events = events
        self._preimages = Preimages(key, events.opening.number)
        self._at_peers: dict[MemberId, Tip] = {}  # by peer: the newest own event that it claims to have
        self._created: Event | None = None  # the last one made, until it is inserted

    @property
    def id(self) -> MemberId:
        """The id of this member."""
        return self.key.id

    @property
    def is_member(self) -> bool:
        """Whether the roster of the epoch has this member."""
        return self.id in self._events.opening.roster

    @property
    def newest(self) -> Event | None:
        """The newest own event that is attached; see `EpochEvents.newest`."""
        return self._events.newest(self.id)

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip]) -> None:
        """Record the newest own event among `tips`, if there is one, in place of what `peer` claimed before."""
        own = [tip for tip in tips if tip.creator == self.id]
        self.forget_tips(peer)
        if own:
            self._at_peers[peer] = max(own, key=lambda tip: tip.seq)

    def forget_tips(self, peer: MemberId) -> None:
        """Forget which own events `peer` claims to have."""
        self._at_peers.pop(peer, None)

    def lost(self) -> list[Tip]:
        """Return the own events beyond the newest one here that peers claim to have."""
        if not self._at_peers:
            return []
        newest = self.newest
        seq = -1 if newest is None else newest.seq
        return [tip for tip in self._at_peers.values() if tip.seq > seq]

    def observe_created(self, event: Event) -> None:
        """Record that `event` was made: the next one can only be made when it has been inserted."""
        self._created = event

    def require_all(self) -> None:
        """Raise ForkError if an own event is known but not attached."""
        if self._created is not None and self._created.hash not in self._events.dag:
            raise ForkError(f"own event {self._created.seq} was made before and has not been inserted")
        waiting = self._events.orphans.by_creator(self.id)
        if waiting:
            raise ForkError(f"own event {waiting[0].seq} waits for parents that are missing here")
        for lost in self.lost():
            raise ForkError(f"a peer claims to have own event {lost.seq}, which is not here")

    @property
    def can_reveal(self) -> bool:
        """Whether own witnesses reveal preimages; see `Replica.can_reveal`."""
        if not self.is_member:
            return False
        anchor = self._events.opening.roster.member(self.id).anchor
        return anchor is not None and anchor == self._preimages.anchor

    def reveal(self, newest: Event | None, others: Sequence[bytes]) -> bytes | None:
        """Return the preimage that the own event after `newest` has to reveal if it will be a witness, else None."""
        if not self.can_reveal:
            return None
        number, is_witness = self._events.dag.preview(self.id, None if newest is None else newest.hash, others)
        return self._preimages.preimage(number) if is_witness else None
