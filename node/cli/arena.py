"""`ringrift-node arena`: players meet each other, and are rated."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from node.cli.lines import is_watched, say
from node.cli.progress import showing_progress
from node.config.toml import ConfigError

if TYPE_CHECKING:
    from training.tournament import Tournament

_LINES_EVERY_S = 30.0
_NEEDED = ("safetensors", "torch", "warp")
_EPILOG = """\
players:
  uniform          every legal move with the same probability
  heuristic        the best position after one move, by a weighted sum of features; rated 1500
  monte-carlo-N    the move that wins most of N random games after it
  alpha-beta-N     looks some turns ahead, until it has tried N moves
  paranoid-N       the same for three and four players: all others play against it
  maxn-N           the same, but everybody plays for themselves
  brs-N            the same, but one opponent at a time answers, the one who hurts most
                   these four value positions as the heuristic does, and alpha-beta-N:DIR,
                   paranoid-N:DIR ... by the NNUE network in DIR
  descent-N        looks on where the best line ends, until it has tried N moves; descent-N:DIR by the values of
                   the model in DIR
  nnue:DIR         the best position after one move, by the NNUE network in DIR
  policy:DIR       the move that the policy of the model in DIR prefers
  search-N:DIR     the move that a search of N simulations with that model, or NNUE network, finds best

Equal arguments give equal games. docs/learning.md says what the figures mean.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `arena`."""
    parser.add_argument("--config", default="hex8-2", metavar="NAME", help="board and players (default hex8-2)")
    parser.add_argument("--players", nargs="+", required=True, metavar="PLAYER", help="who plays; see below")
    parser.add_argument(
        "--blocks", type=int, default=50, metavar="N",
        help="openings for each pair, played in every seating (default 50)",
    )  # fmt: skip
    parser.add_argument("--seed", default="arena", metavar="TEXT", help="what all chance comes from (default arena)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(options: argparse.Namespace) -> int:
    """Play the games and print the table; return 0. Raise ConfigError for a mistake in the options."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(f"arena needs {missing[0]}: pip install 'ringrift-swarm[work]'")
    from engine.config import config
    from training.tournament import PlayerError, make_players, play_tournament

    if options.blocks < 1:
        raise ConfigError(f"must be at least 1, not {options.blocks}", "--blocks")
    try:
        settings = config(options.config)
    except ValueError as error:
        raise ConfigError(str(error), "--config") from None
    try:
        players = make_players(options.players)
    except PlayerError as error:
        raise ConfigError(str(error), "--players") from None
    try:
        with _telling(quiet=options.json) as report:
            tournament = play_tournament(settings, players, seed=options.seed, blocks=options.blocks, report=report)
    except PlayerError as error:
        raise ConfigError(str(error), "--players") from None
    if options.json:
        print(json.dumps(tournament.facts(), indent=2))
    else:
        _print(tournament)
    return 0


class ProgressLines:
    """A line on stderr every 30 seconds that says how far the games are, for who reads it later, not on a terminal."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + _LINES_EVERY_S

    def tell(self, text: str) -> None:
        """Write how far the games are, if it is time."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _LINES_EVERY_S
            say(text)


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Return what tells a person how far a tournament is: a bar on a terminal, else lines; nothing with --json."""
    lines = ProgressLines()
    with showing_progress("preparing the players", quiet=quiet) as bar:

        def tell(progress: Mapping[str, Any]) -> None:
            done, wanted, pair = progress["games"], progress["wanted"], progress["pair"]
            bar.tell(f"games, {pair}", done=done, total=wanted)
            if not quiet and not is_watched():
                lines.tell(f"{done:,} of {wanted:,} games, {pair}")

        yield tell


def _print(tournament: "Tournament") -> None:
    from node.cli.tables import open_console, print_table
    from node.text.formatting import plural

    names = list(tournament.ratings)
    shares = _shares(tournament)
    columns = ["#", "player", "#rating", "#error", *(f"#{number}" for number in range(1, len(names) + 1))]
    rows = []
    for number, (name, rating) in enumerate(tournament.ratings.items(), 1):
        error = "" if name == tournament.reference else f"{rating.error:.0f}"
        against = (shares.get((name, other), "–") for other in names)
        rows.append([str(number), name, f"{rating.points:.0f}", error, *against])
    games = plural(int(tournament.pairings[0].result.winners.size), "game")
    title = f"{tournament.config}, {games} a pair: the row's share of wins against each column, and its 95% interval, %"
    print_table(open_console(), title, columns, rows, "none")


def _shares(tournament: "Tournament") -> dict[tuple[str, str], str]:
    """Return the share of wins of each player against each, with its interval, in per cent."""
    shares = {}
    for pairing in tournament.pairings:
        share, (low, high) = pairing.result.share, pairing.result.interval
        shares[pairing.challenger, pairing.opponent] = _percent(share, low, high)
        if pairing.result.players == 2:
            shares[pairing.opponent, pairing.challenger] = _percent(1 - share, 1 - high, 1 - low)
    return shares


def _percent(share: float, low: float, high: float) -> str:
    return f"{100 * share:.1f} ({100 * low:.0f}-{100 * high:.0f})"
