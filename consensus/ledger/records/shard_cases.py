"""Shards in doubt: members load a shard again and say whether it is what was announced."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.ledger.records.cases import Replay
from consensus.ledger.records.entities import Place
from consensus.ledger.records.entity import Entity

MISSING = "nobody has it"
"""The reason of a finding by a member that could not fetch the shard from anybody."""


@dataclass(frozen=True, kw_only=True)
class ShardCase(Entity):
    """A shard that members are asked to check, because one of them found that it is not what was announced."""

    shard: bytes
    configuration: str
    accused: MemberId  # who announced it
    author: MemberId  # who opened the case
    place: Place
    deadline: int  # by the ledger's clock, ns
    findings: tuple[Replay, ...] = ()  # in order, at most one by each member
