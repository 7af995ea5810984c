"""The kernels behind `Games` and `DeviceGames`, run once for each game of a batch."""

from __future__ import annotations

from engine.backend.dialect import (
    Byte,
    Bytes,
    FloatRows,
    IntRows,
    Ints,
    LongRows,
    Longs,
    Row,
    Rows,
    Word,
    Words,
    kernel,
    thread,
)
from engine.features import write_globals, write_planes
from engine.play import play_randomly, replay
from engine.rules.legal import legal_moves
from engine.rules.start import start
from engine.rules.state import is_over
from engine.rules.turn import apply_move


@kernel
def start_games(first: int, tables: Row, states: Rows, swap: int) -> None:
    """Write the first position into every row."""
    start(tables, states[first + thread.tid()], swap)


@kernel
def find_legal(first: int, tables: Row, states: Rows, scratch: IntRows, found: LongRows, counts: Ints) -> None:
    """Write the legal moves of every game into its row of `found`, as far as they fit, and their number to `counts`."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    counts[game] = legal_moves(tables, states[game], scratch[lane], found[game])


@kernel
def pack_rows(first: int, found: LongRows, offsets: Ints, moves: Longs) -> None:
    """Write the moves of all games one after the other into `moves`."""
    game = first + thread.tid()
    row = found[game]
    begin = int(offsets[game])
    for place in range(int(offsets[game + 1]) - begin):
        moves[begin + place] = row[place]


@kernel
def apply_moves(first: int, tables: Row, states: Rows, scratch: IntRows, moves: Longs) -> None:
    """Apply a legal move to every game."""
    game = first + thread.tid()
    apply_move(tables, states[game], scratch[thread.tid() % scratch.shape[0]], moves[game])


@kernel
def replay_games(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    room: LongRows,
    offsets: Ints,
    moves: Longs,
    played: Ints,
) -> None:
    """Apply a list of moves to every game up to the first illegal one, and write how many were applied."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    begin = int(offsets[game])
    end = int(offsets[game + 1])
    played[game] = replay(tables, states[game], scratch[lane], room[lane], moves, begin, end)


@kernel
def random_games(
    first: int,
    tables: Row,
    states: Rows,
    scratch: IntRows,
    room: LongRows,
    seed: Words,
    numbers: Words,
    steps: int,
    played: Ints,
) -> None:
    """Play up to `steps` random moves in every game, and write how many were played (see `play_randomly`)."""
    game = first + thread.tid()
    lane = thread.tid() % scratch.shape[0]
    played[game] = play_randomly(
        tables, states[game], scratch[lane], room[lane], Word(seed[0]), Word(numbers[game]), steps
    )


@kernel
def describe_games(
    first: int, tables: Row, states: Rows, grid: Ints, side: int, planes: FloatRows, scalars: FloatRows
) -> None:
    """Write the features of every game over zeros."""
    game = first + thread.tid()
    write_planes(tables, states[game], grid, side * side, planes[game])
    write_globals(tables, states[game], scalars[game])


@kernel
def note_overflow(first: int, results: Ints, most: int, trouble: Bytes) -> None:
    """Mark every game whose result is not one of 0 .. `most`: its legal moves did not fit their room."""
    game = first + thread.tid()
    if int(results[game]) < 0 or int(results[game]) > most:
        trouble[game] = Byte(1)


@kernel
def note_refusals(first: int, states: Rows, applied: Ints, trouble: Bytes) -> None:
    """Mark every game that is running and to which no move was applied."""
    game = first + thread.tid()
    if int(applied[game]) == 0 and not is_over(states[game]):
        trouble[game] = Byte(1)
