"""The chain of sealed records as far as it is known here: verified step by step, and kept in the store.

A record in the store that is not the sealed one is wrong. The seals of more than 2/3 of the roster that decided until
then prove that, and nothing less does. The sealed ones wait here until they replace it in the store, together with the
ledger that belongs to them.
"""

import trio

from consensus.epoch import EpochError, EpochRecord, Opening, SealedRecord, verify_seals, verify_step
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.statesync.messages import MAX_CHAIN_ANSWER_BYTES, ChainRequest, decode_chain_answer
from node.statesync.serving import CHAIN_PATH
from node.store import Store
from node.transport import Transport

TIMEOUT_S = 5.0  # for an answer


class RecordChain:
    """The sealed part of the stored chain. Only one at a time may `fetch` for a store."""

    def __init__(self, genesis: Genesis, store: Store) -> None:
        self._genesis = genesis
        self._store = store
        self._opening = Opening.of_genesis(genesis)
        self._writing = trio.Lock()
        self.newest: EpochRecord | None = None  # the last one
        self.said: dict[MemberId, EpochRecord | None] = {}  # by peer: what opened the epoch in which it says it is
        self.corrected: list[SealedRecord] = []  # all from the first one that is not as in the store
        self.refuted: EpochRecord | None = None  # what the store has instead of the first of them

    async def load(self) -> None:
        """Find where the sealed part ends; records with spoiled seals are beyond it. Raise StoreError."""
        for number in range(self._store.newest_record, 0, -1):
            if sealed := await self._store.read_sealed_records(number, 1):
                before = await self._roster_before(number)
                if before is not None and _is_sealed(sealed[0], before):
                    self._advance(sealed[0].record)
                    await self._keep_if_contradicting(sealed[0])
                    break

    async def _roster_before(self, number: int) -> Roster | None:
        """Return the roster that decided until the record of epoch `number`; None if it is not here."""
        record = await self._store.read_record(number - 1)
        return self._genesis.roster if number == 1 else None if record is None else record.roster

    async def fetch(self, peer: Peer, transport: Transport) -> bool:
        """Ask a peer for the records that follow, verify and keep them; return whether there were any.

        Right records before the first wrong one are kept. Raise AskError; MessageError or EpochError for what no
        correct node says; StoreError, also if the store has another record that is sealed as well.
        """
        first = self._opening.number + 1
        body = ChainRequest(first).encode()
        peer.bytes_sent += len(body)
        raw = await transport.ask(peer.id, CHAIN_PATH, body, timeout_s=TIMEOUT_S, max_bytes=MAX_CHAIN_ANSWER_BYTES)
        peer.bytes_received += len(raw)
        answer = decode_chain_answer(raw)
        self.said[peer.id] = answer.opened
        if not answer.records and answer.number > first:
            raise MessageError(f"says that it is in epoch {answer.number}, and has no sealed record of epoch {first}")
        if any(one.record.number != number for number, one in enumerate(answer.records, first)):
            raise MessageError(f"tells of other epochs than {first} and those that follow")
        async with self._writing:
            # Meanwhile another peer may have told the first of them.
            await self._verify([one for one in answer.records if one.record.number > self._opening.number])
        return len(answer.records) > 0

    async def _verify(self, chain: list[SealedRecord]) -> None:
        verified: list[SealedRecord] = []
        opening, fault = self._opening, None
        for sealed in chain:
            try:
                opening = verify_step(self._genesis, opening, sealed)
            except EpochError as error:
                fault = error
                break
            verified.append(sealed)
            await trio.lowlevel.checkpoint()  # seals take time to check
        if verified:
            await self._keep(verified)
        if fault is not None:
            raise fault

    async def _keep(self, verified: list[SealedRecord]) -> None:
        """Write verified records to the store, up to the first that contradicts it; keep the others here."""
        agreeing = [sealed for sealed in verified if not await self._keep_if_contradicting(sealed)]
        if agreeing:
            await self._store.append_records(agreeing)
        self._advance(verified[-1].record)

    async def _keep_if_contradicting(self, sealed: SealedRecord) -> bool:
        """Return whether this record, or one before it, is not as in the store; if so, keep it here."""
        if not self.corrected:
            own = await self._store.read_record(sealed.record.number)
            if own is None or own.digest == sealed.record.digest:
                return False
            self.refuted = own
        self.corrected.append(sealed)
        return True

    def _advance(self, record: EpochRecord) -> None:
        self._opening, self.newest = Opening.of_record(record), record


def _is_sealed(sealed: SealedRecord, before: Roster) -> bool:
    try:
        verify_seals(sealed, before)
    except EpochError:
        return False
    return True
