"""What a liar teaches nodes that were away: chains of records and snapshots that are not those of the swarm."""

from collections.abc import Sequence
from dataclasses import replace

from consensus.encoding import decode, encode
from consensus.epoch import EpochRecord, SealedRecord
from consensus.keys import SigningKey
from node.simulation.byzantine.adversary import Adversary, Liar
from node.statesync.messages import MAX_ANSWER, ChainAnswer

_FAR = 10**9  # an epoch that there is not


class FalseChain(Adversary):
    """Another history at every question: forged records with the seals of all liars, gaps, and no records at all."""

    def chain(self, liar: Liar, truth: ChainAnswer) -> bytes | None:
        """See `Adversary`."""
        opened, records = truth.opened, truth.records
        far = None if opened is None else replace(self._bent(opened), number=_FAR)
        return self.random.choice(
            (
                b"\xff" * 99,
                encode({"opened": None, "records": [b"\x00"]}),
                ChainAnswer(far, ()).encode(),
                ChainAnswer(None if opened is None else self._bent(opened), records).encode(),
                ChainAnswer(opened, records[1:]).encode(),
                ChainAnswer(opened, [*records[:1], *records[:1]]).encode(),
                ChainAnswer(opened, [replace(one, seals=one.seals[:1]) for one in records]).encode(),
                ChainAnswer(opened, self._rewritten(liar, records)).encode(),
                ChainAnswer(opened, self._rewritten(liar, records)).encode(),
                None,
            )
        )

    def _rewritten(self, liar: Liar, records: Sequence[SealedRecord]) -> list[SealedRecord]:
        """The same epochs with other contents from some record on, linked, and sealed by the liars alone."""
        start = self.random.randrange(max(1, len(records)))
        kept, forged = list(records[:start]), list[SealedRecord]()
        for one in records[start:]:
            previous = forged[-1].record.digest if forged else one.record.previous
            forged.append(_sealed_by(liar, one, self._bent(replace(one.record, previous=previous))))
        return kept + forged

    def _bent(self, record: EpochRecord) -> EpochRecord:
        lie = self.random.randbytes(32)
        return self.random.choice(
            (
                replace(record, ledger=lie),
                replace(record, snapshot=lie),
                replace(record, ordered=record.ordered + 1),
                replace(record, round=record.round + 1),
            )
        )


def _sealed_by(liar: Liar, truth: SealedRecord, record: EpochRecord) -> SealedRecord:
    """With the true seals, which are not over this record, of those who do not lie."""
    seals = dict(truth.seals)
    for seed in liar.conspirators:
        key = SigningKey(seed)
        if key.id in seals:
            seals[key.id] = record.seal(key)
    return SealedRecord(record, tuple(sorted(seals.items())))


class FalseSnapshot(Adversary):
    """Blobs of other bytes, of other sizes, and cut short."""

    def blob(self, liar: Liar, truth: bytes) -> bytes:
        """See `Adversary`."""
        answer = decode(truth, limit=MAX_ANSWER)
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
