"""How a node ends its work: no new claims, what is done so far delivered, the rest given back, all within a bound.

For two thirds of the bound jobs go on, as many end by themselves then. After that self-play delivers the games that are
over as a smaller shard, trainings write a checkpoint, and after another sixth what still runs is broken off and given
back. The end comes when the order has all of it and others hold the shards (`consensus.ledger.rules.custody`), or when
the time is over: then leases end what is left.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import trio

from node.system.tasks import wait_until
from node.work.context import WorkContext
from node.work.desk import ClaimDesk

_log = structlog.get_logger(__name__)

_LOOK_S = 0.1
_GOING_ON, _DELIVERING = 4 / 6, 1 / 6
"""Shares of the bound in which jobs go on, and in which they deliver; the rest is for the order."""


class Drain:
    """The end of one node's work, which begins when `begin` is called, and takes at most `bound_s`.

    `enough` is set when self-play is to deliver what it has, and a training to write a checkpoint.
    """

    def __init__(self, bound_s: float) -> None:
        self.bound_s = bound_s
        self.enough = trio.Event()
        self._begun = trio.Event()
        self._is_at_work = False
        self._is_done = trio.Event()

    @property
    def has_begun(self) -> bool:
        """Whether the node takes no more work."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Take no more work from now on."""
        if not self.has_begun:
            _log.info("draining", bound_s=self.bound_s, remedy="a second signal ends the node at once")
            self._begun.set()

    async def wait_until_done(self) -> None:
        """Return when the work has ended, or the time for it is over; at once after `begin` if none is done here."""
        await self._begun.wait()
        with trio.move_on_after(self.bound_s):
            if self._is_at_work:
                await self._is_done.wait()

    async def run(self, context: WorkContext, desk: ClaimDesk, break_off: Callable[[], None]) -> None:
        """Drain the work of `desk` once that has begun; `break_off` cancels all jobs."""
        with self._at_work():
            await self._begun.wait()
            desk.close()
            with trio.move_on_after(_GOING_ON * self.bound_s):
                await desk.wait_until_idle()
            self.enough.set()
            with trio.move_on_after(_DELIVERING * self.bound_s):
                await desk.wait_until_idle()
            break_off()
            await desk.give_back_all()
            await wait_until(lambda: not _is_owed(context), _LOOK_S)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._is_at_work = True
        try:
            yield
        finally:
            self._is_at_work = False
            if self.has_begun:
                self._is_done.set()


def _is_owed(context: WorkContext) -> bool:
    """Return whether a claim of this node is live, or a shard of it is nowhere else yet."""
    ledger, me = context.ledger, context.me
    return bool(ledger.claims_of(me)) or any(shard.author == me for shard in ledger.unsafe_shards())
