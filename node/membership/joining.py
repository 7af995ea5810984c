"""What a node whose key is in no roster it knows of tells people: what it waits for, and what they have to type.

The members' TLS turns strangers away. So such a node does what every node does, which is to ask again and again,
and the first answer of a member is the news that it was voted in; then it catches up like one that was away.
"""

import math
import shlex
from collections.abc import Callable

import structlog
import trio

from consensus.epoch import EpochRecord
from consensus.keys import MemberId, id_text
from node.config.address import Address
from node.membership.address_book import AddressBook

_LOOK_S = 1.0
_TELL_S = 60.0  # from one line in the log to the next
_ANYWHERE = ("0.0.0.0", "::")

_log = structlog.get_logger(__name__)


def joining_command(member: MemberId, address: Address) -> str:
    """What somebody types at a member's machine so that this node, which serves at `address`, may join."""
    place = f"HOST:{address.port}" if address.host in _ANYWHERE else str(address)
    words = ["ringrift-node", "propose", "join", id_text(member), "--address", place, "--reason"]
    return f"{shlex.join(words)} TEXT --data DIR"


def outside(
    me: MemberId, address: Address, address_book: AddressBook, epoch: int, removed_by: EpochRecord | None = None
) -> str:
    """Why this node has no part in the swarm for now; empty if it has.

    `removed_by` is the sealed record of a later `epoch` than it is in itself, if it was voted out before.
    """
    command = joining_command(me, address)
    if removed_by is not None:
        return (
            f"voted out: this key is not in epoch {removed_by.number}, whose record {removed_by.digest.hex()[:16]} has "
            "the seals of more than 2/3 of the weight (checked here, from the genesis on); ringrift-node members at a "
            f"member's machine shows who is; to come back: {command}"
        )
    if me in address_book.roster:
        return ""
    if me in address_book.former:
        return f"voted out: this key is not in epoch {epoch}; to come back, at a member's machine: {command}"
    return f"no member in epoch {epoch}: waits to be voted in; at a member's machine: {command}"


async def tell_while_outside(reason: Callable[[], str]) -> None:
    """Says so in the log, again and again for as long as it is so, and once when it is over."""
    told_at = -math.inf
    while True:
        if now_outside := reason():
            if trio.current_time() >= told_at + _TELL_S:
                told_at = trio.current_time()
                _log.warning("outside", reason=now_outside)
        elif told_at > -math.inf:
            told_at = -math.inf
            _log.info("a member now")
        await trio.sleep(_LOOK_S)
