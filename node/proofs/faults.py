"""Proofs of wrong results as files in the node's data directory, one each, kept for ever."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import structlog
import trio

from consensus.encoding import EncodingError, decode
from consensus.event import MAX_EVENT_BYTES
from consensus.fault_proof import SIZE_LIMIT, NotAProofError, ProofError, encode_proof, verify_proof
from consensus.ledger.priorities import Subject
from consensus.ledger.records.cases import Fault
from consensus.ledger.state.epoch_state import RECENT_EPOCHS
from engine.files import read_regular
from node.store import Store
from node.system.files import clear_place, write_atomically
from node.text.formatting import short_hex
from node.work.backoff import Backoff
from node.work.context import WorkContext
from node.work.worker import WorkError

SUFFIX = ".fault"
LONGEST_PAUSE_S = 600.0

_AT_ONCE = 512  # events that are read from the store in one go

_log = structlog.get_logger(__name__)


async def write_fault_proofs(context: WorkContext, store: Store, directory: Path) -> None:
    """Write the proof of every fault, if its events and games can be had, named by the result's digest.

    What is missing now (the games, the seals of a roster, room on the disk) is looked for again after a pause.
    """
    written: set[bytes] = set()
    backoff = Backoff(LONGEST_PAUSE_S)
    while True:
        advances = context.advances
        faults = context.ledger.faults()
        written &= {fault.id for fault in faults}
        for fault in faults:
            subject: Subject = ("match", fault.report.configuration, fault.id)
            if fault.id in written or subject in backoff.avoided():
                continue
            path = proof_path(directory, fault.id)
            try:
                if not await _is_kept(context, path):
                    data = await _proof(context, store, fault)
                    directory.mkdir(parents=True, exist_ok=True)
                    if path.is_dir():
                        clear_place(path)
                    write_atomically(path, data)
                    _log.warning("wrong result", result=short_hex(fault.id), reason=fault.reason, proof=str(path))
                written.add(fault.id)
            except (OSError, WorkError) as trouble:
                backoff.record_failure(subject)
                _log.warning("proof not written", result=short_hex(fault.id), reason=str(trouble))
        with trio.move_on_at(backoff.next_end()):
            await context.wait_for_advance(advances)


def proof_path(directory: Path, result: bytes) -> Path:
    """Return where the proof of a fault is kept."""
    return directory / f"{result.hex()}{SUFFIX}"


def read_proof(path: Path, genesis: bytes) -> bytes | None:
    """Return the proof that is kept at a path; None if there is none, or it is damaged or of another swarm."""
    try:
        data = read_regular(path, SIZE_LIMIT)
        verify_proof(data, genesis)
    except FileNotFoundError:
        return None
    except (NotAProofError, ProofError, OSError) as error:
        _log.warning("damaged proof, which the next start makes again", proof=str(path), reason=str(error))
        return None
    return data


async def _is_kept(context: WorkContext, path: Path) -> bool:
    is_kept = read_proof(path, context.genesis.digest) is not None
    await trio.lowlevel.checkpoint()
    return is_kept


async def _proof(context: WorkContext, store: Store, fault: Fault) -> bytes:
    """Return the bytes of a proof. Raise WorkError, which says what is missing."""
    chain = context.ledger.chain_to(fault.roster_version)
    if chain is None:
        raise WorkError("the record of its roster lacks seals")
    result = fault.report.result
    hashes = [result.place.event, *(entry.place.event for entry in fault.replays)]
    events = await find_events(store, hashes)
    missing = [digest for digest in hashes if digest not in events]
    if missing:
        raise WorkError(f"event {missing[0].hex()} is not kept any more")
    games = (await context.fetch(result.blob, result.size)).read_bytes()
    findings = list(dict.fromkeys(events[digest] for digest in hashes[1:]))
    raws = [sealed.raw for sealed in chain]
    data = encode_proof(context.genesis, raws, fault, event=events[result.place.event], findings=findings, games=games)
    if len(data) > SIZE_LIMIT:
        raise WorkError(f"it would have {len(data)} bytes, more than the {SIZE_LIMIT} that are read")
    return data


async def find_events(store: Store, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the raw events with these hashes that the store has; search the newest epochs first."""
    wanted, found = set(hashes), dict[bytes, bytes]()
    for number in range(store.epoch, max(-1, store.epoch - RECENT_EPOCHS), -1):
        start = 0
        while wanted and (raws := await store.read_events(number, start, _AT_ONCE)):
            start += len(raws)
            for raw in raws:
                digest = _hash_of(raw)
                if digest in wanted:
                    found[digest] = raw
                    wanted.remove(digest)
    return found


def _hash_of(raw: bytes) -> bytes | None:
    """Return the hash of a raw event of our own store; None if it is not an event."""
    try:
        match decode(raw, limit=MAX_EVENT_BYTES, items=3):
            case [bytes(header), bytes(), bytes()]:
                return sha256(header).digest()
    except EncodingError:
        pass
    return None
