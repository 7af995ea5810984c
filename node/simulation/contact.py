"""Which simulated members could find each other by the addresses that they know, and whom people have to help."""

from collections.abc import Sequence

from consensus.keys import MemberId
from node.membership.whereabouts import RememberedPlace
from node.simulation.machine import SimulatedNode
from node.simulation.swarm import SimulatedSwarm


def who_needs_help(
    swarm: SimulatedSwarm, members: Sequence[SimulatedNode]
) -> list[tuple[SimulatedNode, SimulatedNode]]:
    """Return members that nobody can lead to the others, each with one to whose address a person can point it.

    `members` are honest. One that can ask another one at an address that it knows is found by it, and both pass on
    where others are; so one of each group that is apart is enough.
    """
    groups = _groups(swarm, members)
    reachable = [node for node in members if node.identity.id not in swarm.network.hidden]
    main = max(groups, key=lambda group: sum(node in reachable for node in group), default=[])
    guide = next((node for node in main if node in reachable), None)
    return [] if guide is None else [(group[0], guide) for group in groups if group is not main]


def _groups(swarm: SimulatedSwarm, members: Sequence[SimulatedNode]) -> list[list[SimulatedNode]]:
    """Return the members in groups that are connected, whoever of two asks the other."""
    groups: list[list[SimulatedNode]] = []
    for node in members:
        near = [group for group in groups if any(_can_ask(swarm, node, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), node])
    return groups


def _can_ask(swarm: SimulatedSwarm, one: SimulatedNode, other: SimulatedNode) -> bool:
    """Return whether one of two members knows where the other one is, and can reach it there."""
    return any(
        there.identity.id not in swarm.network.hidden and there.address in _known(swarm, here, there.identity.id)
        for here, there in ((one, other), (other, one))
    )


def _known(swarm: SimulatedSwarm, node: SimulatedNode, member: MemberId) -> set[str]:
    """Return the addresses of a member at which a node tries it, now or when it has started again."""
    place = node.remembered.get(member, RememberedPlace())
    listed = [] if node.member is None else swarm.address_book(node, node.member).named(member)
    claimed = () if place.claim is None else place.claim.addresses
    return {place.reached, place.named, node.named.get(member, ""), *claimed, *listed}
