"""What a node knows of each peer: when it last spoke, what it has, and when to ask it again."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from consensus.keys import MemberId
from consensus.sync import Tip, seqs_of

State = Literal["never", "ok", "backoff"]

_FIRST_PENALTY = 0.5  # seconds
_MAX_UNREACHABLE = 30.0
_FIRST_MISBEHAVED = 10.0
_MAX_MISBEHAVED = 300.0
_EVENTS_PER_S = 1000.0  # that one peer may make us check, on average
_EVENTS_AT_ONCE = 5000.0
_RECENT = 1.0  # seconds after which a peer that asks us is asked again


@dataclass
class Peer:
    """One peer. Times in seconds of trio's clock."""

    id: MemberId
    epoch: bytes = b""  # of which it spoke last, with us in it
    ahead: bool = False  # it has closed that epoch
    elsewhere: bool = False  # it answered that it does not know our epoch, or us, or no more
    tips: Sequence[Tip] = ()  # what it said it has of the epoch
    seqs: dict[MemberId, int] = field(default_factory=dict)  # of its tips, the highest of each member
    contacted_at: float | None = None  # last time it said something correct
    asked_at: float = -math.inf
    settled: object = None  # what both had when it was last asked, and nothing more was to be had
    next_at: float = -math.inf  # not asked before
    penalty: float = 0.0
    trusted_at: float = -math.inf  # what it says is not looked at before
    error: str = ""  # why it was last not as it should be
    busy: bool = False  # is being asked
    allowance: float = _EVENTS_AT_ONCE
    allowed_at: float = -math.inf
    sent: int = 0  # bytes, in questions and answers
    received: int = 0

    def heard(self, tips: Sequence[Tip], now: float, epoch: bytes, *, ahead: bool = False) -> None:
        """It said, correctly, what it has of our epoch."""
        self.epoch, self.ahead, self.elsewhere = epoch, ahead, False
        self.tips = tips
        self.seqs = seqs_of(tips)
        self.contacted_at = now

    def follow(self, epoch: bytes) -> None:
        """An epoch has begun: what it has of that one, it has not said yet."""
        if self.epoch != epoch:
            self.epoch, self.ahead, self.elsewhere, self.settled = b"", False, False, None
            self.tips, self.seqs = (), {}

    def asked_us(self, now: float) -> None:
        """It can reach us, so perhaps we can reach it again."""
        if now >= self.trusted_at:
            self.next_at = min(self.next_at, now + _RECENT)

    def may_tell(self, events: int, now: float) -> bool:
        """Whether it may make us check so many more events; if so, they are counted."""
        earned = (now - self.allowed_at) * _EVENTS_PER_S
        self.allowance, self.allowed_at = min(_EVENTS_AT_ONCE, self.allowance + earned), now
        if events > self.allowance:
            return False
        self.allowance -= events
        return True

    def answered(self) -> None:
        """It answered as it should: the penalty decays, so that who comes and goes still waits longer."""
        self.penalty = self.penalty / 4 if self.penalty > _FIRST_PENALTY else 0.0
        self.error = ""

    def failed(self, reason: str, now: float, chance: random.Random) -> None:
        """It did not answer."""
        self.penalty = min(_MAX_UNREACHABLE, max(_FIRST_PENALTY, 2 * self.penalty))
        self.next_at = now + self.penalty * (0.5 + chance.random())
        self.error = reason

    def misbehaved(self, reason: str, now: float) -> None:
        """It said something that no correct node says: we have nothing to do with it for a while."""
        self.penalty = min(_MAX_MISBEHAVED, max(_FIRST_MISBEHAVED, 2 * self.penalty))
        self.next_at = self.trusted_at = now + self.penalty
        self.error = reason

    def lacks(self, ours: Mapping[MemberId, int]) -> int:
        """How many events it lacks that we have; `ours` is the highest seq of each member."""
        return sum(max(0, seq - self.seqs.get(member, -1)) for member, seq in ours.items())

    def leads(self, ours: Mapping[MemberId, int]) -> int:
        """How many events it says to have that we lack."""
        return sum(max(0, seq - ours.get(member, -1)) for member, seq in self.seqs.items())

    def state(self) -> State:
        """never: it has not spoken yet; backoff: last time it did not answer, or misbehaved; ok: neither."""
        if self.contacted_at is None:
            return "never"
        return "backoff" if self.error else "ok"
