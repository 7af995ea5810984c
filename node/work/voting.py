"""Votes and findings: this node fetches and replays every counted game before it approves a candidate.

Results are replayed as they come, so that a wrong one is found while the match can do without it. If this node finds
a result wrong, it says so to the others (`consensus.ledger.rules.findings`) and waits until they have decided: if they
agree, the result is struck and there is nothing to vote on; if they do not, this node rejects the candidate.
"""

from collections.abc import Iterator

import structlog
import trio

from consensus.ledger.priorities import Subject, due_findings, due_votes
from consensus.ledger.records.cases import Case, SlotReport, report_of
from consensus.ledger.records.entities import Candidacy
from consensus.ledger.records.ratings import Contest
from consensus.ledger.records.transactions import Finding, Vote
from consensus.ledger.rules.scores import counted_slots
from node.text.formatting import short_hex
from node.work.absences import Absences, watch_models
from node.work.backoff import Backoff
from node.work.context import JOB_FAILURES, NobodyHasError, WorkContext, as_reason
from node.work.replays import Replays, unless_over
from node.work.shard_checks import check_shards
from node.work.worker import JobRunner

_log = structlog.get_logger(__name__)


LONGEST_PAUSE_S = 60.0
"""Pause after several failures at one candidate, whose time to be voted on is limited."""


async def vote_on_all(context: WorkContext, worker: JobRunner) -> None:
    """Replay what is reported, check what somebody found wrong, and vote on each candidate that is ripe, for ever.

    What cannot be checked now (a games file that nobody who answers has, a worker that died) is tried again
    after a pause; the time for it is limited by the ledger, not here.
    """
    absences = Absences(context)
    findings = _Findings(context, Replays(context, worker), absences)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_models, context, absences)
        nursery.start_soon(_look_ahead, context, findings)
        nursery.start_soon(_answer_all, context, findings)
        nursery.start_soon(check_shards, context, findings.replays.perform)
        await _vote_on_all(context, findings)


class _Findings:
    """What this node says about reported slots."""

    def __init__(self, context: WorkContext, replays: Replays, absences: Absences) -> None:
        self._context = context
        self.replays = replays
        self.absences = absences
        self._submitted: dict[bytes, int] = {}  # the id of our finding, by the digest of the result

    async def find(self, report: SlotReport) -> str:
        """Return what is wrong with a result; empty if nothing is. Raise `WorkError`."""
        try:
            wrong = await self.replays.find(report)
        except NobodyHasError:
            await self.absences.observe_games(report)
            raise
        self.absences.forget(report.candidate, report.digest)
        return wrong

    async def submit(self, report: SlotReport, wrong: str) -> None:
        """Submit our one finding about a result."""
        if report.digest in self._submitted:
            return
        number = self._submitted[report.digest] = self._context.next_id()
        found = Finding(
            number,
            candidate=report.candidate,
            slot=report.slot,
            result=report.digest,
            wrong=bool(wrong),
            reason=as_reason(wrong),
        )
        try:
            await self._context.submit(found)
        except JOB_FAILURES:
            del self._submitted[report.digest]
            raise

    def is_pending(self, report: SlotReport) -> bool:
        """Return whether the members are deciding about this result."""
        number, ledger = self._submitted.get(report.digest), self._context.ledger
        waits = number is not None and not ledger.has_used(self._context.me, number)
        return waits or ledger.case(report.digest) is not None

    def may_accuse(self, contest: Contest, report: SlotReport) -> bool:
        """Return whether a finding of ours that it is wrong would make the members decide about this result."""
        return report.digest not in self._submitted and self._context.ledger.can_open_case(self._context.me, contest)


async def _look_ahead(context: WorkContext, findings: _Findings) -> None:
    """Replay the results of matches and series that are being played, and report those that are wrong."""
    settled: set[bytes] = set()  # results that are right, or of which we have said that they are not
    backoff = Backoff(LONGEST_PAUSE_S)
    while True:
        advances = context.advances
        reported = [
            (contest, number, slot.result)
            for contest in _played_now(context)
            for number, slot in enumerate(contest.slots)
            if slot.result is not None
        ]
        settled &= {result.fingerprint for _, _, result in reported}
        for contest, number, result in reported:
            subject: Subject = ("match", contest.configuration, result.fingerprint)
            if result.fingerprint in settled or subject in backoff.avoided():
                continue
            report = report_of(contest, number)
            assert report is not None
            try:
                if await _is_settled(context, findings, report):
                    settled.add(result.fingerprint)
            except JOB_FAILURES:
                backoff.record_failure(subject)  # who has to vote on it, or to answer for it, says why
        with trio.move_on_at(backoff.next_end()):
            await context.wait_for_advance(advances)


def _played_now(context: WorkContext) -> Iterator[Contest]:
    """Yield the matches that are being played, and then the series, as matches wait for their results."""
    yield from (candidacy for candidacy in context.ledger.candidates() if candidacy.ripe is None)
    yield from context.ledger.series()


async def _is_settled(context: WorkContext, findings: _Findings, report: SlotReport) -> bool:
    """Return whether nothing is left to say about a result: it is right, or we have said that it is wrong."""

    def is_open() -> bool:
        present = context.ledger.contest(report.candidate)
        return present is not None and present.slots[report.slot].result == report.result

    wrong = await unless_over(context, is_open, lambda: findings.find(report))
    present = context.ledger.contest(report.candidate)
    if wrong and present is not None and not findings.is_pending(report) and findings.may_accuse(present, report):
        await findings.submit(report, wrong)
        return True
    return wrong == ""


async def _answer_all(context: WorkContext, findings: _Findings) -> None:
    """Answer open cases side by side: one whose games nobody has must not keep us from the others."""
    begun: set[bytes] = set()
    async with trio.open_nursery() as nursery:
        while True:
            advances = context.advances
            cases = context.ledger.cases()
            begun &= {case.id for case in cases}
            for case in due_findings(context.ledger, context.me):
                if case.id not in begun:
                    begun.add(case.id)
                    nursery.start_soon(_answer, context, findings, case)
            await context.wait_for_advance(advances)


async def _answer(context: WorkContext, findings: _Findings, case: Case) -> None:
    """Replay what is under suspicion and say what we found, unless the case is closed before."""
    backoff = Backoff(LONGEST_PAUSE_S)
    subject: Subject = ("match", case.report.configuration, case.id)

    def is_open() -> bool:
        return context.ledger.case(case.id) is not None

    while is_open():
        try:
            wrong = await unless_over(context, is_open, lambda: findings.find(case.report))
            if wrong is not None:
                await findings.submit(case.report, wrong)
            return
        except JOB_FAILURES as trouble:
            backoff.record_failure(subject)
            _log.warning("finding put off", result=short_hex(case.id), why=str(trouble))
        await trio.sleep_until(backoff.next_end())


async def _vote_on_all(context: WorkContext, findings: _Findings) -> None:
    voted: set[bytes] = set()  # digests of the results on which we did
    backoff = Backoff(LONGEST_PAUSE_S)
    while True:
        advances = context.advances
        for candidacy in due_votes(context.ledger, context.me):
            assert candidacy.ripe is not None
            subject: Subject = ("match", candidacy.configuration, candidacy.id)
            if candidacy.ripe.results in voted or subject in backoff.avoided():
                continue
            try:
                vote = await _judge(context, findings, candidacy)
                if vote is not None:
                    await context.submit(vote)
                    voted.add(candidacy.ripe.results)
            except JOB_FAILURES as trouble:
                backoff.record_failure(subject)
                _log.warning("vote put off", candidate=short_hex(candidacy.id), why=str(trouble))
        with trio.move_on_at(backoff.next_end()):
            await context.wait_for_advance(advances)


async def _judge(context: WorkContext, findings: _Findings, candidacy: Candidacy) -> Vote | None:
    """Return our vote; None if the candidate is decided, or the members decide about a finding first."""
    assert candidacy.ripe is not None
    results = candidacy.ripe.results

    def is_open() -> bool:
        present = context.ledger.candidate(candidacy.id)
        return present is not None and present.ripe is not None and present.ripe.results == results

    first = await unless_over(context, is_open, lambda: _first_wrong(findings, candidacy))
    present = context.ledger.candidate(candidacy.id)
    if first is None or present is None or not is_open():
        return None
    report, wrong = first
    if report is None:
        return Vote(context.next_id(), candidacy.id, True, results, "")
    if findings.is_pending(report):
        return None
    if findings.may_accuse(present, report):
        await findings.submit(report, wrong)
        return None
    return Vote(context.next_id(), candidacy.id, False, results, as_reason(f"slot {report.slot}: {wrong}"))


async def _first_wrong(findings: _Findings, candidacy: Candidacy) -> tuple[SlotReport | None, str]:
    """Return the first counted slot that is not as it was reported, and why; None if all are right.

    Then the model is here, too: one that only its friends have must not become what everybody needs.
    """
    assert candidacy.ripe is not None
    for number in range(counted_slots(candidacy.ripe.blocks, candidacy.settings.slot_blocks)):
        report = report_of(candidacy, number)
        assert report is not None
        if wrong := await findings.find(report):
            return report, wrong
    await findings.absences.fetch_model(candidacy)
    return None, ""
