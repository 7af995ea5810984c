"""Models made ready to think: a network or NNUE network of a folder, or the heuristic where there is none."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from engine.nnue.network import NnueError, is_nnue, load_nnue
from engine.search import Evaluate

_KEPT = 2  # models in memory
_NEEDED = ("warp", "torch", "safetensors")


class MindError(Exception):
    """A model that cannot be loaded, or a program that cannot run one: one line with the remedy."""


def check_installed() -> None:
    """Raise MindError if what compiles the rules or runs a network is not installed."""
    for name in _NEEDED:
        if find_spec(name) is None:
            raise MindError(f"playing needs {name}: pip install 'ringrift-swarm[work]'")


@lru_cache(maxsize=_KEPT)
def load_mind(directory: Path | None) -> Evaluate:
    """Return the model of a folder as what a search asks; without a folder the heuristic. Raise MindError."""
    if directory is None:
        from engine.players.heuristic_evaluation import evaluate_by_heuristic

        return evaluate_by_heuristic
    if is_nnue(directory):
        from engine.players import NnueEvaluator

        try:
            return NnueEvaluator(load_nnue(directory))
        except NnueError as error:
            raise MindError(f"{directory}: {error}; give the folder of a model") from None
    import torch

    from training.arrays import DataError
    from training.evaluate import NetworkEvaluator
    from training.model import load_model

    torch.set_num_threads(1)  # on a busy host several are ten times slower, and less deterministic
    try:
        return NetworkEvaluator(load_model(directory))
    except DataError as error:
        raise MindError(f"{directory}: {error}; give the folder of a model") from None
