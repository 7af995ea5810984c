"""The rules of RingRift as small dialect functions over one game's record, one topic a file.

Search and other kernels call these functions (import them from here, by name):

    legal_moves(tables: Row, state: Row, scratch: Ints, out: Longs) -> int
        Write the legal moves into `out` and return their number: at least one while the game runs, 0 when it
        is over. If the number is above `out.shape[0]`, the row was too short and the moves beyond it are
        missing: the caller must treat that as an error or try again with a longer row. A row of
        `move_bound(config)` is always long enough.
    apply_move(tables: Row, state: Row, scratch: Ints, move: Long) -> None
        Apply a legal move in place. A game that is over stays as it is. The move is not checked.
    player(state) -> int      the player to act, 1 .. players; 0 when the game is over
    winner(state) -> int      the winner; 0 while the game runs
    is_over(state) -> bool
    start(tables, state, swap) -> None     write the first position (swap 1: the pie rule is on)

`tables` is the row `tables(config)` (int16, the same for every game of a configuration), `state` a row of
`state_width(config)` int16, `scratch` a row of `scratch_width(config)` int32 whose contents do not matter.
"""

from engine.rules.legal import legal_moves
from engine.rules.sizes import move_bound, scratch_width, state_width
from engine.rules.start import start
from engine.rules.state import is_over, player, winner
from engine.rules.tables import tables
from engine.rules.turn import apply_move

__all__ = [
    "apply_move",
    "is_over",
    "legal_moves",
    "move_bound",
    "player",
    "scratch_width",
    "start",
    "state_width",
    "tables",
    "winner",
]
