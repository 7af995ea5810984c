"""Numbers of moves in a fixed list."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.actions import action_count, number_moves
from engine.config import CONFIGS, Config
from engine.games import Games
from engine.move_parser import text_to_move
from engine.moves import Kind
from engine.position_parser import set_up
from tests.engine.replays import recorded_positions
from tests.engine.rules.test_unusual_positions import positions


def check(games: Games) -> None:
    legal = games.legal()
    for game in range(len(games)):
        numbers = number_moves(games.config, legal.of(game))
        assert len(set(numbers.tolist())) == len(numbers)
        assert ((numbers >= 0) & (numbers < action_count(games.config))).all()


def test_numbers_differ_in_recorded_games(any_config: Config) -> None:
    check(recorded_positions(any_config, 3, 3) if any_config.rings == 18 else recorded_positions(any_config, 1, 29))


def test_numbers_differ_in_unusual_positions(any_config: Config) -> None:
    @settings(
        max_examples=15 if any_config.rings == 18 else 2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(positions(any_config), st.integers(0, 2**32))
    def property_holds(games: Games, seed: int) -> None:
        for _ in range(6):
            check(games)
            games.play_randomly(seed=seed, steps=1)

    property_holds()


def test_a_number_means_the_same_in_every_position(any_config: Config) -> None:
    small = any_config.rings == 18
    games = recorded_positions(any_config, 3 if small else 1, 4 if small else 41)
    legal = games.legal()
    meaning: dict[int, tuple[object, ...]] = {}
    for game in range(len(games)):
        moves = legal.of(game)
        for move, number in zip(moves.tolist(), number_moves(any_config, moves).tolist(), strict=True):
            found: tuple[object, ...]
            kind, a, b, c = Kind(move & 255), move >> 8 & 4095, move >> 20 & 4095, move >> 32
            if kind in (Kind.OC, Kind.CC, Kind.MV):  # what is captured depends on what stands there
                found = ("ray", a, b if kind == Kind.MV else c)
            elif kind in (Kind.RS_F, Kind.RS_S, Kind.RS_L1):
                found = ("slide", a, b)
            elif kind in (Kind.PL, Kind.CL_ALL):
                found = ("line", a, b)
            elif kind in (Kind.EL, Kind.ET, Kind.ER, Kind.FE):
                found = ("loss", a)
            elif kind == Kind.TR:
                found = ("region", a, b)
            else:
                found = (kind, a, b, c)
            assert meaning.setdefault(number, found) == found


def test_all_moves_of_the_first_position_come_first(kernels: None) -> None:
    games = Games.new("hex8-3", 1)
    assert number_moves(games.config, games.legal().moves).tolist() == list(range(183))
    assert action_count(CONFIGS["hex8-2"]) == 183 + 61 * 6 * (8 + 18 + 4) + 2 * 183 + 61 + 61 * 3 + 9


def test_slides_are_numbered_by_way_and_payer(kernels: None) -> None:
    games = set_up("""b square8 2
t 1 movement active -
p 1 15 0 0
p 2 15 0 0
s 0,0 12
s 7,6 2
s 7,7 112
m 3,3 1""")
    config = games.config
    first = 3 * 64 + 64 * 8 * 7
    numbers = dict(zip(games.legal().moves.tolist(), number_moves(config, games.legal().moves).tolist(), strict=True))
    cell, east = 3 * 8 + 3, 0
    for rank, payer in enumerate(("0,0", "7,7")):
        move = text_to_move(games, 0, f"RS 3,3 4,3 F {payer}")
        assert numbers[move] == first + (cell * 8 + east) * 18 + rank
    assert numbers[text_to_move(games, 0, "SR")] == action_count(config) - 4
