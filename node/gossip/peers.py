"""What a node knows of each peer: when it last spoke, what it has, and what went wrong with it."""

import math
import random
from collections.abc import Container, Mapping, Sequence
from typing import Literal

import structlog

from consensus.keys import MemberId, id_text
from consensus.sync import Tip, count_beyond, seqs_of
from node.gossip.backoff import PeerBackoff
from node.system.token_bucket import TokenBucket
from node.transport import AskError, Refused

ContactState = Literal["never", "ok", "backoff"]

_EVENTS_PER_S = 1000.0  # that one peer may make us verify, on average
_EVENTS_AT_ONCE = 5000.0
_SOON_S = 1.0  # after which a peer that asked us is asked

_log = structlog.get_logger(__name__)


class Peer:
    """One peer. Times are in seconds of trio's clock."""

    def __init__(self, member: MemberId) -> None:
        self.id = member
        self.has_spoken = False  # of our epoch, with us in it
        self.is_ahead = False  # it has closed that epoch
        self.is_elsewhere = False  # it answered that it does not, or no longer, know our epoch or us
        self._said: Sequence[Tip] = ()  # what it said it has of our epoch
        self._on_demand: Container[MemberId] = ()  # members of which it does not matter how many events it has
        self.tips: Sequence[Tip] = ()  # that, and what its events prove that it has had since
        self.seqs: Mapping[MemberId, int] = {}  # the highest seq of each member among its tips
        self.newest_seq = -1  # the highest seq of its own events that were here when `tips` was set
        self.settled: object = None  # what both sides had when it was last asked, and nothing more was to be had
        self.contacted_at: float | None = None  # when it last said something correct
        self.asked_at = -math.inf
        self.asked_us_at = -math.inf
        self.is_busy = False  # being asked
        self.is_reachable = False  # it answered or refused when it was last asked
        self.backoff = PeerBackoff()
        self.flaps = 0  # how often it stopped giving usable answers
        self.error = ""  # what went wrong last; empty if it has answered since
        self.refused_with: int | None = None  # HTTP status, if what went wrong is that it refused to answer
        self.bytes_sent = 0  # in requests and answers
        self.bytes_received = 0
        self._events = TokenBucket(_EVENTS_PER_S, _EVENTS_AT_ONCE)

    def observe_epoch(self, now: float) -> None:
        """Take in that an epoch has begun: the peer has not said yet what it has of it."""
        self.backoff.observe_epoch(now)
        self.has_spoken = self.is_ahead = self.is_elsewhere = False
        self._said, self.tips, self.seqs, self.newest_seq, self.settled = (), (), {}, -1, None

    def observe_tips(
        self,
        tips: Sequence[Tip],
        now: float,
        *,
        newest_seq: int = -1,
        ahead: bool = False,
        on_demand: Container[MemberId] = (),
    ) -> None:
        """Take in what the peer said, correctly, that it has of our epoch; `ahead` if it has closed it.

        `newest_seq` is the highest seq of its own events that are here. How many events it has by members `on_demand`
        does not matter.
        """
        self.has_spoken, self.is_ahead, self.is_elsewhere = True, ahead, False
        self._said, self._on_demand, self.tips = tips, on_demand, tips
        self.seqs = seqs_of(tips, on_demand)
        self.newest_seq = newest_seq
        self.contacted_at = now

    def observe_proven(self, tips: Sequence[Tip], newest_seq: int) -> None:
        """Take in what an event of the peer builds on that came after its last word: it has that, too.

        Its next word replaces this. So a peer whose disk has lost events gets them again.
        """
        self.tips, self.newest_seq = [*self._said, *tips], newest_seq
        self.seqs = seqs_of(self.tips, self._on_demand)

    def observe_request(self, now: float) -> None:
        """Take in that the peer asked us something: it can reach us, so perhaps we can reach it again."""
        self.asked_us_at = now
        self.observe_place(now)

    def observe_place(self, now: float) -> None:
        """Take in that the peer may be reached again, perhaps at another place."""
        if self.backoff.may_listen(now):
            self.backoff.ask_by(now + _SOON_S)

    def observe_success(self) -> None:
        """Take in that the peer answered as it should."""
        self.backoff.observe_success()
        self.is_reachable = True
        self.error, self.refused_with = "", None

    def observe_failure(self, error: AskError, now: float, chance: random.Random) -> None:
        """Take in that the peer gave no usable answer."""
        if self.contacted_at is not None and not self.error:
            self.flaps += 1
        self.backoff.observe_failure(now, chance)
        self.error = str(error)
        self.is_reachable = isinstance(error, Refused)
        self.refused_with = error.status if isinstance(error, Refused) else None

    def observe_misbehaviour(self, error: Exception, now: float) -> None:
        """Take in that the peer said something that no correct node says: it is left alone for a while."""
        self.backoff.observe_misbehaviour(now)
        self.error, self.refused_with = str(error), None
        _log.warning("a peer misbehaves", peer=id_text(self.id), reason=self.error)

    def may_send(self, events: int, now: float) -> bool:
        """Return whether the peer may make us verify so many more events; if so, they are counted."""
        return self._events.take(events, now)

    def lacks(self, ours: Mapping[MemberId, int]) -> int:
        """Return how many events the peer lacks that we have; `ours` is the highest seq of each member."""
        return count_beyond(ours, self.seqs)

    def leads(self, ours: Mapping[MemberId, int]) -> int:
        """Return how many events the peer said it has that we lack."""
        return count_beyond(self.seqs, ours)

    def has_spoken_since(self, since: float) -> bool:
        """Return whether the peer spoke of our epoch later than at `since`."""
        return self.has_spoken and self.contacted_at is not None and self.contacted_at > since

    @property
    def silent_since(self) -> float:
        """When it last said something correct."""
        return -math.inf if self.contacted_at is None else self.contacted_at

    def is_level(self, ours: Mapping[MemberId, int]) -> bool:
        """Return whether the peer is in our epoch, and all that it has is here."""
        return not self.is_ahead and not self.leads(ours)

    def has_closed_with(self, ours: Mapping[MemberId, int]) -> bool:
        """Return whether the peer has closed our epoch, and all that it has of it is here."""
        return self.is_ahead and not self.leads(ours)

    def state(self) -> ContactState:
        """Return "never" if the peer has not spoken yet, "backoff" if something went wrong last time, else "ok"."""
        if self.contacted_at is None:
            return "never"
        return "backoff" if self.error else "ok"
