"""Gossip: every node asks the others again and again, and both sides get the events that they lack."""

import random

import trio

from consensus.keys import MemberId
from node.gossip.peer_table import PeerStatus, PeerTable
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.gossip.selection import PeerSelection
from node.gossip.sync_client import SyncClient
from node.gossip.sync_server import SyncServer
from node.member.member import Member
from node.system.supervision import Supervisor, Unsupervised
from node.transport import Transport
from node.transport.router import Route

_ASKED_S = 60.0  # for which a request shows that others can reach this node


class Gossip:
    """Asks peers and answers them, for one `Member`."""

    def __init__(
        self,
        member: Member,
        transport: Transport,
        chance: random.Random,
        rhythm: Rhythm | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._supervisor = supervisor or Unsupervised()
        self._member = member
        self._random = chance
        self._rhythm = rhythm or Rhythm()
        self._table = PeerTable(member, self._rhythm)
        self._selection = PeerSelection(member, self._table, self._rhythm, chance)
        self._server = SyncServer(member, self._table)
        self._client = SyncClient(
            member=member,
            table=self._table,
            selection=self._selection,
            transport=transport,
            rhythm=self._rhythm,
            chance=chance,
        )

    @property
    def peers(self) -> dict[MemberId, Peer]:
        """The other members of the epoch."""
        return self._table.peers

    async def run(self) -> None:
        """Ask peers until cancelled. Each is asked in a task of its own: one that stalls or fails delays no other."""
        async with trio.open_nursery() as nursery:
            while True:
                peer = self._selection.choose()
                if peer is not None:
                    peer.is_busy = True
                    nursery.start_soon(self._supervisor.attempt, "asking a peer", self._client.contact, peer)
                await trio.sleep(self._rhythm.busy_s * (0.8 + 0.4 * self._random.random()))
                if not self._selection.has_needy():
                    with trio.move_on_at(self._selection.idle_until):
                        await self._member.dag_changes.wait()

    def route(self) -> Route:
        """Return the route for `SYNC_PATH`."""
        return self._server.route()

    def is_caught_up(self) -> bool:
        """See `PeerTable.is_caught_up`."""
        return self._table.is_caught_up()

    def is_stranded(self) -> bool:
        """See `PeerTable.is_stranded`."""
        return self._table.is_stranded()

    def is_cut_off(self) -> bool:
        """See `PeerTable.is_cut_off`."""
        return self._table.is_cut_off()

    def is_asked(self) -> bool:
        """Return whether a peer has asked this node something lately: then others can reach it."""
        since = trio.current_time() - _ASKED_S
        return any(peer.asked_us_at > since for peer in self.peers.values())

    def in_touch(self) -> list[MemberId]:
        """See `PeerTable.in_touch`."""
        return self._table.in_touch()

    def statuses(self) -> list[PeerStatus]:
        """See `PeerTable.statuses`."""
        return self._table.statuses()
