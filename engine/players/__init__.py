"""Players that choose a move in each of many positions at once, from uniform chance to search."""

from engine.players.depth.frames import Rule
from engine.players.depth.players import DepthPlayer
from engine.players.descent import DescentPlayer
from engine.players.heuristic import HeuristicPlayer
from engine.players.monte_carlo import MonteCarloPlayer
from engine.players.nnue import NnueEvaluator, NnuePlayer
from engine.players.player import Player
from engine.players.search import PolicyPlayer, SearchPlayer
from engine.players.uniform import UniformPlayer

__all__ = [
    "DepthPlayer",
    "DescentPlayer",
    "HeuristicPlayer",
    "MonteCarloPlayer",
    "NnueEvaluator",
    "NnuePlayer",
    "Player",
    "PolicyPlayer",
    "Rule",
    "SearchPlayer",
    "UniformPlayer",
]
