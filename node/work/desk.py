"""What this node claims next: one slot chooses at a time, and what nobody works on any more is given back.

The next slot chooses when the claim of the last one has its place in the order. So each choice knows all earlier ones,
and no two slots of a node want the same.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from consensus.ledger.priorities import Subject, Work, next_work
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.transactions import Release
from node.system.tasks import wait_until
from node.work.backoff import LONGEST_OF_SLOTS_S, Backoff
from node.work.context import WorkContext
from node.work.limits import WorkLimits

_LOOK_S = 0.1
_LIMITED_S = 5.0


class ClaimDesk:
    """The claims of one node, for all of its worker slots.

    `contests` tells at which matches and series any slot failed lately: a slot of them that was given back is for other
    members first, and not for the next worker slot of this node.
    """

    def __init__(self, context: WorkContext, limits: WorkLimits | None = None) -> None:
        """Begin a life of the node: claims with ids from before were made in earlier ones.

        Nothing is claimed while `limits` say that there is no room.
        """
        self._limits = limits or WorkLimits()
        self.contests = Backoff(LONGEST_OF_SLOTS_S, leaves_slots=True)
        self._context = context
        self._born = context.next_id()
        self._abandoned: set[int] = set()
        self._given_back: set[int] = set()
        self._lock = trio.Lock()
        self._held: set[int] = set()
        self._is_open = True
        self._in_vain: tuple[int, frozenset[Subject]] | None = None  # `advances` and avoided subjects of a vain look

    async def claim(
        self, avoided: frozenset[Subject], fits: Callable[[Work], bool] = lambda _wish: True
    ) -> Claim | None:
        """Claim what is wanted most. Return None if nothing is, or if the order gave it to somebody else.

        Subjects in `avoided` are left alone. If what is wanted most does not fit, nothing is claimed.
        """
        context = self._context
        async with self._lock:
            await self._give_back()
            if not self._limits.may_claim:
                return None
            look = context.advances, avoided
            is_vain = not self._is_open or look == self._in_vain
            wish = None if is_vain else next_work(context.ledger, context.me, context.roles, avoided)
            if wish is None:
                self._in_vain = look
                return None
            if not fits(wish):
                return None
            number = context.next_id()
            with self.holding(number):
                await context.submit(wish.claim(number))
                await context.wait_until_ordered(number)
        with self.holding(number):
            while (claim := context.ledger.claim(context.me, number)) is not None and claim.waits:
                await context.wait_for_advance(context.advances)  # a later round fixes its seed or slot
        return claim

    def keep(self, number: int) -> None:
        """Count a claim as worked on already, for which `holding` begins in a task that was just started."""
        self._held.add(number)

    @contextmanager
    def holding(self, number: int) -> Iterator[None]:
        """Work on a claim; whatever ends that early leaves it to `claim` to give it back."""
        self._held.add(number)
        try:
            yield
        except BaseException:
            self._abandoned.add(number)
            raise
        finally:
            self._held.discard(number)

    def next_look(self) -> float:
        """Return when to look again even if the order stands still, by trio's clock: soon, while there is no room."""
        return math.inf if self._limits.may_claim else trio.current_time() + _LIMITED_S

    def close(self) -> None:
        """Claim nothing any more."""
        self._is_open = False

    async def wait_until_idle(self) -> None:
        """Return when no slot holds a claim."""
        await wait_until(lambda: not self._held, _LOOK_S)

    async def give_back_all(self) -> None:
        """Release what no slot works on, once that is all, and what is granted late."""
        await self.wait_until_idle()
        async with self._lock:
            while self._context.ledger.claims_of(self._context.me):
                advances = self._context.advances
                await self._give_back()
                await self._context.wait_for_advance(advances)

    async def _give_back(self) -> None:
        """Release what no slot works on any more. It may get its place in the order, and be granted, only now."""
        for claim in self._context.ledger.claims_of(self._context.me):
            is_old = claim.id < self._born
            if (is_old or claim.id in self._abandoned) and claim.id not in self._given_back:
                self._given_back.add(claim.id)
                reason = "the node was restarted" if is_old else "the work on it was broken off"
                await self._context.submit(Release(self._context.next_id(), claim.id, reason))
