"""Who may ask what, how much and how often: the rules that a request meets before its handler.

Both transports, the real one and the one in memory, answer through a `Router`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

import trio

from consensus.keys import MemberId
from node.system.token_bucket import TokenBucket
from node.transport import Handler
from node.transport.exchanges import tell_answered


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """Raised by a handler or by the router to answer with an HTTP status and one line of text."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Route:
    """One thing that members can ask for, and how much of it one member may use."""

    handler: Handler
    max_bytes: int  # of the body of a request
    timeout_s: float = 10.0  # for the handler
    concurrency: int = 2  # requests of one member at a time
    rate: float = 50.0  # requests of one member a second, on average
    burst: float = 100.0  # requests of one member at once, after a pause
    for_former_members: bool = False  # as well as for members


class _Budget:
    """What one member may still use of one route."""

    def __init__(self, route: Route) -> None:
        self._concurrency = route.concurrency
        self._running = 0  # requests
        self._bucket = TokenBucket(route.rate, route.burst)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count a request while it is answered. Raise Refusal: 429."""
        if self._running >= self._concurrency or not self._bucket.take(1, trio.current_time()):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many requests; ask less often")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1


class Router:
    """Answers requests of members by path."""

    def __init__(self, members: Iterable[MemberId], routes: Mapping[str, Route]) -> None:
        self._members, self._former = frozenset(members), frozenset[MemberId]()
        self._routes = dict(routes)
        self._budgets: dict[tuple[MemberId, str], _Budget] = {}

    def set_members(self, members: Iterable[MemberId], former: Iterable[MemberId] = ()) -> None:
        """Answer these members from now on and nobody else; `former` ones where a route is for them too."""
        self._members, self._former = frozenset(members), frozenset(former)
        gone = [key for key in self._budgets if key[0] not in self._members | self._former]
        for key in gone:
            del self._budgets[key]

    def check_size(self, path: str, size: int) -> Route:
        """Return the route of a request whose body has `size` bytes. Raise Refusal: 404, 413."""
        route = self._routes.get(path)
        if route is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such path")
        if size > route.max_bytes:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {route.max_bytes} bytes")
        return route

    async def answer(self, member: MemberId, path: str, body: bytes) -> bytes:
        """Return what the handler of `path` answers.

        Raise Refusal: 403 for a stranger, 404, 413, 429 for too many requests, 503 for a handler that took too
        long, and what the handler itself refuses.
        """
        began_at, outcome, sent = trio.current_time(), "broken off", 0
        try:
            answer = await self._answer(member, path, body)
            outcome, sent = str(HTTPStatus.OK.value), len(answer)
            return answer
        except Refusal as refusal:
            outcome = str(int(refusal.status))
            raise
        finally:
            known = path if path in self._routes else "unknown"
            tell_answered(member, known, outcome, received=len(body), sent=sent, began_at=began_at)

    async def _answer(self, member: MemberId, path: str, body: bytes) -> bytes:
        route = self.check_size(path, len(body))
        if not self._may_ask(member, route):
            raise Refusal(HTTPStatus.FORBIDDEN, "not a member of this swarm now")
        budget = self._budgets.get((member, path))
        if budget is None:
            budget = self._budgets[member, path] = _Budget(route)
        with budget.spend():
            try:
                with trio.fail_after(route.timeout_s):
                    return await route.handler(member, body)
            except trio.TooSlowError:
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded; ask later") from None

    def _may_ask(self, member: MemberId, route: Route) -> bool:
        return member in self._members or (route.for_former_members and member in self._former)
