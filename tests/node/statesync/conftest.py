"""The network on which nodes of these tests learn from each other."""

import pytest
import trio

from node.transport.memory import Conditions, Network
from tests.node.statesync.world import World


@pytest.fixture
async def world(nursery: trio.Nursery) -> World:
    return World(nursery, Network(1, Conditions(delay_s=0.02, jitter_s=0.02)))
