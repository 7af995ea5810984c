"""Members that sign twice, and proofs of it, true and false."""

from __future__ import annotations

from dataclasses import replace

from consensus.event import Header, make_event
from consensus.ledger.records import transactions as t
from tests.consensus.ledger.swarm import Swarm, digest_of


def signed(swarm: Swarm, member: int, note: object, *, seq: int = 3, epoch: bytes | None = None) -> Header:
    """One of the events that a member has signed with this number."""
    return make_event(
        swarm.keys[member], epoch=swarm.ledger.epoch_digest if epoch is None else epoch, seq=seq,
        self_parent=digest_of("parent") if seq else None, time=7, reveal=digest_of(note),
    )  # fmt: skip


def evidence(*headers: Header, number: int | None = None) -> t.Evidence:
    """As a node would write it: ascending by hash."""
    first, second = sorted(headers, key=lambda header: header.hash)
    seq = first.seq if number is None else number
    return t.Evidence(seq, (first.header, first.signature), (second.header, second.signature))


def fork(swarm: Swarm, member: int, *, seq: int = 3, epoch: bytes | None = None) -> t.Evidence:
    """Proof that the member equivocated."""
    branches = (signed(swarm, member, branch, seq=seq, epoch=epoch) for branch in range(2))
    return evidence(*branches)


def forged(swarm: Swarm) -> t.Evidence:
    """Two headers that the first member may have signed, but for the second signature."""
    return evidence(signed(swarm, 0, "true"), replace(signed(swarm, 0, "false"), signature=bytes(64)))
