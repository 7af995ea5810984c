"""The models that a job plays with, and the count of positions that they evaluate, which its progress tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.progress import Report

if TYPE_CHECKING:
    from engine.search import EvalBatch, Evaluate, Evaluation


class Evaluations:
    """The evaluators of a job, which report how many positions they have evaluated in all.

    One move of many games on a large board takes minutes; its evaluations take milliseconds each.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = 0

    def by(self, model: str | None) -> Evaluate | None:
        """Return an evaluator of the model in a directory; None for `uniform`, which needs no torch."""
        if model is None:
            return None
        from training.evaluate import NetworkEvaluator
        from training.model import load_model

        use_one_thread()
        evaluator = NetworkEvaluator(load_model(Path(model)))

        def evaluate(batch: EvalBatch) -> Evaluation:
            answer = evaluator(batch)
            self._count += len(batch.states)
            self._report({"evaluations": self._count})
            return answer

        return evaluate


def use_one_thread() -> None:
    """Keep torch to one thread: on a busy host several are ten times slower, and less deterministic."""
    import torch

    torch.set_num_threads(1)
