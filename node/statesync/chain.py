"""The chain of sealed records as far as it is known here: verified link by link, and kept in the store.

A record of the store that is not the sealed one is wrong: the seals of more than 2/3 of the roster that decided until
then are proof of that, and nothing less is. The sealed ones then wait here, until they take its place in the store
together with the ledger that belongs to them.
"""

import trio

from consensus.epoch import EpochError, EpochRecord, Opening, SealedRecord, verify_seals, verify_step
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.statesync.messages import MAX_ANSWER, ChainRequest, decode_chain_answer
from node.statesync.serving import CHAIN_PATH
from node.store import Store
from node.transport import Transport

DEADLINE = 5.0  # seconds, for an answer


class RecordChain:
    """The sealed part of the stored chain. Only one at a time may `learn` for a store."""

    def __init__(self, genesis: Genesis, store: Store) -> None:
        self._genesis = genesis
        self._store = store
        self._opening = Opening.of_genesis(genesis)
        self._learning = trio.Lock()
        self.newest: EpochRecord | None = None  # the last one
        self.said: dict[MemberId, EpochRecord | None] = {}  # what opened the epoch in which a peer says it is
        self.corrected: list[SealedRecord] = []  # from the first on that is not as in the store
        self.wrong: EpochRecord | None = None  # what the store has in the place of the first of them

    async def load(self) -> None:
        """Finds where the sealed part ends. What the disk has spoiled is no part of it. Raises StoreError."""
        for number in range(self._store.newest_record, 0, -1):
            if sealed := await self._store.read_sealed_records(number, 1):
                before = await self._before(number)
                if before is not None and _is_sealed(sealed[0], before):
                    self._advance(sealed[0].record)
                    await self._contradicts(sealed[0])
                    break

    async def _before(self, number: int) -> Roster | None:
        """The roster before the record of epoch `number`."""
        record = await self._store.read_record(number - 1)
        return self._genesis.roster if number == 1 else None if record is None else record.roster

    async def learn(self, peer: Peer, transport: Transport) -> bool:
        """Asks a peer for what follows, verifies it and keeps it; whether there was anything.

        What is right before the first wrong record is kept. Raises AskError, and MessageError or EpochError for
        what no correct node says; StoreError, also if the store has another record that is sealed as well.
        """
        first = self._opening.number + 1
        body = ChainRequest(first).encode()
        peer.bytes_sent += len(body)
        raw = await transport.ask(peer.id, CHAIN_PATH, body, timeout_s=DEADLINE, max_bytes=MAX_ANSWER)
        peer.bytes_received += len(raw)
        answer = decode_chain_answer(raw)
        self.said[peer.id] = answer.opened
        if not answer.records and answer.number > first:
            raise MessageError(f"says that it is in epoch {answer.number}, and has no sealed record of epoch {first}")
        if any(one.record.number != number for number, one in enumerate(answer.records, first)):
            raise MessageError(f"tells of other epochs than {first} and those that follow")
        async with self._learning:
            # Meanwhile another peer may have told the first of them.
            await self._take([one for one in answer.records if one.record.number > self._opening.number])
        return len(answer.records) > 0

    async def _take(self, chain: list[SealedRecord]) -> None:
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
        """Takes what follows: into the store as long as that has nothing else in its place."""
        agreeing = [sealed for sealed in verified if not await self._contradicts(sealed)]
        if agreeing:
            await self._store.append_records(agreeing)
        self._advance(verified[-1].record)

    async def _contradicts(self, sealed: SealedRecord) -> bool:
        """Whether this record, or one before it, is not as in the store; then it is kept here."""
        if not self.corrected:
            own = await self._store.read_record(sealed.record.number)
            if own is None or own.digest == sealed.record.digest:
                return False
            self.wrong = own
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
