"""Which work failed lately, and for how long to leave it alone."""

import math

import trio

from consensus.ledger.priorities import Subject

FIRST_S = 5.0
FIRST_OF_SLOTS_S = 60.0
"""Of slots of matches and ratings, where a claim that is given back leaves a slot to others: 60, 120, 240 s."""

LONGEST_OF_SLOTS_S = 240.0


class Backoff:
    """Each failure at one subject in a row doubles the pause, from `first_s` to `longest_s` seconds.

    So what cannot be done (a model that nobody has, a broken machine) neither fills the order with claims that
    are given back, nor keeps this node from what can be done.
    """

    def __init__(self, longest_s: float, *, leaves_slots: bool = False) -> None:
        """Begin without failures. With `leaves_slots`, pauses at slots are longer than others at first, and limited."""
        self._longest_s = longest_s
        self._leaves_slots = leaves_slots
        self._pauses: dict[Subject, tuple[float, float]] = {}  # the pause, and when it is over

    def record_failure(self, subject: Subject) -> None:
        """Double the pause: the subject failed once more."""
        now = trio.current_time()
        for other, (_, end) in list(self._pauses.items()):
            if end + self._longest_s < now:
                del self._pauses[other]
        is_slot = self._leaves_slots and subject[0] in ("match", "rate")
        first_s, longest_s = (FIRST_OF_SLOTS_S, LONGEST_OF_SLOTS_S) if is_slot else (FIRST_S, self._longest_s)
        pause, _ = self._pauses.get(subject, (first_s / 2, now))
        pause = min(2 * pause, longest_s)
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
