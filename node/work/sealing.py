"""Sealing promotions: this node's signature over each statement that its own ledger computed."""

from consensus.ledger.priorities import due_seals
from consensus.ledger.records.transactions import Seal
from consensus.statement import pae
from node.work.context import WorkContext


async def seal_all(context: WorkContext) -> None:
    """Seal every promotion that does not carry our seal yet, for ever."""
    sealed: set[bytes] = set()
    while True:
        advances = context.advances
        for promotion in due_seals(context.ledger, context.me):
            if promotion.digest not in sealed:
                sealed.add(promotion.digest)
                signature = context.key.sign(pae(promotion.statement))
                await context.submit(Seal(context.next_id(), promotion.digest, signature))
        await context.wait_for_advance(advances)
