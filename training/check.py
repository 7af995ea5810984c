"""Checks of a match by replaying its games, which a node makes before it votes. They need no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.config import Config
from training.arrays import DataError, read_arrays
from training.match import KIND, Block, MatchGame, block_scores, games_root, opening_moves
from training.progress import Report, ignore_progress
from training.replay import Replayed, replay_games
from training.settings import MatchSettings

_DTYPES: dict[str, type] = {"lengths": np.int32, "moves": np.int64}


def read_games(
    path: Path, config: Config, blocks: Sequence[Block], settings: MatchSettings, report: Report = ignore_progress
) -> list[MatchGame]:
    """Return the games of a match file, which must be complete, legal to their end, and begin with their openings.

    Raise DataError with the first reason why the file does not hold such games.
    """
    return _replay(path, config, blocks, settings, report)[0]


def _replay(
    path: Path, config: Config, blocks: Sequence[Block], settings: MatchSettings, report: Report
) -> tuple[list[MatchGame], Replayed]:
    header, arrays = read_arrays(path, KIND, _DTYPES)
    lengths, moves = arrays["lengths"], arrays["moves"]
    if header.get("config") != config.name:
        raise DataError(f"games of {header.get('config')!r}, not of {config.name}", path.name)
    if len(lengths) != len(blocks) * config.players:
        wanted = f"{len(blocks)} blocks of {config.players}"
        raise DataError(f"{len(lengths)} games, but {wanted} were claimed", path.name)
    if (lengths < 1).any() or lengths.sum(dtype=np.int64) != len(moves):
        raise DataError(f"the lengths of the games do not add up to {len(moves)} moves", path.name)
    replayed = replay_games(config, moves, lengths, report)
    openings = opening_moves(config, [seed for _, seed in blocks], settings.opening_plies)
    games = []
    for i, (played, winner) in enumerate(
        zip(np.split(moves, np.cumsum(lengths)[:-1]), replayed.final.winner().tolist(), strict=True)
    ):
        number, rotation = divmod(i, config.players)
        opening = openings[number]
        if not np.array_equal(played[: len(opening)], opening):
            raise DataError(f"block {blocks[number][0]}, game {rotation}: not the opening of the block's seed")
        games.append(MatchGame(blocks[number], rotation, len(opening), played, winner))
    return games, replayed


@dataclass(frozen=True, kw_only=True)
class Reported:
    """The result of a slot as it was reported."""

    blocks: Sequence[Block]
    scores: Sequence[tuple[int, int]]
    root: bytes
    settings: MatchSettings


def load_reported(
    path: Path, config: Config, said: Reported, report: Report = ignore_progress
) -> tuple[list[MatchGame], Replayed]:
    """Return the games of a slot, and their replay. Raise DataError if anything is not as it was reported."""
    games, replayed = _replay(path, config, said.blocks, said.settings, report)
    wrong = _compare(config, said.blocks, said.scores, games)
    if not wrong and games_root(config, games) != said.root:
        wrong = "the games' Merkle root is not the one claimed"
    if wrong:
        raise DataError(wrong)
    return games, replayed


def check_match(
    path: Path,
    config: Config,
    blocks: Sequence[Block],
    scores: Sequence[tuple[int, int]],
    root: bytes,
    settings: MatchSettings,
    report: Report = ignore_progress,
) -> str:
    """Return the first reason why the file does not prove the claimed scores and root; "" if it does."""
    said = Reported(blocks=blocks, scores=scores, root=root, settings=settings)
    try:
        load_reported(path, config, said, report)
    except DataError as error:
        return str(error)
    return ""


def check_scores(path: Path, config: Config, scores: Sequence[tuple[int, int]]) -> str:
    """Return a reason why the games are not legal to their end or do not have these scores; "" if they do.

    The openings are not checked against any seeds.
    """
    blocks = [(number, bytes(32)) for number, _ in scores]
    try:
        games = read_games(path, config, blocks, MatchSettings(opening_plies=0))
    except DataError as error:
        return str(error)
    return _compare(config, blocks, scores, games)


def _compare(
    config: Config, blocks: Sequence[Block], scores: Sequence[tuple[int, int]], games: Sequence[MatchGame]
) -> str:
    for (block, claimed), (number, found) in zip(scores, block_scores(config.players, games), strict=False):
        if (block, claimed) != (number, found):
            return f"block {number} scores {found}, but {claimed} was claimed for block {block}"
    return "" if len(scores) == len(blocks) else f"{len(scores)} scores for {len(blocks)} blocks"
