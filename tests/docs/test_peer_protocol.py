"""docs/peer-protocol.md names the paths, limits and pauses that the code has."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from consensus.encoding import decode
from consensus.epoch import EpochRecord
from consensus.event import make_event
from consensus.keys import SigningKey
from consensus.roster import Roster, RosterMember
from node.blobs.handed_over import HandedOver
from node.blobs.incoming import IncomingBlobs
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BlobAnswer, BlobRequest
from node.blobs.serving import blob_route
from node.gossip.messages import SyncAnswer, SyncRequest
from node.gossip.sync_server import SyncServer
from node.membership.address_exchange import AddressExchange
from node.membership.address_messages import AddressNews
from node.membership.dial_back import DialBack
from node.statesync.messages import ChainAnswer
from node.statesync.serving import chain_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport.router import Route

PAGE = (Path(__file__).parents[2] / "docs" / "peer-protocol.md").read_text()

CONSTANTS = {
    "handshakes under way, in all": "node.transport.server:Limits.handshakes",
    "handshakes under way, from one host": "node.transport.server:Limits.handshakes_per_host",
    "connections of one member": "node.transport.server:Limits.connections_per_member",
    "connections that a client keeps to one peer": "node.transport.client:_MAX_KEPT",
    "a handshake takes at most": "node.transport.server:Limits.handshake_s",
    "the server waits for the next request on an open connection": "node.transport.server:Limits.idle_s",
    "a client keeps an idle connection": "node.transport.client:_KEEP_S",
    "a request takes at most, from its first byte to its last": "node.transport.server:Limits.request_s",
    "an answer takes at most to send": "node.transport.server:Limits.answer_s",
    "after an early refusal the server reads on for at most": "node.transport.server:Limits.drain_s",
    "and at most": "node.transport.server:_MAX_DRAINED_BYTES",
    "nested arrays and maps": "consensus.encoding:MAX_DEPTH",
    "bytes of an event": "consensus.event:MAX_EVENT_BYTES",
    "bytes of an event's header": "consensus.event:MAX_HEADER_BYTES",
    "other-parents of an event": "consensus.event:MAX_OTHER_PARENTS",
    "transactions of an event": "consensus.event:MAX_TRANSACTIONS",
    "values in the transactions of an event": "consensus.event:MAX_VALUES",
    "events in a sync message": "node.gossip.messages:MAX_EVENTS",
    "bytes of events in a sync message": "node.gossip.messages:MAX_EVENTS_BYTES",
    "hashes in `want`": "consensus.epoch_events:MAX_WANTED",
    "tips of one member": "consensus.sync:TIPS_PER_MEMBER",
    "members of a roster": "consensus.roster:MEMBERS_LIMIT",
    "records in an answer": "node.statesync.messages:MAX_RECORDS",
    "bytes of records in an answer": "node.statesync.messages:MAX_RECORDS_BYTES",
    "bytes of a record": "consensus.epoch:RECORD_LIMIT",
    "bytes of a record with its seals": "consensus.epoch:SEALED_LIMIT",
    "bytes of a piece of a blob": "node.blobs:PIECE_BYTES",
    "from one exchange to the next while somebody waits for rounds": "node.gossip.rhythm:Rhythm.busy_s",
    "the same while nobody needs anything": "node.gossip.rhythm:Rhythm.idle_s",
    "nobody has waited for rounds for so long: heartbeats are fetched, not brought": "node.gossip.rhythm:Rhythm.calm_s",
    "a peer that is in touch speaks at least once in": "node.gossip.rhythm:Rhythm.recent_s",
    "exchanges in a row with one peer": "node.gossip.rhythm:Rhythm.exchanges",
    "events of one peer that are checked, on average": "node.gossip.peers:_EVENTS_PER_S",
    "events of one peer that are checked, at once": "node.gossip.peers:_EVENTS_AT_ONCE",
    "first pause after no answer, or a refusal": "node.gossip.backoff:_FIRST_PENALTY_S",
    "longest pause after these": "node.gossip.backoff:_MAX_PENALTY_S",
    "first pause after something that no correct node says": "node.gossip.backoff:_FIRST_MISBEHAVIOUR_PENALTY_S",
    "longest pause after that": "node.gossip.backoff:_MAX_MISBEHAVIOUR_PENALTY_S",
    "a peer that asked us is asked again after": "node.gossip.peers:_SOON_S",
    "addresses in a claim": "node.membership.claims:MAX_CLAIMED",
    "peers asked at a time where members are that do not answer": "node.membership.address_exchange:ASKED_FOR_LOST",
    "first pause until they are asked again; it doubles while nobody else is lost": (
        "node.membership.address_exchange:FIRST_SEARCH_S"
    ),
    "longest pause of that kind": "node.membership.address_exchange:LONGEST_SEARCH_S",
    "a peer that did not answer this path is asked again after": "node.membership.address_exchange:RETRY_S",
    "a peer that does not know this path (an older version: 404) is asked again after": (
        "node.membership.address_exchange:OLD_VERSION_S"
    ),
    "one address gets so much of a head start over the next one": "node.transport.client:_HEAD_START_S",
    "hints tried beside the other addresses, for one member": "node.membership.whereabouts:HINTS_TRIED",
    "connections to which one member's word may lead, on average": "node.membership.whereabouts:TRIES_PER_S",
    "connections to which one member's word may lead, at once": "node.membership.whereabouts:TRIES_AT_ONCE",
    "members asked for a connection back, at a time": "node.membership.dial_back:ASKED",
    "a connection back takes at most": "node.membership.dial_back:CONNECT_S",
    "from one question to the next": "node.membership.dial_back:AGAIN_S",
    "the same while nobody reaches this node": "node.membership.dial_back:UNREACHED_AGAIN_S",
    "peers asked at a time for one blob": "node.blobs.fetching:_SOURCES",
    "peers asked at a time for records": "node.statesync.catchup:_PEERS_ASKED",
    "a piece is asked of another peer, too, after": "node.blobs.download:_PATIENCE_S",
    "a peer that could not be reached is left alone for": "node.blobs.fetching:_AWAY_S",
    "a member to which a blob could not be brought is asked again after": "node.blobs.pushing:_AGAIN_S",
    "a shard is brought if nobody has fetched it after": "node.blobs.pushing:_AUTHOR_WAITS_S",
    "members that get a checkpoint": "node.work.handover:HOLDERS",
    "members that are asked for one": "node.work.handover:ASKED",
    "handing a checkpoint over takes at most": "node.work.handover:HAND_OVER_S",
    "an offer is remembered for": "node.blobs.handed_over:KEPT_S",
    "offers of one member that are remembered": "node.blobs.handed_over:OF_EACH",
    "pauses after 429 on `/blobs/read`": "node.blobs.fetching:_PAUSES_S",
    "a peer that answers 429 on `/gossip/chain` is asked again after": "node.statesync.catchup:_BUSY_PAUSE_S",
    "and so often": "node.statesync.catchup:_BUSY_RETRIES",
}
"""Where the code has what the first column of a table with two columns says."""

ANSWERS = {
    "/gossip/sync": ("node.gossip.messages:MAX_MESSAGE_BYTES", "node.gossip.rhythm:Rhythm.timeout_s"),
    "/gossip/chain": ("node.statesync.messages:MAX_CHAIN_ANSWER_BYTES", "node.statesync.chain:TIMEOUT_S"),
    "/gossip/addresses": (
        "node.membership.address_messages:MAX_ADDRESSES_BYTES",
        "node.membership.address_exchange:TIMEOUT_S",
    ),
    "/gossip/dial-back": ("node.membership.dial_back:MAX_ANSWER_BYTES", "node.membership.dial_back:TIMEOUT_S"),
    "/blobs/read": ("node.blobs.messages:MAX_ANSWER_BYTES", "node.blobs.fetching:_TIMEOUT_S"),
    "/blobs/keep": ("node.blobs.push_messages:MAX_KEEP_ANSWER_BYTES", "node.blobs.pushing:_TIMEOUT_S"),
    "/blobs/piece": ("node.blobs.push_messages:MAX_PIECE_ANSWER_BYTES", "node.blobs.pushing:_TIMEOUT_S"),
    "/checkpoints/offer": ("node.work.handover:MAX_ANSWER_BYTES", "node.work.handover:OFFER_TIMEOUT_S"),
    "/checkpoints/find": ("node.blobs.checkpoint_messages:MAX_OFFER_BYTES", "node.work.handover:FIND_TIMEOUT_S"),
}
"""How long an answer may be, and how long the asking side waits for it."""


def _value(place: str) -> Any:
    module, _, names = place.partition(":")
    value: Any = import_module(module)
    for name in names.split("."):
        value = getattr(value, name)
    return value


def _rows() -> Iterator[list[str]]:
    for line in PAGE.splitlines():
        if line.startswith("|") and not set(line) <= set("|- "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def _numbers(cell: str) -> tuple[float, ...]:
    return tuple(float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", cell))


def test_the_page_gives_the_limits_and_pauses_of_the_code() -> None:
    found = {row[0]: _numbers(row[1])[: 4 if "429" in row[0] else 1] for row in _rows() if row[0] in CONSTANTS}
    assert found.keys() == CONSTANTS.keys()
    for words, place in CONSTANTS.items():
        value = _value(place)
        assert found[words] == (value if isinstance(value, tuple) else (value,)), words


def _routes() -> dict[str, Route]:
    sync, addresses = object.__new__(SyncServer), object.__new__(AddressExchange)  # a route is made without any state
    incoming = object.__new__(IncomingBlobs)
    return {
        _value("node.gossip.messages:SYNC_PATH"): sync.route(),
        _value("node.membership.address_messages:ADDRESS_PATH"): addresses.route(),
        _value("node.membership.dial_back:DIAL_BACK_PATH"): object.__new__(DialBack).route(),
        _value("node.statesync.serving:CHAIN_PATH"): chain_route(MemoryStore(MemoryDisk())),
        _value("node.blobs.messages:BLOB_PATH"): blob_route(MemoryBlobs(), MemoryStore(MemoryDisk())),
        _value("node.blobs.push_messages:KEEP_PATH"): incoming.keep_route(),
        _value("node.blobs.push_messages:PIECE_PATH"): incoming.piece_route(),
        _value("node.blobs.checkpoint_messages:OFFER_PATH"): object.__new__(HandedOver).offer_route(),
        _value("node.blobs.checkpoint_messages:FIND_PATH"): object.__new__(HandedOver).find_route(),
    }


@pytest.mark.parametrize("path", ANSWERS)
def test_the_page_gives_the_limits_of_each_path(path: str) -> None:
    (cells,) = (row for row in _rows() if row[0] == f"`{path}`" and len(row) == 9)
    route = _routes()[path]
    answer, timeout = map(_value, ANSWERS[path])
    wanted = [route.max_bytes, answer, timeout, route.timeout_s, route.concurrency, route.rate, route.burst]
    assert [_numbers(cell)[0] for cell in cells[1:8]] == wanted
    assert cells[8] == ("yes" if route.for_former_members else "no")


def test_no_path_is_missing() -> None:
    assert _routes().keys() == ANSWERS.keys()


def test_the_page_says_how_much_any_answer_may_be() -> None:
    assert f"larger than {_value('node.transport:MAX_ANSWER_BYTES'):,} bytes" in PAGE


def _fields(heading: str) -> set[str]:
    """Return the fields in the first table after a heading or a bold word."""
    table = PAGE.split(heading, 1)[1].split("|---", 1)[1].split("\n\n", 1)[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_the_page_has_every_field_of_each_message() -> None:
    epoch, record = bytes(32), _record()
    for heading, message in {
        "**Request**\n": SyncRequest(epoch, [], [], []).encode(),
        "**Answer**\n": SyncAnswer([], [], more=False, closed=False).encode(),
        "**Address request**": AddressNews().encode_request([]),
        "**Address answer**": AddressNews().encode(),
        "## Chain of records": ChainAnswer(record, []).encode(),
        "A **record** is a map": record.raw,
        "**Request for a range**": BlobRequest(epoch, 0, 0).encode(),
        "**Answer with a range**": BlobAnswer(0, b"").encode(),
    }.items():
        fields = decode(message, limit=len(message))
        assert isinstance(fields, dict)
        assert _fields(heading) == fields.keys(), heading


def test_a_header_has_as_many_fields_as_the_page_says() -> None:
    event = make_event(SigningKey(bytes(32)), epoch=bytes(32), seq=0, self_parent=None, time=1)
    header = decode(event.header, limit=len(event.header))
    places = [int(row[0]) for row in _rows() if len(row) == 4 and row[0].isdigit()]
    assert isinstance(header, list)
    assert places == list(range(len(header)))


def _record() -> EpochRecord:
    roster = Roster((RosterMember(bytes([2]) * 32, 1),))
    digests = dict.fromkeys(("genesis", "previous", "old", "ledger", "snapshot"), bytes(32))
    numbers = dict.fromkeys(("number", "roster_version", "round", "ordered", "time"), 1)
    values: dict[str, Any] = {**digests, **numbers}
    return EpochRecord(roster=roster, judges=(bytes(32),), **values)
