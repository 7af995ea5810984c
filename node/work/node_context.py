"""A node's real `WorkContext`: its member's voice in the order, its blobs, its folders."""

from pathlib import Path
from typing import Protocol

import trio

from node.blobs import MAX_BLOB_BYTES, BlobError, Blobs, MissingBlobError
from node.blobs.checkpoint_messages import CheckpointOffer
from node.blobs.fetching import BlobFetcher
from node.blobs.handed_over import HandedOver
from node.config.identity import Identity
from node.member.ledger_client import MemberLedgerClient
from node.member.member import Member
from node.transport import Transport
from node.work.context import NobodyHasError
from node.work.handover import Handover
from node.work.training_plans import TrainingPlan, TrainingSubject
from node.work.worker import WorkError

FETCH_S = 120.0
"""A peer that trickles must not hold up all other work; the pieces that came are kept for the next try."""


class BlobFiles(Blobs, Protocol):
    """Blobs that are also files: workers read them by path."""

    def path(self, digest: bytes) -> Path:
        """Return where the whole blob is, or would be."""
        ...

    async def add_file(self, source: Path) -> bytes:
        """Store a copy of the file and return its digest."""
        ...


class NodeWorkContext(MemberLedgerClient):
    """See `WorkContext`. `run` must be running for its waits to return."""

    def __init__(
        self,
        member: Member,
        identity: Identity,
        *,
        roles: tuple[str, ...],
        blobs: BlobFiles,
        fetcher: BlobFetcher,
        directory: Path,
        handing_over: tuple[HandedOver, Transport] | None = None,
    ) -> None:
        """Set up the context; with `handing_over`, interrupted trainings go to other members and come from them."""
        super().__init__(member, identity)
        self.roles = roles
        self._blobs = blobs
        self._fetcher = fetcher
        self._directory = directory
        self._handover = None if handing_over is None else Handover(self, handing_over[0], blobs, handing_over[1])

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        """See `WorkContext.fetch`."""
        if size is not None and size > MAX_BLOB_BYTES:
            raise WorkError(f"blob {digest.hex()}: {size} bytes, more than the {MAX_BLOB_BYTES} that are fetched")
        try:
            with trio.fail_after(FETCH_S):
                await self._fetcher.fetch(digest, max_bytes=MAX_BLOB_BYTES if size is None else size)
        except MissingBlobError as error:
            raise NobodyHasError(str(error)) from None
        except BlobError as error:
            raise WorkError(str(error)) from None
        except trio.TooSlowError:
            raise NobodyHasError(f"blob {digest.hex()}: not here within {FETCH_S:g} s") from None
        return self._blobs.path(digest)

    async def keep(self, path: Path) -> tuple[bytes, int]:
        """See `WorkContext.keep`."""
        try:
            digest = await self._blobs.add_file(path)
            path.unlink()
        except (BlobError, OSError) as error:
            raise WorkError(str(error)) from None
        size = self._blobs.size(digest)
        assert size is not None
        return digest, size

    async def hand_over(self, checkpoint: Path, plan: TrainingPlan, steps: int) -> int:
        """See `WorkContext.hand_over`."""
        if self._handover is None:
            return 0
        try:
            digest = await self._blobs.add_file(checkpoint)
        except (BlobError, OSError) as error:
            raise WorkError(str(error)) from None
        size = self._blobs.size(digest)
        assert size is not None
        return await self._handover.hand_over(
            CheckpointOffer(subject=plan.subject.digest, plan=plan.encode(), digest=digest, size=size, steps=steps)
        )

    async def find_checkpoint(self, subject: TrainingSubject) -> CheckpointOffer | None:
        """See `WorkContext.find_checkpoint`."""
        return None if self._handover is None else await self._handover.find(subject.digest)

    def folder(self, name: str) -> Path:
        """See `WorkContext.folder`."""
        folder = self._directory / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
