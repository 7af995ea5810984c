"""An NNUE network: its integers, proved not to overflow, and its files, which are read without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engine.backend.rows import HIDDEN
from engine.boards import BOARDS, board
from engine.features import SEATS
from engine.files import read_regular
from engine.nnue.features import BUCKETS, COUNTS, KINDS, feature_count

WEIGHTS: Final = "weights.safetensors"
CONFIG: Final = "config.json"
FORMAT: Final = "nnue/1"

_WIDTH_STEP: Final = 16
_MAX_WIDTH: Final = 1024
_MAX_BYTES: Final = 128 * 1024 * 1024
_MOST: Final = 2**15 - 1
_KEYS: Final = ("board", "features", "format", "top", "width")


class NnueError(ValueError):
    """A network cannot be used; the message is one line: the file's name if it is known, and `fault`."""

    def __init__(self, fault: str, file: str = "") -> None:
        super().__init__(f"{file}: {fault}" if file else fault)
        self.fault = fault


@dataclass(frozen=True)
class Nnue:
    """A network for the games of one board, for two to four players.

    Raises:
        NnueError: the arrays do not fit together, or some position could make a sum overflow.
    """

    board: str
    top: int
    """The sum at which a unit of the first layer is full."""
    weights: NDArray[np.int16]
    """int16[features, width] (`engine.nnue.features`); row 0 is zero."""
    biases: NDArray[np.int16]
    """int16[width]."""
    layers: NDArray[np.float32]
    """float32[width + 3, HIDDEN] (`engine.backend.rows.apply_layers`)."""

    def __post_init__(self) -> None:
        fault = _fault(self)
        if fault is not None:
            raise NnueError(fault)

    @property
    def width(self) -> int:
        """The units of the first layer, which are also the length of one player's accumulator."""
        return int(self.weights.shape[1])

    @property
    def arrays(self) -> tuple[NDArray[np.int16], NDArray[np.int16], int, NDArray[np.float32]]:
        """What kernels take, one after the other: weights, biases, top and layers."""
        return self.weights, self.biases, self.top, self.layers


def largest_sum(board_name: str, weights: NDArray[Any], biases: NDArray[Any]) -> float:
    """Return a bound of the absolute value of every sum that a position can make: each slot has one feature or none.

    Args:
        weights: [features, width], integers or floats.
        biases: [width].
    """
    cells = len(board(board_name).cells)
    ends = 1 + cells * SEATS * KINDS
    wide = weights.astype(np.float64)
    slots = [
        wide[1:ends].reshape(cells, SEATS * KINDS, -1),
        wide[ends : ends + SEATS * COUNTS * BUCKETS].reshape(SEATS * COUNTS, BUCKETS, -1),
        wide[ends + SEATS * COUNTS * BUCKETS :][None],
    ]
    highest = biases + sum(np.maximum(part.max(axis=1), 0).sum(axis=0) for part in slots)
    lowest = biases + sum(np.minimum(part.min(axis=1), 0).sum(axis=0) for part in slots)
    return float(max(highest.max(), -lowest.min()))


def save_nnue(directory: Path, nnue: Nnue) -> None:
    """Write a network to a directory; equal networks give equal bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    config = dict(zip(_KEYS, (nnue.board, len(nnue.weights), FORMAT, nnue.top, nnue.width), strict=True))
    (directory / CONFIG).write_text(json.dumps(config, sort_keys=True) + "\n")
    arrays = {"biases": nnue.biases, "layers": nnue.layers, "weights": nnue.weights}
    (directory / WEIGHTS).write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_nnue(directory: Path) -> Nnue:
    """Return the network in a directory. Raise NnueError if a file is missing or not what it should be."""
    config = _read_config(directory)
    try:
        arrays = load(_read_limited(directory / WEIGHTS))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise (
            error if isinstance(error, NnueError) else NnueError(f"not a readable safetensors file ({error})", WEIGHTS)
        ) from None
    if set(arrays) != {"biases", "layers", "weights"}:
        raise NnueError(f"holds the arrays {sorted(arrays)}, expected biases, layers and weights", WEIGHTS)
    try:
        nnue = Nnue(config["board"], config["top"], arrays["weights"], arrays["biases"], arrays["layers"])
    except NnueError as error:
        raise NnueError(error.fault, WEIGHTS) from None
    if nnue.width != config["width"]:
        raise NnueError(f"a first layer of {nnue.width} units, expected {config['width']}", WEIGHTS)
    return nnue


def is_nnue(directory: Path) -> bool:
    """Return whether a directory's configuration says that it holds an NNUE network."""
    try:
        return bool(json.loads(_read_limited(directory / CONFIG))["format"] == FORMAT)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _read_config(directory: Path) -> dict[str, Any]:
    data = _read_limited(directory / CONFIG)
    try:
        config: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NnueError(f"not JSON ({error})", CONFIG) from None
    if not isinstance(config, dict) or set(config) != set(_KEYS):
        raise NnueError(f"expected exactly the keys {', '.join(_KEYS)}", CONFIG)
    if config["format"] != FORMAT or config["board"] not in BOARDS:
        raise NnueError(f"format {config['format']!r} and board {config['board']!r}, expected {FORMAT!r}", CONFIG)
    if config["features"] != feature_count(config["board"]):
        raise NnueError(f"{config['features']} features, expected {feature_count(config['board'])}", CONFIG)
    if type(config["top"]) is not int or type(config["width"]) is not int:
        raise NnueError("top and width must be integers", CONFIG)
    return config


def _read_limited(path: Path) -> bytes:
    try:
        return read_regular(path, _MAX_BYTES)
    except OSError as error:
        raise NnueError(f"cannot be read ({error.strerror})", path.name) from None


def _fault(nnue: Nnue) -> str | None:
    """Return the first reason why the parts do not make a network, or None."""
    features = feature_count(nnue.board)
    weights, biases, layers = nnue.weights, nnue.biases, nnue.layers
    if weights.dtype != np.int16 or weights.ndim != 2 or len(weights) != features:
        return f"weights are {weights.dtype}{list(weights.shape)}, expected int16[{features}, width]"
    width = weights.shape[1]
    if not 0 < width <= _MAX_WIDTH or width % _WIDTH_STEP:
        return f"a first layer of {width} units, expected a multiple of {_WIDTH_STEP} up to {_MAX_WIDTH}"
    if biases.dtype != np.int16 or biases.shape != (width,):
        return f"biases are {biases.dtype}{list(biases.shape)}, expected int16[{width}]"
    if layers.dtype != np.float32 or layers.shape != (width + 3, HIDDEN):
        return f"layers are {layers.dtype}{list(layers.shape)}, expected float32[{width + 3}, {HIDDEN}]"
    if not np.isfinite(layers).all():
        return "layers hold a value that is not finite"
    if not 0 < nnue.top <= _MOST:
        return f"top is {nnue.top}, expected 1 to {_MOST}"
    if weights[0].any():
        return "row 0 of the weights is not zero"
    bound = largest_sum(nnue.board, weights, biases)
    return f"sums can reach {bound:.0f}, above {_MOST}" if bound > _MOST else None
