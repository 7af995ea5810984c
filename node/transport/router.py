"""Who may ask what, how much and how often: the rules every request meets before its handler.

Both transports, the real one and the one in memory, answer through a `Router`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from node.system.token_bucket import TokenBucket
from node.transport import Handler


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """Raised by a handler or by the reception to answer with an HTTP status and one line of text."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Route:
    """One thing that can be asked, with what one member may use up of it."""

    handler: Handler
    limit: int  # bytes of a request's body
    seconds: float = 10.0  # for the handler
    concurrency: int = 2  # requests of one member at a time
    rate: float = 50.0  # requests of one member a second, on average
    burst: float = 100.0  # requests of one member at once, after a pause
    former: bool = False  # who was a member once may ask, too


class _Budget:
    """What one member may still use up of one route."""

    def __init__(self, route: Route) -> None:
        self._most = route.concurrency
        self._running = 0  # requests
        self._bucket = TokenBucket(route.rate, route.burst)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count a request while it is answered. Raises Refusal: 429."""
        if self._running >= self._most or not self._bucket.take(1, trio.current_time()):
            raise Refusal(429, "too many requests; ask less often")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


class Router:
    """Answers requests of members by path."""

    def __init__(self, members: Iterable[bytes], routes: Mapping[str, Route]) -> None:
        self._members, self._former = frozenset(members), frozenset[bytes]()
        self._routes = dict(routes)
        self._budgets: dict[tuple[bytes, str], _Budget] = {}

    def set_members(self, members: Iterable[bytes], former: Iterable[bytes] = ()) -> None:
        """From now on, these are answered and no one else; `former` ones where a route says so."""
        self._members, self._former = frozenset(members), frozenset(former)
        gone = [key for key in self._budgets if key[0] not in self._members | self._former]
        for key in gone:
            del self._budgets[key]

    def admit(self, path: str, size: int) -> Route:
        """The route of a request whose body has `size` bytes. Raises Refusal: 404, 413."""
        route = self._routes.get(path)
        if route is None:
            raise Refusal(404, "there is no such path")
        if size > route.limit:
            raise Refusal(413, f"the body is larger than {route.limit} bytes")
        return route

    async def answer(self, member: bytes, path: str, body: bytes) -> bytes:
        """Runs the handler of `path`.

        Raises Refusal: 403 a stranger, 404, 413, 429 too many, 503 too slow, and the handler's own.
        """
        route = self.admit(path, len(body))
        if member not in self._members and not (route.former and member in self._former):
            raise Refusal(403, "not a member of this swarm now")
        budget = self._budgets.get((member, path))
        if budget is None:
            budget = self._budgets[member, path] = _Budget(route)
        with budget.spend():
            try:
                with trio.fail_after(route.seconds):
                    return await route.handler(member, body)
            except trio.TooSlowError:
                raise Refusal(503, "overloaded; ask later") from None
