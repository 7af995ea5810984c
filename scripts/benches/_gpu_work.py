"""What a worker does on a device: self-play as a node's slots play it, and the gradients of trainings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.backend.cuda import Device
from engine.config import Config
from training.batches import make_examples
from training.compute import BFLOAT16, CPU, FLOAT32, Compute
from training.device_evaluate import TorchEvaluator
from training.device_playing import OnDevice
from training.experience import Experience
from training.gradients import Gradients
from training.losses import Weights
from training.network import Network
from training.pool import SelfPlayPool
from training.progress import ignore_progress
from training.replay import Verified, replay_games
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.torch_gradients import TorchGradients

_SEED = b"b" * 32
_WARM_MOVES, _MOVES = 3, 16
_BATCH = 256
_GAMES = 64  # whose positions are trained on


def measure_play(settings: Config, architecture: str, count: int, device: Device) -> dict[str, Any]:
    """Return the moves and simulations per second of a pool of games, after a few moves that load and record all."""
    usual = SelfPlaySettings(concurrency=count)
    pool = SelfPlayPool(settings, OnDevice(device, TorchEvaluator(Network(architecture))), usual)
    job = pool.add(_SEED, 4 * count)
    for _ in range(_WARM_MOVES):
        pool.step()
    before, begin = job.plies, time.perf_counter()
    for _ in range(_MOVES):
        pool.step()
    rate = (job.plies - before) / (time.perf_counter() - begin)
    return {
        "config": settings.name,
        "device": device.title,
        "architecture": architecture,
        "games": count,
        "moves_per_s": round(rate),
        "simulations_per_s": round(rate * usual.simulations),
    }


def measure_gradients(settings: Config, architecture: str, device: Device, runs: int) -> dict[str, Any]:
    """Return the positions per second of gradients by torch on a device, in bfloat16 on GPUs, and of our kernels."""
    shard = play_shard(settings, None, _SEED, _SEED, _GAMES, SelfPlaySettings())
    replayed = replay_games(settings, shard.moves, shard.lengths, ignore_progress)
    experience = Experience(settings, [Verified(shard, replayed)])
    samples = experience.draw(np.random.default_rng(0), np.arange(len(experience)), 16)
    examples, network = make_examples(experience, samples, 0, _BATCH), Network(architecture)
    compute = Compute(CPU, FLOAT32) if device.name == CPU else Compute(device.name, BFLOAT16)
    ways = TorchGradients(network, settings, compute), Gradients(network, settings)
    rates = [_best(runs, lambda way=way: way.update(examples, Weights()), len(examples.states)) for way in ways]  # type: ignore[misc]
    return {
        "config": settings.name,
        "device": device.title,
        "architecture": architecture,
        "batch": len(examples.states),
        "precision": compute.precision,
        "positions_per_s": rates[0],
        "kernel_positions_per_s": rates[1],
        "ratio": round(rates[0] / rates[1], 2),
    }


def _best(runs: int, work: Callable[[], object], count: int) -> int:
    """Return the highest number of positions per second, after runs that do not count."""
    work()
    spent = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return round(count / min(spent))
