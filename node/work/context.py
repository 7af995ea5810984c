"""What a task that works for the swarm needs of its node: the ledger, a voice in the order, files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records.fields import LINE
from consensus.ledger.records.transactions import Transaction

REASON = 200  # characters


@dataclass(frozen=True)
class CurrentWork:
    """What is being worked on, for people. `since` is trio's clock in seconds."""

    kind: str
    subject: str
    claim: int
    done: int
    wished: int
    since: float


class WorkContext(Protocol):
    """One node as its working tasks see it."""

    @property
    def key(self) -> SigningKey:
        """The identity; seals are signed with it."""
        ...

    @property
    def me(self) -> MemberId:
        """This node's member id."""
        ...

    @property
    def genesis(self) -> Genesis: ...

    @property
    def ledger(self) -> Ledger:
        """As of the last decided round."""
        ...

    @property
    def roles(self) -> tuple[str, ...]:
        """The kinds of work this node takes."""
        ...

    def next_id(self) -> int:
        """A transaction id that this member has never used."""
        ...

    async def submit(self, *transactions: Transaction) -> None:
        """Put transactions into one event of ours and keep at it until they are ordered; returns at once.

        Raises `WorkError` if no event can hold them, or too much waits already.
        """
        ...

    async def ordered(self, number: int) -> None:
        """Wait until our transaction with this id has its place in the order, whatever became of it."""
        ...

    @property
    def moves(self) -> int:
        """How many rounds the ledger has moved on by since the start."""
        ...

    async def moved(self, since: int) -> None:
        """Wait until `moves` is more than `since`, which the caller read before it looked at the ledger.

        Whoever looks, awaits something else and only then waits must not miss what happened in between:
        in a swarm that has come to rest there may be no further round to wake it.
        """
        ...

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        """The file with this SHA-256, from here or from any peer. Raises `WorkError` if nobody has it."""
        ...

    async def keep(self, path: Path) -> tuple[bytes, int]:
        """Take a file into the blob store; returns its SHA-256 and its size in bytes. Raises `WorkError`."""
        ...

    def folder(self, name: str) -> Path:
        """A directory of this node's own for scratch files; created if missing."""
        ...

    def show(self, work: CurrentWork | None) -> None:
        """Say on the status page what is being worked on (None: nothing)."""
        ...


def as_reason(text: str) -> str:
    """What a transaction may hold of a text: one line of at most 200 characters, none of them a control one."""
    return "".join(character if LINE.fullmatch(character) else " " for character in text[:REASON])
