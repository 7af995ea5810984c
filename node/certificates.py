"""The certificates as files in the node's data directory, for whoever backs it up or copies them by hand."""

import os
from pathlib import Path

from consensus.certificate import certificate
from consensus.ledger.entities import Promotion
from node.work.desk import Desk


async def keep_certificates(desk: Desk, directory: Path) -> None:
    """Write every complete certificate once, under configuration, number and id, for ever."""
    directory.mkdir(parents=True, exist_ok=True)
    written = 0
    while True:
        moves = desk.moves
        promotions = desk.ledger.promotions()
        while written < len(promotions) and promotions[written].certified:
            _write(directory, desk, promotions[written])
            written += 1
        await desk.moved(moves)


def _write(directory: Path, desk: Desk, promotion: Promotion) -> None:
    path = directory / f"{promotion.configuration}-{promotion.number:04}-{promotion.digest.hex()[:16]}.json"
    data = certificate(promotion, desk.genesis)
    if data is not None and not path.exists():
        partial = path.with_suffix(".part")
        partial.write_bytes(data)
        os.replace(partial, path)
