"""The working day of one worker slot: choose, claim, wait for the grant, perform, report, and again.

Self-play goes on in claims that overlap: where the worker tells that it has room for more games and the same is wanted
most, the slot claims the next of the kind, whose games begin in the places of those that end (`training.pool`).
"""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog
import trio

from consensus.ledger.priorities import Subject, Work
from consensus.ledger.records.entities import SLOT_KINDS, Candidacy, Claim
from consensus.ledger.records.transactions import Candidate, Games, Progress, Release, Transaction
from node.system.tasks import run_unless
from node.work.context import JOB_FAILURES, WorkContext, WorkProgress, as_reason, subject_of
from node.work.desk import ClaimDesk
from node.work.jobs import perform
from node.work.slots import SlotState
from node.work.training import forget_checkpoint
from node.work.watchdog import LatestProgress
from node.work.watched import WatchedGame, read_game
from node.work.worker import Report
from training.progress import ignore_progress

_USUAL_CLAIMS, _MOST_CLAIMS, _SOON_S = 2, 8, 20.0
"""Of self-play in one slot: two overlap, and more only where all of them are over so soon."""

_log = structlog.get_logger(__name__)


async def work_on(context: WorkContext, desk: ClaimDesk, slot: SlotState) -> None:
    """Do in a slot what the swarm needs most, one claim at a time, for ever."""
    while True:
        advances = context.advances
        claim = await desk.claim(slot.backoff.avoided() | desk.contests.avoided())
        if claim is None:
            with trio.move_on_at(min(slot.backoff.next_end(), desk.contests.next_end(), desk.next_look())):
                await context.wait_for_advance(advances)
            continue
        while claim is not None:
            with desk.holding(claim.id):
                if slot.wants_new_process:
                    await slot.end_process("it holds much memory; the next one begins with little")
                claim = await _work_off(context, desk, slot, claim)


async def _work_off(context: WorkContext, desk: ClaimDesk, slot: SlotState, claim: Claim) -> Claim | None:
    """Work on a claim to its end; return the one to go on with, if there is one."""
    if claim.kind == "selfplay":
        return await _Play(context, desk, slot, claim).run()
    await _try_to_fulfil(context, desk, slot, claim)
    return None


class _Play:
    """Claims of self-play of one kind, which a slot works on together."""

    def __init__(self, context: WorkContext, desk: ClaimDesk, slot: SlotState, first: Claim) -> None:
        self._context, self._desk, self._slot, self._first = context, desk, slot, first
        self._has_room: dict[int, bool] = {}  # by claim, as its job told last
        self._left: dict[int, int] = {}  # games
        self._claimed, self._since = 0, trio.current_time()  # games of all claims so far
        self._changed = trio.Event()

    async def run(self) -> Claim | None:
        """Return when all claims have ended; if one of another kind was granted, return it, to go on with."""
        other: Claim | None = None
        with ExitStack() as held:
            async with trio.open_nursery() as nursery:
                self._begin(nursery, self._first)
                while self._has_room and other is None:
                    advances, changed = self._context.advances, self._changed
                    claim = await self._claim_next() if self._wants_another() else None
                    if claim is None:
                        await self._wait(advances, changed)
                    elif _kind_of(claim) == _kind_of(self._first):
                        self._begin(nursery, claim)
                    else:  # meanwhile another model became canonical, or the settings changed
                        held.enter_context(self._desk.holding(claim.id))
                        other = claim
        return other

    def _begin(self, nursery: trio.Nursery, claim: Claim) -> None:
        self._has_room[claim.id], self._left[claim.id] = False, claim.amount
        self._claimed += claim.amount
        self._desk.keep(claim.id)
        nursery.start_soon(self._fulfil, claim)

    async def _fulfil(self, claim: Claim) -> None:
        with self._desk.holding(claim.id):
            try:
                await _try_to_fulfil(self._context, self._desk, self._slot, claim, partial(self._observe, claim))
            finally:
                del self._has_room[claim.id], self._left[claim.id]
                self._tell_change()

    def _observe(self, claim: Claim, progress: Mapping[str, Any]) -> None:
        has_room = progress.get("room") == 1
        self._left[claim.id] = claim.amount - min(claim.amount, int(progress.get("games", 0)))
        if has_room != self._has_room[claim.id]:
            self._has_room[claim.id] = has_room
            self._tell_change()

    def _tell_change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _wants_another(self) -> bool:
        """Return whether there is room, and few claims are held: more than two only if all are soon over."""
        count = len(self._has_room)
        if not all(self._has_room.values()) or self._slot.wants_new_process:
            return False
        return count < _USUAL_CLAIMS or (count < _MOST_CLAIMS and self._left_s() < _SOON_S)

    def _left_s(self) -> float:
        """Return how long the games that are left take, as fast as those so far were played."""
        left = sum(self._left.values())
        done = self._claimed - left
        return left / done * (trio.current_time() - self._since) if done else math.inf

    async def _claim_next(self) -> Claim | None:
        avoided = self._slot.backoff.avoided() | self._desk.contests.avoided()
        return await self._desk.claim(avoided, self._is_more)

    def _is_more(self, wish: Work) -> bool:
        first = self._first
        return (wish.kind, wish.configuration, wish.model) == (first.kind, first.configuration, first.model)

    async def _wait(self, advances: int, changed: trio.Event) -> None:
        """Return when the order goes on, if there is room, or when that changes, or a claim ends."""
        if self._wants_another():
            await run_unless(partial(self._context.wait_for_advance, advances), changed.wait)
        else:
            await changed.wait()


def _kind_of(claim: Claim) -> tuple[object, ...]:
    """Return what must be the same of two claims of self-play whose games are played together."""
    budget = claim.simulations, claim.opening_plies, claim.noise
    return claim.configuration, claim.model, claim.settings_version, *budget


async def _try_to_fulfil(
    context: WorkContext, desk: ClaimDesk, slot: SlotState, claim: Claim, observe: Report = ignore_progress
) -> None:
    """Perform a granted claim; if it fails, release it, and leave its subject alone for a while."""
    subject: Subject = (claim.kind, claim.configuration, claim.candidate)
    backoff = desk.contests if claim.kind in SLOT_KINDS else slot.backoff
    try:
        await _fulfil(context, slot, claim, observe)
        backoff.forget(subject)
    except JOB_FAILURES as trouble:
        if claim.kind != "selfplay" or subject not in backoff.avoided():  # claims that fail together are one failure
            backoff.record_failure(subject)
        slot.failures += 1
        where, why = {"slot": slot.slot.number, "configuration": claim.configuration}, str(trouble)
        _log.warning("work failed", kind=claim.kind, why=why, **where)
        await context.submit(Release(context.next_id(), claim.id, as_reason(why)))
    finally:
        slot.forget(claim.id)


async def _fulfil(context: WorkContext, slot: SlotState, claim: Claim, observe: Report = ignore_progress) -> None:
    """Perform a granted claim while its lease is renewed; stop at once if nobody wants it any more.

    `observe` is called with its progress, too.
    """
    tally = _Tally(slot, claim)

    def tell(progress: Mapping[str, Any]) -> None:
        tally.observe(progress)
        observe(progress)

    report = await run_unless(
        partial(perform, context, slot.runner, claim, tell),
        partial(_renew, context, claim, tally),
        partial(_until_unwanted, context, claim),
    )
    if report is not None:
        await context.submit(report, *_release_of_rest(context, claim, report))
        if isinstance(report, Candidate):
            forget_checkpoint(context, claim)
        if claim.kind != "selfplay":  # a match goes on, or begins: see it before something else is chosen
            await context.wait_until_ordered(report.id)


def _release_of_rest(context: WorkContext, claim: Claim, report: Transaction) -> tuple[Release, ...]:
    """Return the release of a claim of self-play that fewer games were delivered of than it is for."""
    if not isinstance(report, Games) or report.games >= claim.amount:
        return ()
    return (Release(context.next_id(), claim.id, f"{report.games} games of {claim.amount}: the node ends its work"),)


class _Tally:
    """How much of a claim is done, by the worker's own count, which the slot shows."""

    def __init__(self, slot: SlotState, claim: Claim) -> None:
        self._slot = slot
        self._claim = claim
        self._since = trio.current_time()
        self.done = 0
        self._latest = LatestProgress()
        self._has_progressed = False
        self._game: WatchedGame | None = None
        self._show()

    def observe(self, progress: Mapping[str, Any]) -> None:
        """Take in a progress report; games and steps are the units of claimed amounts, and `wanted` is all of them."""
        if self._latest.observe(progress, trio.current_time()):
            self._has_progressed = True
            self.done = max(self.done, self._done_by(progress))
            self._game = read_game(self._claim, progress.get("game"))
            self._show()

    def _done_by(self, progress: Mapping[str, Any]) -> int:
        made, amount = int(progress.get("games", progress.get("steps", 0))), self._claim.amount
        wanted = int(progress.get("wanted", amount))  # the first networks of a configuration take more steps
        return min(made * amount // max(1, wanted), amount)

    def take_progress(self) -> bool:
        """Return whether the job has gone on since the last call, or is busy compiling."""
        has_progressed, self._has_progressed = self._has_progressed, False
        return has_progressed or self._latest.is_compiling(trio.current_time())

    def _show(self) -> None:
        claim = self._claim
        self._slot.show(
            WorkProgress(
                kind=claim.kind,
                subject=subject_of(claim),
                claim=claim.id,
                done=self.done,
                wished=claim.amount,
                since=self._since,
                game=self._game,
            )
        )


async def _renew(context: WorkContext, claim: Claim, tally: _Tally) -> None:
    """Renew the lease as long as the work goes on: progress that is only repeated does not renew it."""
    pause = context.genesis.settings.timing.lease_s / 4
    while True:
        await trio.sleep(pause)
        if tally.take_progress():
            number = context.next_id()
            await context.submit(Progress(number, claim.id, tally.done))
            await context.wait_until_ordered(number)  # without a quorum they would only pile up


async def _until_unwanted(context: WorkContext, claim: Claim) -> None:
    while _is_wanted(context, claim):
        await context.wait_for_advance(context.advances)


def _is_wanted(context: WorkContext, claim: Claim) -> bool:
    """Return whether the result could count: that of a slot does after its lease, until another member has the slot."""
    if context.ledger.claim(claim.author, claim.id) is not None:
        return True
    contest = context.ledger.contest(claim.candidate) if claim.candidate is not None else None
    if contest is None or claim.slot is None or (isinstance(contest, Candidacy) and contest.ripe is not None):
        return False
    slot = contest.slots[claim.slot]
    return slot.claim == claim.key and slot.result is None
