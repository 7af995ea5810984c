"""What a node says about the games of others: votes, findings, and what it does when the others see it otherwise."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.cases import SlotReport, report_of
from node.member.ledger_client import SubmitError
from node.simulation.fake_worker import FakeWorker, fake_games
from node.work.voting import vote_on_all
from node.work.worker import Report
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, Breaking, OrderContext, worker


class PlayedSwarm(Swarm):
    """A swarm whose results name games that exist: the scores, and a number that makes each file different."""

    def __init__(self) -> None:
        super().__init__(4, SETTINGS)
        self.games: dict[bytes, bytes] = {}
        self.wrong: set[int] = set()  # slots whose games tell other scores
        self.lengths: dict[int, int] = {}  # sizes that are claimed, by slot

    def result(self, member: int, claim: int, slot: int, score: int, size: int = 2) -> t.Result:
        held = self.ledger.claim(self.id(member), claim)
        assert held is not None
        open_ = self.ledger.candidate(held.candidate or b"")
        assert open_ is not None
        told = 0 if slot in self.wrong else score
        blocks = slot_blocks(open_.beacon or b"", open_.id, slot, size)
        games = fake_games([(number, told) for number, _ in blocks], blocks) + bytes([slot])
        digest = sha256(games).digest()
        self.games[digest] = games
        news = super().result(member, claim, slot, score, size)
        return replace(news, blob=digest, root=digest, size=self.lengths.get(slot, len(games)))

    def report(self, candidate: bytes, slot: int) -> SlotReport:
        open_ = self.ledger.candidate(candidate)
        assert open_ is not None
        found = report_of(open_, slot)
        assert found is not None
        return found

    def say(self, member: int, about: SlotReport, wrong: bool) -> None:
        number = self.next_id(member)
        self.act(
            member,
            t.Finding(
                number,
                candidate=about.candidate,
                slot=about.slot,
                result=about.digest,
                wrong=wrong,
                reason="so it seems",
            ),
        )


@pytest.fixture
def swarm() -> PlayedSwarm:
    return PlayedSwarm()


@pytest.fixture
def context(swarm: PlayedSwarm, tmp_path: Path) -> OrderContext:
    return OrderContext(swarm, tmp_path)


def serve(context: OrderContext, swarm: PlayedSwarm, directory: Path) -> None:
    """Whatever was played can be had."""
    for digest, games in swarm.games.items():
        path = directory / digest.hex()
        path.write_bytes(games)
        context.files[digest] = path
    for candidacy in swarm.ledger.candidates():
        context.files |= dict.fromkeys(candidacy.model.files.values(), Path(__file__))


def diary(context: OrderContext, tmp_path: Path) -> tuple[FakeWorker, list[Mapping[str, Any]]]:
    made = worker(tmp_path)
    return made, made.jobs


async def test_a_vote_waits_neither_for_ever_nor_in_a_spin(
    swarm: PlayedSwarm,
    context: OrderContext,
    tmp_path: Path,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The games are held back: the vote is tried again with growing pauses, and cast when they are there."""
    candidate = swarm.nominate(3)
    swarm.ripen(candidate)
    fetched = Counter[bytes]()
    fetch = context.fetch

    async def counted(digest: bytes, size: int | None) -> Path:
        fetched[digest] += 1
        return await fetch(digest, size)

    monkeypatch.setattr(context, "fetch", counted)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker(tmp_path))
    await trio.sleep(120)
    assert not context.said
    assert 3 <= sum(fetched.values()) <= 8
    serve(context, swarm, tmp_path)
    await trio.sleep(61)
    (vote,) = context.said
    assert isinstance(vote, t.Vote)
    assert vote.approve
    nursery.cancel_scope.cancel()


async def test_what_is_wrong_is_put_before_the_others_and_rejected_if_they_do_not_see_it(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    candidate = swarm.nominate(3)
    swarm.lengths[1] = 100
    swarm.ripen(candidate)
    serve(context, swarm, tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker(tmp_path))
    await trio.sleep(30)
    about = swarm.report(candidate, 1)
    (finding,) = context.said
    assert isinstance(finding, t.Finding)
    assert (finding.slot, finding.result, finding.wrong) == (1, about.digest, True)
    assert finding.reason == "the games have 35 bytes, but 100 were claimed"
    swarm.say(1, about, wrong=False)
    swarm.say(2, about, wrong=False)
    assert swarm.kinds()[-1] == "unproven"
    context.stir()
    await trio.sleep(30)
    vote = context.said[-1]
    assert isinstance(vote, t.Vote)
    assert not vote.approve
    assert vote.reason == "slot 1: the games have 35 bytes, but 100 were claimed"
    assert len(context.said) == 2
    assert swarm.ledger.refused_counts() == {}
    nursery.cancel_scope.cancel()


async def test_a_result_that_all_find_wrong_is_struck_and_what_replaces_it_is_voted_on(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """And no slot is replayed twice."""
    candidate = swarm.nominate(3)
    swarm.wrong.add(1)
    swarm.ripen(candidate)
    serve(context, swarm, tmp_path)
    checker, jobs = diary(context, tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, checker)
    await trio.sleep(30)
    about = swarm.report(candidate, 1)
    assert about.result.author == swarm.id(2)
    for member in (1, 3):
        swarm.say(member, about, wrong=True)
    assert swarm.kinds()[-1] == "fault"
    context.stir()
    await trio.sleep(30)
    assert [entry.TYPE for entry in context.said] == ["finding"]
    swarm.wrong.clear()
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    swarm.act(0, t.MatchClaim(swarm.next_id(0), candidate))
    for _ in range(2):
        swarm.order()
    (claim,) = swarm.ledger.claims_of(swarm.id(0))
    assert claim.slot == 1
    swarm.act(0, swarm.result(0, claim.id, 1, 4))
    assert "ripe" in swarm.kinds()
    serve(context, swarm, tmp_path)
    context.stir()
    await trio.sleep(30)
    vote = context.said[-1]
    assert isinstance(vote, t.Vote)
    assert vote.approve
    blobs = Counter(job["blob"] for job in jobs)
    assert set(blobs.values()) == {1}
    assert swarm.ledger.refused_counts() == {}
    nursery.cancel_scope.cancel()


async def test_what_others_suspect_is_replayed_and_answered(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Also before the match is over. A result whose games nobody has does not keep this node from the others."""
    lost, plain = swarm.nominate(3, "lost"), swarm.nominate(2, "plain")
    swarm.play_slot(1, lost, 0, score=3)
    swarm.play_slot(1, plain, 1, score=2)
    serve(context, swarm, tmp_path)
    about = swarm.report(lost, 0)
    del context.files[about.result.blob]
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker(tmp_path))
    swarm.say(2, about, wrong=True)
    swarm.say(3, swarm.report(plain, 1), wrong=True)
    context.stir()
    await trio.sleep(10)
    (finding,) = context.said
    assert isinstance(finding, t.Finding)
    assert (finding.candidate, finding.slot, finding.wrong) == (plain, 1, False)
    serve(context, swarm, tmp_path)
    await trio.sleep(61)
    assert [entry.wrong for entry in context.said if isinstance(entry, t.Finding)] == [False, False]
    await trio.sleep(700)
    assert len(context.said) == 2
    assert swarm.ledger.refused_counts() == {}
    nursery.cancel_scope.cancel()


async def test_results_are_replayed_as_they_come(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """So a wrong one is found long before the match is over, and no slot is replayed again for the vote."""
    candidate = swarm.nominate(3)
    swarm.wrong.add(2)
    checker, jobs = diary(context, tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, checker)
    for slot, member in ((0, 1), (1, 2), (2, 1)):
        swarm.play_slot(member, candidate, slot)
        serve(context, swarm, tmp_path)
        context.stir()
        await trio.sleep(10)
    (finding,) = context.said
    assert isinstance(finding, t.Finding)
    assert (finding.slot, finding.wrong) == (2, True)
    about = swarm.report(candidate, 2)
    swarm.wrong.clear()
    for member in (2, 3):
        swarm.say(member, about, wrong=True)
    context.stir()
    swarm.play_slot(2, candidate, 2)
    slot = 3
    while "ripe" not in swarm.kinds():
        swarm.play_slot((2, 0)[slot % 2], candidate, slot)
        slot += 1
    serve(context, swarm, tmp_path)
    context.stir()
    await trio.sleep(30)
    assert [entry.TYPE for entry in context.said] == ["finding", "vote"]
    assert set(Counter(job["blob"] for job in jobs).values()) == {1}
    assert swarm.ledger.refused_counts() == {}
    nursery.cancel_scope.cancel()


async def test_a_broken_disk_accuses_nobody(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    candidate = swarm.nominate(3)
    swarm.ripen(candidate)
    serve(context, swarm, tmp_path)
    blob = swarm.report(candidate, 0).result.blob
    context.files[blob].write_bytes(b"cut")
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker(tmp_path))
    await trio.sleep(120)
    assert not context.said
    context.files[blob].write_bytes(swarm.games[blob])
    await trio.sleep(61)
    (vote,) = context.said
    assert isinstance(vote, t.Vote)
    assert vote.approve
    nursery.cancel_scope.cancel()


async def test_what_cannot_be_said_now_is_said_later(
    swarm: PlayedSwarm, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    class Halting(OrderContext):
        refusals = 2

        async def submit(self, *transactions: t.Transaction) -> None:
            if self.refusals:
                self.refusals -= 1
                raise SubmitError("too much waits already")
            await super().submit(*transactions)

    context = Halting(swarm, tmp_path)
    candidate = swarm.nominate(3)
    swarm.wrong.add(0)
    swarm.ripen(candidate)
    serve(context, swarm, tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker(tmp_path))
    await trio.sleep(60)
    assert [entry.TYPE for entry in context.said] == ["finding"]
    nursery.cancel_scope.cancel()


async def test_a_check_that_hangs_ends_with_its_candidate(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    class Hanging(Breaking):
        async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
            self.tried["check"] += 1
            await trio.sleep_forever()
            return {}

    hanging = Hanging()
    nursery.start_soon(vote_on_all, context, hanging)
    for number, name in enumerate(("first", "second")):
        candidate = swarm.nominate(3, name)
        swarm.ripen(candidate)
        serve(context, swarm, tmp_path)
        context.stir()
        await trio.sleep(5)
        assert hanging.tried["check"] == number + 1
        swarm.vote(1, candidate, approve=False)
        swarm.vote(2, candidate, approve=False)
        context.stir()
        await trio.sleep(1)
    nursery.cancel_scope.cancel()


async def test_a_finding_is_said_whatever_the_check_says(
    swarm: PlayedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    class Odd(Breaking):
        async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
            await trio.sleep(1)
            return {"ok": False, "reason": "header\n\x00 of\u2028" + "y" * 300}

    swarm.ripen(swarm.nominate(3))
    serve(context, swarm, tmp_path)
    nursery.start_soon(vote_on_all, context, Odd())
    await trio.sleep(5)
    assert swarm.ledger.refused_counts() == {}
    assert swarm.ledger.accepted_counts()["finding"] == 1
    nursery.cancel_scope.cancel()
