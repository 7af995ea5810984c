"""Nodes whose ledger is not that of the others: whole swarms in virtual time."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from consensus.epoch import EpochRecord, Opening, SealedRecord
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Effect, Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.state.state import State
from consensus.ordered import DecidedRound
from consensus.replica import Replica, RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from tests.integration.open_swarm import ledger_of, member_of

TIMING = CreationTiming(busy_s=0.4, prompt_s=0.4)  # steady, so that epochs are long enough to be wrong in
RHYTHM = Rhythm(busy_s=0.2, timeout_s=5.0)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
ROUNDS = 6  # after which a node whose ledger is wrong knows it


class ChattySwarm(SimulatedSwarm):
    """A swarm in which `chat` lets a node claim, so that there is something to be wrong about."""

    chat: Callable[[SimulatedNode], None]


Rounds: TypeAlias = list[list[RoundEffects]]  # by node
Scenario: TypeAlias = Callable[[ChattySwarm, Rounds], Awaitable[None]]


def nothing(_swarm: ChattySwarm) -> None:
    """What most tests do before the swarm begins."""


def in_virtual_time(
    seed: int,
    scenario: Scenario,
    count: int = 4,
    settings: Settings | None = None,
    founded: Callable[[ChattySwarm], None] = nothing,
    **options: Any,
) -> None:
    """Runs `scenario(swarm, rounds)`; `rounds` collects what each node decides. `founded` sees the swarm before."""
    make_deterministic(seed)
    rounds: Rounds = [[] for _ in range(count)]

    async def main() -> None:
        swarm = ChattySwarm(
            count, seed, timing=TIMING, rhythm=RHYTHM, settings=settings,
            observe=lambda node, effects: rounds[node.number].append(effects), **options,
        )  # fmt: skip
        founded(swarm)
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            swarm.chat = lambda node: nursery.start_soon(chat, node)
            for node in swarm.honest:
                swarm.chat(node)
            await scenario(swarm, rounds)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def chat(node: SimulatedNode) -> None:
    """Claims, so that there is something to be wrong about."""
    member = member_of(node)
    for number in range(member.last_id() + 1, 1000):
        await trio.sleep(1.0)
        if node.member is not member:
            break
        member.submit([t.SelfplayClaim(number, "hex8-2", 1).as_table()])


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.1)


def override(target: object, method: str, by: Callable[..., object]) -> None:
    """Gives one object another method; `delattr` gives it back."""
    assert callable(getattr(target, method))
    setattr(target, method, by)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_node_with_a_wrong_ledger_finds_out_says_so_and_computes_it_again(seed: int) -> None:
    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, *others = swarm.nodes
        await until(lambda: ledger_of(wrong).round >= 10)
        assert member_of(wrong).status().dissent == ""
        at = ledger_of(wrong).round
        ledger_of(wrong)._state.accepted["claim"] += 1  # a bit flips
        said = []
        with capture_logs() as logs:
            while not any(entry["event"].startswith("the ledger was wrong") for entry in logs):
                said.append((ledger_of(wrong).round, member_of(wrong).status().dissent))
                await trio.sleep(0.05)
                assert ledger_of(wrong).round <= at + ROUNDS
            cured = [entry for entry in logs if entry["event"].startswith("the ledger was wrong")]
        assert cured[0]["round"] == at + 1
        assert cured[0]["entries"] == "accepted claim"
        noticed = [entry for entry in logs if entry["event"] == "the ledgers differ"]
        assert len(noticed) == 1  # nobody else has doubts
        assert noticed[0]["round"] == at + 1
        await trio.sleep(10)
        for node in swarm.nodes:
            assert member_of(node).status().dissent == ""
        assert ledger_of(wrong).round >= at + 12  # it goes on: a swarm of this rhythm decides 14 to 17 in this time
        await until(lambda: ledger_of(wrong).digest() == ledger_of(others[0]).digest())
        check_agreement(rounds, wrong.number, at)

    in_virtual_time(seed, scenario)


def check_agreement(rounds: Rounds, wrong: int, at: int) -> None:
    """All tell the same rounds with the same digests, but for those that the wrong node told too early."""
    told = [{entry.round.number: entry.digest for entry in mine} for mine in rounds]
    assert all(len(digests) == len(mine) for digests, mine in zip(told, rounds, strict=True))  # each once
    differing = [number for number in told[wrong] if told[wrong][number] != told[wrong - 1].get(number)]
    last = min(max(digests) for digests in told)
    assert [number for number in differing if number <= last] == sorted(
        number for number in differing if at < number <= at + ROUNDS
    )


def test_a_wrong_node_puts_nothing_forward_until_it_is_cured() -> None:
    """Its cure is taken away, so that it stays wrong; what it was told to say waits."""

    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        wrong = swarm.nodes[1]
        override(member_of(wrong).divergence, "wants_recomputation", lambda: False)
        await until(lambda: ledger_of(wrong).round >= 5)
        ledger_of(wrong)._state.refused["malformed"] = 7
        await until(lambda: member_of(wrong).status().dissent)
        assert "does not vote or work" in member_of(wrong).status().dissent
        made = len(member_of(wrong).replica.dag.events)
        await trio.sleep(10)
        events = member_of(wrong).replica.dag.events[made:]
        mine = [event for event in events if event.creator == wrong.identity.id]
        assert len(mine) > 5  # it goes on ordering with the others
        assert all(event.transactions == () for event in mine)
        assert member_of(wrong).status().pending > 5
        delattr(member_of(wrong).divergence, "wants_recomputation")
        await until(lambda: member_of(wrong).status().dissent == "")
        await until(lambda: member_of(wrong).status().pending <= 3)

    in_virtual_time(4, scenario)


def test_without_a_majority_everybody_says_so() -> None:
    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        await until(lambda: all(ledger_of(node).round >= 5 for node in swarm.nodes))
        for node in swarm.nodes[:2]:
            override(member_of(node).divergence, "wants_recomputation", lambda: False)
            ledger_of(node)._state.refused["malformed"] = 7
        await until(lambda: all(member_of(node).status().dissent for node in swarm.nodes))
        assert all("no ledger has the majority" in member_of(node).status().dissent for node in swarm.nodes)
        first = member_of(swarm.nodes[0]).status().round
        await until(lambda: member_of(swarm.nodes[3]).status().round > first + 3)  # the order needs no ledger

    in_virtual_time(5, scenario)


# In the rounds in which an epoch closes.

TINY = Settings(epoch=EpochSettings(events=60))


def bend_at_close(node: SimulatedNode, change: Callable[[State], None]) -> None:
    """Changes the ledger's state in the round that closes the present epoch."""
    ledger = ledger_of(node)
    apply = ledger.apply_round

    def bent(decided: DecidedRound) -> tuple[Effect, ...]:
        effects = apply(decided)
        if ledger.closing is not None:
            change(ledger._state)
            ledger._digest = ledger._state.digest()
            delattr(ledger, "apply_round")
        return effects

    override(ledger, "apply_round", bent)


def miscount(state: State) -> None:
    state.accepted["claim"] = state.accepted.get("claim", 0) + 1


def records(node: SimulatedNode) -> dict[int, bytes]:
    """The record that opened each epoch, as the node's disk has it."""
    return {number: link.record for number, link in node.disk.chain.items()}


def placed(rounds: Sequence[RoundEffects], author: MemberId) -> list[int]:
    """The ids of a member's claims that were ordered, as often as they were."""
    events = [place.event for decided in rounds for place in decided.round.events]
    said = [entry for event in events if event.creator == author for entry in event.transactions]
    return [entry["id"] for entry in said if entry["type"] == "claim"]


async def not_again(*_: object) -> None:
    """No second look: as if the program were wrong."""


def listen(node: SimulatedNode, said: list[tuple[int, str]]) -> None:
    """Keeps what the node says of itself when seals refute its record; nothing else may make it doubt."""
    override(member_of(node).recomputation, "recompute_record", not_again)
    observe = member_of(node).observe_refutation

    def observed(own: EpochRecord, sealed: SealedRecord) -> None:
        observe(own, sealed)
        said.append((node.number, member_of(node).status().dissent))

    override(member_of(node), "observe_refutation", observed)


def lines(logs: Sequence[MutableMapping[str, Any]], *words: str) -> list[MutableMapping[str, Any]]:
    return [entry for entry in logs if all(word in entry["event"] for word in words)]


async def check_cured(swarm: ChattySwarm, bent: Sequence[SimulatedNode], rounds: Rounds) -> None:
    """Checks that all go on in one order, and that nothing the bent nodes said is lost or acts twice."""
    sane = next(node for node in swarm.honest if node not in bent)
    epoch = member_of(sane).replica.epoch_number
    await until(lambda: min(member_of(node).replica.epoch_number for node in swarm.nodes) >= epoch + 2, 120)
    common = min(len(records(node)) for node in swarm.nodes)
    for node in swarm.nodes:
        assert {number: records(node)[number] for number in range(1, common + 1)} == {
            number: records(sane)[number] for number in range(1, common + 1)
        }
        assert member_of(node).status().dissent == ""
        assert not member_of(node).replica.hashgraph.forkers()
        assert not ledger_of(node).convictions()
        ids = placed(rounds[sane.number], node.identity.id)
        assert len(ids) > 10
        if node in bent:
            assert sorted(ids) == list(range(len(ids)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wrong_record_of_an_epoch_is_noticed_said_and_replaced_by_the_sealed_one(seed: int) -> None:
    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, said = swarm.nodes[0], list[tuple[int, str]]()
        listen(wrong, said)
        bend_at_close(wrong, miscount)
        with capture_logs() as logs:
            await until(lambda: member_of(wrong).replica.epoch_number == 1)
            mistaken = records(wrong)[1]
            await until(lambda: lines(logs, "computed again"))
        assert records(wrong)[1] == records(swarm.nodes[1])[1] != mistaken
        ((number, words),) = said
        assert number == 0
        assert "epoch 1 began here with another record than members of weight" in words
        assert "(ledger, snapshot)" in words
        (noticed,), (cured,) = lines(logs, "record", "is wrong"), lines(logs, "right record")
        assert noticed["epoch"] == cured["epoch"] == 1
        assert cured["entries"] == "accepted claim"
        (again,) = lines(logs, "closes otherwise")
        assert again["round"] == noticed["round"]  # that was the round in which it closed
        await check_cured(swarm, [wrong], rounds)

    in_virtual_time(seed, scenario, settings=TINY)


def test_two_of_seven_that_are_wrong_in_the_same_way_are_cured() -> None:
    """They hear each other in their epoch, and are too few to go on in it."""

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        bent, said = swarm.nodes[2:4], list[tuple[int, str]]()
        for node in bent:
            listen(node, said)
            bend_at_close(node, miscount)
        await until(lambda: len(said) == 2)
        await check_cured(swarm, bent, rounds)

    in_virtual_time(3, scenario, count=7, settings=TINY)


@pytest.mark.parametrize("down", [0.5, 20.0])
def test_a_node_that_crashes_with_a_wrong_record_is_cured_after_its_start(down: float) -> None:
    """Even if the others are epochs ahead by then."""

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong = swarm.nodes[1]
        bend_at_close(wrong, miscount)
        await until(lambda: wrong.disk.epoch == 1)
        mistaken = records(wrong)[1]
        swarm.crash(wrong)
        await trio.sleep(down)
        with capture_logs() as logs:
            await swarm.start(wrong)
            override(member_of(wrong).recomputation, "recompute_record", not_again)
            swarm.chat(wrong)
            assert records(wrong)[1] == mistaken
            await until(lambda: member_of(wrong).replica.epoch_number > 1 or records(wrong)[1] != mistaken)
        (noticed,) = lines(logs, "record", "is wrong")
        assert noticed["epoch"] == 1
        assert wrong.stops == []
        await check_cured(swarm, [], rounds)

    in_virtual_time(6, scenario, settings=TINY)


def test_a_node_that_does_not_close_an_epoch_follows_the_others() -> None:
    """Its count of events went wrong, of which the digest says nothing; the others close and go on without it."""

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, sane = swarm.nodes[:2]
        await until(lambda: ledger_of(wrong).round >= 3)
        ledger_of(wrong)._state.epoch.first_index += 1000
        with capture_logs() as logs:
            await until(lambda: member_of(sane).replica.epoch_number == 1)
            closed_at = trio.current_time()
            await until(lambda: member_of(wrong).replica.epoch_number == 1)
            assert trio.current_time() < closed_at + 20  # who brings it what it may lack is ahead, too
            await until(lambda: lines(logs, "closes otherwise"))
        (noticed,) = lines(logs, "had not closed")
        assert noticed["epoch"] == 1
        assert member_of(sane).replica.epoch_number == 1  # it did not wait for the next close
        said = member_of(wrong).last_id()
        await until(lambda: len(placed(rounds[sane.number], wrong.identity.id)) > said)
        assert sorted(placed(rounds[sane.number], wrong.identity.id))[: said + 1] == list(range(said + 1))
        await until(lambda: ledger_of(wrong).digest() == ledger_of(sane).digest())

    in_virtual_time(2, scenario, settings=Settings(epoch=EpochSettings(events=400)))


def test_an_epoch_that_closes_when_it_is_computed_again_is_left() -> None:
    """The wrong ledger had gone beyond the close, and the others' words said that it was wrong before."""

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, sane = swarm.nodes[:2]
        await until(lambda: ledger_of(wrong).round >= 3)
        cure = member_of(wrong).divergence.wants_recomputation

        def wanted() -> bool:
            return (
                member_of(sane).replica.epoch_number == 1
                and ledger_of(wrong).round >= member_of(sane).replica.opening.round
                and cure()
            )

        override(member_of(wrong).divergence, "wants_recomputation", wanted)
        miscount(ledger_of(wrong)._state)
        ledger_of(wrong)._state.epoch.first_index += 1000
        with capture_logs() as logs:
            await until(lambda: member_of(sane).replica.epoch_number == 1)
            await until(lambda: member_of(wrong).replica.epoch_number == 1, 20)
        assert lines(logs, "the ledger was wrong; it was computed again")
        assert not lines(logs, "catching up")
        assert wrong.disk.epoch == 1
        assert records(wrong)[1] == records(sane)[1]
        await check_cured(swarm, [wrong], rounds)

    in_virtual_time(2, scenario, settings=TINY)


def test_a_node_that_closes_too_early_says_so_and_is_cured_when_the_others_have_closed() -> None:
    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, sane = swarm.nodes[:2]
        await until(lambda: ledger_of(wrong).round >= 3)
        ledger_of(wrong)._state.epoch.first_index -= 150
        await until(lambda: member_of(wrong).replica.epoch_number == 1)
        mistaken = records(wrong)[1]
        await until(lambda: member_of(wrong).status().dissent, 40)
        assert "most members have not closed the one before" in member_of(wrong).status().dissent
        assert member_of(sane).replica.epoch_number == 0
        assert all(member_of(node).status().dissent == "" for node in swarm.nodes[1:])
        await until(lambda: records(wrong)[1] != mistaken, 120)
        await check_cured(swarm, [wrong], rounds)

    in_virtual_time(2, scenario, settings=Settings(epoch=EpochSettings(events=230)))


def miscount_by(number: int) -> Callable[[State], None]:
    def change(state: State) -> None:
        state.refused["malformed"] = number

    return change


def test_without_a_majority_for_a_record_everybody_says_so() -> None:
    """Nobody gives up its own record for another: none has seals."""

    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        for node in swarm.nodes:
            override(member_of(node).recomputation, "recompute_record", not_again)
        for number, node in enumerate(swarm.nodes[:4]):
            bend_at_close(node, miscount_by(1 + number // 2))
        await until(lambda: all(member_of(node).replica.epoch_number == 1 for node in swarm.nodes))
        before = [records(node) for node in swarm.nodes]
        await until(lambda: all(member_of(node).status().dissent for node in swarm.nodes))
        for node in swarm.nodes:
            assert member_of(node).status().dissent == (
                "no record of epoch 1 has the majority of the weight; nobody votes or works"
            )
        await trio.sleep(30)
        assert [records(node) for node in swarm.nodes] == before

    in_virtual_time(3, scenario, count=7, settings=TINY)


def test_the_minority_of_an_epoch_that_nobody_can_seal_knows_it() -> None:
    """Four of seven are too few to go on, and are right."""

    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        for number, node in enumerate(swarm.nodes[:3]):
            override(member_of(node).recomputation, "recompute_record", not_again)
            bend_at_close(node, miscount_by(number))
        await until(lambda: all(member_of(node).status().dissent for node in swarm.nodes[:3]))
        for node in swarm.nodes[:3]:
            assert "members of weight 4 of 7 opened epoch 1 with another record (ledger, snapshot)" in (
                member_of(node).status().dissent
            )
        assert all(member_of(node).status().dissent == "" for node in swarm.nodes[3:])

    in_virtual_time(3, scenario, count=7, settings=TINY)


@pytest.mark.parametrize(("count", "wrong"), [(3, 1), (7, 4)])
def test_where_nobody_can_seal_a_record_the_wrong_ones_are_computed_again(count: int, wrong: int) -> None:
    """With three members all are needed for a seal; with seven, four are wrong, each in its own way."""

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        bent = swarm.nodes[:wrong]
        with capture_logs() as logs:
            for number, node in enumerate(bent):
                bend_at_close(node, miscount_by(number))
            await until(lambda: len(lines(logs, "right record")) == wrong, 60)
        for entry in lines(logs, "right record"):
            assert entry["entries"] == "refused malformed"
        assert len(lines(logs, "closes otherwise")) == wrong
        await check_cured(swarm, bent, rounds)

    in_virtual_time(4, scenario, count=count, settings=TINY)


def test_a_swarm_of_one_goes_on_with_what_it_has() -> None:
    async def scenario(swarm: ChattySwarm, _rounds: Rounds) -> None:
        (only,) = swarm.nodes
        bend_at_close(only, miscount)
        await until(lambda: member_of(only).replica.epoch_number == 2, 200)
        assert member_of(only).status().dissent == ""

    in_virtual_time(1, scenario, count=1, settings=TINY)


@pytest.mark.parametrize(
    "moments", [[0.3], [2.3], pytest.param([step / 3 for step in range(12)], marks=pytest.mark.slow)], ids=len
)
def test_a_crash_at_any_point_of_the_cure_costs_only_time(moments: list[float]) -> None:
    """The disk takes its time, so that some crashes come while a turn is being written."""
    seen: set[bool] = set()
    for moment in moments:
        in_virtual_time(int(10 * moment), partial(crashed, moment=moment, seen=seen), settings=TINY)
    assert len(moments) == 1 or seen == {False, True}  # crashed before it was cured, and after


async def crashed(swarm: ChattySwarm, rounds: Rounds, *, moment: float, seen: set[bool]) -> None:
    wrong, sane = swarm.nodes[:2]
    wrong.disk.sync_seconds = 0.3
    bend_at_close(wrong, miscount)
    await until(lambda: wrong.disk.epoch == 1)
    mistaken = records(wrong)[1]
    await trio.sleep(moment)
    swarm.crash(wrong)
    seen.add(records(wrong)[1] != mistaken)
    await trio.sleep(1)
    await swarm.start(wrong)
    await until(lambda: records(wrong)[1] == records(sane)[1])
    swarm.chat(wrong)
    wrong.disk.sync_seconds = 0.0
    await check_cured(swarm, [], rounds)
    assert wrong.stops == []


def test_a_program_that_is_wrong_stays_silent_and_has_its_entries_named_at_the_next_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Computed again, its ledger is the same: only the ledger that the others seal tells what is wrong with it."""
    identity: list[MemberId] = []

    class Faulty(Replica):
        def __init__(
            self,
            genesis: Genesis,
            key: SigningKey | None,
            opening: Opening,
            ledger: Ledger,
            *,
            decided: tuple[int, bytes] | None = None,
        ) -> None:
            super().__init__(genesis, key, opening, ledger, decided=decided)
            if key is not None and identity == [key.id] and opening.number == 0:
                apply = ledger.apply_round

                def misapply(decided: DecidedRound) -> tuple[Effect, ...]:
                    if decided.number == 4:
                        ledger._state.refused["malformed"] = 7
                    return apply(decided)

                override(ledger, "apply_round", misapply)

    async def scenario(swarm: ChattySwarm, rounds: Rounds) -> None:
        wrong, sane = swarm.nodes[:2]
        with capture_logs() as logs:
            await until(lambda: lines(logs, "the ledger is the same"))
            while member_of(sane).replica.epoch_number == 0:
                assert "another ledger since round 4" in member_of(wrong).status().dissent
                await trio.sleep(0.2)
            await until(lambda: lines(logs, "right record"))
            await trio.sleep(1)
        (cured,) = lines(logs, "right record")
        assert cured["entries"] == "refused malformed"
        assert len(lines(logs, "the ledger is the same")) >= 2  # also of the close
        await check_cured(swarm, [wrong], rounds)

    def founded(swarm: ChattySwarm) -> None:
        identity.append(swarm.nodes[0].identity.id)

    monkeypatch.setattr("node.member.recovery.Replica", Faulty)
    in_virtual_time(2, scenario, settings=Settings(epoch=EpochSettings(events=150)), founded=founded)
