"""Simulated swarms that also work: the real work loop, voting and sealing, with made-up games and models."""

import random
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import trio

from node.blobs.custody import Custodian
from node.blobs.memory import MemoryBlobs
from node.blobs.pushing import Pusher
from node.config.swarm_file import DRAIN_S
from node.proofs.faults import write_fault_proofs
from node.simulation.fake_worker import FakeWorker
from node.simulation.machine import Instance
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.store.memory import MemoryStore
from node.work.drain import Drain
from node.work.lifecycle import work_for_the_swarm
from node.work.node_context import NodeWorkContext
from node.work.slots import SlotState, WorkerSlot
from node.work.worker import JobRunner

ROLES = ("match", "selfplay", "train")


class WorkingSwarm(SimulatedSwarm):
    """A `SimulatedSwarm` whose nodes also work, with `slots` slots. Files are in `directory`; blobs outlive crashes."""

    slots = 1

    def __init__(self, count: int, seed: int, directory: Path, *, failing: float = 0.0, **options: Any) -> None:
        super().__init__(count, seed, **options)
        self._directory = directory
        self._failing = failing
        self._blobs = {node.number: FileBackedBlobs(directory / f"blobs{node.number}") for node in self.nodes}
        for node in self.nodes:
            node.blobs = self._blobs[node.number]
        self.contexts: dict[int, NodeWorkContext] = {}
        self.drains: dict[int, Drain] = {}
        self.jobs: list[Mapping[str, Any]] = []

    async def run_services(self, node: SimulatedNode, instance: Instance, chance: random.Random) -> None:
        """See `SimulatedSwarm.run_services`."""
        member, gossip = instance.member, instance.gossip
        directory = self._directory / f"node{node.number}"
        directory.mkdir(exist_ok=True)
        blobs = self._blobs[node.number]
        fetcher = instance.fetcher
        context = NodeWorkContext(member, node.identity, roles=ROLES, blobs=blobs, fetcher=fetcher, directory=directory)
        self.contexts[node.number] = context
        *work, check = (self.worker(node, chance, directory) for _ in range(self.slots + 1))
        drain = self.drains[node.number] = Drain(DRAIN_S)
        slots = [SlotState(WorkerSlot(number + 1), runner) for number, runner in enumerate(work)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.run)
            nursery.start_soon(write_fault_proofs, context, MemoryStore(node.disk), directory / "faults")
            nursery.start_soon(
                partial(
                    work_for_the_swarm,
                    context,
                    member,
                    gossip,
                    slots=slots,
                    checker=check,
                    device="simulated",
                    custody=(
                        Custodian(context, blobs, fetcher),
                        Pusher(context, blobs, instance.transport, gossip.is_asked),
                    ),
                    drain=drain,
                )
            )

    def worker(self, node: SimulatedNode, chance: random.Random, directory: Path) -> JobRunner:
        """Make what runs the jobs of a node's work, or those of its checks."""
        return FakeWorker(chance, directory, self.jobs, failing=self._failing)


class FileBackedBlobs(MemoryBlobs):
    """Blobs in memory that are written to files when a path is asked for."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        directory.mkdir(exist_ok=True)
        self._directory = directory

    def path(self, digest: bytes) -> Path:
        """See `BlobFiles.path`."""
        path = self._directory / digest.hex()
        if not path.exists() and digest in self._whole:
            path.write_bytes(self._whole[digest])
        return path

    async def add_file(self, source: Path) -> bytes:
        """See `BlobFiles.add_file`."""
        return await self.add(source.read_bytes())
