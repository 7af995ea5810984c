"""The network's twin in memory: virtual time, seeded delay, loss, duplication, cuts and crashes."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import trio

from node.transport import MAX_ANSWER, BadAnswer, Refused, Unreachable
from node.transport.router import Refusal, Router

HOLD = 2.0  # seconds


@dataclass(frozen=True)
class Conditions:
    """How one direction of a link behaves. Times in seconds, the others are probabilities."""

    delay: float = 0.005
    jitter: float = 0.005  # added to the delay, uniformly
    loss: float = 0.0
    duplicate: float = 0.0
    held: float = 0.0  # held back for up to HOLD seconds more, so that later messages overtake it
    cut: bool = False


@dataclass
class Traffic:
    """What went over the whole network so far."""

    asked: int = 0
    answered: int = 0
    lost: int = 0
    duplicated: int = 0
    held: int = 0
    bytes: int = 0


class _Host:
    """A node that listens: its reception and the nursery in which its handlers live and die."""

    def __init__(self, router: Router, nursery: trio.Nursery) -> None:
        self.router = router
        self.nursery = nursery


class _Exchange:
    """One question under way. The answer arrives once; that of a duplicate is thrown away."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.answer: bytes | None = None
        self.failure: Exception | None = None

    def finish(self, answer: bytes | None, failure: Exception | None) -> None:
        if not self.done.is_set():
            self.answer, self.failure = answer, failure
            self.done.set()


class Network:
    """A network between any number of nodes. All chance comes from `seed`, all time from trio's clock."""

    def __init__(self, seed: int, conditions: Conditions | None = None) -> None:
        self._random = random.Random(seed)
        self._hosts: dict[bytes, _Host] = {}
        self._default = conditions or Conditions()
        self._special: dict[tuple[bytes, bytes], Conditions] = {}
        self.traffic = Traffic()

    def transport(self, source: bytes) -> "MemoryTransport":
        """The asking side of the node `source`."""
        return MemoryTransport(self, source)

    async def serve(
        self, member: bytes, router: Router, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Answers for `member` until cancelled; then it is as if the machine were off."""
        async with trio.open_nursery() as nursery:
            host = self._hosts[member] = _Host(router, nursery)
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                if self._hosts.get(member) is host:
                    del self._hosts[member]

    def conditions(self, source: bytes, target: bytes) -> Conditions:
        """How messages from `source` to `target` fare now."""
        return self._special.get((source, target), self._default)

    def set(self, source: bytes, target: bytes, conditions: Conditions) -> None:
        """Sets the conditions of one direction of one link."""
        self._special[source, target] = conditions

    def cut(self, sources: Iterable[bytes], targets: Iterable[bytes]) -> None:
        """Drops everything from `sources` to `targets`; the other direction stays."""
        targets = list(targets)
        for source in sources:
            for target in targets:
                self._special[source, target] = Conditions(cut=True)

    def heal(self) -> None:
        """Gives every link the default conditions again."""
        self._special.clear()

    async def carry(self, source: bytes, target: bytes, path: str, body: bytes) -> bytes:
        """One question and its answer; waits for ever if either is lost. Raises AskError."""
        self.traffic.asked += 1
        exchange = _Exchange()
        there = await self._travel(source, target, len(body))
        host = self._hosts.get(target)
        if host is None:
            raise Unreachable("connection refused")
        host.nursery.start_soon(self._deliver, host, exchange, source, path, body)
        if self._random.random() < there.duplicate:
            self.traffic.duplicated += 1
            later = self._random.random() * 10 * (there.delay + there.jitter)
            host.nursery.start_soon(self._deliver_later, host, later, source, path, body)
        await exchange.done.wait()
        await self._travel(target, source, len(exchange.answer or b""))
        if exchange.answer is None:
            raise exchange.failure or Unreachable("connection lost")
        self.traffic.answered += 1
        return exchange.answer

    async def _travel(self, source: bytes, target: bytes, size: int) -> Conditions:
        conditions = self.conditions(source, target)
        if conditions.cut or self._random.random() < conditions.loss:
            self.traffic.lost += 1
            await trio.sleep_forever()
        seconds = conditions.delay + self._random.random() * conditions.jitter
        if conditions.held and self._random.random() < conditions.held:
            self.traffic.held += 1
            seconds += self._random.random() * HOLD
        await trio.sleep(seconds)
        self.traffic.bytes += size
        return conditions

    async def _deliver(self, host: _Host, exchange: _Exchange, source: bytes, path: str, body: bytes) -> None:
        answer, failure = None, None
        try:
            answer = await host.router.answer(source, path, body)
        except Refusal as refusal:
            failure = Refused(refusal.status, refusal.reason)
        finally:  # also when the host dies meanwhile
            exchange.finish(answer, failure)

    async def _deliver_later(self, host: _Host, seconds: float, source: bytes, path: str, body: bytes) -> None:
        await trio.sleep(seconds)
        await self._deliver(host, _Exchange(), source, path, body)


class MemoryTransport:
    """`Transport` over a `Network`."""

    def __init__(self, network: Network, source: bytes) -> None:
        self._network = network
        self._source = source

    async def ask(self, peer: bytes, path: str, body: bytes, *, seconds: float, limit: int = MAX_ANSWER) -> bytes:
        """See `Transport.ask`."""
        try:
            with trio.fail_after(seconds):
                answer = await self._network.carry(self._source, peer, path, body)
        except trio.TooSlowError:
            raise Unreachable(f"no answer within {seconds:g} s") from None
        if len(answer) > limit:
            raise BadAnswer(f"the answer is larger than {limit} bytes")
        return answer
