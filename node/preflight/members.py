"""Checks whether the other members can be reached, and whether their clocks and ours agree."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import trio

from node.config.swarm_file import SwarmMember
from node.preflight.finding import Finding, fault, ok, warning
from node.text.formatting import plural
from node.transport import Unreachable
from node.transport.client import greet
from node.transport.tls import Credentials, check_dates

_TIMEOUT_S = 5.0


async def check_members(credentials: Credentials, others: Sequence[SwarmMember]) -> list[Finding]:
    """Return what is found at the address of each other member, all asked at the same time."""
    findings: list[Finding] = []
    async with trio.open_nursery() as nursery:
        for member in others:
            nursery.start_soon(_ask, credentials, member, findings)
    findings.sort(key=lambda finding: finding.text)
    return [*findings, *_sum_up(findings, len(others))]


async def _ask(credentials: Credentials, member: SwarmMember, findings: list[Finding]) -> None:
    who = f"{member.name} at {member.address}"
    try:
        certificate = await greet(credentials, member.id, str(member.address), timeout_s=_TIMEOUT_S)
    except Unreachable as error:
        findings.append(warning("members", f"{who}: {error}; start it, open its port, or tell its address with --peer"))
        return
    if difference := check_dates(certificate, datetime.now(UTC)):
        findings.append(fault("clock", f"{who} made its certificate {difference}; set the clock that is wrong"))
    else:
        findings.append(ok("members", f"{who} answers"))


def _sum_up(findings: Sequence[Finding], count: int) -> Iterator[Finding]:
    silent = sum(finding.subject == "members" and finding.level == "warning" for finding in findings)
    if count and silent == count:
        yield warning("members", f"none of the {plural(count, 'other member')} answers; are you the first, or offline?")
