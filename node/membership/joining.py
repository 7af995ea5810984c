"""What a node that is not a member tells people: what it waits for, and the command that lets it join.

Members refuse strangers in the TLS handshake. So such a node asks again and again, as every node does. The first
answer of a member means that it was voted in; then it catches up like a node that was away.
"""

import math
import shlex
from collections.abc import Callable

import structlog
import trio

from consensus.epoch import EpochRecord
from consensus.keys import MemberId, id_text
from node.config.address import ANYWHERE, Address
from node.membership.address_book import AddressBook

_LOOK_S = 1.0
_LOG_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


def joining_command(member: MemberId, address: Address) -> str:
    """Return the command that proposes, at a member's machine, that this node joins; it serves at `address`."""
    place = f"HOST:{address.port}" if address.host in ANYWHERE else str(address)
    words = ["ringrift-node", "propose", "join", id_text(member), "--address", place, "--reason"]
    return f"{shlex.join(words)} TEXT --data DIR"


def reason_outside(
    me: MemberId, address: Address, address_book: AddressBook, epoch: int, removed_by: EpochRecord | None = None
) -> str:
    """Return why this node does not take part in the swarm now; "" if it does.

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
        return f"voted out: this key is not in epoch {epoch}; to come back, run at a member's machine: {command}"
    return f"not a member in epoch {epoch}: waits to be voted in; run at a member's machine: {command}"


async def log_while_outside(reason: Callable[[], str], tried: Callable[[], str]) -> None:
    """Log the reason, and whom this node tried, every minute while there is one, and once when it is gone."""
    logged_at = -math.inf
    while True:
        if now_outside := reason():
            if trio.current_time() >= logged_at + _LOG_EVERY_S:
                logged_at = trio.current_time()
                _log.warning("outside", reason=now_outside, tried=tried())
        elif logged_at > -math.inf:
            logged_at = -math.inf
            _log.info("this node is a member now")
        await trio.sleep(_LOOK_S)
