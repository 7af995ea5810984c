"""A node's part beyond ordering: once level with the others, it works, votes and seals."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import trio

from consensus.ledger.priorities import why_rest
from consensus.ledger.records.transactions import Profile
from consensus.ledger.rules.custody import chances_of
from node.blobs.custody import Custodian
from node.blobs.pushing import Pusher
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.system.supervision import Supervisor, Unsupervised
from node.system.tasks import wait_until
from node.system.version import source_digest
from node.work.context import WorkContext
from node.work.desk import ClaimDesk
from node.work.drain import Drain
from node.work.idle import IdleHook
from node.work.limits import WorkLimits
from node.work.loop import work_on
from node.work.nominating import nominate_on_regressions
from node.work.rates import Rates, have_changed
from node.work.sealing import seal_all
from node.work.slots import SlotState
from node.work.voting import vote_on_all
from node.work.worker import JobRunner

_LOOK_S = 0.5
"""Seconds between two looks at whether the node is level with the others."""

_MILLIONTHS = 1000
"""Of a currency unit, in which profiles count, in a thousandth of it, in which people do."""

_RATES_S = 60.0
"""Least time between two profiles of which the second tells other rates."""


async def work_for_the_swarm(
    context: WorkContext,
    member: Member,
    gossip: Gossip,
    *,
    slots: Sequence[SlotState],
    checker: JobRunner,
    device: str,
    rates: Rates | None = None,
    life_s: int = 0,
    cost: int = 0,
    idle: IdleHook | None = None,
    custody: tuple[Custodian, Pusher] | None = None,
    drain: Drain | None = None,
    limits: WorkLimits | None = None,
    supervisor: Supervisor | None = None,
) -> None:
    """Announce this node's profile once it is level with a quorum; then work, vote and seal for ever.

    Before that, the ledger here lags: what it would have us claim was decided long ago. Each slot works by itself.
    Checks have a worker of their own, `checker`, so that a vote never waits for a long job. All of this rests while the
    ledger here differs from that of the others, and once another process has this node's key. Each of these is a part
    of its own for `supervisor`.
    """
    run = (supervisor or Unsupervised()).run
    await wait_until(lambda: not member.status().listening and gossip.is_caught_up(), _LOOK_S)
    roles = tuple(sorted(context.roles))
    profile = _Profiles(
        context,
        roles,
        device,
        rates=rates or Rates(),
        is_reached=gossip.is_asked,
        disk_gib=lambda: None if limits is None else limits.room_gib,
        life_s=life_s,
        cost=cost,
    )
    await profile.submit()
    desk = ClaimDesk(context, limits)
    while True:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "sealing", seal_all, context)
            nursery.start_soon(run, "voting", vote_on_all, context, checker)
            if context.genesis.settings.steering.rules:
                nursery.start_soon(run, "nominating", nominate_on_regressions, context)
                nursery.start_soon(run, "telling rates", profile.run)
            if custody is not None and context.genesis.settings.steering.rules:
                nursery.start_soon(run, "holding shards", custody[0].run)
                nursery.start_soon(run, "bringing shards", custody[1].run)
            if roles:
                scope = trio.CancelScope()
                nursery.start_soon(_work_in, context, desk, slots, run, scope)
                if drain is not None:
                    nursery.start_soon(run, "draining", drain.run, context, desk, scope.cancel)
            if roles and idle is not None:
                nursery.start_soon(run, "idle hook", idle.run, partial(_why_idle, context))
            await wait_until(lambda: member.must_rest, _LOOK_S)
            nursery.cancel_scope.cancel()
        await wait_until(lambda: not member.must_rest, _LOOK_S)


async def _work_in(
    context: WorkContext,
    desk: ClaimDesk,
    slots: Sequence[SlotState],
    run: Callable[..., Awaitable[None]],
    scope: trio.CancelScope,
) -> None:
    """Work in each slot until `scope` is cancelled; each is a part of its own."""
    with scope:
        async with trio.open_nursery() as nursery:
            for slot in slots:
                part = "working" if len(slots) == 1 else f"working in slot {slot.slot.number}"
                nursery.start_soon(run, part, work_on, context, desk, slot)


def _why_idle(context: WorkContext) -> str:
    """Return why nothing is wanted from this node; empty if something is, or if it works."""
    if context.ledger.claims_of(context.me):
        return ""
    return why_rest(context.ledger, context.me, context.roles)


class _Profiles:
    """What this node announces of itself: first its roles, then its measured rates, and whether nobody reaches it."""

    def __init__(
        self,
        context: WorkContext,
        roles: tuple[str, ...],
        device: str,
        *,
        rates: Rates,
        is_reached: Callable[[], bool],
        disk_gib: Callable[[], int | None] = lambda: None,
        life_s: int = 0,
        cost: int = 0,  # of an hour, thousandths
    ) -> None:
        self._context = context
        self._roles, self._device, self._rates = roles, device, rates
        self._ends = trio.current_time() + life_s if life_s else None
        self._cost = cost * _MILLIONTHS
        self._told: Mapping[str, int] = {}
        self._is_reached, self._disk_gib = is_reached, disk_gib
        self._told_disk_gib: int | None = None
        self._was_hidden = self._hidden = False  # at the last look, and as announced

    async def submit(self) -> None:
        """Announce the profile as it is now."""
        self._told = self._rates.announced() if self._context.genesis.settings.steering.rules else {}
        self._told_disk_gib = self._disk_gib() if self._unit_gib else None
        left = 0 if self._ends is None else max(1, round(self._ends - trio.current_time()))
        profile = Profile(
            self._context.next_id(),
            roles=self._roles,
            device=self._device,
            software=source_digest(),
            rates=self._told,
            cost=self._cost,
            life=left,
            hidden=True if self._hidden else None,
            disk=self._told_disk_gib,
        )
        await self._context.submit(profile)

    async def run(self) -> None:
        """Announce the profile again when what it tells has changed: rates, disk, whether anybody reaches this node."""
        has_rules = bool(self._context.genesis.settings.steering.rules)
        while True:
            await trio.sleep(_RATES_S)
            news = have_changed(self._told, self._rates.announced()), self._observe_reach(), self._has_other_disk()
            if has_rules and any(news):
                await self.submit()

    @property
    def _unit_gib(self) -> int:
        return self._context.ledger.settings.steering.custody_disk_gib

    def _has_other_disk(self) -> bool:
        """Return whether the swarm would give this node more shards to hold, or fewer, than with the disk it told.

        What changes by less than a quarter is not told anew: it would move shards to and fro.
        """
        now, told, unit = self._disk_gib() if self._unit_gib else None, self._told_disk_gib, self._unit_gib
        if now is None or told is None:
            return now is not told
        return chances_of(now, unit) != chances_of(told, unit) and abs(now - told) * 4 > max(now, told)

    def _observe_reach(self) -> bool:
        """Take in whether others reach this node, and return whether two looks in a row say what was not announced."""
        is_hidden = not self._is_reached()
        has_changed = is_hidden == self._was_hidden != self._hidden
        self._was_hidden = is_hidden
        if has_changed:
            self._hidden = is_hidden
        return has_changed
