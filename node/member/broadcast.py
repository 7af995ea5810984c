"""Hands every decided round to all who have subscribed."""

import math

import trio

from consensus.outcome import RoundEffects


class RoundBroadcast:
    """Publishes rounds to any number of subscribers. One that closes its channel is forgotten."""

    def __init__(self) -> None:
        self._subscribers: list[trio.MemorySendChannel[RoundEffects]] = []

    def subscribe(self) -> trio.MemoryReceiveChannel[RoundEffects]:
        """Return a channel with every round that is published from now on, in order."""
        send, receive = trio.open_memory_channel[RoundEffects](math.inf)
        self._subscribers.append(send)
        return receive

    def publish(self, effects: RoundEffects) -> None:
        """Hand a round to all subscribers."""
        for subscriber in list(self._subscribers):
            try:
                subscriber.send_nowait(effects)
            except trio.BrokenResourceError:
                self._subscribers.remove(subscriber)
