"""What a network sees."""

import numpy as np
import pytest

from engine.boards import board
from engine.config import Config, config
from engine.features import PLANES, SCALARS, frame
from engine.games import Games
from engine.move_parser import text_to_move
from engine.rules import state as record
from tests.engine.audit import audit


def test_frames_hold_the_board() -> None:
    for name, side in (("square8", 8), ("hex8", 9), ("square19", 19), ("hexagonal", 25)):
        square, shape = frame(name), board(name)
        assert square.side == side
        assert len(set(square.grid.tolist())) == len(shape.cells) == square.mask.sum()
        # direct neighbours on the board are neighbours in the 3 x 3 window
        for cell, (x, y) in enumerate(shape.cells):
            assert divmod(int(square.grid[cell]), side) == (y - shape.low, x - shape.low)


def test_planes_say_what_the_position_is(any_config: Config) -> None:
    games = Games.new(any_config, 6)
    square, shape = frame(any_config.board), board(any_config.board)
    for _ in range(8):
        games.play_randomly(seed=2, steps=13)
        planes, scalars = games.features()
        assert planes.dtype == scalars.dtype == np.float32
        assert planes.shape == (6, PLANES, square.side, square.side)
        assert scalars.shape == (6, SCALARS)
        assert (planes * (1 - square.mask) == 0).all(), "something off the board"
        for game, row in enumerate(games.states):
            seen = planes[game].reshape(PLANES, -1)[:, square.grid]
            expected = describe(any_config, row, len(shape.cells))
            assert (seen == expected).all()


def describe(settings: Config, row: np.ndarray, cells: int) -> np.ndarray:
    """The planes by cell, written down a second time from the recount of the record."""
    planes = np.zeros((PLANES, cells), np.float32)
    mover = max(int(row[record.PLAYER]), 1)
    stacks = audit(settings, row).stacks

    def seat(player: int) -> int:
        return (player - mover) % settings.players

    for cell, value in enumerate(row[record.BOARD : record.BOARD + cells].tolist()):
        if cell in stacks:
            owners = [ring // settings.rings + 1 for ring in stacks[cell]]
            cap = next((i for i, owner in enumerate(owners) if owner != owners[0]), len(owners))
            base = seat(owners[0]) * 6
            planes[base : base + 3, cell] = 1, len(owners) / 8, cap / 8
            for owner in owners[cap:]:
                planes[seat(owner) * 6 + 3, cell] += 1 / 8
        elif value > 8:
            planes[seat(value - 8) * 6 + 5, cell] = 1
        elif value > 0:
            planes[seat(value) * 6 + 4, cell] = 1
    planes[24] = 1
    if row[record.ACTIVE] >= 0:
        planes[25, row[record.ACTIVE]] = 1
    if row[record.PHASE] < 7:
        planes[26 + row[record.PHASE]] = 1
    planes[33], planes[34] = row[record.OWED], row[record.RECOVERED]
    return planes


def test_the_mover_is_always_seat_0(kernels: None) -> None:
    games = Games.new(config("hex8-3"), 1)
    games.apply([text_to_move(games, 0, "PR 0,0 2")])
    planes, scalars = games.features()
    assert planes[0, 0, 4, 4] == 1
    assert planes[0, 1, 4, 4] == planes[0, 2, 4, 4] == np.float32(2 / 8)
    assert planes[0, 25, 4, 4] == 1
    assert scalars[0, 1] == np.float32(16 / 18)
    for text in ("MV 0,0 2,0", "NL", "NT"):
        games.apply([text_to_move(games, 0, text)])
    planes, scalars = games.features()
    assert games.player()[0] == 2
    assert planes[0, 2 * 6, 4, 6] == 1, "player 1 sits two seats after player 2 of three"
    assert planes[0, 2 * 6 + 4, 4, 4] == 1
    assert scalars[0].tolist()[: 4 * 8 : 8] == [1, 1, 1, 0]
    assert scalars[0, 2 * 8 + 1] == np.float32(16 / 18)
    assert scalars[0, 7] == 1, "the mask of real actions"


def test_scalars_of_line_length_and_board(kernels: None) -> None:
    seen = {
        name: Games.new(config(name), 1).features()[1][0, 32:].tolist() for name in ("hex8-2", "hex8-4", "hexagonal-3")
    }
    assert seen == {"hex8-2": [0, 0, 0, 1], "hex8-4": [0, 0, 1, 1], "hexagonal-3": [0, 0, 0, 0]}
    assert Games.new(config("hex8-2"), 1, swap=True).features()[1][0, 32] == 1


@pytest.mark.parametrize("name", ["hex8-4"])
def test_features_of_finished_games_are_finite(name: str, kernels: None) -> None:
    games = Games.new(config(name), 20)
    games.play_randomly(seed=1, steps=5000)
    planes, scalars = games.features()
    assert np.isfinite(planes).all()
    assert np.isfinite(scalars).all()
    assert (planes[:, 26:33] == 0).all()
