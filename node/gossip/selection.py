"""Which peer to ask next."""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import trio

from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import seqs_of
from node.gossip.peer_table import PeerTable
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.member.member import Member

_HEARTBEATS = 8  # of each member; this many new events are brought even if nobody waits for them


class _Holdings(NamedTuple):
    """What is here of the open epoch."""

    epoch: bytes
    events: int
    wanted: Sequence[bytes]  # hashes
    seqs: dict[MemberId, int]  # the highest of each member


class PeerSelection:
    """Chooses a peer that lacks something or has what we lack; now and then the one not asked for the longest time."""

    def __init__(self, member: Member, table: PeerTable, rhythm: Rhythm, chance: random.Random) -> None:
        self._member = member
        self._table = table
        self._rhythm = rhythm
        self._random = chance
        self._idled_at = -math.inf  # when a peer was last chosen that needed nothing
        self._busy_at = -math.inf  # when somebody last waited for rounds

    @property
    def _replica(self) -> Replica:
        return self._member.replica

    @property
    def idle_until(self) -> float:
        """When a peer is chosen even if none needs anything."""
        return self._idled_at + self._rhythm.idle_s

    def choose(self) -> Peer | None:
        """Return the peer to ask now, None if none is to be asked."""
        self._table.observe_epoch()
        needy = self.needy()
        if needy:
            return self._random.choice(needy)
        now = trio.current_time()
        if now < self.idle_until:
            return None
        self._idled_at = now
        return min(self._askable(), key=lambda peer: (peer.asked_at, self._random.random()), default=None)

    def needy(self) -> list[Peer]:
        """Return the peers that can be asked now and with which an exchange would help either side."""
        here, worth_bringing = self._holdings(), self._events_worth_bringing()
        return [peer for peer in self._askable() if self._needs_exchange(peer, here, worth_bringing)]

    def _needs_exchange(self, peer: Peer, here: _Holdings, worth_bringing: int) -> bool:
        if not peer.has_spoken:
            return True
        lacks_enough = peer.lacks(here.seqs) >= worth_bringing
        may_help_us = len(here.wanted) > 0 or peer.leads(here.seqs) > 0
        return (lacks_enough or may_help_us) and peer.settled != (here, peer.seqs)

    def lacks_enough(self, peer: Peer) -> bool:
        """Return whether a peer lacks so many events that we bring them."""
        return peer.lacks(seqs_of(self._replica.tips())) >= self._events_worth_bringing()

    def observe_settled(self, peer: Peer) -> None:
        """Take in that another exchange with this peer would be in vain until one of the two has something new."""
        peer.settled = self._holdings(), peer.seqs

    def _askable(self) -> list[Peer]:
        now = trio.current_time()
        return [peer for peer in self._table.peers.values() if not peer.is_busy and peer.backoff.may_ask(now)]

    def _holdings(self) -> _Holdings:
        replica = self._replica
        return _Holdings(replica.epoch_digest, len(replica.dag), replica.wanted(), seqs_of(replica.tips()))

    def _events_worth_bringing(self) -> int:
        """Return how many events a peer has to lack for us to bring them.

        What it lacks is known only from when it last spoke: it may have them from others by now. So we bring only
        what is new while somebody waits for rounds. Heartbeats, for which nobody waits, are fetched by whoever asks
        next, unless the members make many of them between two exchanges with the same peer.
        """
        now = trio.current_time()
        if self._member.wants_rounds():
            self._busy_at = now
        is_busy = now < self._busy_at + self._rhythm.calm_s
        return 1 if is_busy else _HEARTBEATS * len(self._replica.roster)
