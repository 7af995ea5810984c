"""Invariants on positions that play from the start would not meet, and on what random play makes of them."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config import Config
from engine.games import Games
from engine.move_parser import legal_texts
from engine.moves import Kind, move_kind
from engine.notation import PHASE_NAMES, cell_names
from engine.position_parser import set_up
from engine.rules import state as record
from tests.engine.audit import audit
from tests.engine.oracle import legal_set
from tests.engine.replays import recorded_positions

IDLE = (Kind.PR, Kind.SW, Kind.SP, Kind.NP, Kind.SC, Kind.NM, Kind.SR, Kind.NL, Kind.ST, Kind.NT)
PHASES = (record.PLACEMENT, record.MOVEMENT, record.LINES, record.TERRITORIES)


@st.composite
def positions(draw: st.DrawFn, config: Config) -> Games:
    """Any board at all: crowded or empty, tall stacks, many markers, players without stacks or without rings."""
    every = range(1, config.players + 1)
    some = st.lists(st.sampled_from(every), min_size=1, unique=True)
    rates = [draw(st.sampled_from((0.0, 0.03, 0.1, 0.3, 0.6))) for _ in range(3)]
    buried, tops, markers = draw(some), draw(some), draw(some)
    tallest, phase, player = draw(st.integers(1, 9)), draw(st.sampled_from(PHASES)), draw(st.sampled_from(every))
    random = draw(st.randoms(use_true_random=False))
    hands = [config.rings] * config.players
    lines: dict[str, list[str]] = {"s": [], "m": [], "c": []}
    for name in cell_names(config.board):
        kind = random.choices("smc.", [*rates, max(1 - sum(rates), 0.1)])[0]
        content = ""
        if kind == "s":
            below = random.choices(buried, k=random.randint(0, tallest - 1))
            content = take_rings(hands, [*below, random.choice(tops)])
        elif kind != ".":
            content = str(random.choice(markers if kind == "m" else every))
        if content:
            lines[kind].append(f"{kind} {name} {content}")
    kept = [random.randint(0, hand) for hand in hands] if random.random() < 0.5 else hands
    gone = sum(hands) - sum(kept)
    counts = [
        f"p {seat} {kept[seat - 1]} {(gone + seat - 1) // config.players}"  # shares that add up to `gone`
        f" {sum(line.endswith(f' {seat}') for line in lines['c'])}"
        for seat in every
    ]
    head = [f"b {config.board} {config.players}", f"t {player} {PHASE_NAMES[phase]} active -"]
    return set_up("\n".join([*head, *counts, *lines["s"], *lines["m"], *lines["c"]]))


def take_rings(hands: list[int], owners: list[int]) -> str:
    """The rings of a stack, bottom to top, as far as the hands have them."""
    rings = ""
    for owner in owners:
        if hands[owner - 1]:
            hands[owner - 1] -= 1
            rings += str(owner)
    return rings


def own_rings(config: Config, row: np.ndarray) -> np.ndarray:
    """The rings of each colour that are not eliminated."""
    seats = np.arange(1, config.players + 1)
    rings: np.ndarray = row[record.HAND + seats] + row[record.ONBOARD + seats]
    return rings


def check(games: Games, seed: int, rounds: int) -> None:
    """Hold a game and everything one move away from it against the rules, and play on a little, `rounds` times."""
    config, random = games.config, np.random.default_rng(seed)
    began = audit(config, games.states[0]).progress
    for _ in range(rounds):
        texts = legal_texts(games, 0)
        assert len(set(texts)) == len(texts)
        assert set(texts) == legal_set(config, games.states[0])
        moves = games.legal().moves
        after = games.take(np.zeros(len(moves), int))
        after.apply(moves, check=False)
        assert (np.diff(after.legal().offsets) > 0).tolist() == (~after.over()).tolist()
        before = audit(config, games.states[0]).potential
        for place in range(0, len(moves), 1 + len(moves) // 8):
            row, idle = after.states[place], move_kind(moves[place]) in IDLE
            rise = audit(config, row).potential - before
            assert rise == 0 if idle else rise > 0, f"{texts[place]} raises the potential by {rise}"
            assert (own_rings(config, row) <= own_rings(config, games.states[0])).all(), "a ring came back"
        for _ in range(int(random.integers(1, 7))):
            games.play_randomly(seed=seed, steps=1)
            counts = audit(config, games.states[0])
            if games.phase()[0] == record.PLACEMENT:
                assert counts.progress >= began, "a turn undid something"
                began = counts.progress
        if games.over()[0]:
            return


def explore(config: Config, examples: int, rounds: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(positions(config), st.integers(0, 2**32))
    def property_holds(games: Games, seed: int) -> None:
        check(games, seed, rounds)

    property_holds()


def test_the_rules_hold_on_unusual_positions(any_config: Config) -> None:
    small = any_config.rings == 18
    explore(any_config, 40 if small else 4, 8 if small else 4)


@pytest.mark.slow
def test_the_rules_hold_on_many_unusual_positions(any_config: Config) -> None:
    small = any_config.rings == 18
    explore(any_config, 400 if small else 20, 20)


def test_unusual_positions_play_to_an_end(small_config: Config) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(positions(small_config), st.integers(0, 2**32))
    def property_holds(games: Games, seed: int) -> None:
        games.play_randomly(seed=seed, steps=5000)
        assert games.over().all()
        assert games.winner()[0] > 0

    property_holds()


def test_the_oracle_agrees_with_recorded_games(small_config: Config) -> None:
    games = recorded_positions(small_config, 3, 5)
    for game in range(len(games)):
        assert set(legal_texts(games, game)) == legal_set(small_config, games.states[game])


def test_in_as_many_turns_as_there_are_players_somebody_acts(small_config: Config) -> None:
    """The step of the proof in `engine.rules.state` that is about turns: with it no game goes on for ever."""

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(positions(small_config), st.integers(0, 2**32))
    def property_holds(games: Games, seed: int) -> None:
        chance, potentials = random.Random(seed), [-1]
        for _ in range(300):
            if games.over()[0]:
                break
            if games.phase()[0] == record.PLACEMENT:
                potentials.append(audit(small_config, games.states[0]).potential)
            moves = games.legal().moves
            idle = [move for move in moves if move_kind(int(move)) in IDLE[2:]]  # pass whenever that is allowed
            games.apply([chance.choice(idle or moves.tolist())], check=False)
        players = small_config.players
        turns = list(zip(potentials[1:], potentials[1 + players :], strict=False))
        assert all(later > earlier for earlier, later in turns[1:]), potentials

    property_holds()
