"""The network's twin in memory: virtual time, seeded delay, loss, duplication, cuts and crashes."""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import trio

from consensus.keys import MemberId
from node.transport import MAX_ANSWER_BYTES, BadAnswer, Refused, Unreachable
from node.transport.exchanges import AskedExchanges, current_trace, follow_trace
from node.transport.router import Refusal, Router

HOLD_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """How one direction of a link behaves. What is not a time is a probability."""

    delay_s: float = 0.005
    jitter_s: float = 0.005  # added to the delay, uniformly
    loss: float = 0.0
    duplicate: float = 0.0
    held: float = 0.0  # held back for up to HOLD_S more, so that later messages overtake it
    cut: bool = False


@dataclass(kw_only=True)
class Traffic:
    """What went over the whole network so far: requests and answers, and the bytes in them."""

    asked: int = 0
    answered: int = 0
    lost: int = 0
    duplicated: int = 0
    held: int = 0
    bytes: int = 0


class _Host(NamedTuple):
    """A node that listens: its router, and the nursery in which its handlers live and die."""

    router: Router
    nursery: trio.Nursery


class _CarriedRequest(NamedTuple):
    source: MemberId
    path: str
    body: bytes
    trace: str


class _Exchange:
    """One request under way. The answer arrives once; that of a duplicate is thrown away."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: bytes | None = None
        self.failure: Exception | None = None

    def finish(self, answer: bytes | None, failure: Exception | None) -> None:
        """Set the outcome, unless there is one already."""
        if not self.done.is_set():
            self.answer, self.failure = answer, failure
            self.done.set()


class Network:
    """A network between any number of nodes. All chance comes from `seed`, all time from trio's clock."""

    def __init__(self, seed: int, conditions: Conditions | None = None) -> None:
        self._random = random.Random(seed)
        self._hosts: dict[MemberId, _Host] = {}
        self._default = conditions or Conditions()
        self._special: dict[tuple[MemberId, MemberId], Conditions] = {}
        self.hidden: Collection[MemberId] = ()  # they reach others, and nobody reaches them
        self.traffic = Traffic()

    def transport(self, source: MemberId) -> "MemoryTransport":
        """Return the asking side of a node."""
        return MemoryTransport(self, source)

    async def serve(
        self, member: MemberId, router: Router, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answer requests to `member` until cancelled; from then on it is as if its machine were off."""
        async with trio.open_nursery() as nursery:
            host = self._hosts[member] = _Host(router, nursery)
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                if self._hosts.get(member) is host:
                    del self._hosts[member]

    def conditions(self, source: MemberId, target: MemberId) -> Conditions:
        """Return how messages from `source` to `target` fare now."""
        return self._special.get((source, target), self._default)

    def set_conditions(self, source: MemberId, target: MemberId, conditions: Conditions) -> None:
        """Set how messages from `source` to `target` fare."""
        self._special[source, target] = conditions

    def cut(self, sources: Iterable[MemberId], targets: Iterable[MemberId]) -> None:
        """Drop everything from `sources` to `targets`; the other direction stays as it is."""
        targets = list(targets)
        for source in sources:
            for target in targets:
                self._special[source, target] = Conditions(cut=True)

    def heal(self) -> None:
        """Give every link the default conditions again."""
        self._special.clear()

    async def ask(self, source: MemberId, target: MemberId, path: str, body: bytes) -> bytes:
        """Carry a request and its answer; wait for ever if either is lost. Raise AskError."""
        self.traffic.asked += 1
        exchange, request = _Exchange(), _CarriedRequest(source, path, body, current_trace())
        there = await self._travel(source, target, len(body))
        host = self._hosts.get(target)
        if host is None or target in self.hidden:
            raise Unreachable("connection refused")
        host.nursery.start_soon(self._deliver, host, exchange, request)
        if self._random.random() < there.duplicate:
            self.traffic.duplicated += 1
            after_s = self._random.random() * 10 * (there.delay_s + there.jitter_s)
            host.nursery.start_soon(self._deliver_again, host, request, after_s)
        await exchange.done.wait()
        await self._travel(target, source, len(exchange.answer or b""))
        if exchange.answer is None:
            raise exchange.failure or Unreachable("connection lost")
        self.traffic.answered += 1
        return exchange.answer

    async def _travel(self, source: MemberId, target: MemberId, size: int) -> Conditions:
        """Wait for as long as a message of `size` bytes travels, for ever if it is lost. Return how it fared."""
        conditions = self.conditions(source, target)
        if conditions.cut or self._random.random() < conditions.loss:
            self.traffic.lost += 1
            await trio.sleep_forever()
        time_s = conditions.delay_s + self._random.random() * conditions.jitter_s
        if conditions.held and self._random.random() < conditions.held:
            self.traffic.held += 1
            time_s += self._random.random() * HOLD_S
        await trio.sleep(time_s)
        self.traffic.bytes += size
        return conditions

    async def _deliver(self, host: _Host, exchange: _Exchange, request: _CarriedRequest) -> None:
        answer, failure = None, None
        follow_trace(request.trace)
        try:
            answer = await host.router.answer(request.source, request.path, request.body)
        except Refusal as refusal:
            failure = Refused(refusal.status, refusal.reason)
        finally:  # also when the host dies meanwhile
            exchange.finish(answer, failure)

    async def _deliver_again(self, host: _Host, request: _CarriedRequest, after_s: float) -> None:
        await trio.sleep(after_s)
        await self._deliver(host, _Exchange(), request)


class MemoryTransport:
    """`Transport` over a `Network`."""

    def __init__(self, network: Network, source: MemberId) -> None:
        self._network = network
        self._source = source
        self.exchanges = AskedExchanges()

    async def ask(
        self, peer: MemberId, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        asking = self._ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)
        return await self.exchanges.follow(peer, path, body, asking)

    async def _ask(self, peer: MemberId, path: str, body: bytes, *, timeout_s: float, max_bytes: int) -> bytes:
        try:
            with trio.fail_after(timeout_s):
                answer = await self._network.ask(self._source, peer, path, body)
        except trio.TooSlowError:
            raise Unreachable(f"no answer within {timeout_s:g} s") from None
        if len(answer) > max_bytes:
            raise BadAnswer(f"the answer is larger than {max_bytes} bytes")
        return answer
