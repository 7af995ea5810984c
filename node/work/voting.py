"""Voting on ripe candidates: every counted game is fetched and replayed here before this node says yes."""

import structlog

from consensus.ledger.entities import Candidacy, SlotResult
from consensus.ledger.priorities import due_votes
from consensus.ledger.transactions import Vote
from node.work.desk import Desk
from node.work.jobs import slot_blocks
from node.work.workshop import WorkError, Workshop

log = structlog.get_logger()


async def vote_on_all(desk: Desk, workshop: Workshop) -> None:
    """Vote on each candidate that is ripe, for ever.

    What cannot be checked now (a games file that nobody who answers has, a worker that died) is tried again
    with the next round; a candidate's time to be voted on is limited by the ledger, not here.
    """
    voted: set[bytes] = set()
    while True:
        moves = desk.moves
        for candidacy in due_votes(desk.ledger, desk.me):
            if candidacy.id in voted or candidacy.ripe is None:
                continue
            try:
                verdict = await _check(desk, workshop, candidacy)
            except WorkError as trouble:
                log.warning("vote put off", candidate=candidacy.id.hex()[:12], why=str(trouble))
                continue
            voted.add(candidacy.id)
            await desk.submit(
                Vote(desk.next_id(), candidacy.id, verdict is None, candidacy.ripe.results, verdict or "")
            )
        await desk.moved(moves)


async def _check(desk: Desk, workshop: Workshop, candidacy: Candidacy) -> str | None:
    """None if every counted slot is as it was reported, else one line that says what is wrong."""
    assert candidacy.ripe is not None
    counted = -(-candidacy.ripe.blocks // candidacy.settings.slot_blocks)
    for number in range(counted):
        result = candidacy.slots[number].result
        assert result is not None
        wrong = await _check_slot(desk, workshop, candidacy, number, result)
        if wrong is not None:
            return f"slot {number}: {wrong}"[:200]
    return None


async def _check_slot(
    desk: Desk, workshop: Workshop, candidacy: Candidacy, number: int, result: SlotResult
) -> str | None:
    blob = await desk.fetch(result.blob, result.size)
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
