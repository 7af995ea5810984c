"""The answering side: the chain of records from the store; `node.blobs.snapshots` has the snapshots."""

from http import HTTPStatus

from consensus.epoch import SealedRecord
from node.gossip.messages import MessageError
from node.statesync.messages import (
    MAX_CHAIN_REQUEST_BYTES,
    MAX_RECORDS,
    MAX_RECORDS_BYTES,
    ChainAnswer,
    decode_chain_request,
)
from node.store import Store
from node.transport.router import Refusal, Route

CHAIN_PATH = "/gossip/chain"


def chain_route(store: Store) -> Route:
    """Return the route for the router that answers a `ChainRequest` with a `ChainAnswer`."""

    async def answer(_asking: bytes, body: bytes) -> bytes:
        try:
            request = decode_chain_request(body)
        except MessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        records: list[SealedRecord] = []
        size = 0
        for sealed in await store.read_sealed_records(request.first, MAX_RECORDS):
            size += len(sealed.raw)
            if size > MAX_RECORDS_BYTES and records:
                break
            records.append(sealed)
        return ChainAnswer(await store.read_record(store.epoch), records).encode()

    return Route(
        handler=answer, max_bytes=MAX_CHAIN_REQUEST_BYTES, concurrency=2, rate=10.0, burst=20.0, for_former_members=True
    )
