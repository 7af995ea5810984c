"""Moves as 64-bit integers: kind | a << 8 | b << 20 | c << 32."""

from __future__ import annotations

from enum import IntEnum

from engine.backend.dialect import Long, func

NO_MOVE = -1  # stands for a move where a game is over


class Kind(IntEnum):
    """The kinds of move and the meaning of their fields (FORMAT.md section 4; its names, plus variants)."""

    PR = 0  # place rings: a cell, b count
    SP = 1  # skip placement, by choice
    NP = 2  # no placement possible
    SW = 3  # swap sides
    MV = 4  # move a stack: a from, b to
    OC = 5  # first capture: a from, b target, c landing
    CC = 6  # next capture of a chain: a from, b target, c landing
    SC = 7  # skip the capture offered after a move
    NM = 8  # no movement possible
    RS_F = 9  # recovery slide to an empty cell: a from, b to, c cell of the stack that pays a buried ring
    RS_S = 10  # recovery slide onto a stack: a from, b to, c as above
    RS_L1 = 11  # recovery slide that makes a line, all of it collapsed: a from, b to, c as above
    RS_L2 = 12  # the same, a free part collapsed: a from, b to, c = first cell of the part * 8 + axis
    SR = 13  # skip recovery
    PL = 14  # collapse a line of exactly the required length: a first cell, b axis, c length
    CL_ALL = 15  # collapse all of a longer line: a first cell, b axis, c length
    CL_SUB = 16  # collapse a part of the required length: a first cell of the part, b axis
    EL = 17  # eliminate one ring for a line: a cell
    NL = 18  # no line
    TR = 19  # claim a region: a its first cell, b border colour (0 none, else player), c size
    ET = 20  # eliminate a cap for a region: a cell
    ER = 21  # eliminate a buried ring for a region: a cell
    ST = 22  # skip territory, by choice
    NT = 23  # no territory possible
    FE = 24  # forced elimination of a cap: a cell


@func
def pack(kind: int, a: int, b: int, c: int) -> Long:
    return Long(kind) | (Long(a) << Long(8)) | (Long(b) << Long(20)) | (Long(c) << Long(32))


@func
def move_kind(move: Long) -> int:
    return int(move & Long(255))


@func
def move_a(move: Long) -> int:
    return int((move >> Long(8)) & Long(4095))


@func
def move_b(move: Long) -> int:
    return int((move >> Long(20)) & Long(4095))


@func
def move_c(move: Long) -> int:
    return int(move >> Long(32))
