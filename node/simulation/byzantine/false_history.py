"""False history for nodes that were away: chains of records and snapshots that are not the swarm's."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.encoding import decode, encode
from consensus.epoch import EpochRecord, SealedRecord
from consensus.keys import SigningKey
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.statesync.messages import MAX_CHAIN_ANSWER_BYTES, ChainAnswer

_UNREACHED_EPOCH = 10**9


class FalseChain(Attack):
    """Answers with another chain each time: forged records sealed by all who collude, gaps, invalid bytes."""

    kind = "false-chain"

    def alter_chain(self, member: ByzantineMember, truth: ChainAnswer) -> bytes | None:
        """See `Attack.alter_chain`."""
        opened, records = truth.opened, truth.records
        far = None if opened is None else replace(self._alter(opened), number=_UNREACHED_EPOCH)
        return self.random.choice(
            (
                b"\xff" * 99,
                encode({"opened": None, "records": [b"\x00"]}),
                ChainAnswer(far, ()).encode(),
                ChainAnswer(None if opened is None else self._alter(opened), records).encode(),
                ChainAnswer(opened, records[1:]).encode(),
                ChainAnswer(opened, [*records[:1], *records[:1]]).encode(),
                ChainAnswer(opened, [replace(one, seals=one.seals[:1]) for one in records]).encode(),
                ChainAnswer(opened, self._rewrite(member, records)).encode(),
                ChainAnswer(opened, self._rewrite(member, records)).encode(),
                None,
            )
        )

    def _rewrite(self, member: ByzantineMember, records: Sequence[SealedRecord]) -> list[SealedRecord]:
        """Replace the records from a random one on by false ones, linked, and sealed only by those who collude."""
        start = self.random.randrange(max(1, len(records)))
        kept, forged = list(records[:start]), list[SealedRecord]()
        for one in records[start:]:
            previous = forged[-1].record.digest if forged else one.record.previous
            forged.append(_seal(member, one, self._alter(replace(one.record, previous=previous))))
        return kept + forged

    def _alter(self, record: EpochRecord) -> EpochRecord:
        digest = self.random.randbytes(32)
        return self.random.choice(
            (
                replace(record, ledger=digest),
                replace(record, snapshot=digest),
                replace(record, ordered=record.ordered + 1),
                replace(record, round=record.round + 1),
            )
        )


def _seal(member: ByzantineMember, truth: SealedRecord, record: EpochRecord) -> SealedRecord:
    """Seal a forged record by all who collude; the others' seals, which are over `truth`, are kept."""
    seals = dict(truth.seals)
    for seed in member.colluding_seeds:
        key = SigningKey(seed)
        if key.id in seals:
            seals[key.id] = record.seal(key)
    return SealedRecord(record, tuple(sorted(seals.items())))


class FalseSnapshot(Attack):
    """Answers with parts of blobs that have other bytes, another size, or are cut short."""

    kind = "false-snapshot"

    def alter_blob(self, member: ByzantineMember, truth: bytes) -> bytes:
        """See `Attack.alter_blob`."""
        answer = decode(truth, limit=MAX_CHAIN_ANSWER_BYTES)
        assert isinstance(answer, dict)
        size, data = answer["size"], answer["data"]
        assert isinstance(size, int)
        assert isinstance(data, bytes)
        return self.random.choice(
            (
                truth,
                encode({"size": size, "data": data[::-1]}),
                encode({"size": size, "data": data[:-1] + bytes(min(1, len(data)))}),
                encode({"size": size + 1, "data": data + bytes(min(1, len(data)))}),
                encode({"size": 1 << 60, "data": data}),
                encode({"size": size, "data": data[:-1]}),
                b"\xff",
            )
        )
