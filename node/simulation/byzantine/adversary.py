"""Where a member can depart from the protocol: what it signs, and what it tells whom."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import trio

from consensus.event import Event, TransactionTable, make_event
from consensus.keys import MemberId, SigningKey
from consensus.roster import MEMBERS_LIMIT
from consensus.sync import Tip
from node.gossip.messages import SYNC_PATH, SyncAnswer, SyncRequest, decode_answer, decode_request
from node.member.creation import Plan
from node.member.member import Member
from node.statesync.messages import ChainAnswer, decode_chain_answer
from node.transport import MAX_ANSWER_BYTES, Transport
from node.transport.router import Route

_LIES = 0.4  # of its own events, the share that a liar makes in one of its ways
_STRAYS = 8


class Adversary:
    """One way of breaking the protocol, in one member. As it stands it breaks nothing.

    It outlives crashes of its member, as the mind of an attacker would.
    """

    def __init__(self, seed: object) -> None:
        self.random = random.Random(f"malice {type(self).__name__} {seed}")

    def sign(self, liar: "Liar", plan: Plan) -> Sequence[Event] | None:
        """The events to sign now, attached in the liar's own replica; None for the next one as it should be."""
        return None

    def told(self, liar: "Liar", peer: MemberId, raws: Sequence[bytes]) -> Sequence[bytes]:
        """The raw events to send to `peer`, instead of `raws`."""
        return raws

    def tips(self, liar: "Liar", peer: MemberId, tips: Sequence[Tip]) -> Sequence[Tip]:
        """What the liar says to `peer` that it has, instead of `tips`."""
        return tips

    def wanted(self, liar: "Liar", want: Sequence[bytes]) -> Sequence[bytes]:
        """What the liar asks for by hash, instead of `want`."""
        return want

    def chain(self, liar: "Liar", truth: ChainAnswer) -> bytes | None:
        """What the liar answers to who asks for the chain of records, in bytes; None for the truth."""
        return None

    def blob(self, liar: "Liar", truth: bytes) -> bytes:
        """What the liar answers to who asks for a part of a blob, instead of `truth`."""
        return truth

    lives_twice = False  # runs a copy of itself for each side of a `split`

    def delay(self) -> float:
        """Seconds by which an answer comes late."""
        return 0.0


class Liar(Member):
    """A member that has the ways of `make_liar`, and tools for them."""

    ways: Sequence[Adversary] = ()
    seed: bytes  # of its key
    conspirators: Sequence[bytes] = ()  # seeds of all keys that liars have or had
    stray: Sequence[bytes] = ()  # raw events that it signed and its own replica does not take

    @property
    def key(self) -> SigningKey:
        """Its own."""
        return self._key

    def hear(self, peer: MemberId, tips: Iterable[Tip], *, ahead: bool = False) -> None:
        """See `Member`. It does not care that somebody knows own events that are not here."""
        if not any(way.lives_twice for way in self.ways):
            super().hear(peer, tips, ahead=ahead)

    def newest(self) -> Event | None:
        """Its own newest event."""
        return self.replica.newest(self.id)

    def own(self) -> list[Event]:
        """All its own events here, in order of attachment."""
        return [event for event in self.replica.dag.events if event.creator == self.id]

    def next_event(
        self,
        plan: Plan,
        transactions: Sequence[TransactionTable] = (),
        *,
        after: Event | None = None,
        **changes: Any,
    ) -> Event:
        """What would be signed next by `plan`, but after `after` (its newest event by default) and changed."""
        parent = self.newest() if after is None else after
        now = self._clock.time_ns()
        fields: dict[str, Any] = {
            "epoch": self.replica.epoch,
            "seq": 0 if parent is None else parent.seq + 1,
            "self_parent": None if parent is None else parent.hash,
            "other_parents": plan.other_parents,
            "time": now if parent is None else max(now, parent.time + 1),
            "transactions": tuple(transactions),
        }
        return make_event(self.key, **(fields | changes))

    def altered(self, plan: Plan, **changes: Any) -> Event:
        """The next event as it should be, reveal and ledger digest included, but for `changes`."""
        now = self._clock.time_ns()
        event = self.replica.create(now, (), plan.other_parents)
        self.replica._created = None  # it is not the one that will be inserted
        names = ("epoch", "seq", "self_parent", "other_parents", "time", "reveal", "ledger", "transactions")
        return make_event(self.key, **({name: getattr(event, name) for name in names} | changes))

    async def _create(self, plan: Plan) -> None:
        events = None
        if self.ways and self._random.random() < _LIES:
            events = self._random.choice(self.ways).sign(self, plan)
        if events is None:
            await super()._create(plan)
            return
        self._set_pace()
        await self._store.append(events)
        await self._attached(self.replica.insert(events))
        stray = [event.raw for event in events if not self.knows(event.hash)]
        self.stray = [*self.stray, *stray][-_STRAYS:]


def make_liar(ways: Sequence[Adversary], conspirators: Sequence[bytes] = ()) -> Callable[..., Liar]:
    """What makes members that lie in these ways, and know the seeds of these keys."""

    def make(**parts: Any) -> Liar:
        liar = Liar(**parts)
        liar.seed = parts["identity"].private.private_bytes_raw()
        liar.ways, liar.conspirators = ways, conspirators
        if any(way.lives_twice for way in ways):
            liar._listening = None
        return liar

    return make


class Behaviour:
    """What others see of a node's gossip: changed in each of the ways, one after the other."""

    def __init__(self, ways: Iterable[Adversary] = ()) -> None:
        self.ways = list(ways)
        self.lives_twice = any(way.lives_twice for way in self.ways)

    def transport(self, inner: Transport, member: Member) -> Transport:
        """The asking side."""
        return _MaskedTransport(inner, self, member) if isinstance(member, Liar) else inner

    def route(self, route: Route, member: Member) -> Route:
        """The answering side."""
        if not isinstance(member, Liar):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._dawdle()
            truth = decode_answer(await route.handler(asking, body), MEMBERS_LIMIT)
            return self._answer(member, asking, truth).encode()

        return replace(route, handler=answer)

    def chain_route(self, route: Route, member: Member) -> Route:
        """The side that tells of the chain of records."""
        if not isinstance(member, Liar):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._dawdle()
            truth = decode_chain_answer(await route.handler(asking, body))
            lies = (way.chain(member, truth) for way in self.ways)
            return next((lie for lie in lies if lie is not None), None) or truth.encode()

        return replace(route, handler=answer)

    def blob_route(self, route: Route, member: Member) -> Route:
        """The side that shows snapshots and other blobs."""
        if not isinstance(member, Liar):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._dawdle()
            said = await route.handler(asking, body)
            for way in self.ways:
                said = way.blob(member, said)
            return said

        return replace(route, handler=answer)

    async def _dawdle(self) -> None:
        await trio.sleep(sum(way.delay() for way in self.ways))

    def request(self, liar: Liar, peer: MemberId, truth: SyncRequest) -> SyncRequest:
        """What is asked instead."""
        truth = replace(truth, events=[*truth.events, *liar.stray])
        for way in self.ways:
            truth = replace(
                truth,
                tips=way.tips(liar, peer, truth.tips),
                want=way.wanted(liar, truth.want),
                events=way.told(liar, peer, truth.events),
            )
        return truth

    def _answer(self, liar: Liar, peer: MemberId, truth: SyncAnswer) -> SyncAnswer:
        truth = replace(truth, events=[*truth.events, *liar.stray])
        for way in self.ways:
            truth = replace(truth, tips=way.tips(liar, peer, truth.tips), events=way.told(liar, peer, truth.events))
        return truth


class _MaskedTransport:
    """`Transport` that changes the questions of a sync."""

    def __init__(self, inner: Transport, behaviour: Behaviour, liar: Liar) -> None:
        self._inner, self._mask, self._liar = inner, behaviour, liar

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        if path == SYNC_PATH:
            truth = decode_request(body, MEMBERS_LIMIT)
            body = self._mask.request(self._liar, peer, truth).encode()
        return await self._inner.ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)
