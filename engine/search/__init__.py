"""Search: Gumbel AlphaZero over many games at once, with the network as a callback."""

from engine.search.evaluation import VALUE_SCALE, EvalBatch, Evaluate, Evaluation, chance_of, evaluate_uniformly
from engine.search.gumbel import SearchResult, gumbel_search

__all__ = [
    "VALUE_SCALE",
    "EvalBatch",
    "Evaluate",
    "Evaluation",
    "SearchResult",
    "chance_of",
    "evaluate_uniformly",
    "gumbel_search",
]
