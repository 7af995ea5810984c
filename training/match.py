"""Matches: paired games of a candidate against the incumbent, and a record of them that anyone can replay.

Block k has one seed, from which its opening is drawn. It is played once in every rotation of the seats: in game
r the candidate has seat r + 1, the incumbent all others. A game's score is 2 for each opponent that the
candidate finishes above and 1 for each that it ties with; the winner is above all others, who tie. So a block
scores 0 to 2 P (P - 1), and P (P - 1) on average if the models are equal (LEDGER.md, Matches).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.config import CONFIGS, Config
from engine.players import Player, SearchPlayer
from engine.record import GameRecord, merkle_root
from engine.search import Evaluate
from training.arrays import DataError, Stored, read_arrays, write_arrays
from training.blocks import Draws, play_blocks
from training.playing import Playing
from training.progress import Report, ignore_progress
from training.seeds import seed_word, seed_words
from training.settings import MatchSettings

KIND: Final = "match/1"
_DTYPES: Final[dict[str, type]] = {"lengths": np.int32, "moves": np.int64}

Block = tuple[int, bytes]
"""A block's number and its 32-byte seed."""


@dataclass(frozen=True)
class MatchGame:
    """One finished game of a match."""

    block: Block
    rotation: int  # the candidate's seat - 1
    opening: int
    moves: NDArray[np.int64]
    winner: int


def game_score(players: int, candidate: int, winner: int) -> int:
    """Return the candidate's score in a game that `winner` (0: nobody) won; `candidate` is its seat, 1..players."""
    if winner == candidate:
        return 2 * (players - 1)
    return players - 1 if winner == 0 else players - 2


def block_scores(players: int, games: Sequence[MatchGame]) -> list[tuple[int, int]]:
    """Return (block number, score) of each block, in the order of the games; every block must be complete."""
    scores: dict[int, int] = {}
    for game in games:
        score = game_score(players, game.rotation + 1, game.winner)
        scores[game.block[0]] = scores.get(game.block[0], 0) + score
    return list(scores.items())


def opening_moves(config: Config, seeds: Sequence[bytes], plies: int) -> list[NDArray[np.int64]]:
    """Return the opening of each block: `plies` random moves drawn from the block's seed."""
    playing = Playing(config, len(seeds))
    words = np.array([seed_word(seed, "opening") for seed in seeds], np.uint64)
    playing.play_random(np.full(len(seeds), plies, np.int32), words)
    return [playing.moves(i) for i in range(len(seeds))]


def game_records(config: Config, games: Sequence[MatchGame]) -> list[GameRecord]:
    """Return the canonical records, in the order of the games."""
    return [
        GameRecord(
            config=config.name,
            seed=game.block[1],
            swap=False,
            opening_plies=game.opening,
            moves=game.moves,
            winner=game.winner,
            seats=tuple(b"candidate" if seat == game.rotation else b"incumbent" for seat in range(config.players)),
        )
        for game in games
    ]


def games_root(config: Config, games: Sequence[MatchGame]) -> bytes:
    """Return the Merkle root of the games' records."""
    return merkle_root([record.encode() for record in game_records(config, games)])


def play_match(
    config: Config,
    candidate: Evaluate,
    incumbent: Evaluate,
    blocks: Sequence[Block],
    settings: MatchSettings,
    report: Report = ignore_progress,
) -> list[MatchGame]:
    """Play all blocks and return their games, ordered by block, then by rotation."""
    players = searcher(candidate, settings), searcher(incumbent, settings)
    return play_players(config, players, blocks, settings, report)


def play_players(
    config: Config,
    players: tuple[Player, Player],
    blocks: Sequence[Block],
    settings: MatchSettings,
    report: Report = ignore_progress,
) -> list[MatchGame]:
    """Play all blocks between the player that is measured and another one, as `play_match` does."""
    count = config.players
    openings = np.array([seed_word(seed, "opening") for _, seed in blocks], np.uint64)
    streams = np.array([seed_words(seed, "noise", range(count)) for _, seed in blocks], np.uint64)
    games = play_blocks(
        config,
        players,
        Draws(openings, streams.reshape(-1, count)),
        opening_plies=settings.opening_plies,
        concurrency=settings.concurrency,
        report=report,
    )
    return [
        MatchGame(
            block=blocks[number // count],
            rotation=number % count,
            opening=game.opening,
            moves=game.moves,
            winner=game.winner,
        )
        for number, game in enumerate(games)
    ]


def searcher(model: Evaluate, settings: MatchSettings) -> SearchPlayer:
    """Return the player that searches with a model."""
    return SearchPlayer(model, settings.simulations, settings.considered)


def write_games(directory: Path, config: Config, games: Sequence[MatchGame]) -> Stored:
    """Write the moves of the games to a file; everything else about them follows from blocks and settings."""
    arrays = {
        "lengths": np.array([len(game.moves) for game in games], np.int32),
        "moves": np.concatenate([game.moves for game in games]),
    }
    return write_arrays(directory, KIND, {"config": config.name}, arrays)


def read_moves(path: Path) -> tuple[Config, list[NDArray[np.int64]]]:
    """Return the configuration of a match file, and the packed moves of each game, whether they are legal or not.

    Raise DataError with one reason if the file is damaged or inconsistent.
    """
    header, arrays = read_arrays(path, KIND, _DTYPES)
    name, lengths, moves = header.get("config"), arrays["lengths"], arrays["moves"]
    adds_up = bool((lengths > 0).all()) and lengths.sum(dtype=np.int64) == len(moves)
    if not isinstance(name, str) or name not in CONFIGS or not adds_up:
        raise DataError("configuration or lengths of the match's games are damaged", path.name)
    return CONFIGS[name], np.split(moves, np.cumsum(lengths)[:-1]) if len(lengths) else []
