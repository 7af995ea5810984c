"""What a replica hands out: decided rounds with their effects, closed epochs, and why no event can be made."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import TransactionTable
from consensus.ledger import Effect
from consensus.ordered import DecidedRound

__all__ = ["ClosedEpoch", "ForkError", "RoundEffects"]


class ForkError(RuntimeError):
    """An own event cannot be made now without the danger of a fork; one line that says why."""


@dataclass(frozen=True, slots=True)
class ClosedEpoch:
    """An epoch that a round has closed: what opens the next one, and what has to be put forward again."""

    record: EpochRecord
    snapshot: bytes  # of the ledger with which the next epoch begins
    unreceived: tuple[tuple[TransactionTable, ...], ...]  # own ones without a place, as they were grouped


@dataclass(frozen=True, slots=True)
class RoundEffects:
    """A decided round, what it did to the ledger, and the ledger's digest after it."""

    round: DecidedRound
    effects: tuple[Effect, ...]  # with those of the close, if it closed the epoch
    digest: bytes  # before the close
    sealed: SealedRecord | None = None  # what opened this epoch, if it became sealed with this round
    closed: ClosedEpoch | None = None
