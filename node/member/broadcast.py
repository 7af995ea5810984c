"""Who wants to hear of every decided round."""

import math

import trio

from consensus.outcome import RoundEffects


class RoundBroadcast:
    """Hands rounds to any number of listeners; who does not listen any more is forgotten."""

    def __init__(self) -> None:
        self._listeners: list[trio.MemorySendChannel[RoundEffects]] = []

    def join(self) -> trio.MemoryReceiveChannel[RoundEffects]:
        """Every round that is told from now on, in order."""
        send, receive = trio.open_memory_channel[RoundEffects](math.inf)
        self._listeners.append(send)
        return receive

    def tell(self, effects: RoundEffects) -> None:
        """Tells all of a round."""
        for listener in list(self._listeners):
            try:
                listener.send_nowait(effects)
            except trio.BrokenResourceError:
                self._listeners.remove(listener)
