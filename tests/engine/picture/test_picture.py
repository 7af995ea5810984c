"""Pictures of positions: everything on the board is in them, at its place, and told apart by everybody."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from itertools import combinations, islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import notation
from engine.backend.dialect import PLAIN
from engine.boards import BOARDS, board
from engine.config import config
from engine.games import Games
from engine.move_parser import text_to_move
from engine.moves import Kind, move_kind
from engine.picture import LastMove, draw
from engine.picture.colours import PLAYERS
from engine.picture.layout import layout_of
from engine.position import cap_of, read_position
from engine.reference_games import configuration_of, read_games

SVG = "{http://www.w3.org/2000/svg}"
RECORDED = Path(__file__).parents[2] / "data" / "parity"

# A file, the number of a game in it, and how far into it the test looks.
MIDDLES = {"square8-4": (2, 60), "hex8-3": (15, 60), "square19-4": (1, 140), "hexagonal-3": (1, 200)}


@cache
def played(name: str, number: int, plies: int) -> tuple[Games, tuple[LastMove, ...]]:
    """A recorded game after so many plies, and every move that led there."""
    game = next(islice(read_games(RECORDED / f"{name}.jsonl.gz"), number, None))
    games = Games.new(config(configuration_of(game)), 1, swap=game["swap"], executor=PLAIN)
    moves = []
    for step in game["steps"][:plies]:
        moves.append(LastMove(games.states[0].copy(), text_to_move(games, 0, step[4])))
        games.apply([moves[-1].move], check=False)
    return games, tuple(moves)


def parse(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


def listed(drawn: str, kind: str, value: str) -> dict[str, str]:
    """Cell name to value of the groups of one kind."""
    return {group.attrib[kind]: group.attrib[value] for group in parse(drawn).iter(f"{SVG}g") if kind in group.attrib}


def words(drawn: str) -> list[str]:
    return ["".join(found.itertext()) for found in parse(drawn).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", MIDDLES)
def test_every_ring_marker_and_territory_cell_is_shown(name: str) -> None:
    games, moves = played(name, *MIDDLES[name])
    drawn = draw(games.config, games.states[0], moves[-1])
    text = [line.split() for line in games.text(0).splitlines()]
    stacks = {line[1]: line[2] for line in text if line[0] == "s"}
    assert len(stacks) > 5
    assert listed(drawn, "data-stack", "data-rings") == stacks
    assert listed(drawn, "data-marker", "data-owner") == {line[1]: line[2] for line in text if line[0] == "m"}
    assert listed(drawn, "data-collapsed", "data-owner") == {line[1]: line[2] for line in text if line[0] == "c"}
    for group in parse(drawn).iter(f"{SVG}g"):
        if "data-stack" in group.attrib:
            check_stack(group)


def check_stack(group: ElementTree.Element) -> None:
    """The rings are drawn in stack order, each above the one before it; height and cap are told."""
    rings = group.attrib["data-rings"]
    uses = list(group.iter(f"{SVG}use"))
    assert "".join(use.attrib["href"].removeprefix("#ring") for use in uses) == rings
    feet = [float(use.attrib["y"]) for use in uses]
    assert feet == sorted(feet, reverse=True)
    assert len(set(feet)) == len(rings)
    cap = len(rings) - len(rings.rstrip(rings[-1]))
    told = [found.text for found in group.iter(f"{SVG}text")]
    wanted = [] if len(rings) == 1 else [str(len(rings))] if cap == len(rings) else [str(len(rings)), str(cap)]
    assert told == wanted


@pytest.mark.parametrize("name", MIDDLES)
def test_pieces_lie_on_their_cells(name: str) -> None:
    games, _ = played(name, *MIDDLES[name])
    layout, names = layout_of(games.config.board), notation.cell_names(games.config.board)
    for group in parse(draw(games.config, games.states[0])).iter(f"{SVG}g"):
        cell = group.attrib.get("data-stack") or group.attrib.get("data-marker")
        if cell is not None:
            found = re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\)", group.attrib["transform"])
            assert found is not None
            at = float(found[1]), float(found[2])
            assert at == pytest.approx(layout.centres[names.index(cell)], abs=0.01)


@pytest.mark.parametrize("name", MIDDLES)
def test_equal_positions_have_equal_bytes(name: str) -> None:
    games, moves = played(name, *MIDDLES[name])
    again = draw(games.config, games.states[0].copy(), LastMove(moves[-1].before.copy(), moves[-1].move))
    assert again == draw(games.config, games.states[0], moves[-1])
    assert again != draw(games.config, games.states[0])


@pytest.mark.parametrize("name", MIDDLES)
def test_everything_lies_within_the_picture(name: str) -> None:
    games, _ = played(name, *MIDDLES[name])
    root = parse(draw(games.config, games.states[0]))
    layout = layout_of(games.config.board)
    assert float(root.attrib["width"]) > layout.width
    assert float(root.attrib["height"]) >= layout.height - 0.01
    for x, y in [*layout.centres, *(label.at for label in layout.labels)]:
        assert 10 < x < layout.width - 10
        assert 10 < y < layout.height - 10


@pytest.mark.parametrize("board_name", BOARDS)
def test_cells_do_not_overlap_and_neighbours_share_a_side(board_name: str) -> None:
    layout, shape = layout_of(board_name), board(board_name)
    assert len(set(layout.centres)) == len(shape.cells)
    assert len(layout.steps) == len(shape.adjacent)
    assert set(layout.steps) == set(shape.adjacent)
    middle = shape.low + shape.side // 2
    cell = shape.index[middle, middle]
    for i, step in enumerate(layout.steps):
        (ax, ay), (bx, by) = layout.outline[i], layout.outline[(i + 1) % len(layout.outline)]
        x, y = layout.centres[cell]
        beyond = x + ax + bx, y + ay + by  # the centre mirrored at the side
        assert layout.centres[shape.neighbour(cell, step)] == pytest.approx(beyond)
    assert len(layout.border([cell])) == len(layout.steps)
    assert len(layout.border(range(len(shape.cells)))) == len(layout.steps) * shape.side


@pytest.mark.parametrize("board_name", BOARDS)
def test_columns_and_rows_are_labelled_beside_the_board(board_name: str) -> None:
    layout, shape = layout_of(board_name), board(board_name)
    plain = [label.words for label in layout.labels if not label.names]
    values = [str(shape.low + i) for i in range(shape.side)]
    assert sorted(plain) == sorted(values + values)
    for label in layout.labels:
        nearest = min(abs(label.at[0] - x) + abs(label.at[1] - y) for x, y in layout.centres)
        assert nearest > 0.5 * layout.unit, label


def test_the_panel_tells_how_everybody_stands() -> None:
    games, moves = played("square8-4", *MIDDLES["square8-4"])
    position = read_position(games.config, games.states[0])
    told = words(draw(games.config, games.states[0], moves[-1]))
    assert f"Player {position.player} to move" in told
    assert position.phase.replace("_", " ") in told
    assert "square8, 4 players, after move 60" in told
    for seat in range(4):
        assert f"Player {seat + 1}" in told
        assert f"{position.hand[seat]} / 18" in told
        assert f"{position.eliminated[seat]} / 30" in told
        assert f"{position.territory[seat]} / 17" in told
    assert notation.move_to_text(games.config, moves[-1].before, moves[-1].move) in told


def test_the_panel_tells_who_won_and_how() -> None:
    games, moves = played("square8-3", 0, 10**6)
    assert games.over()[0]
    told = words(draw(games.config, games.states[0], moves[-1]))
    assert f"Player {games.winner()[0]} won" in told
    assert "by territory" in told
    assert "to move" not in told


def outcomes() -> Iterator[tuple[Games, LastMove, NDArray[np.int16]]]:
    """Every kind of move that four recorded games hold, once: the move and the row after it."""
    seen: set[int] = set()
    for name, number in (("hex8-2", 16), ("hex8-2", 8), ("square8-4", 23), ("hex8-4", 13)):
        games, moves = played(name, number, 10**6)
        after = [*(move.before for move in moves[1:]), games.states[0]]
        for last, row in zip(moves, after, strict=True):
            if move_kind(last.move) not in seen:
                seen.add(move_kind(last.move))
                yield games, last, row
    assert len(seen) > 18


def test_every_kind_of_last_move_can_be_drawn() -> None:
    for games, last, row in outcomes():
        kind = Kind(move_kind(last.move))
        drawn, plain = draw(games.config, row, last), draw(games.config, row)
        parse(drawn)
        bare = {Kind.SP, Kind.NP, Kind.SW, Kind.SC, Kind.NM, Kind.SR, Kind.NL, Kind.ST, Kind.NT}
        marks = len(list(parse(drawn).iter(f"{SVG}path"))) - len(list(parse(plain).iter(f"{SVG}path")))
        assert (marks == 0) == (kind in bare), kind
        if kind in (Kind.OC, Kind.CC):
            assert marks >= 7  # an arrow, and three outlines of two strokes
            assert drawn.count("stroke-dasharray") == 1
        if kind in (Kind.EL, Kind.ET, Kind.FE):
            assert [told for told in words(drawn) if told.startswith("\u2212")], kind


def test_a_row_of_another_configuration_is_refused() -> None:
    row = Games.new(config("hex8-2"), 1, executor=PLAIN).states[0]
    with pytest.raises(ValueError, match=r"a row of square8-2 has \d+ numbers, got \[\d+\]"):
        draw(config("square8-2"), row)


@pytest.mark.parametrize(("rings", "cap"), [((1,), 1), ((2, 1), 1), ((2, 1, 1), 2), ((1, 1, 1), 3), ((1, 2, 1), 1)])
def test_the_cap_is_the_run_at_the_top(rings: tuple[int, ...], cap: int) -> None:
    assert cap_of(rings) == cap


# Colour blindness of full severity as matrices on linear RGB: Machado, Oliveira and Fernandes (2009), table 1.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(colour: str, sight: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of a colour as somebody sees it (sRGB, D65)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(sight @ linear, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_are_far_apart_for_every_eye(sight: str) -> None:
    seen = [lab(colour, SIGHTS[sight]) for colour in PLAYERS]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 30
