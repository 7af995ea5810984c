"""Equivocation: two events and many with one sequence number, shown to all, to some, or late."""

from collections.abc import Sequence

import trio

from consensus.event import Event
from consensus.keys import MemberId
from consensus.sync import Tip
from node.member.creation import Plan
from node.simulation.byzantine.adversary import Adversary, Liar

_BRANCHES = 6
_HIDDEN_S = 12.0  # at most


class Fork(Adversary):
    """Signs two next events, now and then after an older one, and goes on from either."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        return branches(liar, plan, older(liar, self.random.choice((0, 0, 0, 1, 3))), 2)


class Branches(Adversary):
    """Signs up to six events after one of its older ones."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        return branches(liar, plan, older(liar, self.random.randrange(6)), self.random.randint(3, _BRANCHES))


class Hiding(Adversary):
    """Keeps some events from some peers for a while; whoever has them from others has them."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._hidden: dict[bytes, tuple[Event, float, frozenset[MemberId] | None]] = {}  # by raw
        self._hashes: dict[bytes, bytes] = {}  # raw by hash

    def hide(self, event: Event, seconds: float, peers: frozenset[MemberId] | None = None) -> None:
        """Shows `event` to no peer, or none of `peers`, for so long."""
        self._hidden[event.raw] = event, trio.current_time() + seconds, peers
        self._hashes[event.hash] = event.raw

    def hides(self, raw: bytes | None, peer: MemberId) -> bool:
        """Whether `peer` is not to know of the event."""
        if raw is None or raw not in self._hidden:
            return False
        _, until, peers = self._hidden[raw]
        return trio.current_time() < until and (peers is None or peer in peers)

    def told(self, liar: Liar, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`."""
        return [raw for raw in raws if not self.hides(raw, peer)]

    def tips(self, liar: Liar, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Adversary`."""
        return [tip for tip in tips if not self.hides(self._hashes.get(tip.hash), peer)]


class LateBranch(Hiding):
    """Grows a second branch that nobody sees until it is long after the time."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event] | None:
        """See `Adversary`."""
        own = liar.own()
        if len(own) < 5:
            return None
        grown = [event for event in own if event.raw in self._hidden]
        after = grown[-1] if grown and self.random.random() < 0.7 else own[-self.random.randint(3, 5)]
        event = liar.next_event(plan, after=after)
        newest = liar.newest()
        if newest is None or event.seq >= newest.seq or event.hash in liar.replica.dag:
            return None
        self.hide(event, self.random.random() * _HIDDEN_S)
        return [event]


class TwoFaces(Hiding):
    """Signs two next events, and tells one half of the swarm of the one, the other half of the other."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        two = branches(liar, plan, liar.newest(), 2)
        others = [member for member in liar.replica.roster.ids if member != liar.id]
        half = frozenset(self.random.sample(others, len(others) // 2))
        seconds = self.random.random() * _HIDDEN_S
        self.hide(two[0], seconds, half)
        self.hide(two[1], seconds, frozenset(others) - half)
        return two


class Withhold(Hiding):
    """Tells nobody of its own events for a while, then of all at once."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._until = 0.0

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        now = trio.current_time()
        if now >= self._until:
            self._until = now + self.random.random() * _HIDDEN_S
        event = liar.next_event(plan)
        self.hide(event, self._until - now)
        return [event]

    def tips(self, liar: Liar, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Adversary`."""
        return [tip for tip in tips if tip.creator != liar.id or trio.current_time() >= self._until]

    def told(self, liar: Liar, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Adversary`. What follows from what is hidden comes with it."""
        if trio.current_time() >= self._until:
            return raws
        return [raw for raw in raws if not self.hides(raw, peer)]


class TwoLives(Adversary):
    """While the others are split it runs a copy of itself, so that each side has one of its own."""

    lives_twice = True


def older(liar: Liar, back: int) -> Event | None:
    """An own event so many before the newest, or the first."""
    own = liar.own()
    return own[max(0, len(own) - 1 - back)] if own else None


def branches(liar: Liar, plan: Plan, after: Event | None, count: int) -> list[Event]:
    """So many events after one; those beyond the first say which they are."""
    said = [(), *([{"type": "branch", "id": number}] for number in range(1, count))]
    made = [liar.next_event(plan, transactions, after=after) for transactions in said]
    return [event for event in made if event.hash not in liar.replica.dag]
