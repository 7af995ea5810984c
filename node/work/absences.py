"""What this node cannot fetch from anybody: after trying for a stated time, it tells the others so.

More than 2/3 of the weight that say the same free the slot whose games are missing, or drop the candidate
(`consensus.ledger.rules.absences`). A swarm without `steering.rules` knows no such word; there the candidate's own time
ends it.
"""

from typing import Final

import structlog
import trio

from consensus.ledger.priorities import Subject
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Candidacy
from consensus.ledger.records.transactions import Missing
from node.text.formatting import short_hex
from node.work.backoff import Backoff
from node.work.context import JOB_FAILURES, NobodyHasError, WorkContext

_log = structlog.get_logger(__name__)

MISSING_S: Final = 120.0
"""Whoever has the data has this long to come back before they are called missing."""

_LONGEST_PAUSE_S = 60.0
_KEPT = 1024  # subjects that are remembered


class Absences:
    """What was tried to be fetched in vain, and since when."""

    def __init__(self, context: WorkContext) -> None:
        self._context = context
        self._since: dict[tuple[bytes, bytes], float] = {}  # by candidate and subject, trio's clock
        self._said: dict[tuple[bytes, bytes], None] = {}

    async def observe_games(self, report: SlotReport) -> None:
        """Take in that nobody has the games of a slot now."""
        await self._observe(report.candidate, report.slot, report.digest)

    async def fetch_model(self, candidacy: Candidacy) -> None:
        """Return when all files of a candidate are here. Raise `WorkError`."""
        try:
            for digest in candidacy.model.files.values():
                await self._context.fetch(digest, None)
        except NobodyHasError:
            await self._observe(candidacy.id, None, candidacy.model.digest)
            raise
        self.forget(candidacy.id, candidacy.model.digest)

    def forget(self, candidate: bytes, subject: bytes) -> None:
        """Take in that it could be fetched after all."""
        self._since.pop((candidate, subject), None)

    async def _observe(self, candidate: bytes, slot: int | None, subject: bytes) -> None:
        now, key = trio.current_time(), (candidate, subject)
        since = self._since.setdefault(key, now)
        if now - since < MISSING_S or key in self._said or not self._context.genesis.settings.steering.rules:
            return
        for known in (self._since, self._said):
            while len(known) > _KEPT:
                del known[next(iter(known))]
        await self._context.submit(Missing(self._context.next_id(), candidate, slot, subject))
        self._said[key] = None
        _log.warning("nobody has it", candidate=short_hex(candidate), slot=slot)


async def watch_models(context: WorkContext, absences: Absences) -> None:
    """Try to fetch the files of each candidate that nobody has measured yet some time after it was nominated, for ever.

    Members without the role match, which do not need them, can so say as well that they are missing.
    """
    fetched: set[bytes] = set()
    backoff = Backoff(_LONGEST_PAUSE_S)
    while True:
        advances = context.advances
        fetched &= {candidacy.id for candidacy in context.ledger.candidates()}
        for candidacy in context.ledger.candidates():
            subject: Subject = ("match", candidacy.configuration, candidacy.id)
            if candidacy.id in fetched or subject in backoff.avoided() or not _is_unmeasured(context, candidacy):
                continue
            try:
                await absences.fetch_model(candidacy)
                fetched.add(candidacy.id)
            except JOB_FAILURES:
                backoff.record_failure(subject)
        with trio.move_on_at(backoff.next_end()):
            await context.wait_for_advance(advances)


def _is_unmeasured(context: WorkContext, candidacy: Candidacy) -> bool:
    age_s = (context.ledger.clock - candidacy.place.clock) / 1e9
    return age_s >= MISSING_S and all(slot.result is None for slot in candidacy.slots)
