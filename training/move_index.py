"""The places in the policy head's output from which each legal move takes its score.

The head writes one number for each (square, role of a cell in a move) and one for each kind of move. A
move's score is the sum of the numbers of its kind and of its cells, plus, for moves that go from one cell to
another, the inner product of the two cells' embeddings. So there is no fixed list of actions, and one head
serves every board.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.moves import Kind

_PLACEMENTS: Final = ("place 1", "place 2", "place 3")
_FIELD_ROLES: Final[dict[Kind, tuple[str | None, str | None, str | None]]] = {
    Kind.MV: ("move from", "move to", None),
    Kind.OC: ("capture from", "capture target", "capture landing"),
    Kind.CC: ("capture from", "capture target", "capture landing"),
    Kind.RS_F: ("recovery from", "recovery to", "recovery pay"),
    Kind.RS_S: ("recovery from", "recovery to", "recovery pay"),
    Kind.RS_L1: ("recovery from", "recovery to", "recovery pay"),
    Kind.RS_L2: ("recovery from", "recovery to", None),
    Kind.PL: ("line", None, None),
    Kind.CL_ALL: ("line", None, None),
    Kind.CL_SUB: ("line part", None, None),
    Kind.EL: ("line ring", None, None),
    Kind.TR: ("region", None, None),
    Kind.ET: ("cap", None, None),
    Kind.ER: ("cap", None, None),
    Kind.FE: ("cap", None, None),
}
_LANDING_FIELD: Final = {
    **dict.fromkeys((Kind.MV, Kind.RS_F, Kind.RS_S, Kind.RS_L1, Kind.RS_L2), 1),
    **dict.fromkeys((Kind.OC, Kind.CC), 2),
}

ROLES: Final[tuple[str, ...]] = (
    *_PLACEMENTS,
    *dict.fromkeys(role for roles in _FIELD_ROLES.values() for role in roles if role is not None),
)
"""The roles of cells, in the order of the head's output; the first three are placements by count."""

KINDS: Final = len(Kind)
_FIELD: Final = 1 << 12


def field_roles() -> NDArray[np.int32]:
    """Return int32[KINDS, 4] for kernels: each field's role, -1 if it is not a cell, and the landing's field or -1."""
    found = np.full((KINDS, 4), -1, np.int32)
    for kind, names in _FIELD_ROLES.items():
        found[kind, :3] = [-1 if name is None else ROLES.index(name) for name in names]
    found[Kind.PR, 0] = 0  # the first of the placements; the count is added
    for kind, field in _LANDING_FIELD.items():
        found[kind, 3] = field
    return found


@dataclass(frozen=True)
class Places:
    """The places of the scores of M moves; a square of H * W means "none"."""

    kind: Tensor  # int64[M]
    squares: Tensor  # int64[M, 3]: the square of each field that is a cell
    roles: Tensor  # int64[M, 3]: its role, 0 for "none"
    origin: Tensor  # int64[M]: the square on which the move starts
    landing: Tensor  # int64[M]: the square on which it ends


@dataclass(frozen=True)
class MoveIndex:
    """The tables of one board, each int64[3, KINDS * 4096], looked up by (field, kind * 4096 + value)."""

    squares: Tensor
    roles: Tensor
    ends: Tensor  # the square, if the field is the start or the end of a move from cell to cell

    @classmethod
    def of(cls, grid: Tensor, area: int) -> MoveIndex:
        """Return the tables of a board: `grid` int64[cells] is the square of each cell among `area` squares."""
        cells = len(grid)
        squares = torch.full((3, KINDS, _FIELD), area)
        roles = torch.zeros((3, KINDS, _FIELD), dtype=torch.int64)
        ends = torch.full((3, KINDS, _FIELD), area)
        for kind, names in _FIELD_ROLES.items():
            for field, name in enumerate(names):
                if name is not None:
                    squares[field, kind, :cells] = grid
                    roles[field, kind] = ROLES.index(name)
        squares[0, Kind.PR, :cells] = grid
        for kind, field in _LANDING_FIELD.items():
            ends[0, kind, :cells] = ends[field, kind, :cells] = grid
        return cls(*(table.reshape(3, -1) for table in (squares, roles, ends)))

    def locate(self, moves: Tensor) -> Places:
        """Return the places of packed moves int64[M]."""
        kind = moves & 0xFF
        a, b, c = (kind * _FIELD + ((moves >> shift) & 0xFFF) for shift in (8, 20, 32))
        roles = torch.stack((self.roles[0][a], self.roles[1][b], self.roles[2][c]), dim=1)
        roles[:, 0] += torch.where(kind == int(Kind.PR), ((moves >> 20) & 0xFFF) - 1, 0)
        return Places(
            kind=kind,
            squares=torch.stack((self.squares[0][a], self.squares[1][b], self.squares[2][c]), dim=1),
            roles=roles,
            origin=self.ends[0][a],
            landing=torch.minimum(self.ends[1][b], self.ends[2][c]),
        )
