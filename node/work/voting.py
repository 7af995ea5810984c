"""Voting on ripe candidates: every counted game is fetched and replayed here before this node says yes."""

import structlog
import trio

from consensus.ledger.entities import Candidacy, SlotResult
from consensus.ledger.priorities import Subject, due_votes
from consensus.ledger.transactions import Vote
from node.work.desk import Desk, as_reason
from node.work.failures import Failures
from node.work.jobs import slot_blocks
from node.work.workshop import WorkError, Workshop

log = structlog.get_logger()


LONGEST_PAUSE_S = 60.0
"""After several failures at one candidate; its time to be voted on is limited."""


async def vote_on_all(desk: Desk, workshop: Workshop) -> None:
    """Vote on each candidate that is ripe, for ever.

    What cannot be checked now (a games file that nobody who answers has, a worker that died) is tried again
    after a pause; a candidate's time to be voted on is limited by the ledger, not here.
    """
    voted: set[bytes] = set()
    failures = Failures(LONGEST_PAUSE_S)
    while True:
        moves = desk.moves
        for candidacy in due_votes(desk.ledger, desk.me):
            subject: Subject = ("match", candidacy.configuration, candidacy.id)
            if candidacy.id in voted or subject in failures.avoided():
                continue
            try:
                vote = await _judge(desk, workshop, candidacy)
            except WorkError as trouble:
                failures.note(subject)
                log.warning("vote put off", candidate=candidacy.id.hex()[:12], why=str(trouble))
                continue
            if vote is not None:
                voted.add(candidacy.id)
                await desk.submit(vote)
        with trio.move_on_at(failures.next_end()):
            await desk.moved(moves)


async def _judge(desk: Desk, workshop: Workshop, candidacy: Candidacy) -> Vote | None:
    """Our vote; None if the candidate was closed before we knew. Raises `WorkError`."""
    assert candidacy.ripe is not None
    vote: Vote | None = None
    trouble: WorkError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_when_closed, desk, candidacy.id, nursery.cancel_scope)
        try:
            wrong = await _check(desk, workshop, candidacy)
            results = candidacy.ripe.results
            vote = Vote(desk.next_id(), candidacy.id, wrong is None, results, as_reason(wrong or ""))
        except WorkError as error:
            trouble = error
        nursery.cancel_scope.cancel()
    if trouble is not None:
        raise trouble
    return vote


async def _stop_when_closed(desk: Desk, candidate: bytes, scope: trio.CancelScope) -> None:
    while desk.ledger.candidate(candidate) is not None:
        await desk.moved(desk.moves)
    scope.cancel()


async def _check(desk: Desk, workshop: Workshop, candidacy: Candidacy) -> str | None:
    """None if every counted slot is as it was reported, else one line that says what is wrong."""
    assert candidacy.ripe is not None
    counted = -(-candidacy.ripe.blocks // candidacy.settings.slot_blocks)
    for number in range(counted):
        result = candidacy.slots[number].result
        assert result is not None
        wrong = await _check_slot(desk, workshop, candidacy, number, result)
        if wrong is not None:
            return f"slot {number}: {wrong}"
    return None


async def _check_slot(
    desk: Desk, workshop: Workshop, candidacy: Candidacy, number: int, result: SlotResult
) -> str | None:
    blob = await desk.fetch(result.blob, result.size)
    if (size := blob.stat().st_size) != result.size:
        return f"the games have {size} bytes, but {result.size} were claimed"
    blocks = slot_blocks(candidacy, number)
    done = await workshop.perform(
        {
            "job": "check",
            "config": candidacy.configuration,
            "blob": str(blob),
            "blocks": blocks,
            "scores": [[block, score] for (block, _), score in zip(blocks, result.scores, strict=True)],
            "root": result.root,
            "settings": {"opening_plies": candidacy.settings.opening_plies},
        },
        lambda _progress: None,
    )
    return None if done["ok"] else str(done["reason"])
