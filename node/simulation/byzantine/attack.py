"""Where a Byzantine member departs from the protocol: what it signs, and what it sends to whom."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import trio

from consensus.event import Event, TransactionTable, make_event
from consensus.keys import MemberId, SigningKey
from consensus.sync import Tip
from node.member.creation import Plan
from node.member.member import Member
from node.statesync.messages import ChainAnswer

_ATTACK_SHARE = 0.4  # of its own events, the share that a Byzantine member makes by one of its attacks
_UNATTACHED_KEPT = 8


class Attack:
    """One way of breaking the protocol, carried out by one member. This base class breaks nothing.

    An attack outlives crashes of its member: an attacker remembers.
    """

    kind: ClassVar[str]  # its name in schedules and on the command line
    runs_duplicate: ClassVar[bool] = False  # during a `split`, each side gets an instance of the member

    def __init__(self, seed: object) -> None:
        name = self.kind.title().replace("-", "")  # part of the seed: another one would change recorded runs
        self.random = random.Random(f"malice {name} {seed}")

    def sign(self, member: "ByzantineMember", plan: Plan) -> Sequence[Event] | None:
        """Return the events to sign now, to be attached in the member's own replica; None for the honest one."""
        return None

    def alter_events(self, member: "ByzantineMember", peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """Return the raw events to send to `peer` instead of `raws`."""
        return raws

    def alter_tips(self, member: "ByzantineMember", peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """Return the tips to announce to `peer` instead of `tips`."""
        return tips

    def alter_wanted(self, member: "ByzantineMember", wanted: Sequence[bytes]) -> Sequence[bytes]:
        """Return the hashes of events to ask for instead of `wanted`."""
        return wanted

    def alter_chain(self, member: "ByzantineMember", truth: ChainAnswer) -> bytes | None:
        """Return the encoded answer to a request for the chain of records; None for the true one."""
        return None

    def alter_blob(self, member: "ByzantineMember", truth: bytes) -> bytes:
        """Return the encoded answer to a request for a part of a blob, instead of `truth`."""
        return truth

    def delay_s(self) -> float:
        """Return by how many seconds an answer comes late."""
        return 0.0


class ByzantineMember(Member):
    """A member that carries out the attacks of its factory, with tools for them. See `byzantine_member_factory`."""

    attacks: Sequence[Attack] = ()
    key_seed: bytes
    colluding_seeds: Sequence[bytes] = ()  # of all keys that Byzantine members have or had
    unattached: Sequence[bytes] = ()  # raw events that it signed and its own replica refuses

    @property
    def key(self) -> SigningKey:
        """The member's own key."""
        return self._key

    def observe_tips(self, peer: MemberId, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """See `Member.observe_tips`. A duplicate ignores that peers know own events that it lacks."""
        if not any(attack.runs_duplicate for attack in self.attacks):
            super().observe_tips(peer, tips, ahead=ahead)

    def _observe_unmade(self, events: Sequence[Event]) -> None:
        """Do nothing: what it signs may come back, or be of its duplicate, and it goes on."""

    async def _look_for_copy(self) -> None:
        """Do nothing, like `_observe_unmade`."""

    def _listen_again(self, reason: str) -> None:
        """Do nothing, like `_observe_unmade`."""

    def hidden(self) -> Mapping[bytes, Event]:
        """Hide nothing by this rule; see `Member.hidden`."""
        return {}

    def newest(self) -> Event | None:
        """Return its own newest event."""
        return self.replica.newest(self.id)

    def own_events(self) -> list[Event]:
        """Return all its own attached events, in order of attachment."""
        return [event for event in self.replica.dag.events if event.creator == self.id]

    def next_event(
        self,
        plan: Plan,
        transactions: Sequence[TransactionTable] = (),
        *,
        after: Event | None = None,
        **changes: Any,
    ) -> Event:
        """Make the next event by `plan`, but on top of `after` (by default its newest event) and with `changes`."""
        parent = self.newest() if after is None else after
        now = self._clock.time_ns()
        fields: dict[str, Any] = {
            "epoch": self.replica.epoch_digest,
            "seq": 0 if parent is None else parent.seq + 1,
            "self_parent": None if parent is None else parent.hash,
            "other_parents": plan.other_parents,
            "time": now if parent is None else max(now, parent.time + 1),
            "transactions": tuple(transactions),
        }
        return make_event(self.key, **(fields | changes))

    def altered_event(self, plan: Plan, **changes: Any) -> Event:
        """Make the honest next event, reveal and ledger digest included, but with `changes`. Raise ForkError."""
        now = self._clock.time_ns()
        event = self.replica.create(now, (), plan.other_parents)
        assert self.replica._own is not None
        self.replica._own._created = None  # it is not the one that will be inserted
        names = ("epoch", "seq", "self_parent", "other_parents", "time", "reveal", "ledger", "transactions")
        return make_event(self.key, **({name: getattr(event, name) for name in names} | changes))

    async def _create(self, plan: Plan) -> None:
        events = None
        if self.attacks and self._random.random() < _ATTACK_SHARE:
            events = self._random.choice(self.attacks).sign(self, plan)
        if events is None:
            await super()._create(plan)
            return
        self._timer.restart(trio.current_time(), transactions=0)
        await self._store.append(events)
        await self._observe_attached(self.replica.insert(events))
        unattached = [event.raw for event in events if not self.has_event(event.hash)]
        self.unattached = [*self.unattached, *unattached][-_UNATTACHED_KEPT:]


def byzantine_member_factory(
    attacks: Sequence[Attack], colluding_seeds: Sequence[bytes] = ()
) -> Callable[..., ByzantineMember]:
    """Return a factory of members that carry out `attacks` and know the key seeds of all who collude."""

    def make(**parts: Any) -> ByzantineMember:
        member = ByzantineMember(**parts)
        member.key_seed = parts["identity"].private.private_bytes_raw()
        member.attacks, member.colluding_seeds = attacks, colluding_seeds
        if any(attack.runs_duplicate for attack in attacks):
            member._listening = None
        return member

    return make
