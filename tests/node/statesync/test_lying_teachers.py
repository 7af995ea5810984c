"""Teachers that lie about records and snapshots: found out and left, and nothing unverified is adopted."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import encode
from consensus.epoch import Opening, SealedRecord
from consensus.roster import RosterMember, make_roster
from node.blobs.messages import BLOB_PATH
from node.config.identity import Identity
from node.statesync.chain import TIMEOUT_S
from node.statesync.messages import ChainAnswer, decode_chain_answer, decode_chain_request
from node.statesync.serving import CHAIN_PATH
from node.store.memory import MemoryStore
from node.transport import Handler
from node.transport.router import Refusal
from tests.node.statesync.chains import Link, next_record, sealed_by, seals_of_another_record
from tests.node.statesync.world import ALL, GENESIS, HEAD, LINKS, TEACHERS, Lie, World, fill


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


def too_few_seals(chain: list[SealedRecord]) -> list[SealedRecord]:
    return [replace(one, seals=one.seals[:3]) for one in chain]  # three of five are not more than two thirds


def a_gap(chain: list[SealedRecord]) -> list[SealedRecord]:
    return chain[:3] + chain[4:]


def a_wrong_link(chain: list[SealedRecord]) -> list[SealedRecord]:
    """A link to another record, sealed by everybody."""
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
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]
    await world.assert_arrived()
    assert trio.current_time() - begun < TIMEOUT_S + 5
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
    catchup, target = world.pupil()
    assert not await catchup.jump()
    assert not target.entered
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
    catchup, target = world.pupil()
    assert not await catchup.jump()
    assert not target.entered
    assert not target.mistakes
    assert (world.disk.chain, world.disk.epoch) == (before.chain, 5)
    assert all(LIES[name][1] in peer.error for peer in world.peers.values())


async def test_a_liar_that_begins_with_the_truth_helps_as_far_as_it_goes(
    world: World, autojump_clock: MockClock
) -> None:
    await world.teach(TEACHERS[0], lies={CHAIN_PATH: bends(lambda chain: chain[:9] + too_few_seals(chain[9:]))})
    catchup, target = world.pupil()
    assert not await catchup.jump(), "its snapshots are gone"
    await world.teach(TEACHERS[1])
    assert await catchup.jump()
    assert target.entered == [HEAD]
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
    catchup, target = world.pupil()
    assert not await catchup.jump()
    assert not target.entered
    assert not target.jumps
    await world.teach(TEACHERS[3])
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [HEAD]


async def test_a_chain_of_changing_rosters_is_followed_with_their_own_seals(
    world: World, autojump_clock: MockClock
) -> None:
    """After a change the new roster decides; the seals of the old one alone do not suffice."""
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
    catchup, target = world.pupil()
    assert await catchup.jump()
    assert target.entered == [2]
    assert "two thirds or less" in world.peers[TEACHERS[0].id].error
    assert world.peers[TEACHERS[1].id].error == ""
