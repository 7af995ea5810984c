"""A soak while it runs: nodes that are killed and started again, a ballot in its middle, and checks all the while."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from consensus.ledger.records.shard_cases import MISSING
from node.demo.processes import NodeCommand, NodeProcess, end_processes, run_to_end, start_node
from node.text.effects import sentence
from scripts.soaking.checks import (
    ANSWER_S,
    ORPHANS_S,
    Digests,
    Findings,
    Json,
    check_claims,
    check_growth,
    check_logs,
    check_progress,
    check_sizes,
    check_status,
    spread_of,
)
from scripts.soaking.machine import LogReader, make_nicer, memory_of
from scripts.soaking.records import Recorder
from scripts.soaking.samples import PATHS, Reader, metric_values, reading_of, swarm_of

PAUSES_S = (5.0, 60.0, 150.0)
"""How long a killed node stays away, in turn: less than its peers notice, less than a lease, more than a lease."""

_LOOK_S = 1.0
_NICER = 1  # each node than the one before it, so that the machines of the swarm differ in their rates
_NOTED = ("promotion", "certificate", "dropped", "expired", "epoch", "decision", "fault", "struck", "finding", "absent")
"""Kinds of effects that get a record of their own; the others are counted."""
_WRONG = ("fault", "struck", "evidence")
"""Kinds of effects that honest nodes never cause, but that their games are missing while they are away."""
_BALLOT_S = 120.0
_LAST_S = 60.0  # in which nobody is away any more


@dataclass(kw_only=True)
class Plan:
    """What a soak does, and when."""

    seconds: float
    kill_every_s: float
    pauses_s: Sequence[float] = PAUSES_S
    sample_every_s: float = 30.0
    ballot: tuple[str, Sequence[str]]
    """Setting, and its values: the first one that does not hold is proposed."""
    promotions: int
    """At least so many are wanted in each configuration."""
    ready_s: float
    """In which a node that was started is ready."""
    seed: int
    lease_s: float
    claim_s: float


@dataclass(kw_only=True)
class SoakedNode:
    """A node of the soak: its process, if it runs, and what it said last."""

    command: NodeCommand
    niceness: int
    log: LogReader
    process: NodeProcess | None = None
    status: Json = field(default_factory=dict)
    answers: Json = field(default_factory=dict)
    started_at_s: float = 0.0
    heard_at_s: float = 0.0
    was_ready: bool = False
    restarts: int = 0

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.command.name

    @property
    def session(self) -> int | None:
        """Id of the process and of its session; None while the node is away."""
        return None if self.process is None else self.process.process.pid

    @property
    def settings_version(self) -> int:
        """Version of the settings in force, as the node said last; 0 if it has said nothing."""
        return int(self.status["decisions"]["settings_version"]) if self.status else 0


class Soak:
    """Runs a plan on the nodes of a swarm, and keeps what it found."""

    def __init__(self, plan: Plan, commands: Sequence[NodeCommand], recorder: Recorder) -> None:
        self.plan = plan
        self.recorder = recorder
        self.findings = Findings()
        self.interrupted = False
        self.nodes = [
            SoakedNode(command=command, niceness=_NICER * number, log=LogReader(command.data / "node.log"))
            for number, command in enumerate(commands)
        ]
        self._digests = Digests()
        self._reader = Reader()
        self._effects: Counter[str] = Counter()
        told = [record["number"] for record in recorder.earlier if record["kind"] == "effect"]
        self._last_effect: int = max(told, default=0)
        self._ready_s: list[float] = []
        self._kills: list[str] = []
        self._ballot: Json | None = None
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Run the plan to its end, or until a signal comes; all nodes have ended afterwards."""
        async with self._running_nodes(), trio.open_nursery() as nursery:
            with self._scope:
                nursery.start_soon(self._heed_signals)
                async with trio.open_nursery() as tasks:
                    tasks.start_soon(self._watch)
                    tasks.start_soon(self._sample)
                    tasks.start_soon(self._kill)
                    tasks.start_soon(self._hold_ballot)
                    await trio.sleep(self.plan.seconds)
                    await self._last_look()
                    tasks.cancel_scope.cancel()
            nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def _running_nodes(self) -> AsyncIterator[None]:
        try:
            for node in self.nodes:
                await self._start(node)
            yield
        finally:
            with trio.CancelScope(shield=True):
                await end_processes([node.process.process for node in self.nodes if node.process is not None])
                for node in self.nodes:
                    node.process = None

    async def _heed_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self.interrupted = True
                self._scope.cancel()

    async def _start(self, node: SoakedNode) -> None:
        node.process = await start_node(node.command)
        make_nicer(node.process.process.pid, node.niceness)
        node.started_at_s = node.heard_at_s = self.recorder.at_s
        node.was_ready, node.status = False, {}
        self.recorder.write("start", node=node.name)

    # what is looked at all the time

    async def _watch(self) -> None:
        while True:
            async with trio.open_nursery() as nursery:
                for node in self.nodes:
                    if node.process is not None:
                        nursery.start_soon(self._look_at, node, node.process)
            await self._read_effects()
            await trio.sleep(_LOOK_S)

    async def _look_at(self, node: SoakedNode, process: NodeProcess) -> None:
        status = await self._reader.get(node.command.url, "/status")
        if node.process is not process:
            return  # it was killed meanwhile
        at_s = self.recorder.at_s
        if not process.running:
            self._find("stopped", node.name, f"ended by itself with status {process.process.returncode}")
            node.restarts += 1
            await self._start(node)
        elif isinstance(status, dict):
            node.status, node.heard_at_s = status, at_s
            self._observe_status(node)
        elif node.was_ready and at_s - node.heard_at_s > ANSWER_S:
            self._find("answers", node.name, f"no answer for {at_s - node.heard_at_s:.0f} s")
        if not node.was_ready and at_s - node.started_at_s > self.plan.ready_s:
            reason = node.status.get("ready_reason", "no answer")
            self._find("ready", node.name, f"not ready after {at_s - node.started_at_s:.0f} s: {reason}")

    def _observe_status(self, node: SoakedNode) -> None:
        status, consensus = node.status, node.status["consensus"]
        if (wrong := self._digests.observe(node.name, consensus["round"], consensus["ledger_digest"])) is not None:
            self._find("digests", "swarm", wrong)
        for check, text in check_status(status):
            self._find(check, node.name, text)
        if status["ready"] and not node.was_ready:
            node.was_ready = True
            took_s = self.recorder.at_s - node.started_at_s
            self._ready_s.append(took_s)
            self.recorder.write("ready", node=node.name, took_s=round(took_s, 1))

    async def _read_effects(self) -> None:
        """Read what the order brought from the node that has run for longest: others may lack what was before."""
        running = [node for node in self.nodes if node.process is not None and node.was_ready]
        if running:
            node = min(running, key=lambda node: node.started_at_s)
            entries = await self._reader.get(node.command.url, f"/log?after={self._last_effect}")
            for entry in entries if isinstance(entries, list) else ():
                self._observe_effect(entry)

    def _observe_effect(self, entry: Json) -> None:
        if entry["number"] <= self._last_effect:
            return
        self._last_effect = entry["number"]
        kind = entry["kind"]
        self._effects[kind] += 1
        if kind in _NOTED:
            values = {"number": entry["number"], "text": sentence(entry), "fields": entry["fields"]}
            self.recorder.write("effect", effect=kind, **values)
        if kind in _WRONG and entry["fields"].get("reason") != MISSING:
            self._find(kind, entry["name"], sentence(entry) or kind)

    def _find(self, check: str, subject: str, text: str) -> None:
        if self.findings.add(self.recorder.at_s, check, subject, text):
            self.recorder.write("finding", check=check, subject=subject, text=text)

    # samples

    async def _sample(self) -> None:
        while True:
            await trio.sleep(self.plan.sample_every_s)
            await self._take_sample()

    async def _take_sample(self) -> Json:
        readings: dict[str, Json] = {}
        for node in self.nodes:
            answers, took_ms = await self._reader.get_all(node.command.url) if node.process else ({}, {})
            node.answers = answers
            node.log.read_on()
            reading = reading_of(node.command.data, node.session, answers, took_ms)
            readings[node.name] = {**reading, "restarts": node.restarts}
            self._check_reading(node, reading)
        level = [node.answers for node in self.nodes if node.answers.get("/status", {}).get("ready")]
        whole = [answers for answers in level if len(answers) == len(PATHS)]
        swarm = swarm_of(whole[0]) if whole else {}
        return self.recorder.write("sample", nodes=readings, effects=dict(self._effects), **swarm)

    def _check_reading(self, node: SoakedNode, reading: Json) -> None:
        found = [*check_sizes(reading)]
        if work := node.answers.get("/work"):
            found += check_claims(work, self.plan.lease_s, self.plan.claim_s)
        try:
            for _ in metric_values(node.answers.get("/metrics", "")):
                pass
        except ValueError as error:
            found.append(("metrics", str(error)))
        for check, text in found:
            self._find(check, node.name, text)
        odd, node.log.odd = node.log.odd, []
        for line in odd:
            self._observe_log_line(node, line)

    def _observe_log_line(self, node: SoakedNode, line: str) -> None:
        """Record a warning, and take anything worse for a finding."""
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"level": "critical", "event": "a line of no log", "line": line}
        self.recorder.write("log", node=node.name, entry=entry)
        if entry["level"] != "warning":
            self._find(f"log: {entry['event']}", node.name, line[:500])

    # what is done to the nodes

    async def _kill(self) -> None:
        choice, number, began = random.Random(self.plan.seed), 0, trio.current_time()
        while True:
            await trio.sleep_until(began + (number + 1) * self.plan.kill_every_s)
            pause_s = self.plan.pauses_s[number % len(self.plan.pauses_s)]
            if self.recorder.run_s + pause_s > self.plan.seconds - _LAST_S:
                return  # it could not come back in time
            await self._until_all_ready()
            await self._kill_one(choice.choice(self.nodes), pause_s)
            number += 1

    async def _kill_one(self, node: SoakedNode, pause_s: float) -> None:
        """Send SIGKILL to a node alone, as its workers have to notice by themselves, and start it after a pause."""
        process, node.process = node.process, None
        assert process is not None
        self.recorder.write("kill", node=node.name, pause_s=pause_s, work=node.status.get("work"))
        self._kills.append(node.name)
        os.kill(process.process.pid, signal.SIGKILL)
        await process.process.wait()
        started = trio.current_time()
        while (left := memory_of(process.process.pid)).processes:
            if trio.current_time() - started > ORPHANS_S:
                self._find("orphans", node.name, f"{left.processes} processes run on after {ORPHANS_S:.0f} s")
                break
            await trio.sleep(0.5)
        await trio.sleep_until(started + pause_s)
        await end_processes([process.process])  # closes the pipe, and kills what is left
        node.restarts += 1
        await self._start(node)

    async def _until_all_ready(self) -> None:
        while not all(node.process is not None and node.status.get("ready") for node in self.nodes):
            await trio.sleep(_LOOK_S)

    async def _hold_ballot(self) -> None:
        """After half of the soak the first node proposes a setting, the others vote, and it holds everywhere.

        It is between two kills: where a node is away, it cannot hold.
        """
        half_s = self.plan.seconds / 2
        await trio.sleep(half_s + min(self.plan.kill_every_s, half_s) / 2)
        await self._until_all_ready()
        setting, values = self.plan.ballot
        changed = {each["setting"]: each["value"] for each in self.nodes[0].status["decisions"]["changed"]}
        value = next(value for value in values if value != changed.get(setting))
        version = self.nodes[0].settings_version + 1
        self.recorder.write("ballot", setting=setting, value=value)
        with trio.move_on_after(_BALLOT_S) as patience:
            started = self.recorder.at_s
            reason = "the soak changes a setting"
            proposed = await self._command(
                self.nodes[0], "propose", "set", setting, value, "--reason", reason, "--json"
            )
            proposal = json.loads(proposed)["proposal"]
            async with trio.open_nursery() as voters:
                for node in self.nodes[1:]:
                    voters.start_soon(self._command, node, "vote", proposal, "yes", "--json")
                while not all(node.settings_version >= version for node in self.nodes):
                    await trio.sleep(_LOOK_S)
                voters.cancel_scope.cancel()  # a vote that was not needed any more is refused
            took_s = round(self.recorder.at_s - started, 1)
            self._ballot = {"setting": setting, "value": value, "took_s": took_s, "version": version}
            self.recorder.write("decided", **self._ballot)
        if patience.cancelled_caught:
            self._find("ballot", setting, f"{value} does not hold everywhere after {_BALLOT_S:.0f} s")

    async def _command(self, node: SoakedNode, *words: str) -> str:
        """Run a command with the data folder of a node, as its operator does, again until the node is ready for it."""
        while True:
            status, said = await run_to_end((*words, "--data", str(node.command.data)))
            if status == 0:
                return said
            self.recorder.write("refused", node=node.name, command=words[0], text=said.strip())
            await trio.sleep(2 * _LOOK_S)

    # the end

    async def _last_look(self) -> None:
        """Wait until all nodes are level again, and take the last sample."""
        with trio.move_on_after(self.plan.ready_s):
            await self._until_all_ready()
        await self._take_sample()

    def summary(self, certificates: Mapping[str, bool]) -> Json:
        """Return all figures of the soak; `certificates` tells which of them verify."""
        samples = self.recorder.samples
        last: Json = next((sample for sample in reversed(samples) if "configurations" in sample), {})
        promotions = {name: entry["promotions"] for name, entry in last.get("configurations", {}).items()}
        self._check_end(promotions, certificates)
        sizes = {key: _largest(samples, key) for key in ("node_bytes", "workers_bytes", *_DISK_KEYS)}
        levels: Counter[str] = Counter()
        for node in self.nodes:
            levels.update({f"{level}: {title}": count for (level, title), count in node.log.lines.items()})
        findings = self.findings.as_json()
        return {
            "ok": not findings,
            "interrupted": self.interrupted,
            "seconds": round(self.recorder.at_s, 1),
            "promotions": promotions,
            "counts": last.get("counts"),
            "kills": len(self._kills),
            "ready_s": spread_of(self._ready_s),
            "ballot": self._ballot,
            "epochs": max((node.status.get("consensus", {}).get("epoch", 0) for node in self.nodes), default=0),
            "rounds": max((node.status.get("consensus", {}).get("round", 0) for node in self.nodes), default=0),
            "rounds_compared": self._digests.compared,
            "largest": sizes,
            "certificates": len(certificates),
            "verified": sum(certificates.values()),
            "effects": dict(sorted(self._effects.items())),
            "log": {key: count for key, count in sorted(levels.items()) if not key.startswith("info")},
            "findings": findings,
        }

    def _check_end(self, promotions: Mapping[str, int], certificates: Mapping[str, bool]) -> None:
        found = [*check_growth(self.recorder.samples)]
        if not self.interrupted:
            found += check_progress(promotions, self.plan.promotions)
        found += check_logs({node.name: _size(node.log.path) for node in self.nodes}, self.recorder.at_s / 3600)
        found = [(check, subject, text) for subject, check, text in found]
        if not self._digests.compared:
            found.append(("digests", "swarm", "no two nodes were ever seen at the same round"))
        if self._ballot is None and not self.interrupted:
            found.append(("ballot", self.plan.ballot[0], "was not decided"))
        found += [("certificate", name, "does not verify") for name, holds in certificates.items() if not holds]
        if len(certificates) < self._effects["certificate"]:
            text = f"{len(certificates)} on disk, {self._effects['certificate']} were completed"
            found.append(("certificates", "swarm", text))
        for check, subject, text in found:
            self._find(check, subject, text)


_DISK_KEYS = ("data_bytes", "events_bytes", "blobs_bytes", "log_bytes", "ledger_bytes")


def _largest(samples: Sequence[Json], key: str) -> int:
    return max((int(reading.get(key) or 0) for sample in samples for reading in sample["nodes"].values()), default=0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def verify_certificates(folder: Path) -> dict[str, bool]:
    """Verify every certificate that a node of the swarm wrote with `ringrift-node verify`, once for all its copies."""
    found: dict[str, Any] = {path.name: path for path in sorted(folder.glob("*/certificates/*.json"))}
    holds = {}
    for name, path in found.items():
        status, _ = await run_to_end(("verify", str(path), "--genesis", str(folder / "swarm.toml")))
        holds[name.removesuffix(".json")] = status == 0
    return holds
