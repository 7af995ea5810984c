"""Virtual time: what happens when, in the order of the clock."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Timer:
    """Something that will happen, unless it is cancelled before."""

    __slots__ = ("do",)

    def __init__(self, do: Callable[[], None]) -> None:
        self.do: Callable[[], None] | None = do

    def cancel(self) -> None:
        """Let it not happen."""
        self.do = None


class Timeline:
    """The seconds since the start, and what is to happen at which of them; what is due together keeps its order."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, int, Timer]] = []
        self._count = 0

    def after(self, pause_s: float, do: Callable[[], None]) -> Timer:
        """Let something happen after a pause."""
        return self.at(self.now_s + pause_s, do)

    def at(self, when_s: float, do: Callable[[], None]) -> Timer:
        """Let something happen at a time, or now if that is past."""
        timer = Timer(do)
        self._count += 1
        heappush(self._due, (max(when_s, self.now_s), self._count, timer))
        return timer

    def run(self, until_s: float) -> None:
        """Let everything happen that is due up to a time."""
        while self._due and self._due[0][0] <= until_s:
            self.now_s, _, timer = heappop(self._due)
            if timer.do is not None:
                timer.do()
        self.now_s = until_s
