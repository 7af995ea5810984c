"""Attacks by silence: events kept from peers, slow or empty answers, events that build on nobody else's."""

from collections.abc import Sequence

import trio

from consensus.event import Event
from consensus.keys import MemberId
from consensus.sync import Tip
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember

MAX_HIDDEN_S = 12.0

_MAX_DELAY_S = 20.0
_STARVED_S = 5.0  # for so long the same peers get nothing


class HidingAttack(Attack):
    """Base of attacks that keep some events from some peers for a while; these may get them from others."""

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._hidden: dict[bytes, tuple[Event, float, frozenset[MemberId] | None]] = {}  # by raw event
        self._raws: dict[bytes, bytes] = {}  # raw event by hash

    def hide(self, event: Event, hidden_s: float, peers: frozenset[MemberId] | None = None) -> None:
        """Keep `event` from all peers, or from `peers`, for so many seconds."""
        self._hidden[event.raw] = event, trio.current_time() + hidden_s, peers
        self._raws[event.hash] = event.raw

    def has_hidden(self, event: Event) -> bool:
        """Return whether the event was ever hidden from anyone."""
        return event.raw in self._hidden

    def is_hidden(self, raw: bytes | None, peer: MemberId) -> bool:
        """Return whether `peer` is not to get the event now."""
        if raw is None or raw not in self._hidden:
            return False
        _, until, peers = self._hidden[raw]
        return trio.current_time() < until and (peers is None or peer in peers)

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`."""
        return [raw for raw in raws if not self.is_hidden(raw, peer)]

    def alter_tips(self, member: ByzantineMember, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Attack.alter_tips`."""
        return [tip for tip in tips if not self.is_hidden(self._raws.get(tip.hash), peer)]


class Withhold(HidingAttack):
    """Shows its own events to nobody for a while, then all at once."""

    kind = "withhold"

    def __init__(self, seed: object) -> None:
        super().__init__(seed)
        self._until = 0.0

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        now = trio.current_time()
        if now >= self._until:
            self._until = now + self.random.random() * MAX_HIDDEN_S
        event = member.next_event(plan)
        self.hide(event, self._until - now)
        return [event]

    def alter_tips(self, member: ByzantineMember, peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """See `Attack.alter_tips`."""
        return [tip for tip in tips if tip.creator != member.id or trio.current_time() >= self._until]

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`. All hidden events are shown at the same time."""
        if trio.current_time() >= self._until:
            return raws
        return [raw for raw in raws if not self.is_hidden(raw, peer)]


class Stall(Attack):
    """Answers late, often after the peer has stopped waiting."""

    kind = "stall"

    def delay_s(self) -> float:
        """See `Attack.delay_s`."""
        return self.random.random() ** 3 * _MAX_DELAY_S


class Starve(Attack):
    """Announces what it has, but sends none of it to some peers; others are chosen every few seconds."""

    kind = "starve"

    def alter_events(self, member: ByzantineMember, peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """See `Attack.alter_events`."""
        turn = int(trio.current_time() / _STARVED_S)
        return [] if (peer[0] ^ peer[1] ^ turn) & 1 else raws


class Selfish(Attack):
    """Makes events without other-parents, so that it advances nobody else's events."""

    kind = "selfish"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        return [member.next_event(Plan((), True))]
