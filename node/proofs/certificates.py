"""Certificates as files in the node's data directory, to be backed up or copied by hand."""

from pathlib import Path

import structlog

from consensus.certificate.envelope import make_certificate
from consensus.ledger.records.entities import Promotion
from engine.files import read_regular
from node.member.ledger_client import LedgerClient
from node.system.files import clear_place, write_atomically

_log = structlog.get_logger(__name__)


async def write_certificates(client: LedgerClient, directory: Path) -> None:
    """Write every complete certificate once, under configuration, number and id, for ever; also one that is damaged.

    One that cannot be written now (the disk is full) is tried again with the next round.
    """
    written: set[bytes] = set()
    while True:
        advances = client.advances
        for promotion in client.ledger.promotions():
            if promotion.certified and promotion.digest not in written:
                try:
                    if _write(directory, client, promotion):
                        written.add(promotion.digest)
                except OSError as error:
                    _log.warning("certificate not written", directory=str(directory), reason=str(error))
        await client.wait_for_advance(advances)


def _write(directory: Path, client: LedgerClient, promotion: Promotion) -> bool:
    """Write a certificate and return whether that was possible: the record of its roster may still lack seals."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{promotion.configuration}-{promotion.number:04}-{promotion.digest.hex()[:16]}.json"
    data = make_certificate(promotion, client.ledger)
    if data is not None and not _holds(path, data):
        if path.is_dir():
            clear_place(path)
        write_atomically(path, data)
    return data is not None


def _holds(path: Path, data: bytes) -> bool:
    try:
        return read_regular(path, len(data)) == data
    except OSError:
        return False
