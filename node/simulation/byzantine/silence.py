"""What a member does not say: slow answers, answers with nothing in them, events that build on nobody."""

from collections.abc import Sequence

import trio

from consensus.event import Event
from consensus.keys import MemberId
from node.member.creation import Plan
from node.simulation.byzantine.adversary import Adversary, Liar

_SLOWEST = 20.0  # seconds
_MOOD_S = 5.0  # for so long the same peers get nothing


class Stall(Adversary):
    """A teacher that answers late, often when nobody waits any more."""

    def delay(self) -> float:
        """See `Adversary`."""
        return self.random.random() ** 3 * _SLOWEST


class Starve(Adversary):
    """Says what it has, and gives none of it to some peers, other ones every few seconds."""

    def told(self, liar: Liar, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        mood = int(trio.current_time() / _MOOD_S)
        return [] if (peer[0] ^ peer[1] ^ mood) & 1 else raws


class Selfish(Adversary):
    """Makes events without other-parents: it helps nobody's events on."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        return [liar.next_event(Plan((), True))]
