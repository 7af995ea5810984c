"""RingRift without the swarm: its rules, and what is computed from them. Arrays in, arrays out.

There is no torch, no clock and no network here. What is where:

    config, boards, moves           the twelve configurations, the four boards, moves as integers
    rules/                          the rules, in the dialect of the kernels
    backend/                        where kernels run: plain Python, Warp on the CPU, CUDA
    games, device_games             batches of games, on the CPU and on a device
    kernels, play, random, perft    whole games in one launch, counts of legal sequences
    notation, move_parser           positions and moves as text; moves read from text
    position, position_parser       positions as plain data; positions read from text
    record, reference_games         games as canonical bytes; the games of the reference implementation
    features, actions, symmetry     what a network sees; moves as numbers; symmetric views
    environment, single_agent       RingRift in PettingZoo's form; for one learner in Gymnasium's
    search/, players/               Gumbel AlphaZero search; players, from uniform chance to search
    nnue/                           NNUE: a small network that needs neither torch nor much time
    picture/                        pictures as SVG

The names in `__all__` can be imported from here. Each is loaded when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.backend.cpu import cpu as cpu
    from engine.backend.cuda import Device as Device
    from engine.backend.cuda import DeviceError as DeviceError
    from engine.backend.cuda import cuda_devices as cuda_devices
    from engine.backend.dialect import PLAIN as PLAIN
    from engine.boards import BOARDS as BOARDS
    from engine.boards import Board as Board
    from engine.config import CONFIGS as CONFIGS
    from engine.config import Config as Config
    from engine.device_games import DeviceGames as DeviceGames
    from engine.device_games import DeviceGamesError as DeviceGamesError
    from engine.games import Games as Games
    from engine.games import IllegalMoveError as IllegalMoveError
    from engine.games import Legal as Legal
    from engine.move_parser import legal_texts as legal_texts
    from engine.move_parser import text_to_move as text_to_move
    from engine.moves import Kind as Kind
    from engine.nnue.network import Nnue as Nnue
    from engine.nnue.network import NnueError as NnueError
    from engine.nnue.network import load_nnue as load_nnue
    from engine.nnue.network import save_nnue as save_nnue
    from engine.notation import move_to_text as move_to_text
    from engine.perft import count_sequences as count_sequences
    from engine.players import DepthPlayer as DepthPlayer
    from engine.players import HeuristicPlayer as HeuristicPlayer
    from engine.players import MonteCarloPlayer as MonteCarloPlayer
    from engine.players import NnueEvaluator as NnueEvaluator
    from engine.players import NnuePlayer as NnuePlayer
    from engine.players import Player as Player
    from engine.players import PolicyPlayer as PolicyPlayer
    from engine.players import Rule as Rule
    from engine.players import SearchPlayer as SearchPlayer
    from engine.players import UniformPlayer as UniformPlayer
    from engine.position import Position as Position
    from engine.position import read_position as read_position
    from engine.position_parser import PositionError as PositionError
    from engine.position_parser import set_up as set_up
    from engine.record import GameRecord as GameRecord
    from engine.search import Evaluation as Evaluation
    from engine.search import evaluate_uniformly as evaluate_uniformly
    from engine.search import gumbel_search as gumbel_search
    from engine.symmetry import Symmetry as Symmetry
    from engine.symmetry import symmetries as symmetries
    from engine.symmetry import transform_games as transform_games
    from engine.symmetry import transform_moves as transform_moves
    from engine.symmetry import transform_planes as transform_planes

_HOMES = {
    "engine.backend.dialect": ("PLAIN",),
    "engine.boards": ("BOARDS", "Board"),
    "engine.backend.cpu": ("cpu",),
    "engine.config": ("CONFIGS", "Config"),
    "engine.backend.cuda": ("Device", "DeviceError", "cuda_devices"),
    "engine.device_games": ("DeviceGames", "DeviceGamesError"),
    "engine.games": ("Games", "IllegalMoveError", "Legal"),
    "engine.moves": ("Kind",),
    "engine.move_parser": ("legal_texts", "text_to_move"),
    "engine.nnue.network": ("Nnue", "NnueError", "load_nnue", "save_nnue"),
    "engine.notation": ("move_to_text",),
    "engine.perft": ("count_sequences",),
    "engine.players": (
        "DepthPlayer",
        "HeuristicPlayer",
        "MonteCarloPlayer",
        "NnueEvaluator",
        "NnuePlayer",
        "Player",
        "PolicyPlayer",
        "Rule",
        "SearchPlayer",
        "UniformPlayer",
    ),
    "engine.position": ("Position", "read_position"),
    "engine.record": ("GameRecord",),
    "engine.search": ("Evaluation", "evaluate_uniformly", "gumbel_search"),
    "engine.position_parser": ("PositionError", "set_up"),
    "engine.symmetry": ("Symmetry", "symmetries", "transform_games", "transform_moves", "transform_planes"),
}
__all__ = ["warm", *(name for names in _HOMES.values() for name in names)]
KERNEL_MODULES = (
    "engine.kernels",
    "engine.search.kernels",
    "engine.search.device_kernels",
    "engine.players.kernels",
    "engine.players.depth.kernels",
    "engine.nnue.kernels",
)


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def warm(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile every kernel for the CPU, or load it from the cache, so that no later call waits for it.

    Args:
        progress: called before each module with its name, its place and the number of modules, and once at the
            end with ("", n, n).
    """
    from engine.backend.cpu import compile_kernels

    total = len(KERNEL_MODULES)
    for place, name in enumerate(KERNEL_MODULES):
        if progress is not None:
            progress(name, place, total)
        import_module(name)
        compile_kernels(name)
    if progress is not None:
        progress("", total, total)
