"""Which peer to ask next."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import trio

from consensus.keys import MemberId
from consensus.replica import Replica
from node.gossip.peer_table import PeerTable
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.gossip.shown import shown_seqs
from node.member.member import Member

_HEARTBEATS = 8  # of each member; this many new events are brought even if nobody waits for them


class _Holdings(NamedTuple):
    """What is here of the open epoch."""

    epoch: bytes
    events: int
    wanted: Sequence[bytes]  # hashes
    seqs: Mapping[MemberId, int]  # the highest of each member


class PeerSelection:
    """Chooses a peer that lacks something or has what we lack; now and then the one not asked for the longest time.

    Of several of the former it is the one that has been silent longest, whoever asked whom last: most is new between
    the two of us, and no peer can bring forward its turn. The latter gets its turn however many others need something:
    a peer that always claims to have more must not keep us from those that cannot tell us what they have, as they do
    not reach us.
    """

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
        now = trio.current_time()
        if now < self.idle_until:
            return min(self._needy(), key=lambda peer: (peer.silent_since, self._random.random()), default=None)
        self._idled_at = now
        return min(self._askable(), key=lambda peer: (peer.asked_at, self._random.random()), default=None)

    def has_needy(self) -> bool:
        """Return whether there is a peer that can be asked now and with which an exchange would help either side."""
        return next(self._needy(), None) is not None

    def _needy(self) -> Iterator[Peer]:
        here, worth_bringing = self._holdings(), self._events_worth_bringing()
        return (peer for peer in self._askable() if self._needs_exchange(peer, here, worth_bringing))

    def _needs_exchange(self, peer: Peer, here: _Holdings, worth_bringing: int) -> bool:
        if not peer.has_spoken:
            return True
        self._table.observe_events(peer)
        lacks_enough = peer.lacks(here.seqs) >= worth_bringing
        may_help_us = len(here.wanted) > 0 or peer.leads(here.seqs) > 0
        return (lacks_enough or may_help_us) and peer.settled != (here, peer.seqs)

    def should_bring(self, peer: Peer, *, is_up_to_date: bool) -> bool:
        """Return whether to bring a peer what it lacks; `is_up_to_date` if it has told us just now what it has.

        While somebody waits for rounds, it is brought in any case. Heartbeats, for which nobody waits, are fetched by
        whoever asks next, and the peer may have them from others by now. They are brought if the peer says that it
        lacks many, or if it has not asked us for so long that perhaps it cannot reach us: if our weight is needed, the
        members would run out of events that advance.
        """
        lacking = self.count_lacking(peer)
        if self._is_busy():
            return lacking > 0
        is_many = lacking >= self._events_worth_bringing()
        return is_up_to_date and lacking > 0 and (is_many or not self._can_fetch(peer))

    def should_bring_more(self, peer: Peer, *, has_brought: bool) -> bool:
        """Return whether to bring a peer, in another exchange right after one, what it lacks by its answer.

        While somebody waits for rounds, events come all the time. The few that came during the exchange wait for the
        peer's next turn: on links with long round trips, exchanges for them would follow each other without a pause.
        """
        is_few = self.count_lacking(peer) < _HEARTBEATS * len(self._replica.roster)
        if has_brought and is_few and self._is_busy():
            return False
        return self.should_bring(peer, is_up_to_date=True)

    def count_lacking(self, peer: Peer) -> int:
        """Return how many events a peer lacks, by what it said last and its events prove."""
        self._table.observe_events(peer)
        return peer.lacks(shown_seqs(self._member))

    def _can_fetch(self, peer: Peer) -> bool:
        """Return whether a peer has asked us lately."""
        in_touch_s = self._rhythm.in_touch_s(len(self._replica.roster))
        return peer.asked_us_at > trio.current_time() - in_touch_s

    def observe_settled(self, peer: Peer) -> None:
        """Take in that another exchange with this peer would be in vain until one of the two has something new."""
        peer.settled = self._holdings(), peer.seqs

    def _askable(self) -> list[Peer]:
        now = trio.current_time()
        return [peer for peer in self._table.peers.values() if not peer.is_busy and peer.backoff.may_ask(now)]

    def _holdings(self) -> _Holdings:
        replica = self._replica
        return _Holdings(replica.epoch_digest, len(replica.dag), replica.wanted(), shown_seqs(self._member))

    def _events_worth_bringing(self) -> int:
        """Return how many events a peer has to lack for us to ask it in order to bring them."""
        return 1 if self._is_busy() else _HEARTBEATS * len(self._replica.roster)

    def _is_busy(self) -> bool:
        """Return whether somebody waits for rounds, or did a moment ago."""
        now = trio.current_time()
        if self._member.wants_rounds():
            self._busy_at = now
        return now < self._busy_at + self._rhythm.calm_s
