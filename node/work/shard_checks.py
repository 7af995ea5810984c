"""Checks of shards: those in doubt, or of authors that are not trusted, are compared with what was announced."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import structlog
import trio

from consensus.ledger.priorities import Subject
from consensus.ledger.records.entities import Shard, ShardFacts
from consensus.ledger.records.shard_cases import MISSING
from consensus.ledger.records.transactions import UNIFORM, ShardFinding
from consensus.ledger.steering.checks import due_shard_checks
from node.text.formatting import short_hex
from node.work.absences import MISSING_S
from node.work.backoff import Backoff
from node.work.context import JOB_FAILURES, NobodyHasError, WorkContext, as_reason, failing_only_the_job
from node.work.digests import digest_file
from node.work.replays import unless_over
from node.work.worker import WorkError

LONGEST_PAUSE_S = 60.0
"""Pause after several failures at one shard, whose case is open for a limited time."""

Perform = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]

_log = structlog.get_logger(__name__)


def announcement_of(shard: Shard) -> dict[str, Any] | None:
    """Return what a worker compares a shard with (`training.facts.Announcement`); None if no facts were announced."""
    if shard.facts is None:
        return None
    return {
        "model": shard.model,
        "seed": shard.seed,
        "root": shard.root,
        "games": shard.games,
        "plies": shard.plies,
        "opening_plies": shard.opening_plies,
        "is_random": shard.model == UNIFORM,
        "facts": {item.name: getattr(shard.facts, item.name) for item in fields(ShardFacts)},
    }


async def check_shards(context: WorkContext, perform: Perform) -> None:
    """Check the shards that are due, side by side, for ever; `perform` has a job done by the worker."""
    begun: set[bytes] = set()
    async with trio.open_nursery() as nursery:
        while True:
            advances = context.advances
            due = due_shard_checks(context.ledger, context.me)
            begun &= {shard.digest for shard in due}
            for shard in due:
                if shard.digest not in begun:
                    begun.add(shard.digest)
                    nursery.start_soon(_check, context, perform, shard)
            await context.wait_for_advance(advances)


async def _check(context: WorkContext, perform: Perform, shard: Shard) -> None:
    """Load a shard and say what we found, unless others have decided before."""
    backoff, since = Backoff(LONGEST_PAUSE_S), trio.current_time()
    subject: Subject = ("selfplay", shard.configuration, shard.digest)

    def is_due() -> bool:
        return any(entry.digest == shard.digest for entry in due_shard_checks(context.ledger, context.me))

    while is_due():
        try:
            wrong = await unless_over(context, is_due, lambda: _compare(context, perform, shard))
            if wrong is not None:
                await say_what_was_found(context, shard, wrong)
            return
        except JOB_FAILURES as trouble:
            if isinstance(trouble, NobodyHasError) and trio.current_time() - since >= MISSING_S:
                await say_what_was_found(context, shard, MISSING)
                return
            backoff.record_failure(subject)
            _log.warning("check of a shard put off", shard=short_hex(shard.digest), why=str(trouble))
        await trio.sleep_until(backoff.next_end())


async def _compare(context: WorkContext, perform: Perform, shard: Shard) -> str:
    with failing_only_the_job():
        path = await context.fetch(shard.digest, shard.size)
        job = {
            "job": "check_shard",
            "config": shard.configuration,
            "shard": str(path),
            "announced": announcement_of(shard),
        }
        done = await perform(job)
        wrong = "" if done["ok"] else str(done["reason"]) or "no reason given"
        if wrong:
            await require_undamaged(path, shard)
        return wrong


async def require_undamaged(path: Path, shard: Shard) -> None:
    """Raise WorkError if a file that seems wrong is not the one that was fetched: a broken disk accuses nobody."""
    try:
        found = await digest_file(path)
    except OSError as error:
        raise WorkError(f"{path}: cannot be read ({error.strerror or error})") from None
    if found != shard.digest:
        raise WorkError(f"{path}: damaged on this disk; it is not the shard that was fetched")


async def say_what_was_found(context: WorkContext, shard: Shard, wrong: str) -> None:
    """Submit our finding about a shard, if it has any effect now."""
    ledger = context.ledger
    present = ledger.shard(shard.digest)
    if present is None:
        return
    case = ledger.shard_case(shard.digest)
    if case is None:
        has_effect = ledger.can_doubt(context.me, present) if wrong else present.standing == "waiting"
    else:
        has_effect = all(entry.author != context.me for entry in case.findings)
    if has_effect:
        await context.submit(ShardFinding(context.next_id(), shard.digest, bool(wrong), as_reason(wrong)))
