"""Who comes, goes, moves and gets another key while a simulated swarm runs, and whose memory fails."""

import random
from dataclasses import replace

from consensus.ledger.records.changes import Change
from consensus.ledger.state.state import State
from node.config.identity import Identity
from node.simulation.agenda import Agenda
from node.simulation.machine import SimulatedNode
from node.simulation.schedule import Fault
from node.simulation.swarm import SimulatedSwarm

_LATER = 0.5  # the strength from which on the other order of things is tried
_HEAVIEST = 3  # weight of a newcomer


class Churn:
    """Brings such faults about. What needs votes is put on the agenda, and what follows from it is done in `look`."""

    def __init__(self, swarm: SimulatedSwarm, agenda: Agenda, seed: int) -> None:
        self._swarm, self._agenda = swarm, agenda
        self._random = random.Random(f"comings {seed}")
        self._newcomers = [node for node in swarm.nodes if not node.installed]
        self._coming: dict[Fault, SimulatedNode] = {}
        self._leaving: dict[Fault, Change] = {}  # and how it comes back
        self._rekeyed: list[tuple[SimulatedNode, Identity]] = []
        self.bent = 0

    async def begin(self, fault: Fault) -> None:
        """What happens first."""
        node = self._swarm.nodes[fault.nodes[0]]
        match fault.kind:
            case "join" if self._newcomers:
                self._coming[fault] = self._newcomers.pop(0)
                await self._join(fault, first=True)
            case "leave" if node.identity.id in self._agenda.roster:
                present = self._agenda.roster.member(node.identity.id)
                self._agenda.want(Change("leave", present.id))
                self._leaving[fault] = Change("join", present.id, weight=max(1, present.weight), address=node.address)
            case "rekey":
                identity = Identity(self._random.randbytes(32))
                self._agenda.want(Change("key", node.identity.id, key=identity.id))
                self._rekeyed.append((node, identity))
            case "move":
                self._swarm.move(node, f"m{node.number}:{self._random.randrange(7001, 9999)}")
                self._agenda.want(Change("address", node.identity.id, address=node.address))
            case "bend":
                self._bend(fault)

    async def end(self, fault: Fault) -> None:
        """What follows when the fault is over."""
        if fault in self._coming:
            await self._join(fault, first=False)
        if fault in self._leaving and fault.strength >= _LATER:
            self._agenda.want(self._leaving[fault])

    async def _join(self, fault: Fault, *, first: bool) -> None:
        """The vote begins while nobody has seen the machine, or the machine waits for the vote."""
        node = self._coming[fault]
        if first == (fault.strength < _LATER):
            most = (self._agenda.roster.total_weight - 1) // 2  # the others have to be more than 2/3 of the new weight
            weight = min(most, 1 + round(fault.strength * 100) % _HEAVIEST)
            self._agenda.want(Change("join", node.identity.id, weight=weight, address=node.address))
        else:
            sponsor = self._sponsor()
            guides = {sponsor.identity.id: sponsor.address}
            await self._swarm.install(node, guides if round(fault.strength * 1000) % 2 else None)

    def _sponsor(self) -> SimulatedNode:
        """Somebody honest that is a member now, whom a newcomer is told of."""
        roster = self._agenda.roster
        return self._random.choice([node for node in self._swarm.honest if node.identity.id in roster])

    async def look(self) -> bool:
        """Does what people do when a vote is over; whether there are other keys or machines now."""
        roster, done = self._agenda.roster, False
        for node, identity in list(self._rekeyed):
            if identity.id in roster:
                self._rekeyed.remove((node, identity))
                await self._swarm.take_over(node, identity)
                done = True
        for node in self._swarm.nodes:
            if node.guides and any(self._swarm.addressing.homes.get(one) != home for one, home in node.guides.items()):
                sponsor = self._sponsor()
                node.guides = {sponsor.identity.id: sponsor.address}
                if node.running:
                    self._swarm.crash(node)
                    await self._swarm.start(node)
        return done

    def _bend(self, fault: Fault) -> None:
        """Changes something in a ledger, unless so many are wrong that no ledger would have the majority."""
        roster = self._agenda.roster
        sound = [
            node.identity.id
            for node in self._swarm.honest
            if node.identity.id in roster and node.bent is None and node.number != fault.nodes[0]
        ]
        node = self._swarm.nodes[fault.nodes[0]]
        if node.honest and node.member is not None and 2 * roster.weight(sound) > roster.total_weight:
            ledger = node.member.replica.ledger
            node.bent = ledger.round
            self._random.choice((_count_more, _hear_later, _play_more))(ledger._state)
            self.bent += 1


def _count_more(state: State) -> None:
    state.accepted["candidate"] = state.accepted.get("candidate", 0) + 1


def _hear_later(state: State) -> None:
    member = state.roster.ids[-1]
    state.heard[member] = state.heard.get(member, 0) + 1


def _play_more(state: State) -> None:
    name = min(state.configurations)
    configuration = state.configurations[name]
    state.configurations[name] = replace(configuration, games=configuration.games + 1)
