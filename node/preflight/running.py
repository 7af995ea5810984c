"""All checks of a node that runs: what it tells, what its machine tells, and who answers at the members' addresses."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import trio

from consensus.keys import id_text
from node.api.members import MemberInfo
from node.api.status import Status
from node.preflight.finding import Finding, fault, ok, warning
from node.preflight.host import check_clock, check_disk
from node.preflight.libraries import missing_libraries
from node.preflight.symptoms import find_symptoms
from node.transport import Unreachable
from node.transport.client import look_at
from node.transport.tls import check_dates

_TIMEOUT_S = 5.0
_AT_ONCE = 32  # addresses that are asked at a time
_ASKED = ("self", "ok", "silent", "never")  # states of members at whose address somebody may be


async def examine(status: Status, members: Sequence[MemberInfo], data: Path | None) -> list[Finding]:
    """Return what is found. `data` is the folder of the node; None if it is on another machine.

    Who answers at an address is asked from this machine, without a key: so the node need not be asked to do it.
    """
    findings = find_symptoms(status, members)
    if data is not None:
        findings += [*check_disk(data), *check_clock(), *_libraries(status)]
    asked = [member for member in members if member["address"] and member["state"] in _ASKED]
    places = [f"{member['name']} at {member['address']}" for member in asked]
    few = trio.CapacityLimiter(_AT_ONCE)

    async def look(member: MemberInfo, place: str) -> None:
        async with few:
            findings.extend(await _look(member, place))

    async with trio.open_nursery() as nursery:
        for member, place in zip(asked, places, strict=True):
            nursery.start_soon(look, member, place)
    return findings


def _libraries(status: Status) -> Iterator[Finding]:
    if status["node"]["roles"] and (text := missing_libraries()):
        yield fault("work", text)


async def _look(member: MemberInfo, who: str) -> list[Finding]:
    """Return what is found at a member's address; of one that answers the node, only a wrong clock."""
    is_own, is_ok = member["state"] == "self", member["state"] == "ok"
    try:
        found, certificate = await look_at(str(member["address"]), timeout_s=_TIMEOUT_S)
    except Unreachable as error:
        return [] if is_ok else [_unreachable(who, str(error), is_own=is_own)]
    if id_text(found) != member["id"]:
        remedy = "ringrift-node propose address tells all members another one"
        return [] if is_ok else [fault("address", f"{who}: a node with another key answers there; {remedy}")]
    if difference := check_dates(certificate, datetime.now(UTC)):
        return [fault("clock", f"{who} made its certificate {difference}; set the clock that is wrong")]
    if is_own:
        return [ok("address", f"this node answers at {member['address']}, seen from this machine")]
    remedy = "does its roster have this node, and is the swarm file the same?"
    return [] if is_ok else [warning("members", f"{who} answers this machine, but not the node; {remedy}")]


def _unreachable(who: str, reason: str, *, is_own: bool) -> Finding:
    if not is_own:
        return warning("members", f"{who} cannot be reached from this machine: {reason}")
    remedy = "open the port, or propose the right address; behind NAT this machine may not see what others see"
    return warning("address", f"{who}, which is this node, cannot be reached from this machine: {reason}; {remedy}")
