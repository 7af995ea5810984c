"""What must hold in every run, whatever happens: agreement, no honest fork, progress."""

from consensus.keys import MemberId, id_text
from consensus.replica import RoundEffects
from node.simulation.swarm import SimulatedNode, SimulatedSwarm


class Violation(Exception):  # noqa: N818 - what the simulator looks for
    """Something that must never happen did; one line."""


class Agreement:
    """Compares every round that an honest node decides, at first or after a restart, with the others'."""

    def __init__(self) -> None:
        self.rounds: dict[int, tuple[object, bytes]] = {}
        self.ordered = 0

    def watch(self, node: SimulatedNode, effects: RoundEffects) -> None:
        """Takes a decided round. Raises Violation if another node decided otherwise."""
        if not node.honest:
            return
        number = effects.round.number
        order = (effects.round.judges, [(place.event.hash, place.time) for place in effects.round.events])
        if number not in self.rounds:
            self.rounds[number] = order, effects.digest
            self.ordered += len(effects.round.events)
        known_order, known_digest = self.rounds[number]
        if order != known_order:
            raise Violation(f"node {node.number} orders round {number} in another way")
        if effects.digest != known_digest:
            raise Violation(f"node {node.number} has another ledger after round {number}")


class Honesty:
    """Looks through all that nodes have for two events of an honest member with one sequence number."""

    def __init__(self, swarm: SimulatedSwarm) -> None:
        self._swarm = swarm
        self._honest = {node.identity.id for node in swarm.honest}
        self._found: dict[tuple[MemberId, int], bytes] = {}
        self._looked_at: dict[int, int] = {}  # start of a node: rows

    def inspect(self) -> None:
        """Looks at what came since the last time. Raises Violation."""
        for node in self._swarm.nodes:
            if node.member is None:
                continue
            events = node.member.replica.dag.events
            run = node.number + len(self._swarm.nodes) * node.starts
            for event in events[self._looked_at.get(run, 0) :]:
                known = self._found.setdefault((event.creator, event.seq), event.hash)
                if event.creator in self._honest and known != event.hash:
                    raise Violation(f"honest {id_text(event.creator)[:8]} signed two events {event.seq}")
            self._looked_at[run] = len(events)


def unfinished(swarm: SimulatedSwarm, rounds: int) -> str | None:
    """What honest nodes still wait for, transactions without a place or `rounds` rounds; None if nothing."""
    for node in swarm.honest:
        if node.member is None:
            return f"node {node.number} is down"
        standing = node.member.standing()
        if standing.pending:
            return f"node {node.number} has {standing.pending} transactions without a place"
        if standing.round < rounds:
            return f"node {node.number} has decided {standing.round} of {rounds} rounds"
    return None
