"""Depth search against a plain recursion without pruning, budget or stack, and what it must see: wins and losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backend.dialect import PLAIN
from engine.config import config
from engine.games import Games
from engine.players import DepthPlayer, HeuristicPlayer, Player, Rule
from engine.players.depth.frames import WIN
from engine.players.depth.leaf import STEPS
from engine.players.heuristic import WEIGHTS, describe
from engine.players.heuristic_features import FEATURES
from engine.rules import state as record
from tests.engine.players.test_players import choices, seeds_of

UNLIMITED = 2**30
NEAR = 2
"""Values that differ by less are equal here: the kernel sums up in float32, and rounds down."""


def play_each(games: Games) -> tuple[Games, NDArray[np.int64]]:
    """Return what each move leads to, with the forced moves of the same turn, and how many turns it ends."""
    legal = games.legal()
    owners = np.repeat(np.arange(len(games)), np.diff(legal.offsets))
    after = games.take(owners)
    is_placing = games.phase()[owners] == record.PLACEMENT
    after.apply(legal.moves, check=False)
    while True:
        legal = after.legal()
        is_forced = (after.phase() >= record.CHAIN) & ~after.over() & (np.diff(legal.offsets) == 1)
        if not is_forced.any():
            return after, (after.over() | ((after.phase() == record.PLACEMENT) & ~is_placing)).astype(int)
        batch = after.take(is_forced)
        batch.apply(legal.moves[legal.offsets[:-1][is_forced]], check=False)
        after.states[is_forced] = batch.states


def judge(games: Games, turns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return float64[B, P], the values of positions that are reached after so many turns."""
    sums = describe(games) @ np.array([WEIGHTS[number] for number in range(FEATURES)])
    seats = np.arange(games.config.players)
    leads = np.stack([sums[:, seat] - np.delete(sums, seat, axis=1).max(axis=1) for seat in seats], axis=1)
    results = np.where(games.winner()[:, None] == seats + 1, WIN - turns[:, None], turns[:, None] - WIN)
    return np.where(games.over()[:, None], results, np.trunc(STEPS * leads / (abs(leads) + 8)))


def greedy_turn(games: Games) -> Games:
    """Play a turn, each move the one after which the player's own value is best."""
    seat, has_ended = int(games.player()[0]) - 1, False
    while not has_ended:
        after, ended = play_each(games)
        best = int(np.argmax(judge(after, ended)[:, seat]))
        games, has_ended = after.take(best), bool(ended[best])
    return games


@dataclass(frozen=True)
class Recursion:
    """What a depth search of so many turns ought to find."""

    rule: Rule
    root: int
    width: int
    limit: int

    def keys(self, values: NDArray[np.float64], player: int) -> NDArray[np.float64]:
        """Return what values, float64[B, P], are worth to a player."""
        if self.rule == Rule.MAX_N or player == self.root:
            return np.asarray(values[:, player - 1])
        return np.asarray(-values[:, self.root - 1])

    def values(self, games: Games, turns: int) -> NDArray[np.float64]:
        """Return float64[P], the values of a position that has a choice."""
        found = [values for _, values in self.children(games, turns, self.width)]
        if self.may_pass(games):
            after = greedy_turn(games)
            found.append(self.below(after, turns + int(after.player()[0] == self.root), 1))
        return found[int(np.argmax(self.keys(np.array(found), int(games.player()[0]))))]

    def children(self, games: Games, turns: int, width: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield the best moves by their values without search, the best first, and their values with it."""
        player, moves = int(games.player()[0]), games.legal().moves
        after, ended = play_each(games)
        order = np.argsort(-self.keys(judge(after, turns + ended), player), kind="stable")[:width]
        for place in order:
            is_reply = self.rule == Rule.BEST_REPLY and player != self.root and ended[place]
            child = after.take(place)
            if is_reply and turns + 1 < self.limit:
                while not child.over()[0] and child.player()[0] != self.root and self.has_rings(child, self.root):
                    child = greedy_turn(child)
            yield int(moves[place]), self.below(child, turns + int(ended[place]), int(ended[place]))

    def below(self, games: Games, turns: int, ended: int) -> NDArray[np.float64]:
        """Return float64[P], the values of a child, to which so many turns have ended."""
        is_out = ended == 1 and not self.has_rings(games, self.root)
        if games.over()[0] or turns >= self.limit or is_out:
            return np.asarray(judge(games, np.array([turns]))[0])
        return self.values(games, turns)

    def has_rings(self, games: Games, player: int) -> bool:
        row = games.states[0]
        return bool(row[record.HAND + player] + row[record.ONBOARD + player] > 0)

    def may_pass(self, games: Games) -> bool:
        """Return whether the player at the beginning of a turn may leave the reply to another opponent."""
        player, players = int(games.player()[0]), games.config.players
        following = [
            seat for add in range(1, players) if self.has_rings(games, seat := (player + add - 1) % players + 1)
        ]
        is_start = games.phase()[0] == record.PLACEMENT and player != self.root
        return bool(self.rule == Rule.BEST_REPLY and is_start and following[:1] not in ([], [self.root]))


CASES = [
    ("hex8-2", Rule.PARANOID, 3),
    ("square8-2", Rule.PARANOID, 3),
    ("hex8-3", Rule.PARANOID, 3),
    ("hex8-3", Rule.MAX_N, 3),
    ("square8-4", Rule.MAX_N, 2),
    ("hex8-2", Rule.MAX_N, 2),
    ("hex8-3", Rule.BEST_REPLY, 3),
    ("square8-4", Rule.BEST_REPLY, 2),
    ("hex8-2", Rule.BEST_REPLY, 3),
]


@pytest.mark.parametrize(("name", "rule", "limit"), CASES)
def test_it_finds_what_a_plain_recursion_finds(name: str, rule: Rule, limit: int, kernels: None) -> None:
    games = choices(config(name), 5, 30)
    player = DepthPlayer(rule, UNLIMITED, width=2, root_width=4, most_turns=limit)
    found = player.search(games, seeds_of(games))
    assert found.turns.max() == limit
    for place, game in enumerate(games.take([place]) for place in range(len(games))):
        root = int(game.player()[0])
        recursion = Recursion(rule, root, 2, int(found.turns[place]))
        values = {move: float(values[root - 1]) for move, values in recursion.children(game, 0, 4)}
        assert abs(found.values[place] - max(values.values())) < NEAR
        if int(found.moves[place]) in values:  # or it was as good as the last of those kept
            assert values[int(found.moves[place])] > max(values.values()) - NEAR


def turn_ends(games: Games) -> Games:
    """Return all positions in which the current turn of some positions can end."""
    ends = []
    while len(games):
        after, ended = play_each(games)
        ends.append(after.states[ended == 1])
        games = Games(games.config, np.unique(after.states[ended == 0], axis=0))
    return Games(games.config, np.unique(np.concatenate(ends), axis=0))


def can_win(games: Games) -> bool:
    """Return whether the player of a position can win with this turn."""
    return bool((turn_ends(games).winner() == games.player()[0]).any())


def play_turn(player: Player, games: Games) -> Games:
    """Return the position after a turn of a player."""
    mover = games.player()[0]
    while not games.over()[0] and games.player()[0] == mover:
        games = games.copy()
        games.apply(player.choose(games, np.array([7], np.uint64)))
    return games


LOOKS_AHEAD = [
    ("hex8-2", Rule.PARANOID),
    ("square8-2", Rule.PARANOID),
    ("hex8-3", Rule.MAX_N),
    ("hex8-3", Rule.BEST_REPLY),
]


@pytest.mark.parametrize(("name", "rule"), LOOKS_AHEAD)
def test_a_win_within_the_turn_is_found(name: str, rule: Rule, kernels: None) -> None:
    games = choices(config(name), 30, 6)
    winning = [game for place in range(len(games)) if can_win(game := games.take([place]))]
    assert len(winning) >= 4
    for game in winning:
        after = play_turn(DepthPlayer(rule, 3000, width=31, root_width=31), game)
        assert after.winner()[0] == game.player()[0]


@pytest.mark.parametrize("name", ["hex8-2", "square8-2"])
def test_a_loss_within_the_next_turn_is_avoided(name: str, kernels: None) -> None:
    """As far as the opponent finds the win among the moves that are searched; of all of them some are not."""
    player = DepthPlayer(Rule.PARANOID, 20_000, root_width=31, most_turns=2)
    opponent = DepthPlayer(Rule.PARANOID, UNLIMITED, root_width=8, most_turns=1)

    def lost(after: Games) -> NDArray[np.bool_]:
        running = np.flatnonzero(~after.over())
        answers = opponent.search(after.take(running), seeds_of(after.take(running)))
        return np.isin(np.arange(len(after)), running[answers.values >= WIN - 1])

    mattered = 0
    games = choices(config(name), 100, 14)
    games = games.take(games.phase() != record.PLACEMENT)  # after which a turn has thousands of ends
    for game in (games.take([place]) for place in range(len(games))):
        if lost(play_turn(HeuristicPlayer(), game)).all() and not lost(turn_ends(game)).all():
            mattered += 1
            assert not lost(play_turn(player, game)).any()
    assert mattered >= 3


def test_more_moves_to_try_are_used_to_look_further(kernels: None) -> None:
    games = choices(config("hex8-2"), 10, 60)
    results = [DepthPlayer(Rule.PARANOID, budget).search(games, seeds_of(games)) for budget in (1, 100, 1000, 10_000)]
    for budget, result in zip((1, 100, 1000, 10_000), results, strict=True):
        assert (result.tried < budget + 400).all()
    for fewer, more in pairwise(results):
        assert (more.turns >= fewer.turns).all()
        assert more.turns.sum() > fewer.turns.sum() or fewer.tried.max() < 400


def test_results_do_not_depend_on_the_batch_or_on_what_was_searched_before(kernels: None) -> None:
    games = choices(config("hex8-3"), 6, 40)
    for rule in Rule:
        player = DepthPlayer(rule, 300)
        together = player.search(games, seeds_of(games))
        for place in reversed(range(len(games))):
            alone = player.search(games.take([place]), seeds_of(games)[[place]])
            for ours, theirs in zip(astuple(alone), astuple(together), strict=True):
                assert ours[0] == theirs[place]


@pytest.mark.parametrize("rule", Rule)
def test_plain_python_finds_the_same(rule: Rule, kernels: None) -> None:
    games = choices(config("square8-3"), 2, 12)
    player = DepthPlayer(rule, 150, width=2, root_width=3)
    compiled = player.search(games, seeds_of(games))
    plain = player.search(Games(games.config, games.states, PLAIN), seeds_of(games))
    for ours, theirs in zip(astuple(plain), astuple(compiled), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"budget": 0}, "budget must be 1 to"),
        ({"width": 32}, "width must be 1 to 31"),
        ({"root_width": 0}, "root_width must be 1 to 31"),
        ({"most_turns": 0}, "most_turns must be 1 to"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        DepthPlayer(Rule.PARANOID, **({"budget": 1} | arguments))
