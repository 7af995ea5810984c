"""The working day of one worker slot: choose, claim, wait for the grant, perform, report, and again."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
import trio

from consensus.ledger.priorities import Subject
from consensus.ledger.records.entities import SLOT_KINDS, Candidacy, Claim
from consensus.ledger.records.transactions import Candidate, Games, Progress, Release, Transaction
from node.system.tasks import run_unless
from node.work.context import JOB_FAILURES, WorkContext, WorkProgress, as_reason
from node.work.desk import ClaimDesk
from node.work.jobs import perform
from node.work.slots import SlotState
from node.work.training import forget_checkpoint
from node.work.watchdog import LatestProgress

_log = structlog.get_logger(__name__)


async def work_on(context: WorkContext, desk: ClaimDesk, slot: SlotState) -> None:
    """Do in a slot what the swarm needs most, one claim at a time, for ever."""
    while True:
        advances = context.advances
        claim = await desk.claim(slot.backoff.avoided() | desk.contests.avoided())
        if claim is None:
            with trio.move_on_at(min(slot.backoff.next_end(), desk.contests.next_end())):
                await context.wait_for_advance(advances)
            continue
        with desk.holding(claim.id):
            await _try_to_fulfil(context, desk, slot, claim)


async def _try_to_fulfil(context: WorkContext, desk: ClaimDesk, slot: SlotState, claim: Claim) -> None:
    """Perform a granted claim; if it fails, release it, and leave its subject alone for a while."""
    subject: Subject = (claim.kind, claim.configuration, claim.candidate)
    backoff = desk.contests if claim.kind in SLOT_KINDS else slot.backoff
    try:
        await _fulfil(context, slot, claim)
        backoff.forget(subject)
    except JOB_FAILURES as trouble:
        backoff.record_failure(subject)
        slot.failures += 1
        where, why = {"slot": slot.slot.number, "configuration": claim.configuration}, str(trouble)
        _log.warning("work failed", kind=claim.kind, why=why, **where)
        await context.submit(Release(context.next_id(), claim.id, as_reason(why)))
    finally:
        slot.work = None


async def _fulfil(context: WorkContext, slot: SlotState, claim: Claim) -> None:
    """Perform a granted claim while its lease is renewed; stop at once if nobody wants it any more."""
    tally = _Tally(slot, claim)
    report = await run_unless(
        partial(perform, context, slot.runner, claim, tally.observe),
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
        self._show()

    def observe(self, progress: Mapping[str, Any]) -> None:
        """Take in a progress report; games and steps are the units of claimed amounts, and `wanted` is all of them."""
        if self._latest.observe(progress, trio.current_time()):
            self._has_progressed = True
            self.done = max(self.done, self._done_by(progress))
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
        subject = claim.configuration
        if claim.slot is not None and claim.candidate is not None:
            subject = f"{claim.configuration} {claim.candidate.hex()[:8]} slot {claim.slot}"
        self._slot.work = WorkProgress(
            kind=claim.kind,
            subject=subject,
            claim=claim.id,
            done=self.done,
            wished=claim.amount,
            since=self._since,
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
