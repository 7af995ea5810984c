"""The boards and the configurations."""

import subprocess
import sys

import numpy as np
import pytest

from engine.boards import BOARDS, board
from engine.config import CONFIGS, Config, config
from engine.rules.tables import direction_between, opposite, step, tables


@pytest.mark.parametrize(("name", "cells"), [("square8", 64), ("hex8", 61), ("square19", 361), ("hexagonal", 469)])
def test_cells_are_in_record_order(name: str, cells: int) -> None:
    shape = board(name)
    assert len(shape.cells) == cells
    assert list(shape.cells) == sorted(shape.cells)
    assert all(0 <= x - shape.low < shape.side and 0 <= y - shape.low < shape.side for x, y in shape.cells)


def test_numbers_of_the_twelve_configurations() -> None:
    # the table at the head of RULES.md
    table = {
        "square8": (18, (4, 3, 3), (18, 24, 30), (33, 22, 17)),
        "hex8": (18, (4, 3, 3), (18, 24, 30), (31, 21, 16)),
        "square19": (72, (4, 4, 4), (72, 96, 120), (181, 121, 91)),
        "hexagonal": (96, (4, 4, 4), (96, 128, 160), (235, 157, 118)),
    }
    expected = {
        f"{name}-{players}": Config(
            board=name,
            players=players,
            rings=rings,
            line_length=lines[i],
            ring_threshold=thresholds[i],
            territory_minimum=minimums[i],
        )
        for name, (rings, lines, thresholds, minimums) in table.items()
        for i, players in enumerate((2, 3, 4))
    }
    assert dict(CONFIGS) == expected


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown configuration 'hex9-2'; it is one of square8-2, "):
        config("hex9-2")
    with pytest.raises(ValueError, match="unknown board 'go'; the boards are square8, hex8, square19, hexagonal"):
        board("go")


@pytest.mark.parametrize("name", BOARDS)
def test_steps_lead_back_and_directions_are_found(name: str) -> None:
    shape, row = board(name), tables(config(f"{name}-2")).tolist()
    for cell in range(0, len(shape.cells), 7):
        for direction, (dx, dy) in enumerate(shape.directions):
            x, y = shape.cells[cell]
            previous, distance, at = cell, 1, step(row, cell, direction)
            while at < len(shape.cells):
                assert shape.cells[at] == (x + distance * dx, y + distance * dy)
                assert direction_between(row, cell, at) == direction
                assert step(row, at, opposite(row, direction)) == previous
                previous, distance, at = at, distance + 1, step(row, at, direction)
    assert all(axis > (0, 0) for axis in shape.directions[: shape.axes]), "axes go up in cell order"


def test_tables_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        tables(config("hex8-2"))[0] = 1


def test_warp_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys, engine, engine.games, engine.record, engine.features, engine.notation\n"
        "assert 'warp' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_arrays_are_int16() -> None:
    for made in CONFIGS.values():
        assert tables(made).dtype == np.int16
