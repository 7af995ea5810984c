"""The lengths of rows, with the reasons why no legal game can need more."""

from __future__ import annotations

from engine.boards import board
from engine.config import Config
from engine.rules.regions import SETS
from engine.rules.tables import WIDTH, tables


def state_width(config: Config) -> int:
    """Return the length of a state row (int16)."""
    return int(tables(config)[WIDTH])


def scratch_width(config: Config) -> int:
    """Return the length of a scratch row (int32), which holds the sets of cells of `engine.rules.regions`."""
    return SETS * board(config.board).side


def move_bound(config: Config) -> int:
    """Return a number of legal moves that no position of the configuration exceeds.

    For N cells and D directions:

    * Placement: at most 3 on each cell, and SP, SW.
    * Movement: walk back from a landing cell against the direction of the move. The first stack met is the
      only one that can have moved here, the second the only one that can have captured here: 2 N D.
    * Recovery: a slide goes from a marker to a neighbour that is not a marker, so with m markers there are at
      most D min(m, N - m) slides, and D N / 2 in any case. Each costs a ring from one of at most `rings`
      stacks, or collapses one of at most L parts of its run that contain the cell slid to. And SR.
    * Lines: a cell lies in at most one run an axis, and a run of n cells has fewer than n choices: N D / 2.
    * Territory: the components of the flood fill of each colour, and of the one without colour, are disjoint:
      (players + 1) N. Eliminations: N.

    Recovery decides on every board, and a closer proof could save little: the tests set up a position with 85,249
    legal moves on hexagonal, where the bound is 140,401, though games have met 1,407 at most. A caller without room
    for rows of this length for every game must check whether `legal_moves` returned more than the row holds, as
    `engine.device_games` does.
    """
    shape = board(config.board)
    cells, directions = len(shape.cells), len(shape.directions)
    return max(
        3 * cells + 2,
        2 * cells * directions,
        directions * (cells // 2) * (config.rings + config.line_length) + 1,
        (config.players + 1) * cells + 1,
    )
