"""The chains of preimages are computed ahead, and not by the event loop."""

import threading
from typing import cast

import pytest
import trio

from consensus import preimages
from consensus.preimages import Preimages
from node.config.identity import Identity
from node.member.anchors import compute_anchors
from node.member.member import Member
from node.system.change_counter import ChangeCounter

KEY = Identity(b"a" * 32).key


class InEpoch:
    """The part of a member that matters here."""

    def __init__(self, number: int) -> None:
        self.replica, self.dag_changes = self, ChangeCounter()
        self.epoch_number = number

    def go_on(self, number: int) -> None:
        self.epoch_number = number
        self.dag_changes.increment()


async def test_each_chain_is_computed_once_before_its_epoch_and_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[bytes] = []
    chains = {number: Preimages(KEY, number)._secret for number in range(12)}
    member = InEpoch(4)

    def compute(secret: bytes) -> tuple[bytes, ...]:
        assert threading.current_thread() is not threading.main_thread()
        computed.append(secret)
        return (bytes(32),)

    async def until(count: int) -> None:
        with trio.fail_after(20):
            while len(computed) < count:
                await trio.sleep(0.01)

    monkeypatch.setattr(preimages, "_checkpoints", compute)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(compute_anchors, cast(Member, member), KEY)
        await until(3)
        member.go_on(4)  # events, but no epoch
        member.go_on(5)
        await until(4)
        member.go_on(9)  # a jump
        await until(7)
        nursery.cancel_scope.cancel()
    assert computed == [chains[number] for number in (4, 5, 6, 7, 9, 10, 11)]
