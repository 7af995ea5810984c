"""The chain of sealed records as far as it is known here: verified link by link, and kept in the store."""

import trio

from consensus.epoch import EpochError, EpochRecord, Opening, SealedRecord, follow
from consensus.genesis import Genesis
from node.messages import MessageError
from node.peers import Peer
from node.statesync.messages import MAX_ANSWER, ChainRequest, decode_chain_answer
from node.statesync.teaching import PATH
from node.store import Store
from node.transport import Transport

DEADLINE = 5.0  # seconds, for an answer


class Chain:
    """The sealed part of the stored chain. Only one at a time may `learn` for a store."""

    def __init__(self, genesis: Genesis, store: Store) -> None:
        self._genesis = genesis
        self._store = store
        self._opening = Opening.of_genesis(genesis)
        self._learning = trio.Lock()
        self.newest: EpochRecord | None = None  # the last one

    async def load(self) -> None:
        """Finds where the sealed part ends. Raises StoreError."""
        for number in range(self._store.newest, 0, -1):
            if sealed := await self._store.records(number, 1):
                self._advance(sealed[0].record)
                break

    async def learn(self, peer: Peer, transport: Transport) -> bool:
        """Asks a peer for what follows, verifies it and keeps it; whether there was anything.

        What is right before the first wrong record is kept. Raises AskError, and MessageError or EpochError for
        what no correct node says; StoreError, also if the own record of an epoch is not the sealed one.
        """
        first = self._opening.number + 1
        body = ChainRequest(first).encode()
        peer.sent += len(body)
        raw = await transport.ask(peer.id, PATH, body, seconds=DEADLINE, limit=MAX_ANSWER)
        peer.received += len(raw)
        answer = decode_chain_answer(raw)
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
                opening = follow(self._genesis, opening, sealed)
            except EpochError as error:
                fault = error
                break
            verified.append(sealed)
            await trio.lowlevel.checkpoint()  # seals take time to check
        if verified:
            await self._store.extend(verified)
            self._advance(verified[-1].record)
        if fault is not None:
            raise fault

    def _advance(self, record: EpochRecord) -> None:
        self._opening, self.newest = Opening.of_record(record), record
