"""Applying a move, and moving on: to the next phase, the next turn or the end (RULES.md section B)."""

from __future__ import annotations

from engine.backend.dialect import Int, Ints, Long, Row, Short, func
from engine.moves import Kind, move_a, move_b, move_c, move_kind
from engine.rules.lines import any_line, collapse_run, owes_ring
from engine.rules.movement import capture, capture_follows, move
from engine.rules.placement import place
from engine.rules.recovery import slide, slide_into_line, slide_into_part, strike
from engine.rules.regions import any_region
from engine.rules.stacks import eliminate_lowest, eliminate_top
from engine.rules.state import (
    ACTED,
    ACTIVE,
    CAPTURE,
    CHAIN,
    FORCED,
    LAST_MOVER,
    LINES,
    MOVEMENT,
    OVER,
    OWED,
    PHASE,
    PLACEMENT,
    PLAYER,
    RECOVERED,
    STACKS,
    SWAP,
    TERRITORIES,
    any_rings,
    cap,
    content,
    count_move,
)
from engine.rules.tables import LINE, PLAYERS
from engine.rules.territory import claim
from engine.rules.victory import end_after_turn, end_before_turn


@func
def enter(state: Row, phase: int, active: int) -> None:
    """Go on to a phase; `active` is the cell of the stack that it is about, or -1."""
    state[PHASE] = Short(phase)
    state[ACTIVE] = Short(active)


@func
def next_seat(tables: Row, state: Row, player: int) -> int:
    """Return the next seat that still has a ring."""
    players = int(tables[PLAYERS])
    seat = Int(player % players + 1)
    while seat != player and not any_rings(state, seat):
        seat = seat % players + 1
    return seat


@func(inline=False)
def end_turn(tables: Row, state: Row, player: int) -> None:
    """End the turn: end the game, or begin the next player's turn."""
    if end_after_turn(tables, state):
        return
    seat = next_seat(tables, state, player)
    if end_before_turn(tables, state, seat):
        return
    enter(state, PLACEMENT, -1)
    state[PLAYER] = Short(seat)
    state[ACTED] = Short(0)
    state[RECOVERED] = Short(0)


@func
def must_eliminate(state: Row, player: int) -> bool:
    """Return whether the turn ends with a forced elimination (RULES.md section I)."""
    return int(state[ACTED]) == 0 and int(state[STACKS + player]) > 0


@func
def end_turn_or_force(tables: Row, state: Row, player: int) -> None:
    if must_eliminate(state, player):
        enter(state, FORCED, -1)
    else:
        end_turn(tables, state, player)


@func
def apply_placement(tables: Row, state: Row, kind: int, move: Long, player: int) -> None:
    """Apply PR, SP, NP or SW."""
    if player == 2:
        state[SWAP] = Short(0)
    if kind == Kind.PR:
        place(tables, state, move_a(move), move_b(move), player)
        enter(state, MOVEMENT, move_a(move))
    elif kind != Kind.SW:
        enter(state, MOVEMENT, -1)


@func
def apply_movement(tables: Row, state: Row, kind: int, chosen: Long, player: int) -> None:
    """Apply MV, OC, CC, SC or NM."""
    if kind == Kind.MV:
        move(tables, state, move_a(chosen), move_b(chosen), player)
        if capture_follows(tables, state, move_b(chosen), player):
            enter(state, CAPTURE, move_b(chosen))
            return
    elif kind <= Kind.CC:
        capture(tables, state, move_a(chosen), move_b(chosen), move_c(chosen), player)
        if capture_follows(tables, state, move_c(chosen), player):
            enter(state, CHAIN, move_c(chosen))
            return
    enter(state, LINES, -1)


@func
def apply_recovery(tables: Row, state: Row, kind: int, move: Long, player: int) -> None:
    """Apply RS in one of its four variants, or SR."""
    if kind == Kind.RS_F:
        slide(tables, state, move_a(move), move_b(move), move_c(move), player)
    elif kind == Kind.RS_S:
        strike(tables, state, move_a(move), move_b(move), move_c(move), player)
    elif kind == Kind.RS_L1:
        slide_into_line(tables, state, move_a(move), move_b(move), move_c(move), player)
    elif kind == Kind.RS_L2:
        slide_into_part(tables, state, move_a(move), move_b(move), move_c(move), player)
    if kind != Kind.SR:
        state[RECOVERED] = Short(1)
    enter(state, LINES, -1)


@func
def apply_line(tables: Row, state: Row, scratch: Ints, kind: int, move: Long, player: int) -> None:
    """Apply PL, CL, EL or NL."""
    if kind == Kind.EL:
        eliminate_top(tables, state, move_a(move), 1, player)
        state[OWED] = Short(0)
    elif kind == Kind.NL:
        if must_eliminate(state, player) and not any_region(tables, state, scratch, player):
            enter(state, FORCED, -1)
        else:
            enter(state, TERRITORIES, -1)
    elif kind == Kind.CL_SUB:
        collapse_run(tables, state, move_a(move), move_b(move), int(tables[LINE]), player)
        leave_lines(tables, state, player)
    else:
        collapse_run(tables, state, move_a(move), move_b(move), move_c(move), player)
        if owes_ring(state, player):
            state[OWED] = Short(1)
        else:
            leave_lines(tables, state, player)


@func
def leave_lines(tables: Row, state: Row, player: int) -> None:
    """Go on to territory unless another line is left."""
    if not any_line(tables, state, player):
        enter(state, TERRITORIES, -1)


@func
def apply_territory(tables: Row, state: Row, scratch: Ints, kind: int, move: Long, player: int) -> None:
    """Apply TR, ET, ER, ST or NT."""
    cell = move_a(move)
    if kind == Kind.TR:
        claim(tables, state, scratch, cell, move_b(move), player)
        state[OWED] = Short(1)
    elif kind <= Kind.ER:
        if kind == Kind.ET:
            eliminate_top(tables, state, cell, cap(content(state, cell)), player)
        else:
            eliminate_lowest(tables, state, cell, player)
        state[OWED] = Short(0)
        if not any_region(tables, state, scratch, player):
            end_turn(tables, state, player)
    else:
        end_turn_or_force(tables, state, player)


@func
def is_passive(kind: int) -> bool:
    """Return whether a move of this kind is not an action in the sense of RULES.md section I."""
    return (
        kind == Kind.SP
        or kind == Kind.NP
        or kind == Kind.SC
        or kind == Kind.NM
        or kind == Kind.SR
        or kind == Kind.NL
        or kind == Kind.ST
        or kind == Kind.NT
    )


@func
def apply_move(tables: Row, state: Row, scratch: Ints, move: Long) -> None:
    """Apply a legal move in place (see `engine.rules`)."""
    if int(state[PHASE]) == OVER:
        return
    player = int(state[PLAYER])
    kind = move_kind(move)
    count_move(state)
    state[LAST_MOVER] = Short(player)
    if not is_passive(kind):
        state[ACTED] = Short(1)
    if kind <= Kind.SW:
        apply_placement(tables, state, kind, move, player)
    elif kind <= Kind.NM:
        apply_movement(tables, state, kind, move, player)
    elif kind <= Kind.SR:
        apply_recovery(tables, state, kind, move, player)
    elif kind <= Kind.NL:
        apply_line(tables, state, scratch, kind, move, player)
    elif kind <= Kind.NT:
        apply_territory(tables, state, scratch, kind, move, player)
    else:
        eliminate_top(tables, state, move_a(move), cap(content(state, move_a(move))), player)
        end_turn(tables, state, player)
