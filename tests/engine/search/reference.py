"""The search as the paper says it, one game at a time, with Python objects: slow, and meant to be read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from engine.games import Games
from engine.search import EvalBatch, Evaluate
from engine.search.halving import halving_sequence
from engine.search.noise import gumbel_noise
from engine.search.select import LEAST_SPREAD, VISIT_OFFSET


@dataclass
class Node:
    """A position with a choice, or the end of a game; values are per absolute seat."""

    player: int
    moves: list[int]
    logits: list[float]
    value: list[float]
    states: Games
    value_scale: float = 0.1
    visits: list[int] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)  # of the mover's component
    children: dict[int, Node] = field(default_factory=dict)


def make_node(games: Games, evaluate: Evaluate) -> Node:
    """`games` holds one game, which is not changed; forced plies are played first."""
    games = games.copy()
    players = games.config.players
    while not games.over()[0] and len(games.legal().moves) == 1:
        games.apply(games.legal().moves)
    if games.over()[0]:
        winner = int(games.winner()[0])
        value = [1.0 if seat == winner else -1.0 / (players - 1) for seat in range(1, players + 1)]
        return Node(0, [], [], value, games)
    legal = games.legal()
    moves = [int(move) for move in legal.moves]
    mover = int(games.player()[0])
    evaluation = evaluate(EvalBatch(games, legal.offsets, legal.moves))
    relative = [float(v) for v in np.asarray(evaluation.values)[0]]
    value = [0.0] * players
    for i, component in enumerate(relative):
        value[(mover - 1 + i) % players] = component
    logits = [float(x) for x in np.asarray(evaluation.logits)]
    return Node(mover, moves, logits, value, games, evaluation.value_scale, [0] * len(moves), [0.0] * len(moves))


def softmax(xs: list[float]) -> list[float]:
    top = max(xs)
    powers = [math.exp(x - top) for x in xs]
    return [p / sum(powers) for p in powers]


def improved_scores(node: Node, value_scale: float) -> list[float]:
    """logits + sigma(completed q) of every action."""
    mover = node.player - 1
    prior = softmax(node.logits)
    visited = [a for a in range(len(node.moves)) if node.visits[a]]
    q = {a: node.totals[a] / node.visits[a] for a in visited}
    n = sum(node.visits)
    mixed = node.value[mover]
    if visited:
        mass = sum(prior[a] for a in visited)
        mean = sum(prior[a] * q[a] for a in visited) / mass
        mixed = (node.value[mover] + n * mean) / (1 + n)
    completed = [q.get(a, mixed) for a in range(len(node.moves))]
    least, greatest = min(mixed, *completed), max(mixed, *completed)
    scale = (VISIT_OFFSET + max(node.visits)) * value_scale / max(greatest - least, LEAST_SPREAD)
    return [logit + scale * (value - least) for logit, value in zip(node.logits, completed, strict=True)]


def search(games: Games, evaluate: Evaluate, *, simulations: int, considered: int, seed: int, noise: float) -> Node:
    """The root after all simulations; `games` holds one game that has a choice."""
    root = make_node(games, evaluate)
    places = np.arange(len(root.moves))
    gumbel = [float(noise * g) for g in gumbel_noise(np.full(len(places), seed, np.uint64), places)]
    for wanted in halving_sequence(min(considered, len(root.moves)), simulations):
        path, actions = [root], []
        scores = improved_scores(root, root.value_scale)
        open_actions = [a for a in range(len(root.moves)) if root.visits[a] == wanted]
        action = max(open_actions, key=lambda a: (gumbel[a] + scores[a], -a))
        while True:
            actions.append(action)
            node = path[-1]
            if action not in node.children:
                after = node.states.copy()
                after.apply(np.array([node.moves[action]], dtype=np.int64))
                node.children[action] = make_node(after, evaluate)
                path.append(node.children[action])
                break
            path.append(node.children[action])
            if not path[-1].moves:
                break
            action = inner_action(path[-1], root.value_scale)
        backup(path, actions, path[-1].value)
    return root


def inner_action(node: Node, value_scale: float) -> int:
    policy = softmax(improved_scores(node, value_scale))
    n = sum(node.visits)
    return max(range(len(policy)), key=lambda a: (policy[a] - node.visits[a] / (1 + n), -a))


def backup(path: list[Node], actions: list[int], value: list[float]) -> None:
    for node, action in zip(path, actions, strict=False):
        node.visits[action] += 1
        node.totals[action] += value[node.player - 1]
