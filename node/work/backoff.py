"""Which work failed lately, and for how long to leave it alone."""

import math

import trio

from consensus.ledger.priorities import Subject

FIRST_S = 5.0


class Backoff:
    """Each failure at one subject in a row doubles the pause, from `FIRST_S` to `longest_s` seconds.

    So what cannot be done (a model that nobody has, a broken machine) neither fills the order with claims that
    are given back, nor keeps this node from what can be done.
    """

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._pauses: dict[Subject, tuple[float, float]] = {}  # the pause, and when it is over

    def record_failure(self, subject: Subject) -> None:
        """Double the pause: the subject failed once more."""
        now = trio.current_time()
        for other, (_, end) in list(self._pauses.items()):
            if end + self._longest_s < now:
                del self._pauses[other]
        pause, _ = self._pauses.get(subject, (FIRST_S / 2, now))
        pause = min(2 * pause, self._longest_s)
        self._pauses[subject] = pause, now + pause

    def forget(self, subject: Subject) -> None:
        """End the pauses of a subject that went well."""
        self._pauses.pop(subject, None)

    def avoided(self) -> frozenset[Subject]:
        """Return the subjects to leave alone now."""
        now = trio.current_time()
        return frozenset(subject for subject, (_, end) in self._pauses.items() if end > now)

    def next_end(self) -> float:
        """Return when the next pause ends, by trio's clock; infinity if there is none."""
        now = trio.current_time()
        return min((end for _, end in self._pauses.values() if end > now), default=math.inf)
