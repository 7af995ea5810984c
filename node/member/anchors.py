"""Computes the chains of preimages of the coming epochs ahead of their use, off the event loop."""

import trio

from consensus.keys import SigningKey
from consensus.preimages import Preimages
from node.member.member import Member

_EPOCHS_AHEAD = 3
"""The open epoch, the next one, whose anchor the first own event of this one names, and the one after."""


async def compute_anchors(member: Member, key: SigningKey) -> None:
    """Compute the chains of the coming epochs until cancelled; each would block the event loop for 50 ms.

    They are computed in threads, so this is for real nodes: virtual time would not wait for a thread.
    """
    last_computed = -1
    while True:
        current = member.replica.epoch_number
        for number in range(max(last_computed + 1, current), current + _EPOCHS_AHEAD):
            await trio.to_thread.run_sync(_compute, key, number)
            last_computed = number
        await member.dag_changes.wait()


def _compute(key: SigningKey, number: int) -> bytes:
    return Preimages(key, number).anchor
