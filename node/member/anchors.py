"""Computes the chains of preimages of the epochs to come before anybody asks for them, aside from the event loop."""

import trio

from consensus.keys import SigningKey
from consensus.preimages import Preimages
from node.member.member import Member

_AHEAD = 3  # epochs: the open one, the next, which the first own event of this one names, and the one after


async def compute_anchors(member: Member, key: SigningKey) -> None:
    """Keeps those of the coming epochs computed, until cancelled; each would hold up the event loop for 50 ms.

    A thread does it, so this is for real nodes: virtual time would not wait for it.
    """
    done = -1
    while True:
        now = member.replica.number
        for number in range(max(done + 1, now), now + _AHEAD):
            await trio.to_thread.run_sync(_compute, key, number)
            done = number
        await member.news.wait()


def _compute(key: SigningKey, number: int) -> bytes:
    return Preimages(key, number).anchor
