"""How often something may happen: so often on average, and more at once after a pause."""

import math


class TokenBucket:
    """Gives out `rate` tokens a second on average, and up to `burst` of them at once. It begins full."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = -math.inf

    def take(self, tokens: float, now: float) -> bool:
        """Return whether so many tokens are there at `now` (seconds of any clock that goes on); if so, take them."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if tokens > self._tokens:
            return False
        self._tokens -= tokens
        return True
