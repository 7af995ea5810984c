"""What a node that is not a member, or has no vote, tells people: since when, why, and the command that helps.

Members refuse strangers in the TLS handshake. So a node that is not a member asks again and again, as every node does.
The first answer of a member means that it was voted in; then it catches up like a node that was away.
"""

import math
import shlex
from collections.abc import Callable

import structlog
import trio

from consensus.epoch import EpochRecord
from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from node.config.address import ANYWHERE, Address
from node.membership.address_book import AddressBook
from node.text.formatting import moment

_LOOK_S = 1.0
_LOG_EVERY_S = 60.0
_BACK = "if another key replaced it, start this node with that one; to come back, run at a member's machine: {command}"

_log = structlog.get_logger(__name__)


def joining_command(member: MemberId, address: Address) -> str:
    """Return the command that proposes, at a member's machine, that this node joins; it serves at `address`."""
    place = f"HOST:{address.port}" if address.host in ANYWHERE else str(address)
    words = ["ringrift-node", "propose", "join", id_text(member), "--address", place, "--reason"]
    return f"{shlex.join(words)} TEXT --data DIR"


def reason_outside(
    me: MemberId,
    address: Address,
    address_book: AddressBook,
    ledger: Ledger,
    *,
    removed_by: EpochRecord | None = None,
) -> str:
    """Return why this node does not take part in the swarm now; "" if it does.

    `removed_by` is the sealed record of a later epoch than that of `ledger`, if it was voted out before.
    """
    command = joining_command(me, address)
    if removed_by is not None:
        return (
            f"voted out: this key is not in epoch {removed_by.number}, since {moment(removed_by.time)} UTC; the record "
            f"{removed_by.digest.hex()[:16]} has the seals of more than 2/3 of the weight (checked here, from the "
            f"genesis on); ringrift-node members at a member's machine shows who is; {_BACK.format(command=command)}"
        )
    if me in address_book.roster:
        return ""
    if me in address_book.former:
        where = f"this key is not in epoch {ledger.epoch_number}{_since_opened(ledger)}"
        return f"voted out: {where}; {_BACK.format(command=command)}"
    return f"not a member in epoch {ledger.epoch_number}: waits to be voted in; run at a member's machine: {command}"


def reason_voteless(me: MemberId, ledger: Ledger, name: str, *, was_heard: bool = False) -> str:
    """Return why the member `me`, called `name`, has no vote, since when, and what to do; "" if it has one.

    `was_heard` if others have an event of it in this epoch, with its seal of the record that opened it.
    """
    if me not in ledger.roster:
        return ""
    proof = next((entry for entry in ledger.convictions() if entry.member == me), None)
    if proof is not None and ledger.is_silenced(me):
        return (
            f"no vote since {moment(proof.place.time)} UTC: it is proven that this key signed two events with the "
            f"number {proof.seq} in epoch {proof.epoch}, so nothing that it signs counts; stop any other process with "
            f"this key, then run at another member's machine: ringrift-node propose key {name} NEWID --reason TEXT "
            "--data DIR"
        )
    if ledger.roster.weights[me] == 0:
        what = (
            _how_it_leaves(was_heard=was_heard)
            if me in ledger.leaving
            else f"ringrift-node propose weight {name} N gives it one"
        )
        return f"no vote: it has weight 0 in epoch {ledger.epoch_number}{_since_opened(ledger)}; {what}"
    return ""


def _how_it_leaves(*, was_heard: bool) -> str:
    """Return whether the node of a member that leaves is still needed: the seals of the others may be too few."""
    if was_heard:
        return "it leaves, others have its seal of that, and this node can be stopped"
    return (
        "it leaves; let this node run until others have its seal of that; if another key takes its place, start that "
        "one meanwhile, with a data folder and a port of its own"
    )


def _since_opened(ledger: Ledger) -> str:
    return "" if ledger.record is None else f", since {moment(ledger.record.time)} UTC or before"


async def log_while(reason: Callable[[], str], state: str, over: str, tried: Callable[[], str] | None = None) -> None:
    """Log `state` with the reason, and whom this node `tried`, every minute while there is one; then `over` once."""
    logged_at = -math.inf
    while True:
        if present := reason():
            if trio.current_time() >= logged_at + _LOG_EVERY_S:
                logged_at = trio.current_time()
                more = {} if tried is None else {"tried": tried()}
                _log.warning(state, reason=present, **more)
        elif logged_at > -math.inf:
            logged_at = -math.inf
            _log.info(over)
        await trio.sleep(_LOOK_S)
