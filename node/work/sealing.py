"""Sealing promotions: this node's signature over each statement that its own ledger computed."""

from consensus.ledger.priorities import due_seals
from consensus.ledger.records.transactions import Seal
from consensus.statement import pae
from node.work.context import WorkContext


async def seal_all(desk: WorkContext) -> None:
    """Seal every promotion that does not carry our seal yet, for ever."""
    sealed: set[bytes] = set()
    while True:
        moves = desk.moves
        for promotion in due_seals(desk.ledger, desk.me):
            if promotion.digest not in sealed:
                sealed.add(promotion.digest)
                signature = desk.key.sign(pae(promotion.statement))
                await desk.submit(Seal(desk.next_id(), promotion.digest, signature))
        await desk.moved(moves)
