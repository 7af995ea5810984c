"""The end of a game (RULES.md section H)."""

from __future__ import annotations

from engine.backend.dialect import Int, Row, Short, func
from engine.rules.movement import any_stack_can_act
from engine.rules.placement import can_place
from engine.rules.state import (
    ELIMINATED,
    END_LPS_EARLY,
    END_LPS_ROUNDS,
    END_RING,
    END_STALE_LAST,
    END_STALE_MARKERS,
    END_STALE_RINGS,
    END_STALE_TERRITORY,
    END_TERRITORY,
    ENDING,
    HAND,
    LAST_MOVER,
    LEADER,
    MARKERS,
    MASK,
    OVER,
    PHASE,
    PLAYER,
    STACKS,
    STREAK,
    STREAK_OWNER,
    TERRITORY,
    WINNER,
    any_rings,
)
from engine.rules.tables import MINIMUM, PLAYERS, THRESHOLD


@func
def finish(state: Row, winner: int, ending: int) -> bool:
    """End the game. Returns True."""
    state[PHASE] = Short(OVER)
    state[PLAYER] = Short(0)
    state[WINNER] = Short(winner)
    state[ENDING] = Short(ending)
    return True


@func
def wins_by_territory(tables: Row, state: Row, player: int) -> bool:
    own = int(state[TERRITORY + player])
    others = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if seat != player:
            others += int(state[TERRITORY + seat])
    return own >= int(tables[MINIMUM]) and own > others


@func
def is_alone(tables: Row, state: Row, player: int) -> bool:
    """Return whether the player controls a stack and nobody else has any ring."""
    if int(state[STACKS + player]) == 0:
        return False
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if seat != player and any_rings(state, seat):
            return False
    return True


@func
def is_stale(tables: Row, state: Row) -> bool:
    """Return whether the board holds no stack and nobody can place a ring."""
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if int(state[STACKS + seat]) > 0:
            return False
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if can_place(tables, state, seat):
            return False
    return True


@func
def only_maximum(tables: Row, state: Row, first: int, second: int) -> int:
    """Return the one player with the highest sum of two fields, if it is above 0; 0 if nobody or several have it."""
    best = Int(0)
    holder = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        amount = int(state[first + seat])
        if second != first:
            amount += int(state[second + seat])
        if amount > best:
            best = amount
            holder = Int(seat)
        elif amount == best:
            holder = Int(0)
    return holder


@func
def break_tie(tables: Row, state: Row) -> bool:
    """End a stale game by the tie-breaks: territory, eliminated rings and hand, markers, the last mover."""
    holder = only_maximum(tables, state, TERRITORY, TERRITORY)
    if holder > 0:
        return finish(state, holder, END_STALE_TERRITORY)
    holder = only_maximum(tables, state, ELIMINATED, HAND)
    if holder > 0:
        return finish(state, holder, END_STALE_RINGS)
    holder = only_maximum(tables, state, MARKERS, MARKERS)
    if holder > 0:
        return finish(state, holder, END_STALE_MARKERS)
    return finish(state, int(state[LAST_MOVER]), END_STALE_LAST)


@func
def end_after_turn(tables: Row, state: Row) -> bool:
    """End the game if the turn just played has decided it; return whether it did."""
    players = int(tables[PLAYERS])
    for seat in range(1, players + 1):
        if int(state[ELIMINATED + seat]) >= int(tables[THRESHOLD]):
            return finish(state, seat, END_RING)
    for seat in range(1, players + 1):
        if wins_by_territory(tables, state, seat):
            return finish(state, seat, END_TERRITORY)
    for seat in range(1, players + 1):
        if is_alone(tables, state, seat):
            return finish(state, seat, END_LPS_EARLY)
    if is_stale(tables, state):
        return break_tie(tables, state)
    return False


@func
def has_real_action(tables: Row, state: Row, player: int) -> bool:
    """Return whether the player could place a ring, move or capture."""
    return any_stack_can_act(tables, state, player) or can_place(tables, state, player)


@func
def close_round(tables: Row, state: Row) -> None:
    """Count a round of the last-player-standing rule: exclusive if one player alone could act in it."""
    mask = int(state[MASK])
    active = Int(0)
    last = Int(0)
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if (mask >> seat) & 1 == 1 and any_rings(state, seat):
            active += 1
            last = Int(seat)
    if active != 1:
        state[STREAK] = Short(0)
        state[STREAK_OWNER] = Short(0)
    elif last == int(state[STREAK_OWNER]):
        state[STREAK] = Short(min(int(state[STREAK]) + 1, 3))
    else:
        state[STREAK_OWNER] = Short(last)
        state[STREAK] = Short(1)


@func
def track_round(tables: Row, state: Row, player: int) -> None:
    """Bring the round tracker up to date at the start of a turn."""
    leader = int(state[LEADER])
    owner = int(state[STREAK_OWNER])
    if leader == 0 or not any_rings(state, leader):
        state[LEADER] = Short(player)
        state[MASK] = Short(0)
        if owner > 0 and not any_rings(state, owner):
            state[STREAK] = Short(0)
            state[STREAK_OWNER] = Short(0)
    elif player == leader:
        close_round(tables, state)
        state[MASK] = Short(0)
    if has_real_action(tables, state, player):
        state[MASK] = Short(int(state[MASK]) | (1 << player))


@func
def end_before_turn(tables: Row, state: Row, player: int) -> bool:
    """End the game if the player whose turn starts is the last one standing; return whether it is."""
    track_round(tables, state, player)
    if int(state[STREAK]) < 3 or int(state[STREAK_OWNER]) != player:
        return False
    if (int(state[MASK]) >> player) & 1 == 0:
        return False
    for seat in range(1, int(tables[PLAYERS]) + 1):
        if seat != player and any_rings(state, seat) and has_real_action(tables, state, seat):
            return False
    return finish(state, player, END_LPS_ROUNDS)
