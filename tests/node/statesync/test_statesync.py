"""State sync in virtual time: real records, seals, stores and blobs; ledgers that are nothing but text."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import encode
from consensus.epoch import EpochRecord, Opening, SealedRecord
from consensus.ledger.state.snapshot import SnapshotError
from consensus.outcome import ClosedEpoch
from consensus.roster import RosterMember, make_roster
from node.blobs import PIECE_BYTES, BlobError
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH
from node.blobs.serving import blob_route
from node.config.identity import Identity
from node.gossip.peers import Peer
from node.statesync.catchup import CatchUp
from node.statesync.chain import DEADLINE
from node.statesync.messages import ChainAnswer, ChainRequest, decode_chain_answer, decode_chain_request
from node.statesync.pruning import follow_epochs
from node.statesync.serving import CHAIN_PATH, chain_route, offer_snapshots
from node.store import StoreError
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Handler
from node.transport.memory import Conditions, Network
from node.transport.router import Refusal, Router
from tests.node.statesync.chains import Link, genesis_of, links, next_record, sealed_by

ME, *TEACHERS = (Identity(bytes([number]) * 32) for number in range(60, 65))
ALL = [ME, *TEACHERS]
GENESIS = genesis_of(ALL)
LINKS = links(ALL, 150, PIECE_BYTES + 1000)  # the records need several questions, a snapshot several pieces
HEAD = 149
"""Number of the newest sealed record while the teachers are in epoch 150, whose record has no seals yet."""


class Text:
    """A target whose ledger is text: it records what it was told to enter."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.entered: list[int] = []
        self.jumps: list[list[int]] = []  # what it had entered whenever catching up said so
        self.without: set[int] = set()  # epochs in which it has no place
        self.said: Mapping[bytes, EpochRecord | None] = {}
        self.mistakes: list[tuple[EpochRecord, EpochRecord]] = []

    async def observe_peer_records(self, said: Mapping[bytes, EpochRecord | None]) -> None:
        self.said = dict(said)

    def observe_refutation(self, own: EpochRecord, sealed: SealedRecord) -> None:
        self.mistakes.append((own, sealed.record))

    def observe_roster(self, record: EpochRecord) -> bool:
        return record.number not in self.without

    async def enter(self, record: EpochRecord, snapshot: bytes, corrected: Sequence[SealedRecord] = ()) -> None:
        if hashlib.sha256(snapshot).digest() != record.snapshot:
            raise SnapshotError("not the snapshot of the record")
        closed = ClosedEpoch(record, snapshot, ())
        await (self._store.replace_records(corrected, closed) if corrected else self._store.begin_epoch(closed))
        self.entered.append(record.number)

    async def observe_jump(self) -> None:
        self.jumps.append(list(self.entered))


async def fill(store: MemoryStore, links: Sequence[Link], *, sealed: bool = False) -> None:
    """Takes the store through these epochs; the last record has no seals unless it is `sealed`."""
    for link in links:
        await store.begin_epoch(link.closed)
        if sealed or link is not links[-1]:
            await store.write_seals(link.sealed)


Lie = Callable[[Handler], Handler]


@dataclass
class World:
    """The teachers' machines and ours, on one network."""

    nursery: trio.Nursery
    network: Network
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    peers: dict[bytes, Peer] = field(default_factory=dict)
    asked: list[tuple[bytes, str]] = field(default_factory=list)

    async def teach(
        self,
        teacher: Identity,
        *,
        lies: Mapping[str, Lie] | None = None,
        known: Sequence[Link] = LINKS,
        sealed: bool = False,
    ) -> None:
        store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
        await fill(store, known, sealed=sealed)
        await offer_snapshots(store, blobs)
        routes = {}
        for path, route in {CHAIN_PATH: chain_route(store), BLOB_PATH: blob_route(blobs)}.items():
            lie = (lies or {}).get(path)
            handler = lie(route.handler) if lie else route.handler
            routes[path] = replace(route, handler=self._noted(teacher.id, path, handler))
        await self.nursery.start(self.network.serve, teacher.id, Router([ME.id], routes))
        self.peers[teacher.id] = Peer(teacher.id)

    def _noted(self, teacher: bytes, path: str, handler: Handler) -> Handler:
        async def answer(asking: bytes, body: bytes) -> bytes:
            self.asked.append((teacher, path))
            return await handler(asking, body)

        return answer

    def pupil(self, seed: int = 0) -> tuple[CatchUp, Text]:
        """What a start of our machine puts together."""
        store, chance = MemoryStore(self.disk), random.Random(seed)
        seat = Text(store)
        transport = self.network.transport(ME.id)
        fetcher = BlobFetcher(self.blobs, transport, self.peers, chance)
        catchup = CatchUp(
            genesis=GENESIS,
            store=store,
            target=seat,
            peers=self.peers.values,
            transport=transport,
            blobs=self.blobs,
            fetcher=fetcher,
            chance=chance,
            entered=seat.observe_jump,
        )
        return catchup, seat

    async def assert_arrived(self, number: int = HEAD) -> None:
        store = MemoryStore(self.disk)
        link = LINKS[number - 1]
        assert await store.read_opening() == ClosedEpoch(link.record, link.snapshot, ())
        chain = await store.read_sealed_records(1, 999)
        assert chain == [one.sealed for one in LINKS[: len(chain)]]
        assert len(chain) >= number


@pytest.fixture
async def world(nursery: trio.Nursery) -> World:
    return World(nursery, Network(1, Conditions(delay_s=0.02, jitter_s=0.02)))


async def test_a_new_node_comes_to_the_newest_sealed_epoch(world: World, autojump_clock: MockClock) -> None:
    for teacher in TEACHERS:
        await world.teach(teacher)
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    await world.assert_arrived()
    assert seat.jumps == [[HEAD]], "once, after it was entered"
    assert not await catchup.jump(), "there is nothing newer"
    assert len(seat.jumps) == 1
    assert {peer.error for peer in world.peers.values()} == {""}
    assert len({teacher for teacher, path in world.asked if path == BLOB_PATH}) > 1


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_node_that_was_away_goes_on_from_its_own_record(
    world: World, autojump_clock: MockClock, sealed: bool
) -> None:
    await fill(MemoryStore(world.disk), LINKS[:120], sealed=sealed)
    await world.teach(TEACHERS[0])
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    await world.assert_arrived()
    assert len([path for _, path in world.asked if path == CHAIN_PATH]) == 2, "30 records, and that there are no more"


async def test_a_node_waits_until_it_is_stranded(world: World, autojump_clock: MockClock) -> None:
    await world.teach(TEACHERS[0])
    catchup, seat = world.pupil()
    stranded_at = trio.current_time() + 30
    with trio.move_on_after(60):
        await catchup.run(lambda: trio.current_time() > stranded_at and not seat.entered)
    assert seat.entered == [HEAD]
    assert not world.disk.unsynced_links
    world.asked.clear()
    with trio.move_on_after(60):
        await catchup.run(lambda: False)
    assert not world.asked


# An own record that is not the sealed one.


def bent(link: Link, **changes: object) -> Link:
    """What a node whose ledger was wrong made of the same close."""
    record = replace(link.record, **{"ledger": b"\7" * 32, **changes})  # type: ignore[arg-type]
    return Link(sealed_by(record, [ME]), link.snapshot)


async def fill_wrongly(disk: MemoryDisk, number: int, **changes: object) -> Link:
    """A store whose record of epoch `number`, in which it is, is wrong."""
    store, wrong = MemoryStore(disk), bent(LINKS[number - 1], **changes)
    await fill(store, LINKS[: number - 1], sealed=True)
    await store.begin_epoch(wrong.closed)
    return wrong


@pytest.mark.parametrize(("number", "known"), [(1, 3), (5, 6), (5, 9), (5, 150), (150, 150)])
async def test_a_wrong_own_record_is_noticed_and_replaced(
    world: World, autojump_clock: MockClock, number: int, known: int
) -> None:
    wrong = await fill_wrongly(world.disk, number)
    await world.blobs.add(b"its snapshot" if number == 5 else wrong.snapshot)
    for teacher in TEACHERS[:2]:
        await world.teach(teacher, known=LINKS[:known])
    if number == known:
        await world.teach(TEACHERS[2], sealed=True)
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [known - (number < known)]
    assert seat.mistakes == [(wrong.record, LINKS[number - 1].record)]
    await world.assert_arrived(known - (number < known))
    assert await MemoryStore(world.disk).read_events(MemoryStore(world.disk).epoch, 0, 9) == []
    assert {peer.error for peer in world.peers.values()} == {""}
    assert not await catchup.jump()


async def test_several_wrong_records_in_a_row_are_replaced(world: World, autojump_clock: MockClock) -> None:
    """However they came about: a bad restore, say. The node is further on than the sealed chain."""
    first = bent(LINKS[4])
    second = next_record(GENESIS, Opening.of_record(first.record), b"second")
    store = MemoryStore(world.disk)
    await fill(store, LINKS[:4], sealed=True)
    await store.begin_epoch(first.closed)
    await store.begin_epoch(ClosedEpoch(second, b"second", ()))
    await world.teach(TEACHERS[0], known=LINKS[:6])
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [5]
    await world.assert_arrived(5)
    assert MemoryStore(world.disk).newest_record == 5


async def test_a_record_that_the_disk_has_spoiled_is_replaced(world: World, autojump_clock: MockClock) -> None:
    """In the place of a record is another one, while its seals are those of the right one."""
    await fill(MemoryStore(world.disk), LINKS[:5], sealed=True)
    link = world.disk.chain[5]
    world.disk.chain[5] = replace(link, record=bent(LINKS[4]).record.raw)
    await world.teach(TEACHERS[0], known=LINKS[:6])
    catchup, _ = world.pupil()
    assert await catchup.jump()
    await world.assert_arrived(5)


async def test_spoiled_seals_are_fetched_again(world: World, autojump_clock: MockClock) -> None:
    """What does not verify any more is no reason to think ill of the peers whose records do not follow it."""
    await fill(MemoryStore(world.disk), LINKS[:5], sealed=True)
    link = world.disk.chain[5]
    world.disk.chain[5] = replace(link, sealed=seals_of_another_record([LINKS[4].sealed])[0].raw)
    await world.teach(TEACHERS[0])
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    assert world.peers[TEACHERS[0].id].error == ""


async def test_whenever_a_correction_is_interrupted_the_store_has_the_old_chain_or_the_new_one(
    world: World, autojump_clock: MockClock
) -> None:
    for teacher in TEACHERS[:2]:
        await world.teach(teacher, known=LINKS[:9])
    chance, seen = random.Random(8), set()
    for attempt in range(120):
        world.disk = MemoryDisk(sync_seconds=0.05)
        wrong = await fill_wrongly(world.disk, 5)
        own = [link.record.raw for link in (*LINKS[:4], wrong)]
        catchup, seat = world.pupil(attempt)
        with trio.move_on_after(0.01 * attempt):
            await catchup.jump()
        world.disk.crash(chance)
        store = MemoryStore(world.disk)
        seen.add(store.epoch)
        if store.epoch == 5:
            assert [world.disk.chain[number].record for number in range(1, store.newest_record + 1)] == own
            assert await store.read_opening() == wrong.closed
            assert not seat.entered
        else:
            await world.assert_arrived(8)
    assert seen == {5, 8}


@pytest.mark.parametrize("trouble", ["full", "unsyncable"])
async def test_a_correction_that_the_disk_refuses_ends_the_node(
    world: World, autojump_clock: MockClock, trouble: str
) -> None:
    wrong = await fill_wrongly(world.disk, 5)
    await world.teach(TEACHERS[0], known=LINKS[:9])
    catchup, _ = world.pupil()
    setattr(world.disk, trouble, True)
    with pytest.RaisesGroup(pytest.RaisesExc(StoreError), flatten_subgroups=True, allow_unwrapped=True):
        await catchup.jump()
    world.disk.writing = None
    assert MemoryStore(world.disk).epoch == 5
    assert await MemoryStore(world.disk).read_opening() == wrong.closed


# Teachers that lie.


def says(answer: Callable[[int], bytes]) -> Lie:
    """A teacher that answers this to a question for the records from a number on."""

    def lie(_truth: Handler) -> Handler:
        async def handler(_asking: bytes, body: bytes) -> bytes:
            return answer(decode_chain_request(body).first)

        return handler

    return lie


def bends(change: Callable[[list[SealedRecord]], list[SealedRecord]]) -> Lie:
    """A teacher that changes the true answer."""

    def lie(truth: Handler) -> Handler:
        async def handler(asking: bytes, body: bytes) -> bytes:
            answer = decode_chain_answer(await truth(asking, body))
            return ChainAnswer(answer.opened, change(list(answer.records))).encode()

        return handler

    return lie


def seals_of_a_minority(chain: list[SealedRecord]) -> list[SealedRecord]:
    """Two of five members seal another history."""
    return [sealed_by(replace(one.record, ledger=b"\1" * 32), ALL[:2]) for one in chain]


def seals_of_strangers(chain: list[SealedRecord]) -> list[SealedRecord]:
    strangers = [Identity(bytes([number]) * 32) for number in range(90, 95)]
    return [sealed_by(one.record, strangers) for one in chain]


def seals_of_another_record(chain: list[SealedRecord]) -> list[SealedRecord]:
    return [replace(one, record=replace(one.record, ledger=b"\1" * 32)) for one in chain]


def too_few_seals(chain: list[SealedRecord]) -> list[SealedRecord]:
    return [replace(one, seals=one.seals[:3]) for one in chain]  # three of five are not more than two thirds


def a_gap(chain: list[SealedRecord]) -> list[SealedRecord]:
    return chain[:3] + chain[4:]


def a_wrong_link(chain: list[SealedRecord]) -> list[SealedRecord]:
    """Even if all seal it."""
    return [sealed_by(replace(one.record, previous=b"\1" * 32), ALL) for one in chain]


async def stall(_asking: bytes, _body: bytes) -> bytes:
    await trio.sleep(9.0)
    return ChainAnswer(LINKS[HEAD].record, []).encode()


async def refuse(_asking: bytes, _body: bytes) -> bytes:
    raise Refusal(404, "there is no such path")


FAR = replace(LINKS[0].record, number=10**9)

LIES: dict[str, tuple[Lie, str]] = {
    "garbage": (says(lambda first: b"\xff" * 99), ""),
    "no map": (says(lambda first: encode([first])), "not a map"),
    "no record": (says(lambda first: encode({"opened": None, "records": [b"\x00"]})), "sealed record"),
    "too many": (says(lambda first: encode({"opened": None, "records": [b"\x00"] * 65})), "at most 64"),
    "a chain that ends nowhere": (says(lambda first: ChainAnswer(FAR, []).encode()), "has no sealed record of epoch"),
    "always the same": (says(lambda first: ChainAnswer(FAR, [LINKS[0].sealed]).encode()), "other epochs than"),
    "seals of a minority": (bends(seals_of_a_minority), "two thirds or less"),
    "seals of strangers": (bends(seals_of_strangers), "who is in neither roster"),
    "seals of another record": (bends(seals_of_another_record), "does not verify"),
    "too few seals": (bends(too_few_seals), "two thirds or less"),
    "a gap": (bends(a_gap), "other epochs than"),
    "a wrong link": (bends(a_wrong_link), "does not follow the record of epoch"),
    "stalls": (lambda _: stall, "no answer within"),
    "refuses": (lambda _: refuse, "refused with 404"),
}


@pytest.mark.parametrize("name", LIES)
async def test_among_liars_one_honest_teacher_is_enough(world: World, autojump_clock: MockClock, name: str) -> None:
    lie, reason = LIES[name]
    for liar in TEACHERS[:3]:
        await world.teach(liar, lies={CHAIN_PATH: lie})
    await world.teach(TEACHERS[3])
    begun = trio.current_time()
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    await world.assert_arrived()
    assert trio.current_time() - begun < DEADLINE + 5
    errors = {world.peers[liar.id].error for liar in TEACHERS[:3]} - {""}  # what others told first is not looked at
    assert errors
    assert all(reason in error for error in errors)
    assert world.peers[TEACHERS[3].id].error == ""


@pytest.mark.parametrize("name", LIES)
async def test_liars_are_found_out_and_left_and_nothing_unverified_is_adopted(
    world: World, autojump_clock: MockClock, name: str
) -> None:
    lie, reason = LIES[name]
    for liar in TEACHERS:
        await world.teach(liar, lies={CHAIN_PATH: lie})
    catchup, seat = world.pupil()
    assert not await catchup.jump()
    assert not seat.entered
    for peer in world.peers.values():
        assert peer.error
        assert reason in peer.error
        assert peer.backoff.may_listen(trio.current_time()) == (name in ("stalls", "refuses"))
    chain = await MemoryStore(world.disk).read_sealed_records(1, 999)
    assert chain == [one.sealed for one in LINKS[: len(chain)]], "true as far as it goes"
    assert len(chain) <= 1


@pytest.mark.parametrize(
    "name", ["seals of a minority", "seals of strangers", "seals of another record", "too few seals", "a wrong link"]
)
async def test_liars_do_not_make_a_node_leave_its_record(world: World, autojump_clock: MockClock, name: str) -> None:
    """Its own record is right, and has no seals yet."""
    await fill(MemoryStore(world.disk), LINKS[:5])
    for liar in TEACHERS:
        await world.teach(liar, known=LINKS[:5], sealed=True, lies={CHAIN_PATH: LIES[name][0]})
    before = world.disk.copy()
    catchup, seat = world.pupil()
    assert not await catchup.jump()
    assert not seat.entered
    assert not seat.mistakes
    assert (world.disk.chain, world.disk.epoch) == (before.chain, 5)
    assert all(LIES[name][1] in peer.error for peer in world.peers.values())


async def test_a_liar_that_begins_with_the_truth_helps_as_far_as_it_goes(
    world: World, autojump_clock: MockClock
) -> None:
    await world.teach(TEACHERS[0], lies={CHAIN_PATH: bends(lambda chain: chain[:9] + too_few_seals(chain[9:]))})
    catchup, seat = world.pupil()
    assert not await catchup.jump(), "its snapshots are gone"
    await world.teach(TEACHERS[1])
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    await world.assert_arrived()
    first = [path for teacher, path in world.asked if teacher == TEACHERS[1].id and path == CHAIN_PATH]
    assert len(first) == 4, "three for the records from 10 to 149, and that there are no more"


async def test_a_teacher_that_was_left_is_not_asked_while_others_are(world: World, autojump_clock: MockClock) -> None:
    await world.teach(TEACHERS[0], lies={CHAIN_PATH: bends(too_few_seals)})
    catchup, _ = world.pupil()
    await catchup.jump()
    world.asked.clear()
    await catchup.jump()
    assert not world.asked
    await trio.sleep(11)
    await catchup.jump()
    assert world.asked


async def test_a_snapshot_that_does_not_fit_its_record_is_never_entered(
    world: World, autojump_clock: MockClock
) -> None:
    def other_bytes(truth: Handler) -> Handler:
        async def handler(asking: bytes, body: bytes) -> bytes:
            answer = await truth(asking, body)
            return answer.replace(b"ledger", b"redgel")

        return handler

    for liar in TEACHERS[:3]:
        await world.teach(liar, lies={BLOB_PATH: other_bytes})
    catchup, seat = world.pupil()
    assert not await catchup.jump()
    assert not seat.entered
    assert not seat.jumps
    await world.teach(TEACHERS[3])
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]


async def test_teachers_of_different_age_are_all_heard(world: World, autojump_clock: MockClock) -> None:
    for age, teacher in zip((150, 3, 0, 70), TEACHERS, strict=True):
        await world.teach(teacher, known=LINKS[:age])
    for seed in range(5):
        world.disk = MemoryDisk()
        catchup, seat = world.pupil(seed)
        assert await catchup.jump()
        assert seat.entered == [HEAD]
    assert {peer.error for peer in world.peers.values()} == {""}


async def test_a_chain_of_changing_rosters_is_followed_with_their_own_seals(
    world: World, autojump_clock: MockClock
) -> None:
    """After a change the new roster decides; the seals of the old one alone move nothing."""
    grown = make_roster([*GENESIS.members, *(RosterMember(Identity(bytes([n]) * 32).id, 1) for n in (80, 81))])
    everyone = [*ALL, Identity(b"\x50" * 32), Identity(b"\x51" * 32)]
    snapshots = [b"ledger with %d" % number * 50 for number in range(3)]
    first = next_record(GENESIS, Opening.of_genesis(GENESIS), snapshots[0], roster=grown)
    second = next_record(GENESIS, Opening.of_record(first), snapshots[1])
    third = next_record(GENESIS, Opening.of_record(second), snapshots[2])
    good = [
        Link(sealed_by(first, ALL), snapshots[0]),
        Link(sealed_by(second, everyone[2:]), snapshots[1]),
        Link(sealed_by(third, everyone), snapshots[2]),
    ]
    bad = [good[0], Link(sealed_by(replace(second, ledger=b"\1" * 32), ALL[:4]), b"four of seven")]
    await world.teach(
        TEACHERS[0],
        known=[*bad, bad[-1]][:2],
        lies={CHAIN_PATH: says(lambda first: ChainAnswer(third, [link.sealed for link in bad[first - 1 :]]).encode())},
    )
    await world.teach(TEACHERS[1], known=good)
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [2]
    assert "two thirds or less" in world.peers[TEACHERS[0].id].error
    assert world.peers[TEACHERS[1].id].error == ""


# Interruption.


async def test_whenever_it_is_interrupted_it_goes_on_from_there(world: World, autojump_clock: MockClock) -> None:
    """The machine crashes at ever later moments, until the whole of it fits in between."""
    for teacher in TEACHERS[:2]:
        await world.teach(teacher)
    chance, lengths = random.Random(5), []
    whole = 0.0
    for attempt in range(200):
        world.asked.clear()
        catchup, seat = world.pupil(attempt)
        begun = trio.current_time()
        with trio.move_on_after(0.01 * attempt):
            assert await catchup.jump()
        world.disk.crash(chance)
        store = MemoryStore(world.disk)
        lengths.append(store.newest_record)
        chain = await store.read_sealed_records(1, 999)
        assert chain == [one.sealed for one in LINKS[: len(chain)]]
        assert store.epoch in (0, HEAD)
        if store.epoch:
            whole = trio.current_time() - begun
            break
        assert not seat.entered or attempt
    await world.assert_arrived()
    assert len(set(lengths)) > 3
    assert whole < 1.0


async def test_pieces_of_a_snapshot_that_came_before_an_interruption_are_not_fetched_again(
    world: World, autojump_clock: MockClock
) -> None:
    await world.teach(TEACHERS[0])
    digest = LINKS[HEAD - 1].record.snapshot
    for _ in range(100):
        catchup, _ = world.pupil()
        with trio.move_on_after(0.21):
            await catchup.jump()
        if await world.blobs.pieces(digest):
            break
    assert await world.blobs.pieces(digest)
    world.asked.clear()
    catchup, seat = world.pupil()
    assert await catchup.jump()
    assert seat.entered == [HEAD]
    assert len([path for _, path in world.asked if path == BLOB_PATH]) == 2, "the size, and the other piece"


# The messages and the teacher.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        encode({"first": 0}),
        encode({"first": -1}),
        encode({"first": True}),
        encode({"first": 2**63}),
        encode({"first": 1, "count": 2}),
    ],
)
async def test_a_wrong_question_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refusal:
        await chain_route(MemoryStore(MemoryDisk())).handler(ME.id, body)
    assert refusal.value.status == 400


async def test_an_answer_is_bounded_in_bytes_and_has_one_record_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore(MemoryDisk())
    await fill(store, LINKS[:9])
    size = len(LINKS[0].sealed.raw)
    for limit, expected in ((10, 1), (size + 10, 1), (3 * size + 10, 3), (10**6, 8)):
        monkeypatch.setattr("node.statesync.serving.MAX_RECORDS_SIZE", limit)
        answer = decode_chain_answer(await chain_route(store).handler(ME.id, ChainRequest(1).encode()))
        assert (answer.opened, len(answer.records)) == (LINKS[8].record, expected)
    assert [one.record.number for one in answer.records] == list(range(1, 9))


async def test_snapshots_are_offered_while_somebody_may_need_them() -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    for number in range(1, 6):
        await fill(store, LINKS[:number])
        await offer_snapshots(store, blobs)
        offered = [n for n in range(1, 9) if blobs.size(LINKS[n - 1].record.snapshot) is not None]
        assert offered == [n for n in (number - 1, number) if n > 0]


async def test_after_every_turn_snapshots_are_offered_and_old_epochs_forgotten(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    store, blobs = MemoryStore(MemoryDisk()), MemoryBlobs()
    nursery.start_soon(follow_epochs, store, blobs, 3)
    for number in range(1, 8):
        await store.begin_epoch(LINKS[number - 1].closed)
        await trio.sleep(2)
        assert blobs.size(LINKS[number - 1].record.snapshot) is not None
        kept = [n for n in range(1, 9) if await store.read_snapshot(n) is not None]
        assert kept == list(range(max(1, number - 2), number + 1))
    nursery.cancel_scope.cancel()


class FullBlobs(MemoryBlobs):
    """No room for anything."""

    async def add(self, data: bytes) -> bytes:
        raise BlobError("the disk is full")


async def test_a_snapshot_that_finds_no_room_stops_nothing(
    autojump_clock: MockClock, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    store = MemoryStore(MemoryDisk())
    await fill(store, LINKS[:4])
    nursery.start_soon(follow_epochs, store, FullBlobs(), 2)
    await trio.sleep(5)
    assert await store.read_snapshot(2) is None
    assert await store.read_snapshot(3) is not None
    assert capsys.readouterr().out.count("the disk is full") == 1
    nursery.cancel_scope.cancel()
