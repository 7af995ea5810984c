"""Gumbel AlphaZero search over many games at once, with one call of the network for each batch of leaves.

Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel": Gumbel-top-k and sequential
halving at the root, completed Q-values, deterministic selection below the root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arguments import integers
from engine.backend.dialect import Lanes
from engine.games import Games
from engine.rules import move_bound, scratch_width, tables
from engine.search import kernels
from engine.search.evaluation import EvalBatch, Evaluate, Evaluation
from engine.search.halving import halving_table
from engine.search.nodes import COUNTERS, FIRST, FRESH, LEAF, LEAF_COLUMNS, NODE_COLUMNS, SCORE, SIMULATION, VISITS
from engine.search.noise import gumbel_noise
from engine.search.pool import EdgePool

_EDGES_EXPECTED = 64  # legal moves of a node, for the initial size of the pool


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of a search over B games; games that are over have no moves."""

    actions: NDArray[np.int64]  # [B]: the move to play, -1 where the game is over
    offsets: NDArray[np.int32]  # [B + 1]
    moves: NDArray[np.int64]  # [offsets[B]]: legal moves
    policy: NDArray[np.float32]  # [offsets[B]]: improved policy, which sums to 1 in each game
    visits: NDArray[np.int32]  # [offsets[B]]: simulations that began with the move
    values: NDArray[np.float32]  # [B, P]: mean value of the action for players 1..P; 0 if not searched


def gumbel_search(
    games: Games,
    evaluate: Evaluate,
    *,
    simulations: int,
    considered: int,
    seeds: ArrayLike,
    noise: float = 1.0,
) -> SearchResult:
    """Search every game that has a choice, with `simulations` simulations each.

    Args:
        games: B positions, left as they are.
        evaluate: called once for the roots, then once per simulation with all new leaves.
        simulations: at least 1.
        considered: number of actions that sequential halving begins with, at least 1.
        seeds: uint64[B]; a game's noise depends on its seed alone.
        noise: scale of the Gumbel noise: 1 samples actions; 0 takes the best, and the first among equals; a
            small number only breaks ties.

    Equal arguments give an equal result if `evaluate` is deterministic.

    Raises:
        ValueError: an argument or the result of `evaluate` has the wrong shape or is out of range.
    """
    if simulations < 1 or considered < 1:
        raise ValueError(f"simulations {simulations} and considered {considered} must be at least 1")
    seeds = integers(seeds, np.uint64, "seeds")
    if seeds.shape != (len(games),):
        raise ValueError(f"{len(games)} games take as many seeds, got {list(seeds.shape)}")
    search = _Search(games, evaluate, simulations, considered)
    search.open(seeds, noise)
    for simulation in range(simulations):
        search.simulate(simulation)
    return search.conclude()


class _Search:
    """The trees of one search (columns: `engine.search.nodes`)."""

    def __init__(self, games: Games, evaluate: Evaluate, simulations: int, considered: int) -> None:
        config = games.config
        self.games, self.evaluate, self.count = games, evaluate, len(games)
        self.slots = simulations + 1
        self.schedule = halving_table(considered, simulations)
        size = self.count * self.slots
        self.states = np.empty((size, games.states.shape[1]), np.int16)
        self.states[:: self.slots] = games.states
        self.nodes = np.zeros((size, NODE_COLUMNS), np.int32)
        self.values = np.empty((size, config.players), np.float32)
        # far more than most positions need, but memory that is never written costs nothing
        self.legal = np.empty((self.count, move_bound(config)), np.int64)
        self.leaves = np.empty((self.count, LEAF_COLUMNS), np.int32)
        self.counters = np.zeros(COUNTERS, np.int32)
        self.edges = EdgePool(config.players, size * _EDGES_EXPECTED)
        self.rules = (tables(config), Lanes(scratch_width(config), np.int32), self.slots)
        self.total = 0  # edges of the roots
        self.value_scale = 0.0  # of the evaluation of the roots

    def open(self, seeds: NDArray[np.uint64], noise: float) -> None:
        """Make and evaluate the roots."""
        arguments = (*self.rules, self.states, self.legal, self.nodes, self.leaves)
        self.games.executor.launch(kernels.open_roots, self.count, *arguments)
        counts = self.leaves[:, FRESH].astype(np.int64)
        self._pool()
        self.total = self.edges.used
        places = np.arange(self.total) - np.repeat(np.cumsum(counts) - counts, counts)
        self.edges.set_noise(0, gumbel_noise(np.repeat(seeds, counts), places) * np.float32(noise))
        self._learn(0)

    def simulate(self, simulation: int) -> None:
        """Run one simulation in every game."""
        edges = self.edges
        self.counters[SIMULATION] = simulation
        self.games.executor.launch(
            kernels.descend,
            self.count,
            *self.rules,
            self.counters,
            self.value_scale,
            self.schedule,
            self.states,
            self.legal,
            self.nodes,
            self.values,
            edges.moves,
            edges.links,
            edges.stats,
            self.leaves,
        )
        start = edges.used
        self._pool()
        self._learn(start)

    def _pool(self) -> None:
        edges = self.edges
        starts = edges.take(self.leaves[:, FRESH])
        arguments = (self.legal, self.leaves, starts, self.nodes, edges.moves, edges.links, edges.stats)
        self.games.executor.launch(kernels.pool_edges, self.count, *arguments)

    def _learn(self, start: int) -> None:
        """Evaluate the leaves whose edges begin at `start` of the pool, and back up every leaf's value."""
        edges = self.edges
        counts = self.leaves[:, FRESH]
        fresh = counts > 0
        ranks = np.where(fresh, np.cumsum(fresh) - 1, -1).astype(np.int32)
        relative = np.zeros((1, self.values.shape[1]), np.float32)
        if fresh.any():
            offsets = np.zeros(int(fresh.sum()) + 1, np.int32)
            np.cumsum(counts[fresh], out=offsets[1:])
            states = Games(self.games.config, self.states[self.leaves[fresh, LEAF]], self.games.executor)
            evaluation = self.evaluate(EvalBatch(states, offsets, edges.moves[start : edges.used]))
            self._check(evaluation, edges.used - start, len(states))
            edges.set_logits(start, evaluation.logits)
            self.value_scale = evaluation.value_scale
            relative = np.ascontiguousarray(evaluation.values, np.float32)
        self.games.executor.launch(
            kernels.receive,
            self.count,
            self.leaves,
            ranks,
            relative,
            self.nodes,
            self.values,
            edges.links,
            edges.stats,
        )

    def _check(self, evaluation: Evaluation, moves: int, positions: int) -> None:
        wanted = (moves,), (positions, self.values.shape[1])
        found = np.shape(evaluation.logits), np.shape(evaluation.values)
        if found != wanted:
            raise ValueError(f"logits and values of these positions have the shapes {wanted}, got {found}")

    def conclude(self) -> SearchResult:
        """Read the result off the roots."""
        edges, total = self.edges, self.total
        actions = np.empty(self.count, np.int64)
        outcomes = np.zeros((self.count, self.values.shape[1]), np.float32)
        arguments = (
            self.slots,
            self.value_scale,
            self.nodes,
            self.values,
            edges.moves,
            edges.links,
            edges.stats,
            actions,
            outcomes,
        )
        self.games.executor.launch(kernels.conclude, self.count, *arguments)
        offsets = np.append(self.nodes[:: self.slots, FIRST], total).astype(np.int32)
        result = SearchResult(
            actions=actions,
            offsets=offsets,
            moves=edges.moves[:total].copy(),
            policy=edges.stats[:total, SCORE].copy(),
            visits=edges.links[:total, VISITS].copy(),
            values=outcomes,
        )
        edges.release()
        return result
