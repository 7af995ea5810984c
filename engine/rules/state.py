"""The record of a game: the meaning of each number of an int16 row, and access to it.

A row holds a whole game, hidden state included:

* 16 numbers about the turn (PLAYER .. PLY_HIGH), then six numbers per player (`HAND + player` and so on);
* BOARD: one number per cell, and one more, always blocked, for the place beyond the edge:
  0 empty; 1..4 a marker of that player; 8 + player collapsed; 16 * cap + player a stack under that player;
* from `tables[HEIGHT]`, `tables[TOP]`, `tables[BOTTOM]`: height, top ring and bottom ring of the stack on
  each cell (meaningless elsewhere);
* from `tables[BELOW]`: for each ring the ring below it. Player p owns the rings from (p - 1) * supply on.

Nothing can overflow. A stack is a chain through the pool of all rings of the game, so neither its height nor the
number of stacks has a bound of its own. Cells are numbered to 468, rings to 383; a count of cells, rings or stacks
is at most 469, a cell's number at most 16 * 96 + 4 (a cap of all rings of a player): all far below 2^15.

No game lasts longer than 23,000 moves, which the two numbers for its length could count 40,000 times over. Let
F = markers + 2 collapsed + eliminated; it is at most twice the cells plus the rings of all players. No move lowers
F, and every move raises it except PR, SW and the passive ones, SP NP SC NM SR NL ST NT: a move or capture leaves a
marker and pays a ring for one it lands on, a slide pays a ring or collapses, everything else collapses or eliminates.
Among P turns in a row (P players) one raises F. Otherwise nobody has placed, since a placed stack must move, and the
board is unchanged. If there is a stack, its player had a turn and then a forced elimination. If there is none, nobody
who can place a ring may pass, and if nobody can, the game is over. So there are at most P (F + 1) turns, each with
at most four passive moves, plus PR for each ring and one SW: for hexagonal with 4 players F = 1,322 and
F + 384 + 1 + 16 (F + 1) = 22,875 moves.
"""

from __future__ import annotations

from engine.backend.dialect import Row, Short, func

PLAYER = 0  # to act, 1 .. players; 0 when the game is over
PHASE = 1
WINNER = 2  # 0 while the game runs
ENDING = 3  # how it ended
ACTIVE = 4  # cell of the stack that must act (after PR), has moved (C) or must capture on (H); -1 none
OWED = 5  # 1: an elimination is owed (EL in phase L, ET or ER in phase T)
ACTED = 6  # 1: this turn held a move that is neither bookkeeping nor passing (RULES.md section I)
RECOVERED = 7  # 1: this turn held a recovery slide
SWAP = 8  # 1: player 2 may still swap sides
LEADER = 9  # round leader of the last-player-standing rule, 0 none
MASK = 10  # bit p: player p had a real action at the start of their turn in this round
STREAK_OWNER = 11  # player of the running streak of exclusive rounds, 0 none
STREAK = 12
LAST_MOVER = 13  # player of the last move
PLY_LOW = 14  # moves applied, modulo 2^15
PLY_HIGH = 15  # moves applied, divided by 2^15

# One number per player: the first of each is `NAME + 1`.
HAND = 15  # rings in hand
ELIMINATED = 19  # eliminated rings credited to the player
TERRITORY = 23  # collapsed cells owned
MARKERS = 27  # markers on the board
STACKS = 31  # stacks controlled
ONBOARD = 35  # own rings on the board, buried ones too
BOARD = 40  # the first cell

# Phases.
PLACEMENT = 0
MOVEMENT = 1
CAPTURE = 2
CHAIN = 3
LINES = 4
TERRITORIES = 5
FORCED = 6
OVER = 7

# Endings (FORMAT.md section 6).
END_RING = 1
END_TERRITORY = 2
END_LPS_EARLY = 3
END_STALE_TERRITORY = 4
END_STALE_RINGS = 5
END_STALE_MARKERS = 6
END_STALE_LAST = 7
END_LPS_ROUNDS = 8

# Cells.
EMPTY = 0
BLOCKED = 8  # this and above: nothing passes (collapsed, beyond the edge, or a stack)
STACK = 16  # this and above: a stack, 16 * cap + player


@func
def player(state: Row) -> int:
    """Return the player to act, 1 .. players, or 0 when the game is over."""
    return int(state[PLAYER])


@func
def winner(state: Row) -> int:
    """Return the winner, or 0 while the game runs."""
    return int(state[WINNER])


@func
def is_over(state: Row) -> bool:
    return int(state[PHASE]) == OVER


@func
def content(state: Row, cell: int) -> int:
    """Return the content of a cell, coded as the module's docstring says."""
    return int(state[BOARD + cell])


@func
def owner(value: int) -> int:
    """Return the owner of a marker or collapsed cell, or the player who controls a stack; 0 for an empty cell."""
    return value & 7


@func
def cap(value: int) -> int:
    """Return the cap of a stack: the number of rings of one player at its top."""
    return value >> 4


@func
def add(state: Row, field: int, amount: int) -> None:
    state[field] = Short(int(state[field]) + amount)


@func
def any_rings(state: Row, player: int) -> bool:
    """Return whether a player has a ring left, in hand or anywhere on the board."""
    return int(state[HAND + player]) + int(state[ONBOARD + player]) > 0


@func
def count_move(state: Row) -> None:
    """Count one more applied move."""
    low = int(state[PLY_LOW]) + 1
    if low == 32768:
        add(state, PLY_HIGH, 1)
        low = 0
    state[PLY_LOW] = Short(low)


@func
def plies(state: Row) -> int:
    """Return the number of moves applied."""
    return int(state[PLY_HIGH]) * 32768 + int(state[PLY_LOW])
