"""What a task that works for the swarm needs of its node: the ledger, a voice in the order, files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from consensus.ledger.records.entities import Claim
from consensus.ledger.records.fields import LINE
from node.blobs.checkpoint_messages import CheckpointOffer
from node.member.ledger_client import LedgerClient, SubmitError
from node.system.supervision import describe
from node.work.training_plans import TrainingPlan, TrainingSubject
from node.work.watched import WatchedGame
from node.work.worker import WorkError

REASON_CHARACTERS = 200

JOB_FAILURES = (WorkError, SubmitError)
"""Whatever of this happens fails one job, and nothing else."""

_log = structlog.get_logger(__name__)


class NobodyHasError(WorkError):
    """Data that nobody who answers has, or gives within the time for it."""


@contextmanager
def failing_only_the_job() -> Iterator[None]:
    """Turn whatever goes wrong into `WorkError`, except for cancellation and the assertions of this program.

    Jobs have to do with other processes, files and data of others: what may go wrong there cannot be listed.
    """
    try:
        yield
    except (*JOB_FAILURES, AssertionError):
        raise
    except OSError as error:
        raise WorkError(f"{error.filename or 'disk'}: {error.strerror or error}") from error
    except Exception as error:
        _log.error("job failed unexpectedly", exc_info=error)
        raise WorkError(describe(error)) from error


@dataclass(frozen=True, kw_only=True)
class WorkProgress:
    """What is being worked on, for people. `since` is trio's clock in seconds, `game` one that is being played."""

    kind: str
    subject: str
    claim: int
    done: int
    wished: int
    since: float
    game: WatchedGame | None = None


def subject_of(claim: Claim) -> str:
    """Return what a claim is about, in words: the configuration, and the slot of which match or series."""
    if claim.candidate is None:
        return claim.configuration
    slot = "a slot" if claim.slot is None else f"slot {claim.slot}"
    what = "series" if claim.kind == "rate" else "candidate"
    return f"{claim.configuration} {what} {claim.candidate.hex()[:8]} {slot}"


class WorkContext(LedgerClient, Protocol):
    """One node as its working tasks see it: a ledger client with roles, blobs and folders."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The kinds of work this node takes."""
        ...

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        """Return the file with this SHA-256, from here or from any peer.

        Raise `NobodyHasError` if nobody has it, and `WorkError` if it cannot be kept.
        """
        ...

    async def keep(self, path: Path) -> tuple[bytes, int]:
        """Move a file into the blob store; return its SHA-256 and its size in bytes. Raise `WorkError`."""
        ...

    async def hand_over(self, checkpoint: Path, plan: TrainingPlan, steps: int) -> int:
        """Give a checkpoint, with about so many steps of a training, to others; return how many members hold it now.

        Raise `WorkError` if it cannot be read or kept here.
        """
        ...

    async def find_checkpoint(self, subject: TrainingSubject) -> CheckpointOffer | None:
        """Return what somebody offers of an interrupted training; None if nobody does who was asked."""
        ...

    def folder(self, name: str) -> Path:
        """Return a directory of this node's own for scratch files; create it if it is missing."""
        ...


def as_reason(text: str) -> str:
    """Return what a transaction may hold of a text: one line, at most 200 characters, no control characters."""
    return "".join(character if LINE.fullmatch(character) else " " for character in text[:REASON_CHARACTERS])
