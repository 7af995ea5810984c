"""Churn: machines that join, leave, move or get another key while a swarm runs; and ledgers changed in memory."""

import random
from dataclasses import replace

import trio

from consensus.keys import MemberId
from consensus.ledger.records.changes import Change
from consensus.ledger.state.state import State
from node.config.identity import Identity
from node.simulation.contact import who_needs_help
from node.simulation.machine import SimulatedNode
from node.simulation.roster_plan import RosterPlan
from node.simulation.schedule import Fault
from node.simulation.swarm import SimulatedSwarm

_LATER = 0.5  # the strength of a fault from which on the order of its steps is the other one
_MAX_WEIGHT = 3  # of a newcomer
_NOTICED_S = 10.0  # after which people help members that cannot find each other, and keys that cannot seal


class Churn:
    """Carries out the faults of these kinds. What needs votes goes to the plan; `follow_up` does what comes after."""

    def __init__(self, swarm: SimulatedSwarm, plan: RosterPlan, seed: int) -> None:
        self._swarm, self._plan = swarm, plan
        self._random = random.Random(f"comings {seed}")
        self._newcomers = [node for node in swarm.nodes if not node.installed]
        self._joining: dict[Fault, SimulatedNode] = {}
        self._rejoining: dict[Fault, tuple[SimulatedNode, int]] = {}  # with its weight, by what made the member leave
        self._rekeyed: list[tuple[SimulatedNode, Identity]] = []  # the new key does not run yet
        self._in_force_since: dict[MemberId, float] = {}  # of new keys
        self._old_keys: list[SimulatedNode] = []  # of which each runs beside the new key
        self._together_at = 0.0  # when all members could last find each other by themselves
        self.corrupted = 0  # ledgers

    async def begin(self, fault: Fault) -> None:
        """Take the first step of a fault."""
        node = self._swarm.nodes[fault.nodes[0]]
        match fault.kind:
            case "join" if self._newcomers:
                self._joining[fault] = self._newcomers.pop(0)
                await self._join(fault, first=True)
            case "leave" if node.identity.id in self._plan.roster:
                present = self._plan.roster.member(node.identity.id)
                self._plan.want(Change("leave", present.id))
                self._rejoining[fault] = node, max(1, present.weight)
            case "rekey":
                identity = Identity(self._random.randbytes(32))
                self._plan.want(Change("key", node.identity.id, key=identity.id, address=node.address))
                self._rekeyed.append((node, identity))
            case "move":
                self._swarm.move(node, f"m{node.number}:{self._random.randrange(7001, 9999)}")
                self._want_present_addresses()
            case "bend":
                self._corrupt_ledger(fault)

    async def end(self, fault: Fault) -> None:
        """Take the step that follows when the fault's time is over."""
        if fault in self._joining:
            await self._join(fault, first=False)
        if fault in self._rejoining and fault.strength >= _LATER:
            node, weight = self._rejoining[fault]
            self._plan.want(Change("join", node.identity.id, weight=weight, address=node.address))

    async def _join(self, fault: Fault, *, first: bool) -> None:
        """Ask for the vote, then install the machine; or the other way round, by the fault's strength."""
        node = self._joining[fault]
        if first == (fault.strength < _LATER):
            most = (self._plan.roster.total_weight - 1) // 2  # the others have to be more than 2/3 of the new weight
            weight = min(most, 1 + round(fault.strength * 100) % _MAX_WEIGHT)
            self._plan.want(Change("join", node.identity.id, weight=weight, address=node.address))
        else:
            sponsor = self._sponsor()
            bootstrap = {sponsor.identity.id: sponsor.address}
            await self._swarm.install(node, bootstrap if round(fault.strength * 1000) % 2 else None)

    def _sponsor(self) -> SimulatedNode:
        """Return a random honest member that can be reached, whose address a newcomer is given."""
        members = self._plan.roster.weights.keys() - self._swarm.network.hidden
        return self._random.choice([node for node in self._swarm.honest if node.identity.id in members])

    async def follow_up(self) -> bool:
        """Do what people do when a vote is over; return whether machines have got other keys."""
        roster, rekeyed = self._plan.roster, False
        for node, identity in list(self._rekeyed):
            if identity.id in roster and await self._run_new_key(node, identity):
                self._rekeyed.remove((node, identity))
                rekeyed = True
        for node in list(self._old_keys):
            if self._has_sealed(node):
                self._old_keys.remove(node)
                self._swarm.discard(node)
        self._want_present_addresses()
        for node in self._swarm.nodes:
            if self._has_stale_bootstrap(node):
                sponsor = self._sponsor()
                node.bootstrap = {sponsor.identity.id: sponsor.address}
                await self._restart(node)
        await self._help_who_is_apart()
        return rekeyed

    async def _run_new_key(self, node: SimulatedNode, identity: Identity) -> bool:
        """Start the new key, which is in force, in place of the old one or beside it; return whether it was time to.

        An old key without news of a quorum cannot seal, and the weight of the new one may be what is missing.
        """
        waits_since = self._in_force_since.setdefault(identity.id, trio.current_time())
        if self._has_sealed(node):
            await self._swarm.take_over(node, identity)
        elif trio.current_time() >= waits_since + _NOTICED_S:
            self._old_keys.append(await self._swarm.set_aside(node, identity))
        else:
            return False
        return True

    def _has_sealed(self, node: SimulatedNode) -> bool:
        """Return whether others have a machine's seal of the record that replaces its key: it runs until then.

        Without that seal those of the others may be too few, and no epoch closes any more.
        """
        key = node.identity.id
        replicas = [
            other.member.replica for other in self._swarm.honest if other.member is not None and other is not node
        ]
        has_sealed = any(key in replica.ledger.leaving and replica.newest(key) is not None for replica in replicas)
        return has_sealed or key not in self._plan.roster or not node.honest

    async def _help_who_is_apart(self) -> None:
        """Start members with the address of another one, when they have been apart from the others for a while.

        If all move, and start again before they could tell each other, nobody knows where anybody is.
        """
        now = trio.current_time()
        members = [node for node in self._swarm.honest if node.identity.id in self._plan.roster]
        apart = who_needs_help(self._swarm, members) if self.moved() else []
        if not apart:
            self._together_at = now
        if now < self._together_at + _NOTICED_S:
            return
        self._together_at = now  # as soon as they have started again
        for node, guide in apart:
            node.named = {**node.named, guide.identity.id: guide.address}
            await self._restart(node)

    async def _restart(self, node: SimulatedNode) -> None:
        """Start a machine again, if it is on, with what a person has changed."""
        if node.running:
            self._swarm.crash(node)
            await self._swarm.start(node)

    def moved(self) -> list[SimulatedNode]:
        """Return the machines of members that are not where the members agreed that they are."""
        members = [node for node in self._swarm.nodes if node.identity.id in self._plan.roster]
        return [node for node in members if node.address != self._agreed_address(node.identity.id)]

    def _want_present_addresses(self) -> None:
        moved = self.moved()
        for node in self._swarm.nodes:
            self._plan.want_address(node.identity.id, node.address, is_agreed=node not in moved)

    def _agreed_address(self, member: MemberId) -> str:
        """Return where the roster has a member, or swarm.toml if the roster does not say."""
        return self._plan.roster.member(member).address or self._swarm.addressing.founding_address(member)

    def _has_stale_bootstrap(self, node: SimulatedNode) -> bool:
        """Return whether a person would give the node another address: it is wrong, or knows nobody in the swarm."""
        given, present = node.bootstrap or {}, self._swarm.addressing.addresses
        has_moved = any(present.get(member) != address for member, address in given.items())
        trusted = {*given, *self._swarm.genesis.roster.ids}  # who may tell it of others
        return has_moved or (bool(given) and trusted.isdisjoint(self._plan.roster.ids))

    def _corrupt_ledger(self, fault: Fault) -> None:
        """Change an entry of a node's ledger, if faulty members then still have less than a third of the weight."""
        node = self._swarm.nodes[fault.nodes[0]]
        if node.honest and node.member and not node.is_corrupted and self._plan.may_corrupt(node.identity.id):
            ledger = node.member.replica.ledger
            node.corrupted_round = ledger.round
            self._random.choice((_count_candidate, _postpone_heard, _count_game))(ledger._state)
            self.corrupted += 1


def _count_candidate(state: State) -> None:
    state.accepted["candidate"] = state.accepted.get("candidate", 0) + 1


def _postpone_heard(state: State) -> None:
    member = state.roster.ids[-1]
    state.last_event_clocks[member] = state.last_event_clocks.get(member, 0) + 1


def _count_game(state: State) -> None:
    name = min(state.configurations)
    configuration = state.configurations[name]
    state.configurations[name] = replace(configuration, games=configuration.games + 1)
