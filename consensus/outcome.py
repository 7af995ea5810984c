"""What a replica returns: decided rounds with their effects, closed epochs, and why it cannot make an own event."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import TransactionTable
from consensus.ledger import Effect
from consensus.ordered import DecidedRound

__all__ = ["ClosedEpoch", "ForkError", "RoundEffects"]


class ForkError(RuntimeError):
    """An own event that cannot be made now without the risk of a fork: one line that says why."""


@dataclass(frozen=True, slots=True)
class ClosedEpoch:
    """An epoch that a round has closed: the record that opens the next one, and what has to be submitted again."""

    record: EpochRecord
    snapshot: bytes  # of the ledger with which the next epoch begins
    unreceived: tuple[tuple[TransactionTable, ...], ...]  # own ones without a place in the order, grouped as in events


@dataclass(frozen=True, slots=True)
class RoundEffects:
    """A decided round, its effects on the ledger, and the ledger's digest after it."""

    round: DecidedRound
    effects: tuple[Effect, ...]  # if it closed the epoch, those of the close too
    digest: bytes  # before the close
    sealed: SealedRecord | None = None  # the record that opened this epoch, if it became sealed in this round
    closed: ClosedEpoch | None = None
