"""The peers of the open epoch, and what they tell together: whether this node is level with the swarm, or lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import trio

from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import Tip
from node.gossip.peers import ContactState, Peer
from node.gossip.rhythm import Rhythm
from node.member.member import Member

_OVERDUE_S = 5.0  # for which all events that closed the epoch elsewhere may be here without closing it


@dataclass(frozen=True, kw_only=True)
class PeerStatus:
    """A peer's state for people, as of now."""

    id: MemberId
    state: ContactState
    contacted_s: float | None  # seconds since it last said something correct
    lag: int  # events that we have and it lacks
    lead: int  # events that it said it has and we lack
    bytes_sent: int
    bytes_received: int
    error: str  # what went wrong last; empty if nothing did
    refused_with: int | None  # HTTP status, if it refused to answer
    reached: bool | None  # whether it answered or refused when it was last asked; None: it was not asked yet
    asked_us_s: float | None  # seconds since it last asked us something
    flaps: int  # how often it stopped giving usable answers


class PeerTable:
    """Every other member of the epoch in which `member` is."""

    def __init__(self, member: Member, rhythm: Rhythm) -> None:
        self.peers: dict[MemberId, Peer] = {}
        self._member = member
        self._rhythm = rhythm
        self._epoch = b""  # for which the peers were set up
        self._roster_sizes = 0, 0  # of the epoch before and of this one
        self._overdue_at = math.inf  # when the epoch should have been closed here at the latest
        self.observe_epoch()

    @property
    def max_members(self) -> int:
        """How many members a message may speak of: those of this epoch, or of the one before."""
        return max(self._roster_sizes)

    @property
    def _replica(self) -> Replica:
        return self._member.replica

    def observe_epoch(self) -> None:
        """Keep in step with the replica: the members of its epoch are the peers, and what they have begins anew."""
        epoch, roster = self._replica.epoch_digest, self._replica.roster
        if self._epoch == epoch:
            return
        self._epoch, self._overdue_at = epoch, trio.current_time() + _OVERDUE_S
        self._roster_sizes = self._roster_sizes[1], len(roster)
        others = [member for member in roster.ids if member != self._member.id]
        self.peers = {member: self.peers.get(member) or Peer(member) for member in others}
        for peer in self.peers.values():
            peer.observe_epoch(trio.current_time())

    def observe_tips(self, peer: Peer, tips: Sequence[Tip], epoch: bytes, *, ahead: bool = False) -> None:
        """Take in what a peer said it has of `epoch`, unless that epoch is over here by now."""
        self.observe_epoch()
        if epoch == self._replica.epoch_digest:
            newest_seq, on_demand = self._newest_seq(peer), self._replica.on_demand()
            now = trio.current_time()
            peer.observe_tips(tips, now, newest_seq=newest_seq, ahead=ahead, on_demand=on_demand)
            self._member.observe_tips(peer.id, tips, ahead=ahead)

    def observe_events(self, peer: Peer) -> None:
        """Take in what the events of a peer, which others brought here since it last spoke, prove that it has."""
        newest_seq = self._newest_seq(peer)
        if newest_seq > peer.newest_seq:
            peer.observe_proven(self._member.proven_tips(peer.id), newest_seq)

    def _newest_seq(self, peer: Peer) -> int:
        newest = self._replica.newest(peer.id)
        return -1 if newest is None else newest.seq

    def is_caught_up(self) -> bool:
        """Return whether we lack nothing of what a quorum of members, we among them, lately said they have."""
        ours = self._replica.seqs()
        level = [peer.id for peer in self._recent() if peer.is_level(ours)]
        return self._replica.roster.supermajority([self._member.id, *level])

    def is_stranded(self) -> bool:
        """Return whether we may be in the wrong epoch. Sealed records tell the truth, so one peer's word is enough.

        Either a peer does not know our epoch, and those that lately spoke of it cannot go on in it; or the epoch
        should have been closed here.
        """
        return self._is_overdue(self._recent()) or (self._somebody_is_elsewhere() and self.is_cut_off())

    def is_cut_off(self) -> bool:
        """Return whether those that lately spoke of our epoch, we among them, are too few to decide anything."""
        return not self._replica.roster.supermajority(self.in_touch())

    def in_touch(self) -> list[MemberId]:
        """Return the members that lately spoke of our epoch, we among them."""
        return [self._member.id, *(peer.id for peer in self._recent())]

    def _is_overdue(self, recent: Sequence[Peer]) -> bool:
        """Return whether a peer has closed our epoch with events that have all been here for a while."""
        now, ours = trio.current_time(), self._replica.seqs()
        if not any(peer.has_closed_with(ours) for peer in recent):
            self._overdue_at = now + _OVERDUE_S
        return now >= self._overdue_at

    def _somebody_is_elsewhere(self) -> bool:
        return any(peer.is_elsewhere for peer in self.peers.values())

    def _recent(self) -> list[Peer]:
        """Return the peers that spoke lately of our epoch."""
        since = trio.current_time() - self._rhythm.in_touch_s(len(self._replica.roster))
        return [peer for peer in self.peers.values() if peer.has_spoken_since(since)]

    def statuses(self) -> list[PeerStatus]:
        """Return the state of every peer, in roster order."""
        now, ours = trio.current_time(), self._replica.seqs()
        return [
            PeerStatus(
                id=peer.id,
                state=peer.state(),
                contacted_s=None if peer.contacted_at is None else now - peer.contacted_at,
                lag=peer.lacks(ours),
                lead=peer.leads(ours),
                bytes_sent=peer.bytes_sent,
                bytes_received=peer.bytes_received,
                error=peer.error,
                refused_with=peer.refused_with,
                reached=peer.is_reachable if peer.is_reachable or peer.error else None,
                asked_us_s=now - peer.asked_us_at if math.isfinite(peer.asked_us_at) else None,
                flaps=peer.flaps,
            )
            for peer in self.peers.values()
        ]
