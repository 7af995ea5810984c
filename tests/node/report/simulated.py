"""What a node of a simulated swarm tells about itself."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from node.config.address import Address
from node.membership.proposals import Proposals
from node.report.effect_log import EffectLog
from node.report.source import NodeReport
from node.simulation.working_swarm import WorkingSwarm
from node.transport.exchanges import AskedExchanges
from node.work.limits import WorkLimits


def report_of(swarm: WorkingSwarm, effects: EffectLog, directory: Path) -> NodeReport:
    """Return what the first node tells."""
    node = swarm.nodes[0]
    member, gossip = node.member, node.gossip
    assert member is not None
    assert gossip is not None
    scrubber: Any = SimpleNamespace(checked_bytes=0, damaged=0, lost=0)
    unasked: Any = SimpleNamespace(tried=list, unreached=str)
    return NodeReport(
        me=node.identity.id,
        address_book=swarm.address_book(node, member),
        member=member,
        gossip=gossip,
        exchanges=AskedExchanges(),
        dial_back=unasked,
        context=swarm.contexts[node.number],
        effects=effects,
        proposals=Proposals(node.identity.id, lambda: member.replica.ledger),
        scrubber=scrubber,
        device="simulated",
        slots=(),
        drain=swarm.drains[node.number],
        limits=WorkLimits(),
        listen=Address("127.0.0.1", 7000),
        faults=directory,
        blob_path=lambda digest: directory / digest.hex(),
        failures=list,
    )
