"""Single parts of `/status`, each of one object of the node."""

import trio

from node.api.status import ArchiveInfo, CurrentWorkInfo, DurationsInfo, ExchangesInfo, FailureInfo, SlotInfo
from node.blobs.archiving import Archiver
from node.system.histogram import Histogram
from node.system.supervision import PartFailure
from node.transport.exchanges import AskedExchanges
from node.work.context import WorkProgress
from node.work.slots import SlotState


def durations(histogram: Histogram) -> DurationsInfo:
    """Return a histogram of seconds."""
    classes = zip((*histogram.bounds_s, None), histogram.counts, strict=True)
    return {"classes": [{"most_s": most, "count": count} for most, count in classes], "sum_s": histogram.sum_s}


def exchanges_info(exchanges: AskedExchanges) -> dict[str, ExchangesInfo]:
    """Return the requests to peers, by their path."""
    paths = sorted({*exchanges.durations, *exchanges.failures})
    return {
        path: {"durations": durations(exchanges.durations[path]), "failures": exchanges.failures[path]}
        for path in paths
    }


def archive_info(archiver: Archiver) -> ArchiveInfo:
    """Return how far the archive is."""
    archive = archiver.archive
    return {
        "place": archive.place,
        "archived": archiver.archived,
        "archived_bytes": archiver.archived_bytes,
        "waiting": archiver.waiting,
        "uploaded_bytes": archive.uploaded_bytes,
        "restored_bytes": archive.restored_bytes,
        "error": archive.error,
        "error_ago_s": trio.current_time() - archive.error_at if archive.error else None,
    }


def slot_info(state: SlotState) -> SlotInfo:
    """Return a worker slot as it is now."""
    slot, work = state.slot, _current(state.work)
    return {
        "number": slot.number,
        "device": slot.device,
        "work": work,
        "failures": state.failures,
        "memory_bytes": state.memory_bytes,
        "memory_tier": state.memory_tier,
        "scarce": state.scarce,
    }


def _current(work: WorkProgress | None) -> CurrentWorkInfo | None:
    if work is None:
        return None
    return {
        "kind": work.kind,
        "subject": work.subject,
        "claim": str(work.claim),
        "done": work.done,
        "wished": work.wished,
        "since_s": trio.current_time() - work.since,
    }


def failure_info(failure: PartFailure) -> FailureInfo:
    """Return how a part of the node failed."""
    now = trio.current_time()
    return {
        "part": failure.part,
        "reason": failure.reason,
        "count": failure.count,
        "ago_s": now - failure.at,
        "again_in_s": None if failure.again_at is None else max(0.0, failure.again_at - now),
    }
