"""When a peer with which something went wrong is asked again, and listened to again."""

import math
import random

_FIRST_PENALTY_S = 0.5
_MAX_PENALTY_S = 30.0
_FIRST_MISBEHAVIOUR_PENALTY_S = 10.0
_MAX_MISBEHAVIOUR_PENALTY_S = 300.0


class PeerBackoff:
    """The penalty of one peer: it doubles with each failure and decays with answers. Times are of trio's clock."""

    def __init__(self) -> None:
        self.penalty_s = 0.0
        self.ask_at = -math.inf  # not before
        self.listen_at = -math.inf  # what it says before then is not looked at

    def may_ask(self, now: float) -> bool:
        """Return whether the peer may be asked at `now`."""
        return self.ask_at <= now

    def may_listen(self, now: float) -> bool:
        """Return whether what the peer says at `now` is looked at."""
        return self.listen_at <= now

    def ask_by(self, at: float) -> None:
        """Let the peer be asked at `at` if that is sooner than it would be."""
        self.ask_at = min(self.ask_at, at)

    def observe_epoch(self, now: float) -> None:
        """Take in that an epoch has begun: who did not answer is asked at once, as it may have just come back.

        A peer that is not listened to has to wait all the same.
        """
        if self.may_listen(now):
            self.penalty_s, self.ask_at = 0.0, -math.inf

    def observe_success(self) -> None:
        """Take in that the peer answered as it should: a peer that comes and goes still waits longer than others."""
        self.penalty_s = self.penalty_s / 4 if self.penalty_s > _FIRST_PENALTY_S else 0.0

    def observe_failure(self, now: float, chance: random.Random) -> None:
        """Take in that the peer did not answer."""
        self.penalty_s = min(_MAX_PENALTY_S, max(_FIRST_PENALTY_S, 2 * self.penalty_s))
        self.ask_at = now + self.penalty_s * (0.5 + chance.random())

    def observe_misbehaviour(self, now: float) -> None:
        """Take in that the peer said something that no correct node says: it is not listened to for a while either."""
        self.penalty_s = min(_MAX_MISBEHAVIOUR_PENALTY_S, max(_FIRST_MISBEHAVIOUR_PENALTY_S, 2 * self.penalty_s))
        self.ask_at = self.listen_at = now + self.penalty_s
