"""The choice of the next action of a search, at the root and below it, by scores from completed Q-values.

Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel": equation 8 (sigma), appendix D
(mixed value for actions not yet visited), equation 14 (deterministic selection below the root).

As in the authors' mctx, the Q-values of a node are rescaled: its least one counts 0, its greatest 1. So a search
prefers the better actions where all chances are nearly even as clearly as where they differ widely, and a young
network has something to learn.
"""

from __future__ import annotations

from engine.backend.dialect import Float, FloatRows, Int, IntRows, exp, func
from engine.search.nodes import COUNT, FIRST, LOGIT, NOISE, PLAYER, SCORE, TOTALS, VISITS

VISIT_OFFSET = 50.0  # c_visit of equation 8
LEAST_SPREAD = 0.02  # between a node's least and greatest Q-value, in [-1, 1]: noise below is not blown up further


@func
def score_edges(
    node: int, value_scale: float, nodes: IntRows, values: FloatRows, links: IntRows, stats: FloatRows
) -> None:
    """Write logit + sigma(completed Q) of every action of a node to its edge's SCORE."""
    first = int(nodes[node][FIRST])
    end = first + int(nodes[node][COUNT])
    chooser = int(nodes[node][PLAYER]) - 1
    top = Float(stats[first][LOGIT])
    for edge in range(first, end):
        top = max(top, stats[edge][LOGIT])
    most = Int(0)
    total = Int(0)
    mass = Float(0.0)
    mean = Float(0.0)
    for edge in range(first, end):
        visits = int(links[edge][VISITS])
        if visits > 0:
            power = exp(stats[edge][LOGIT] - top)
            mass += power
            mean += power * stats[edge][TOTALS + chooser] / Float(visits)
            total += visits
            most = max(most, visits)
    mixed = Float(values[node][chooser])
    if mass > Float(0.0):  # else nothing was visited, or all of it has a prior too small for a float
        mixed = (mixed + Float(total) * mean / mass) / Float(1 + total)
    least = Float(mixed)
    greatest = Float(mixed)
    for edge in range(first, end):
        visits = int(links[edge][VISITS])
        value = Float(mixed)
        if visits > 0:
            value = stats[edge][TOTALS + chooser] / Float(visits)
            least = min(least, value)
            greatest = max(greatest, value)
        stats[edge][SCORE] = value
    scale = value_scale * (Float(VISIT_OFFSET) + Float(most)) / max(greatest - least, Float(LEAST_SPREAD))
    for edge in range(first, end):
        stats[edge][SCORE] = stats[edge][LOGIT] + scale * (stats[edge][SCORE] - least)


@func
def softmax_scores(first: int, end: int, stats: FloatRows) -> None:
    """Turn the scores (SCORE) of a run of edges into probabilities, in place."""
    top = Float(stats[first][SCORE])
    for edge in range(first, end):
        top = max(top, stats[edge][SCORE])
    mass = Float(0.0)
    for edge in range(first, end):
        power = exp(stats[edge][SCORE] - top)
        stats[edge][SCORE] = power
        mass += power
    for edge in range(first, end):
        stats[edge][SCORE] = stats[edge][SCORE] / mass


@func
def choose_below(
    node: int, value_scale: float, nodes: IntRows, values: FloatRows, links: IntRows, stats: FloatRows
) -> int:
    """Return the edge whose share of the visits is furthest below the improved policy; in a tie, the first."""
    score_edges(node, value_scale, nodes, values, links, stats)
    first = int(nodes[node][FIRST])
    end = first + int(nodes[node][COUNT])
    softmax_scores(first, end, stats)
    total = Int(0)
    for edge in range(first, end):
        total += int(links[edge][VISITS])
    best = Int(first)
    most = Float(-2.0)
    for edge in range(first, end):
        lag = stats[edge][SCORE] - Float(links[edge][VISITS]) / Float(1 + total)
        if lag > most:
            most = lag
            best = edge
    return best


@func
def choose_at_root(
    root: int, wanted: int, value_scale: float, nodes: IntRows, values: FloatRows, links: IntRows, stats: FloatRows
) -> int:
    """Return the edge with the highest noise + score of those with `wanted` visits; in a tie, the first."""
    score_edges(root, value_scale, nodes, values, links, stats)
    first = int(nodes[root][FIRST])
    best = Int(-1)
    most = Float(0.0)
    for edge in range(first, first + int(nodes[root][COUNT])):
        if int(links[edge][VISITS]) == wanted:
            score = stats[edge][NOISE] + stats[edge][SCORE]
            if best < 0 or score > most:
                most = score
                best = edge
    return best
