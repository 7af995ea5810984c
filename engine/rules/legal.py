"""The legal moves of a position."""

from __future__ import annotations

from engine.backend.dialect import Ints, Longs, Row, func
from engine.moves import Kind, pack
from engine.rules.lines import elimination_moves, line_phase_moves
from engine.rules.movement import movement_moves, stack_moves
from engine.rules.output import emit
from engine.rules.placement import placement_moves
from engine.rules.recovery import may_recover, recovery_moves
from engine.rules.state import (
    ACTIVE,
    CAPTURE,
    CHAIN,
    FORCED,
    LINES,
    MOVEMENT,
    PHASE,
    PLACEMENT,
    PLAYER,
    TERRITORIES,
)
from engine.rules.territory import territory_phase_moves


@func
def movement_phase_moves(tables: Row, state: Row, player: int, out: Longs) -> int:
    """Write the moves of phase M."""
    if may_recover(state, player):
        return recovery_moves(tables, state, player, out)
    count = movement_moves(tables, state, player, out)
    if count == 0:
        return emit(out, count, pack(Kind.NM, 0, 0, 0))
    return count


@func
def legal_moves(tables: Row, state: Row, scratch: Ints, out: Longs) -> int:
    """Write the legal moves into `out` and return their number (see `engine.rules`)."""
    player = int(state[PLAYER])
    phase = int(state[PHASE])
    if phase == PLACEMENT:
        return placement_moves(tables, state, player, out)
    if phase == MOVEMENT:
        return movement_phase_moves(tables, state, player, out)
    if phase == CAPTURE:
        count = stack_moves(tables, state, int(state[ACTIVE]), Kind.OC, False, out, 0)
        return emit(out, count, pack(Kind.SC, 0, 0, 0))
    if phase == CHAIN:
        return stack_moves(tables, state, int(state[ACTIVE]), Kind.CC, False, out, 0)
    if phase == LINES:
        return line_phase_moves(tables, state, player, out)
    if phase == TERRITORIES:
        return territory_phase_moves(tables, state, scratch, player, out)
    if phase == FORCED:
        return elimination_moves(tables, state, player, Kind.FE, out)
    return 0
