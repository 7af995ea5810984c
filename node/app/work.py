"""The part of a node that works, for the swarm and for people who play, in child processes."""

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from node.app.ordering import Ordering
from node.app.peers import Peers
from node.blobs.custody import Custodian
from node.blobs.pushing import Pusher
from node.config.swarm_file import RunOptions
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.play.canonical import find_canonical
from node.play.sessions import PROCESS, PlaySessions
from node.system.device import CPU, count_cores, find_gpus, usable_memory_bytes
from node.system.files import clear_place
from node.system.supervision import RestartingSupervisor
from node.work.drain import Drain
from node.work.idle import IdleHook
from node.work.lifecycle import work_for_the_swarm
from node.work.limits import WorkLimits
from node.work.memory_guard import MemoryGuard
from node.work.node_context import NodeWorkContext
from node.work.rates import Rates
from node.work.slots import SlotState, WorkerSlot, plan_slots
from node.work.watchdog import WatchedRunner
from node.work.worker import WORKER, WorkerProcess

IDLE_LOG = "idle.log"  # in the data folder


class Work:
    """What the node does for the swarm and for people who play, and the child processes that do it."""

    def __init__(
        self,
        ordering: Ordering,
        peers: Peers,
        data: Path,
        options: RunOptions,
        supervisor: RestartingSupervisor,
        *,
        drain: Drain,
        limits: WorkLimits,
    ) -> None:
        self._supervisor, self._drain, self._limits = supervisor, drain, limits
        self._options = options
        self._idle = None
        if options.idle_command is not None:
            self._idle = IdleHook(options.idle_command, options.idle_after_s, data / IDLE_LOG)
        gpus = find_gpus()
        self.device = gpus[0].name if gpus else CPU
        self.context = NodeWorkContext(
            ordering.member,
            ordering.identity,
            roles=options.roles,
            blobs=peers.bulk.blobs,
            fetcher=peers.bulk.fetcher,
            directory=data,
            handing_over=(peers.bulk.handed_over, peers.bulk.transport),
        )
        self._custodian = Custodian(self.context, peers.bulk.blobs, peers.bulk.fetcher)
        self._pusher = Pusher(self.context, peers.bulk.blobs, peers.bulk.transport, peers.gossip.is_asked)
        with suppress(OSError):
            clear_place(data / "work")  # left by work that a crash ended
        kernels = ("--kernels", str(data / "kernels"))
        command = (*WORKER, *kernels)
        self._rates, longest_s = Rates(data / "rates.json"), self.context.genesis.settings.timing.claim_s

        def process(name: str, environment: Mapping[str, str]) -> WorkerProcess:
            return WorkerProcess(data / f"{name}.log", command, environment, drain.enough)

        def state(slot: WorkerSlot) -> SlotState:
            child = process(slot.file_name, slot.environment())
            return SlotState(slot, WatchedRunner(child, self._rates, longest_s), child)

        wishes = options.slots, options.training_processes
        planned = plan_slots(gpus, count_cores(), usable_memory_bytes(), *wishes) if options.roles else ()
        self.slots = tuple(state(slot) for slot in planned)
        self.memory_guard = MemoryGuard(limits, self.slots, drain)
        self._check_worker = WatchedRunner(process("checker", {}), self._rates, longest_s)
        player = WorkerProcess(data / "play.log", (*PROCESS, *kernels))
        self.games = PlaySessions(player, partial(find_canonical, self.context))

    async def run(self, member: Member, gossip: Gossip) -> None:
        """Work, vote and seal until cancelled."""
        await work_for_the_swarm(
            self.context,
            member,
            gossip,
            slots=self.slots,
            checker=self._check_worker,
            device=self.device,
            rates=self._rates,
            life_s=self._options.life_s,
            cost=self._options.cost,
            idle=self._idle,
            custody=(self._custodian, self._pusher),
            drain=self._drain,
            limits=self._limits,
            supervisor=self._supervisor,
        )

    async def aclose(self) -> None:
        """End the child processes."""
        for slot in self.slots:
            await slot.runner.aclose()
        await self._check_worker.aclose()
        await self.games.aclose()
