"""Rules that recorded games seldom or never reach, from positions set up by hand."""

from typing import Any

import pytest

from engine import notation
from engine.boards import Cell
from engine.config import config
from engine.games import Games
from engine.move_parser import legal_texts, text_to_move
from engine.rules import state as record
from tests.engine.audit import audit
from tests.engine.oracle import legal_set
from tests.engine.positions import position

SQUARE = config("square8-3")  # lines of three
HEX = config("hex8-3")


def texts(games: Games) -> list[str]:
    return sorted(legal_texts(games, 0))


def play(games: Games, *moves: str) -> None:
    for text in moves:
        games.apply([text_to_move(games, 0, text)])
        audit(games.config, games.states[0])


def board_lines(games: Games, kind: str) -> list[str]:
    return [line[2:] for line in games.text(0).splitlines() if line.startswith(kind + " ")]


def recovery(markers: list[Cell], settings: str = "square8-3") -> Games:
    """Player 1 without a stack, one ring buried at 7,7 on squares or 4,-4 on hex, and these markers."""
    buried = (7, 7) if settings.startswith("square") else (4, -4)
    return position(
        config(settings),
        stacks={buried: "12"},
        markers=dict.fromkeys(markers, 1),
        hands=(0, 5, 5),
    )


def test_a_recovery_slide_collapses_the_longest_run_not_the_first() -> None:
    # from 3,5 to 3,4: three in a row along E, four along NE
    games = recovery([(1, 4), (2, 4), (3, 5), (4, 3), (5, 2), (6, 1)])
    ours = [text for text in texts(games) if text.startswith("RS 3,5 3,4")]
    assert ours == [
        "RS 3,5 3,4 L1 7,7",
        "RS 3,5 3,4 L2 3,4;4,3;5,2",
    ]
    play(games, "RS 3,5 3,4 L1 7,7")
    assert board_lines(games, "c") == ["3,4 1", "4,3 1", "5,2 1", "6,1 1"]
    assert board_lines(games, "m") == ["1,4 1", "2,4 1"]
    assert board_lines(games, "s") == ["7,7 2"]


@pytest.mark.parametrize(
    ("settings", "markers", "slide", "collapsed"),
    [
        ("square8-3", [(1, 4), (2, 4), (3, 2), (3, 3), (4, 5)], "RS 4,5 3,4 L1 7,7", ["1,4", "2,4", "3,4"]),
        ("square8-3", [(3, 2), (3, 3), (1, 2), (2, 3), (4, 4)], "RS 4,4 3,4 L1 7,7", ["3,2", "3,3", "3,4"]),
        ("square8-3", [(1, 2), (2, 3), (4, 3), (5, 2), (3, 5)], "RS 3,5 3,4 L1 7,7", ["1,2", "2,3", "3,4"]),
        ("hex8-3", [(-2, 0), (-1, 0), (1, -1), (2, -2), (0, 1)], "RS 0,1 0,0 L1 4,-4", ["-2,0", "-1,0", "0,0"]),
        ("hex8-3", [(1, -1), (2, -2), (0, 1), (0, 2), (-1, 0)], "RS -1,0 0,0 L1 4,-4", ["0,0", "1,-1", "2,-2"]),
    ],
)
def test_of_equally_long_runs_the_first_axis_counts(
    settings: str, markers: list[Cell], slide: str, collapsed: list[str]
) -> None:
    games = recovery(markers, settings)
    play(games, slide)
    assert [line.split()[0] for line in board_lines(games, "c")] == collapsed


def test_free_parts_contain_the_cell_slid_to() -> None:
    # from 3,5 to 3,4 between two pairs: five in a row
    games = recovery([(1, 4), (2, 4), (3, 5), (4, 4), (5, 4)])
    parts = [text for text in texts(games) if text.startswith("RS 3,5 3,4 L2")]
    assert parts == [
        "RS 3,5 3,4 L2 1,4;2,4;3,4",
        "RS 3,5 3,4 L2 2,4;3,4;4,4",
        "RS 3,5 3,4 L2 3,4;4,4;5,4",
    ]
    play(games, parts[1])
    assert board_lines(games, "c") == ["2,4 1", "3,4 1", "4,4 1"]
    assert board_lines(games, "s") == ["7,7 12"], "a free part costs nothing"


@pytest.mark.parametrize(
    ("markers", "slide", "part"),
    [
        ([(1, 4), (2, 4), (3, 4), (4, 4), (5, 5)], "RS 5,5 5,4 L2", "3,4;4,4;5,4"),
        ([(2, 4), (3, 4), (4, 4), (5, 4), (1, 5)], "RS 1,5 1,4 L2", "1,4;2,4;3,4"),
    ],
)
def test_parts_without_the_cell_slid_to_are_not_free(markers: list[Cell], slide: str, part: str) -> None:
    games = recovery(markers)
    assert [text for text in texts(games) if text.startswith(slide)] == [f"{slide} {part}"]


def test_the_sliding_marker_is_no_part_of_its_own_line() -> None:
    games = recovery([(2, 4), (3, 4)])
    assert not any(" L" in text for text in texts(games))


def test_a_strike_can_destroy_a_stack_of_two() -> None:
    games = recovery([(6, 6)])
    before = games.score()[0, 0, 0]
    play(games, "RS 6,6 7,7 S 7,7")
    assert board_lines(games, "s") == []
    assert board_lines(games, "m") == []
    assert games.score()[0, 0, 0] == before + 2, "both rings are credited to player 1"
    assert games.states[0, record.ONBOARD + 1] == games.states[0, record.ONBOARD + 2] == 0


def test_a_line_after_a_strike_that_uncovers_an_own_stack_costs_a_ring() -> None:
    games = position(
        SQUARE,
        stacks={(7, 7): "12", (0, 7): "112"},
        markers={(6, 6): 1, (0, 0): 1, (1, 0): 1, (2, 0): 1},
        hands=(0, 5, 5),
    )
    play(games, "RS 6,6 7,7 S 0,7")
    assert board_lines(games, "s") == ["0,7 12", "7,7 1"]
    play(games, "PL 0,0;1,0;2,0")
    assert texts(games) == ["EL 7,7"]


def test_a_line_without_a_stack_is_free_and_goes_straight_to_territory() -> None:
    games = position(
        SQUARE,
        phase=record.LINES,
        stacks={(7, 7): "12"},
        markers={(0, 0): 1, (1, 0): 1, (2, 0): 1},
        hands=(0, 5, 5),
    )
    play(games, "PL 0,0;1,0;2,0")
    assert games.phase()[0] == record.TERRITORIES


def test_a_line_of_the_required_length_offers_no_choice_a_longer_one_does() -> None:
    games = position(
        SQUARE,
        phase=record.LINES,
        stacks={(7, 7): "1"},
        markers={(0, 0): 1, (1, 0): 1, (2, 0): 1, (5, 1): 1, (5, 2): 1, (5, 3): 1, (5, 4): 1},
        hands=(0, 5, 5),
    )
    line = "5,1;5,2;5,3;5,4"
    assert texts(games) == [
        f"CL {line} 5,1;5,2;5,3",
        f"CL {line} 5,2;5,3;5,4",
        f"CL {line} ALL",
        "PL 0,0;1,0;2,0",
    ]


def test_only_buried_rings_pay_for_regions_after_a_recovery_slide() -> None:
    # the corner 0,0 is cut off; the strike uncovers an own stack, which must not pay
    games = position(
        config("square8-2"),
        stacks={(7, 7): "12", (5, 7): "112", (0, 0): "2"},
        markers={(6, 6): 1, (0, 1): 1, (1, 0): 1},
        hands=(0, 5),
    )
    play(games, "RS 6,6 7,7 S 5,7", "NL")
    assert board_lines(games, "s") == ["0,0 2", "5,7 12", "7,7 1"]
    assert [text for text in texts(games) if text.startswith("TR 0,0 1 ")]
    play(games, next(text for text in texts(games) if text.startswith("TR 0,0 1 ")))
    assert texts(games) == ["ER 5,7"]


BORDER = {
    # a corner region whose border marker 1,0 touches 2,1 by the step (1, 1), which no hex neighbours share
    "square8-2": ((0, 0), [(0, 1), (1, 0), (2, 1), (3, 2), (5, 2)], 4),
    "hex8-2": ((-4, 0), [(-4, 1), (-3, 0), (-3, -1), (-2, 1), (-1, 2), (1, 2)], 5),
    "hexagonal-2": ((-12, 0), [(-12, 1), (-11, 0), (-11, -1), (-10, 1), (-9, 2), (-7, 2)], 3),
}


@pytest.mark.parametrize("name", BORDER)
def test_border_markers_collapse_as_far_as_the_board_says(name: str) -> None:
    corner, markers, collapsing = BORDER[name]
    settings = config(name)
    middle = (4, 6) if name.startswith("square") else (0, -1)
    games = position(
        settings,
        phase=record.TERRITORIES,
        stacks={corner: "2", middle: "1"},
        markers={cell: 1 + (place % 2 == 1 and place > 2) for place, cell in enumerate(markers)},
        hands=(1, 5),
    )
    cell = f"{corner[0]},{corner[1]}"
    play(games, next(text for text in texts(games) if text.startswith(f"TR {cell} 1 ")))
    collapsed = {line.split()[0] for line in board_lines(games, "c")}
    assert collapsed == {cell} | {f"{x},{y}" for x, y in markers[:collapsing]}
    assert all(line.endswith(" 1") for line in board_lines(games, "c")), "all of it is the claimant's"


def test_a_region_found_for_two_colours_is_listed_once() -> None:
    # no markers inside, border of collapsed cells only: a component for both colours and for none
    games = position(
        config("square8-2"),
        phase=record.TERRITORIES,
        stacks={(0, 0): "2", (4, 6): "1"},
        markers={(6, 6): 1, (6, 2): 2},
        collapsed={(0, 1): 1, (1, 0): 2},
        hands=(1, 5),
    )
    claims = [text for text in texts(games) if text.startswith("TR 0,0 1 ")]
    assert len(claims) == 1


def stale(**fields: Any) -> Games:
    """A game on a board without stacks, at the end of player 2's turn."""
    return position(config("square8-3"), player=2, phase=record.TERRITORIES, **fields)


@pytest.mark.parametrize(
    ("fields", "eliminated", "winner", "ending"),
    [
        ({"collapsed": {(0, 0): 3}}, (9, 5, 5), 3, "stale_territory"),
        ({"collapsed": {(0, 0): 3, (0, 1): 2}}, (5, 5, 9), 3, "stale_rings"),
        ({"markers": {(0, 0): 3, (5, 5): 3, (2, 2): 1}}, (7, 7, 7), 3, "stale_markers"),
        ({"markers": {(0, 0): 3, (5, 5): 1}}, (7, 7, 7), 2, "stale_last"),
        ({}, (0, 0, 0), 2, "stale_last"),
    ],
)
def test_the_ladder_of_a_stale_game(
    fields: dict[str, Any], eliminated: tuple[int, ...], winner: int, ending: str
) -> None:
    games = stale(**fields)
    games.states[0, record.ELIMINATED + 1 : record.ELIMINATED + 4] = eliminated
    games.apply([text_to_move(games, 0, "NT")])
    assert (int(games.winner()[0]), notation.ending_text(games.states[0])) == (winner, ending)


def test_rings_in_hand_count_on_the_ladder_when_nobody_can_place() -> None:
    # every cell but one is collapsed, so a ring placed there could not move
    cells = [(x, y) for x in range(8) for y in range(8) if (x, y) != (3, 3)]
    games = stale(collapsed={cell: 1 + place % 3 for place, cell in enumerate(cells)}, hands=(0, 0, 9))
    games.states[0, record.ELIMINATED + 1 : record.ELIMINATED + 4] = (8, 0, 0)
    games.apply([text_to_move(games, 0, "NT")])
    assert (int(games.winner()[0]), notation.ending_text(games.states[0])) == (3, "stale_rings")


def test_placement_counts_are_judged_one_by_one() -> None:
    # at 0,0: one step free to the east, then a stack of cap 2 with one free cell behind it
    blocked = [(0, 1), (1, 1), (4, 0)]
    games = position(
        config("square8-2"),
        phase=record.PLACEMENT,
        stacks={(2, 0): "22"},
        collapsed=dict.fromkeys(blocked, 2),
        hands=(5, 5),
    )
    # 1 moves one step; 2 and 3 must capture over distance 3: cap 2 and 3 are enough
    assert [text for text in texts(games) if text.startswith("PR 0,0 ")] == ["PR 0,0 1", "PR 0,0 2", "PR 0,0 3"]
    games = position(
        config("square8-2"),
        phase=record.PLACEMENT,
        stacks={(1, 0): "222"},
        collapsed=dict.fromkeys([(0, 1), (1, 1), (3, 0)], 2),
        hands=(5, 5),
    )
    # no step is free; the stack has cap 3 and one free cell behind it, at distance 2: too near for three
    assert [text for text in texts(games) if text.startswith("PR 0,0 ")] == []


def end_turn_of_player_2(leader: int, owner: int, mask: int = 0) -> Games:
    """Player 2 of three ends his turn; player 3 has no ring any more, so that player 1 is next."""
    games = position(
        config("square8-3"),
        player=2,
        phase=record.TERRITORIES,
        stacks={(0, 0): "1", (7, 7): "2"},
        markers={(3, 3): 3},
        hands=(5, 5, 0),
    )
    row = games.states[0]
    row[record.LEADER], row[record.MASK], row[record.STREAK_OWNER], row[record.STREAK] = leader, mask, owner, 2
    row[record.ELIMINATED + 1] = 0  # nobody wins by rings
    row[record.ACTED] = 1  # no forced elimination
    games.apply([text_to_move(games, 0, "NT")])
    assert games.player()[0] == 1
    return games


def tracker(games: Games) -> tuple[int, ...]:
    fields = (record.LEADER, record.MASK, record.STREAK_OWNER, record.STREAK)
    return tuple(int(games.states[0, field]) for field in fields)


def test_a_round_leader_who_is_gone_is_replaced_and_the_streak_stays_with_its_owner() -> None:
    assert tracker(end_turn_of_player_2(leader=3, owner=1)) == (1, 0b10, 1, 2)
    assert tracker(end_turn_of_player_2(leader=3, owner=2)) == (1, 0b10, 2, 2)


def test_the_streak_of_an_owner_who_is_gone_ends_when_the_leader_is_replaced() -> None:
    assert tracker(end_turn_of_player_2(leader=3, owner=3)) == (1, 0b10, 0, 0)


@pytest.mark.parametrize(
    ("mask", "owner", "expected"),
    [
        (0b0010, 1, (1, 3)),  # player 1 alone acted again
        (0b0100, 1, (2, 1)),  # player 2 alone acted: a new streak
        (0b1010, 1, (1, 3)),  # player 3 acted too, but has no ring any more
        (0b0110, 1, (0, 0)),  # two acted
        (0b0000, 1, (0, 0)),  # nobody acted
    ],
)
def test_a_round_closes_when_its_leader_is_next(mask: int, owner: int, expected: tuple[int, int]) -> None:
    games = end_turn_of_player_2(leader=1, owner=owner, mask=mask)
    assert tracker(games) == (1, 0b10, *expected)
    assert not games.over()[0], "player 2 can act now, so player 1 is not the last one standing"


@pytest.mark.parametrize(
    ("locked", "winner"),
    [
        ([(0, 1), (1, 0), (1, 1), (6, 7), (7, 6), (6, 6)], 0),  # neither can act any more
        ([(6, 7), (7, 6), (6, 6)], 1),  # player 1 can, player 2 cannot
        ([], 0),  # both can
    ],
)
def test_the_last_player_standing_must_still_be_able_to_act(locked: list[Cell], winner: int) -> None:
    games = position(
        config("square8-2"),
        player=2,
        phase=record.TERRITORIES,
        stacks={(0, 0): "1", (7, 7): "2"},
        collapsed={cell: 1 + place % 2 for place, cell in enumerate(locked)},
    )
    row = games.states[0]
    row[record.LEADER], row[record.MASK], row[record.STREAK_OWNER], row[record.STREAK] = 1, 0b10, 1, 2
    row[record.ELIMINATED + 1] = 0  # nobody wins by rings
    row[record.ACTED] = 1  # no forced elimination
    games.apply([text_to_move(games, 0, "ST" if "ST" in texts(games) else "NT")])
    assert (games.winner()[0], notation.ending_text(games.states[0])) == (winner, "lps_rounds" if winner else "")


def test_a_strike_can_uncover_the_ring_that_pays_for_it() -> None:
    # the bottommost own ring of 7,7 lies under the top ring that the strike eliminates
    games = position(SQUARE, stacks={(7, 7): "213"}, markers={(6, 6): 1}, hands=(0, 5, 5))
    play(games, "RS 6,6 7,7 S 7,7")
    assert board_lines(games, "s") == ["7,7 2"]
    assert games.states[0, record.ONBOARD + 1] == games.states[0, record.ONBOARD + 3] == 0


def test_after_a_waived_line_the_next_one_is_processed() -> None:
    games = position(
        SQUARE,
        phase=record.LINES,
        stacks={(7, 7): "12"},
        markers={(x, y): 1 for x in range(3) for y in (0, 4)},
        hands=(0, 5, 5),
    )
    play(games, "PL 0,0;1,0;2,0")
    assert texts(games) == ["PL 0,4;1,4;2,4"]
    play(games, "PL 0,4;1,4;2,4")
    assert games.phase()[0] == record.TERRITORIES, "without an NL"


WALL = {(3, y): 1 + y % 3 for y in range(8)}


@pytest.mark.parametrize(
    ("stacks", "claims"),
    [
        ({(0, 0): "1", (6, 6): "1"}, []),  # nobody else has a ring on the board
        ({(0, 0): "1", (6, 6): "21"}, [24, 32]),  # player 2 has a buried one
        ({(0, 0): "1", (6, 6): "2"}, [32]),  # the own side cannot be claimed: nothing outside pays
        ({(0, 0): "1", (1, 1): "2", (6, 6): "1"}, [32]),  # two control the left side, with two on the board
        ({(0, 0): "1", (1, 1): "2", (6, 6): "31"}, [24, 32]),  # with a third on the board both may be claimed ...
    ],
)
def test_whose_rings_lie_on_the_board_decides_what_may_be_claimed(stacks: dict[Cell, str], claims: list[int]) -> None:
    # collapsed cells part the board; hands do not count. A marker far off gives the flood of one colour besides.
    games = position(
        SQUARE, phase=record.TERRITORIES, stacks=stacks, markers={(0, 7): 2}, collapsed=WALL, hands=(5, 5, 5)
    )
    sizes = {int(text.split()[2]) for text in texts(games) if text.startswith("TR")}
    assert {size + (size in (23, 31)) for size in sizes} == set(claims), "with the marker's cell or without"
    assert set(texts(games)) == legal_set(SQUARE, games.states[0])


@pytest.mark.parametrize(("streak", "winner"), [(0, 0), (1, 0), (2, 1)])
def test_the_last_player_standing_needs_three_rounds(streak: int, winner: int) -> None:
    games = position(
        config("square8-2"),
        player=2,
        phase=record.TERRITORIES,
        stacks={(0, 0): "1", (7, 7): "2"},
        collapsed={(6, 7): 1, (7, 6): 2, (6, 6): 1},
    )
    row = games.states[0]
    row[record.LEADER], row[record.MASK], row[record.STREAK] = 1, 0b10, streak
    row[record.STREAK_OWNER] = 1 if streak else 0
    row[record.ELIMINATED + 1] = 0  # nobody wins by rings
    row[record.ACTED] = 1  # no forced elimination
    games.apply([text_to_move(games, 0, "ST" if "ST" in texts(games) else "NT")])
    assert (int(games.winner()[0]), int(games.states[0, record.STREAK])) == (winner, streak + 1)
