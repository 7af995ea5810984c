"""Blobs: stored whole or not at all, fetched from honest, slow, absent and lying peers."""

import errno
import os
import random
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import Value, encode
from node.blobs import PIECE_BYTES, BlobError, Blobs
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH, BlobMessageError, BlobRequest, decode_answer, decode_request
from node.blobs.serving import blob_route
from node.config.identity import Identity
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import AskError, Refused
from node.transport.memory import Conditions, Network
from node.transport.router import Refusal, Route, Router
from tests.node.conftest import Loopback

DATA = random.Random(1).randbytes(3 * PIECE_BYTES + 12_345)
DIGEST = sha256(DATA).digest()
MEMBERS = [Identity(bytes([number]) * 32).id for number in range(6)]
ME = MEMBERS[0]
EMPTY = MemoryStore(MemoryDisk())


@pytest.fixture(params=["files", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return FileBlobs(tmp_path / "blobs") if request.param == "files" else MemoryBlobs()


async def test_a_blob_is_found_by_its_digest(blobs: Blobs) -> None:
    assert blobs.size(DIGEST) is None
    assert await blobs.add(DATA) == DIGEST
    assert await blobs.add(DATA) == DIGEST
    assert blobs.size(DIGEST) == len(DATA)
    assert await blobs.read(DIGEST, 0, len(DATA) + 5) == DATA
    assert await blobs.read(DIGEST, PIECE_BYTES - 1, 7) == DATA[PIECE_BYTES - 1 : PIECE_BYTES + 6]
    assert await blobs.read(DIGEST, len(DATA), 7) == b""
    await blobs.remove(DIGEST)
    assert blobs.size(DIGEST) is None
    with pytest.raises(BlobError, match=DIGEST.hex()):
        await blobs.read(DIGEST, 0, 1)


async def test_the_empty_blob_is_a_blob(blobs: Blobs) -> None:
    digest = await blobs.add(b"")
    assert blobs.size(digest) == 0


def pieces_of(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]


async def test_pieces_make_a_blob_only_if_the_digest_is_right(blobs: Blobs) -> None:
    for number, piece in enumerate(pieces_of(DATA)):
        await blobs.add_piece(DIGEST, number, piece if number != 2 else piece[::-1])
    assert await blobs.pieces(DIGEST) == frozenset(range(4))
    assert not await blobs.assemble(DIGEST, 4)
    assert blobs.size(DIGEST) is None
    assert await blobs.pieces(DIGEST) == frozenset()
    for number, piece in enumerate(pieces_of(DATA)):
        await blobs.add_piece(DIGEST, number, piece)
    assert await blobs.assemble(DIGEST, 4)
    assert await blobs.read(DIGEST, 0, len(DATA)) == DATA
    assert await blobs.pieces(DIGEST) == frozenset()


async def test_files_and_pieces_outlive_the_process(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    (tmp_path / "source").write_bytes(DATA)
    assert await blobs.add_file(tmp_path / "source") == DIGEST
    other = sha256(b"other").digest()
    await blobs.add_piece(other, 3, b"piece")
    (tmp_path / "partial" / ".cut-off").write_bytes(b"half a bl")
    again = FileBlobs(tmp_path)
    assert not (tmp_path / "partial" / ".cut-off").exists()
    assert again.path(DIGEST).read_bytes() == DATA
    assert not os.access(again.path(DIGEST), os.W_OK) or os.geteuid() == 0
    assert await again.pieces(other) == {3}


async def test_a_crash_while_writing_leaves_no_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    blobs = FileBlobs(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("node.blobs.files.os.fsync", fail)
        with pytest.raises(BlobError, match="No space"):
            await blobs.add(DATA)
    assert blobs.size(DIGEST) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert await blobs.add(DATA) == DIGEST


Peer = Callable[[bytes, bytes], Awaitable[bytes]]


def honest(data: bytes = DATA) -> Peer:
    async def answer(member: bytes, body: bytes) -> bytes:
        digest, offset, length = decode_request(body)
        if digest != DIGEST:
            raise Refusal(404, "the blob is not here")
        return encode({"size": len(data), "data": data[offset : offset + length]})

    return answer


async def absent(member: bytes, body: bytes) -> bytes:
    raise Refusal(404, "the blob is not here")


async def silent(member: bytes, body: bytes) -> bytes:
    await trio.sleep_forever()
    return b""


async def garbage(member: bytes, body: bytes) -> bytes:
    return b"\xff\xff"


async def too_much(member: bytes, body: bytes) -> bytes:
    return encode({"size": len(DATA), "data": DATA[:PIECE_BYTES] + b"x"})


async def nothing(member: bytes, body: bytes) -> bytes:
    return encode({"size": len(DATA), "data": b""})


LIARS = {
    "other content": honest(bytes(len(DATA))),
    "shorter": honest(DATA[:-1]),
    "longer": honest(DATA + bytes(PIECE_BYTES)),
    "garbage": garbage,
    "too much": too_much,
    "nothing": nothing,
}


class Lan:
    """Peers that answer as given, and a fetcher that counts what it asks of each."""

    def __init__(self, nursery: trio.Nursery, blobs: Blobs) -> None:
        self.nursery = nursery
        self.network = Network(5, Conditions(delay_s=0.001, jitter_s=0.001))
        self.asked: dict[bytes, int] = dict.fromkeys(MEMBERS, 0)
        self.blobs = blobs
        self.fetcher = BlobFetcher(blobs, self.network.transport(ME), MEMBERS[1:], random.Random(3))

    async def peer(self, number: int, behaviour: Peer) -> bytes:
        member = MEMBERS[number]

        async def answer(asking: bytes, body: bytes) -> bytes:
            self.asked[member] += 1
            return await behaviour(asking, body)

        routes = {BLOB_PATH: Route(handler=answer, max_bytes=999, concurrency=9, rate=1e9, burst=1e9, timeout_s=100)}
        await self.nursery.start(self.network.serve, member, Router(MEMBERS, routes))
        return member


@pytest.fixture
def lan(nursery: trio.Nursery) -> Lan:
    return Lan(nursery, MemoryBlobs())


async def test_a_blob_comes_from_several_peers_at_once(lan: Lan) -> None:
    for number in range(1, 6):
        await lan.peer(number, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert await lan.blobs.read(DIGEST, 0, len(DATA)) == DATA
    assert sum(asked > 1 for asked in lan.asked.values()) == 3
    assert sum(lan.asked.values()) == 3 + 4  # who has it, then each piece once


async def test_likely_peers_are_asked_first(lan: Lan) -> None:
    for number in range(1, 6):
        await lan.peer(number, honest() if number in (2, 3, 4) else absent)
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA), likely=[MEMBERS[number] for number in (2, 3, 4)])
    assert {number for number in range(6) if lan.asked[MEMBERS[number]]} == {2, 3, 4}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", LIARS)
async def test_liars_do_not_keep_a_blob_from_us(
    kind: str, seed: int, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    lan = Lan(nursery, MemoryBlobs())
    lan.fetcher._random.seed(seed)
    for number in range(1, 6):
        await lan.peer(number, LIARS[kind] if number < 5 else honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=2 * len(DATA))
    assert await lan.blobs.read(DIGEST, 0, len(DATA)) == DATA


async def test_a_liar_is_asked_last_from_then_on(lan: Lan) -> None:
    liar = await lan.peer(1, LIARS["other content"])
    await lan.peer(2, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA), likely=[liar])
    asked = lan.asked[liar]
    assert asked > 0
    await lan.blobs.remove(DIGEST)
    for number in (3, 4):
        await lan.peer(number, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA), likely=[liar])
    assert lan.asked[liar] == asked


async def test_an_honest_peer_is_not_blamed_for_a_liar(lan: Lan) -> None:
    await lan.peer(1, LIARS["shorter"])
    for number in range(2, 6):
        await lan.peer(number, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert all(lan.fetcher._wrong_answers[MEMBERS[number]] == 0 for number in range(2, 6))


async def test_a_peer_that_stalls_costs_patience_and_no_more(lan: Lan, autojump_clock: MockClock) -> None:
    for number in range(1, 6):
        await lan.peer(number, silent if number < 3 else honest())
    started = trio.current_time()
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA), likely=MEMBERS[1:3])
    assert trio.current_time() - started < 1


async def test_a_peer_that_stalls_on_its_piece_is_overtaken(lan: Lan, autojump_clock: MockClock) -> None:
    async def stall_on_data(member: bytes, body: bytes) -> bytes:
        _, _, length = decode_request(body)
        if length:
            await trio.sleep_forever()
        return encode({"size": len(DATA), "data": b""})

    for number in range(1, 3):
        await lan.peer(number, stall_on_data)
    await lan.peer(3, honest())
    started = trio.current_time()
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert 1.9 < trio.current_time() - started < 5


async def test_what_nobody_has_is_an_error(lan: Lan) -> None:
    for number in range(1, 4):
        await lan.peer(number, absent)
    with pytest.raises(BlobError, match="none of 5 peers could give it"):
        await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert max(lan.asked.values()) == 1


async def test_a_blob_beyond_the_limit_is_not_fetched(lan: Lan) -> None:
    await lan.peer(1, honest())
    with pytest.raises(BlobError):
        await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA) - 1)
    assert lan.asked[MEMBERS[1]] == 1
    assert await lan.blobs.pieces(DIGEST) == frozenset()


async def test_an_interrupted_fetch_goes_on_where_it_was(lan: Lan) -> None:
    left = 3

    async def fickle(member: bytes, body: bytes) -> bytes:
        nonlocal left
        if left == 0:
            raise Refusal(503, "gone")
        left -= 1
        return await honest()(member, body)

    await lan.peer(1, fickle)
    with pytest.raises(BlobError):
        await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert len(await lan.blobs.pieces(DIGEST)) == 2
    await lan.peer(2, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert lan.asked[MEMBERS[2]] == 1 + 2


async def test_bad_pieces_from_before_a_restart_do_no_harm(lan: Lan) -> None:
    for number in (0, 1, 2, 3, 99):
        await lan.blobs.add_piece(DIGEST, number, b"bad")
    await lan.peer(1, honest())
    await lan.peer(2, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert await lan.blobs.read(DIGEST, 0, len(DATA)) == DATA


async def test_a_full_disk_ends_a_fetch_in_one_line(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lan = Lan(nursery, FileBlobs(tmp_path))
    for number in range(1, 4):
        await lan.peer(number, honest())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for broken in ("replace", "fsync"):  # of a piece, of the whole
        with monkeypatch.context() as patch:
            patch.setattr(f"node.blobs.files.os.{broken}", fail)
            with pytest.raises(BlobError, match="No space"):
                await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert await lan.blobs.read(DIGEST, 0, len(DATA)) == DATA


async def test_a_blob_that_cannot_be_read_here_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FileBlobs(tmp_path)
    await blobs.add(DATA)
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "_read", lambda *_: os.read(-1, 1))
        with pytest.raises(Refusal) as refusal:
            await blob_route(blobs, EMPTY).handler(ME, encode({"digest": DIGEST, "offset": 0, "length": 1}))
    assert refusal.value.status == 404


async def test_who_asks_too_often_asks_again(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    lan = Lan(nursery, MemoryBlobs())
    holder = MemoryBlobs()
    blobs = [random.Random(number).randbytes(99) for number in range(300)]
    digests = [await holder.add(data) for data in blobs]
    router = Router(MEMBERS, {BLOB_PATH: blob_route(holder, EMPTY)})
    await nursery.start(lan.network.serve, MEMBERS[1], router)
    for digest in digests:
        await lan.fetcher.fetch(digest, max_bytes=99)
    assert all(lan.blobs.size(digest) == 99 for digest in digests)


async def test_two_who_want_one_blob_share_one_fetch(lan: Lan) -> None:
    await lan.peer(1, honest())
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(lambda: lan.fetcher.fetch(DIGEST, max_bytes=len(DATA)))
    assert lan.asked[MEMBERS[1]] == 1 + 4


async def test_what_is_here_is_not_fetched(lan: Lan) -> None:
    await lan.blobs.add(DATA)
    await lan.peer(1, honest())
    await lan.fetcher.fetch(DIGEST, max_bytes=0)
    assert lan.asked[MEMBERS[1]] == 0


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"\xff",
        encode({}),
        encode({"digest": DIGEST, "offset": 0, "length": PIECE_BYTES + 1}),
        encode({"digest": DIGEST, "offset": -1, "length": 1}),
        encode({"digest": DIGEST[1:], "offset": 0, "length": 1}),
        encode({"digest": "x", "offset": 0, "length": 1}),
        encode({"digest": DIGEST, "offset": 2**63, "length": 1}),
        encode({"digest": DIGEST, "offset": True, "length": 1}),
        encode({"digest": DIGEST, "offset": 0, "length": False}),
        encode({"digest": DIGEST, "offset": 0, "length": 1, "more": 1}),
    ],
)
async def test_malformed_requests_for_ranges_are_refused(blobs: Blobs, request_: bytes) -> None:
    await blobs.add(DATA)
    with pytest.raises(Refusal) as refusal:
        await blob_route(blobs, EMPTY).handler(ME, request_)
    assert refusal.value.status == 400


@pytest.mark.parametrize("answer", [{"size": True, "data": b"x"}, {"size": 1, "data": b"x", "more": None}])
def test_malformed_answers_are_refused(answer: dict[str, Value]) -> None:
    with pytest.raises(BlobMessageError, match="not a size and data"):
        decode_answer(encode(answer), BlobRequest(DIGEST, 0, 1))


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    path.chmod(0o644)
    if how == "pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "missing":
        path.unlink()
    elif how == "folder":
        path.unlink()
        path.mkdir()
        (path / "file").touch()
    elif how == "links in a circle":
        path.unlink()
        path.symlink_to(path)
    elif how == "endless":
        path.unlink()
        path.symlink_to("/dev/zero")
    elif how == "no folder":
        path.unlink()
        path.parent.rmdir()
        path.parent.touch()
    else:
        path.write_bytes({"flipped": data[:-1] + bytes([data[-1] ^ 1]), "short": data[:-1], "empty": b""}[how])


DAMAGES = (
    *("flipped", "short", "empty", "missing"),
    *("pipe", "folder", "links in a circle", "endless", "no folder"),
)


@pytest.mark.parametrize("how", DAMAGES)
async def test_what_is_damaged_here_is_dropped_and_fetched_again(
    nursery: trio.Nursery, tmp_path: Path, how: str
) -> None:
    blobs = FileBlobs(tmp_path)
    lan = Lan(nursery, blobs)
    await lan.peer(1, honest())
    await blobs.add(DATA)
    assert await blobs.verify(DIGEST)
    damage(blobs.path(DIGEST), how)
    assert not await blobs.verify(DIGEST)
    assert blobs.size(DIGEST) is None
    assert blobs.damaged == len(blobs.lost) == (how != "missing")
    await blobs.add(DATA)
    damage(blobs.path(DIGEST), how)
    await lan.fetcher.fetch(DIGEST, max_bytes=len(DATA))
    assert blobs.path(DIGEST).read_bytes() == DATA
    assert not blobs.lost


@pytest.mark.parametrize("how", ["folder", "no folder", "pipe", "links in a circle"])
async def test_what_stands_in_the_place_of_a_blob_gives_way_to_it(tmp_path: Path, how: str) -> None:
    blobs = FileBlobs(tmp_path)
    await blobs.add(DATA)
    damage(blobs.path(DIGEST), how)
    with trio.fail_after(5), pytest.raises(BlobError):
        await blobs.read(DIGEST, 0, 1)
    await blobs.add(DATA)
    assert await blobs.verify(DIGEST)


async def test_a_folder_for_pieces_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / "partial").rmdir()
    assert await blobs.add(DATA) == DIGEST
    (tmp_path / "blobs" / "partial").rmdir()
    await blobs.add_piece(DIGEST, 0, DATA)
    assert await blobs.pieces(DIGEST) == {0}


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "large"])
async def test_only_files_that_a_blob_can_be_are_added(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 1 << 40)
    with trio.fail_after(5), pytest.raises(BlobError, match=f"{path}: "):
        await FileBlobs(tmp_path / "blobs").add_file(tmp_path / path)
    assert list((tmp_path / "blobs" / "partial").iterdir()) == []


async def test_a_file_that_cannot_be_read_just_now_is_not_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> Callable[..., bytes]:
        def digest(*_: object) -> bytes:
            raise OSError(number, os.strerror(number))

        return digest

    blobs = FileBlobs(tmp_path)
    await blobs.add(DATA)
    with monkeypatch.context() as patch:
        patch.setattr("node.blobs.files.digest_regular", fail(errno.EMFILE))
        with pytest.raises(BlobError, match="Too many open files"):
            await blobs.verify(DIGEST)
    assert await blobs.verify(DIGEST)
    with monkeypatch.context() as patch:
        patch.setattr("node.blobs.files.digest_regular", fail(errno.EIO))
        assert not await blobs.verify(DIGEST)
    assert blobs.size(DIGEST) is None


async def test_what_is_damaged_is_not_served(tmp_path: Path, autojump_clock: MockClock) -> None:
    blobs, request = FileBlobs(tmp_path), encode({"digest": DIGEST, "offset": 0, "length": 1})
    await blobs.add(DATA)
    answer = blob_route(blobs, EMPTY).handler
    assert await answer(ME, request) == encode({"size": len(DATA), "data": DATA[:1]})
    damage(blobs.path(DIGEST), "flipped")
    await trio.sleep(61)  # it had just been verified
    with pytest.raises(Refusal) as refusal:
        await answer(ME, request)
    assert refusal.value.status == 404
    assert blobs.lost == {DIGEST}


async def test_a_damaged_blob_in_memory_is_none() -> None:
    blobs = MemoryBlobs()
    await blobs.add(DATA)
    assert await blobs.verify(DIGEST)
    blobs._whole[DIGEST] = b"other"
    assert not await blobs.verify(DIGEST)
    assert blobs.size(DIGEST) is None


async def test_a_blob_goes_over_real_sockets(loopback: Loopback, identities: list[Identity], tmp_path: Path) -> None:
    a, b, c, *_ = identities
    for holder in (a, b):
        blobs = FileBlobs(tmp_path / holder.text)
        await blobs.add(DATA)
        await loopback.serve(holder, {BLOB_PATH: blob_route(blobs, EMPTY)})
    mine = FileBlobs(tmp_path / c.text)
    transport = loopback.transport(c)
    await BlobFetcher(mine, transport, [a.id, b.id], random.Random(1)).fetch(DIGEST, max_bytes=len(DATA))
    assert mine.path(DIGEST).read_bytes() == DATA
    absent_digest = encode({"digest": bytes(32), "offset": 0, "length": 1})
    with pytest.raises(Refused, match="404"):
        await transport.ask(a.id, BLOB_PATH, absent_digest, timeout_s=5)
    with pytest.raises(AskError):
        await transport.ask(a.id, BLOB_PATH, b"x" * 999, timeout_s=5)
