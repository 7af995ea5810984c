"""Applies a Byzantine member's attacks to what it sends: its requests and its answers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import trio

from consensus.keys import MemberId
from consensus.roster import MEMBERS_LIMIT
from node.gossip.messages import SYNC_PATH, SyncAnswer, SyncRequest, decode_answer, decode_request
from node.member.member import Member
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.statesync.messages import decode_chain_answer
from node.transport import MAX_ANSWER_BYTES, Transport
from node.transport.router import Route


class Tampering:
    """Rewrites messages by each of the attacks in turn. Those of an honest member pass unchanged."""

    def __init__(self, attacks: Iterable[Attack] = ()) -> None:
        self.attacks: Sequence[Attack] = list(attacks)
        self.runs_duplicate = any(attack.runs_duplicate for attack in self.attacks)

    def transport(self, inner: Transport, member: Member) -> Transport:
        """Return the transport that the member's requests go through."""
        return _TamperingTransport(inner, self, member) if isinstance(member, ByzantineMember) else inner

    def sync_route(self, route: Route, member: Member) -> Route:
        """Return the route that answers sync requests."""
        if not isinstance(member, ByzantineMember):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._delay()
            truth = decode_answer(await route.handler(asking, body), MEMBERS_LIMIT)
            return self._alter_answer(member, asking, truth).encode()

        return replace(route, handler=answer)

    def chain_route(self, route: Route, member: Member) -> Route:
        """Return the route that answers with the chain of records."""
        if not isinstance(member, ByzantineMember):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._delay()
            truth = decode_chain_answer(await route.handler(asking, body))
            lies = (attack.alter_chain(member, truth) for attack in self.attacks)
            return next((lie for lie in lies if lie is not None), None) or truth.encode()

        return replace(route, handler=answer)

    def blob_route(self, route: Route, member: Member) -> Route:
        """Return the route that answers with snapshots and other blobs."""
        if not isinstance(member, ByzantineMember):
            return route

        async def answer(asking: MemberId, body: bytes) -> bytes:
            await self._delay()
            part = await route.handler(asking, body)
            for attack in self.attacks:
                part = attack.alter_blob(member, part)
            return part

        return replace(route, handler=answer)

    async def _delay(self) -> None:
        await trio.sleep(sum(attack.delay_s() for attack in self.attacks))

    def alter_request(self, member: ByzantineMember, peer: MemberId, truth: SyncRequest) -> SyncRequest:
        """Return the sync request to send to `peer` instead of `truth`."""
        request = replace(truth, events=[*truth.events, *member.unattached])
        for attack in self.attacks:
            request = replace(
                request,
                tips=attack.alter_tips(member, peer, request.tips),
                want=attack.alter_wanted(member, request.want),
                events=attack.alter_events(member, peer, request.events),
            )
        return request

    def _alter_answer(self, member: ByzantineMember, peer: MemberId, truth: SyncAnswer) -> SyncAnswer:
        answer = replace(truth, events=[*truth.events, *member.unattached])
        for attack in self.attacks:
            answer = replace(
                answer,
                tips=attack.alter_tips(member, peer, answer.tips),
                events=attack.alter_events(member, peer, answer.events),
            )
        return answer


class _TamperingTransport:
    """`Transport` that alters sync requests."""

    def __init__(self, inner: Transport, tampering: Tampering, member: ByzantineMember) -> None:
        self._inner, self._tampering, self._member = inner, tampering, member

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        if path == SYNC_PATH:
            truth = decode_request(body, MEMBERS_LIMIT)
            body = self._tampering.alter_request(self._member, peer, truth).encode()
        return await self._inner.ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)
