"""What a node keeps of its exchanges with peers: how long they took, and for a person who looks a line of the log each.

An exchange has an id, its trace, which travels with the request and stands in the lines of both ends, so that they can
be joined. It is a header of W3C Trace Context, which other versions of this program do not look at. Nothing depends
on it: it is no proof of anything, and whoever sends another one disturbs only who reads the logs.
"""

import itertools
import re
import secrets
from collections import defaultdict
from collections.abc import Coroutine
from contextvars import ContextVar

import structlog
import trio

from consensus.keys import MemberId, id_text
from node.system.histogram import Histogram
from node.system.logs import tells_details
from node.transport import AskError, Refused

TRACE_HEADER = "traceparent"
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_PATTERN = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_numbers = itertools.count(1)
_START = secrets.token_hex(8)  # no two processes have the same, so that no two exchanges have
_trace: ContextVar[str] = ContextVar("trace", default="")

_log = structlog.get_logger(__name__)


def current_trace() -> str:
    """Return the trace of the exchange in which this task is, 32 hex digits; "" if it is in none that has one."""
    return _trace.get()


def follow_trace(trace: str) -> None:
    """Let this task, and the tasks that it starts, be in the exchange with this trace."""
    _trace.set(trace)


def format_trace(trace: str) -> str:
    """Return the header's value for a trace."""
    return f"00-{trace}-{trace[16:]}-00"


def parse_trace(header: bytes) -> str:
    """Return the trace in a header's value; "" if it has none, as those of other programs may."""
    found = _PATTERN.fullmatch(header)
    return found[1].decode() if found else ""


class AskedExchanges:
    """The exchanges that one node began."""

    def __init__(self) -> None:
        self.durations: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(BOUNDS_S))
        """By path, of those that were answered with what was asked for."""
        self.failures: defaultdict[str, int] = defaultdict(int)
        """By path, of the others."""

    async def follow(self, peer: MemberId, path: str, body: bytes, ask: Coroutine[object, object, bytes]) -> bytes:
        """Return the answer that `ask` brings, and take in how the exchange went. Raise AskError, as `ask` does."""
        earlier = _trace.set(f"{_START}{next(_numbers):016x}")
        began_at, received, outcome = trio.current_time(), 0, "broken off"
        try:
            answer = await ask
            received, outcome = len(answer), "200"
            self.durations[path].observe(trio.current_time() - began_at)
            return answer
        except AskError as error:
            outcome = str(error.status) if isinstance(error, Refused) else str(error)
            self.failures[path] += 1
            raise
        finally:
            _tell("asked", peer, path, outcome, sent=len(body), received=received, began_at=began_at)
            _trace.reset(earlier)


def tell_answered(peer: MemberId, path: str, outcome: str, *, received: int, sent: int, began_at: float) -> None:
    """Log that a request was answered, for a person who looks; `began_at` is of trio's clock."""
    _tell("answered", peer, path, outcome, sent=sent, received=received, began_at=began_at)


def _tell(title: str, peer: MemberId, path: str, outcome: str, *, sent: int, received: int, began_at: float) -> None:
    if tells_details():
        _log.debug(
            title,
            trace=_trace.get() or "none",
            peer=id_text(peer),
            path=path,
            outcome=outcome,
            sent_bytes=sent,
            received_bytes=received,
            took_s=round(trio.current_time() - began_at, 4),
        )
