"""Ratings of models with errors, from the whole numbers of the ledger: for people, no decision depends on them.

The ratings are the most likely ones, with a prior that keeps them finite (`training.ratings`, Plackett and Luce).
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from consensus.ledger import Ledger
from consensus.ledger.records.ratings import Pair, Tally
from consensus.ledger.steering.regression import compared_models
from consensus.ledger.steering.velocity import learning
from consensus.settings import MatchSettings, players
from node.api.ratings import RatingInfo
from training.ratings import rate

_REFERENCE = "heuristic"


def ratings(ledger: Ledger) -> list[RatingInfo]:
    """Return the players of all configurations, the best of each first."""
    return [entry for configuration in ledger.configurations() for entry in _rated(ledger, configuration.name)]


def canonical_rating(ledger: Ledger, name: str) -> RatingInfo | None:
    """Return the rating of a configuration's canonical model with search, in the newest settings; None without one."""
    found = (entry for entry in _recall(ledger, name) if entry["canonical"] and entry["player"] == "search")
    return next(found, None)


def _recall(ledger: Ledger, name: str) -> list[RatingInfo]:
    basis = (ledger.configuration(name).model, *ledger.ratings(name).kept, *ledger.tallies(name))
    return ledger.recall(_rate, name, basis)


def _rated(ledger: Ledger, name: str) -> Iterator[RatingInfo]:
    is_stalled = learning(ledger, name).is_stalled
    is_weaker = any(entry.is_regression for entry in compared_models(ledger, name))
    for entry in _recall(ledger, name):
        yield {**entry, "stalled": is_stalled, "weaker": is_weaker and entry["canonical"]}


def _rate(ledger: Ledger, name: str) -> list[RatingInfo]:
    """Return the ratings of a configuration, before it is said whether it has stalled or is weaker."""
    numbers = {entry.model.digest.hex(): entry.number for entry in ledger.ratings(name).kept}
    canonical = ledger.configuration(name).model.digest.hex()
    rated: list[RatingInfo] = []
    for settings, tallies in _by_settings(ledger.tallies(name), numbers).items():
        blocks: Counter[str] = Counter()
        for tally in tallies:
            for player in dict.fromkeys(_names(tally.pair)):
                blocks[player] += len(tally.points)
        if not blocks[_REFERENCE]:
            continue
        for player, rating in rate((game for tally in tallies for game in _games(tally)), _REFERENCE).items():
            kind, _, model = player.partition(":")
            rated.append(
                {
                    "configuration": name,
                    "simulations": settings.simulations,
                    "player": kind,
                    "model": model or None,
                    "number": numbers.get(model),
                    "canonical": model == canonical,
                    "rating": round(rating.points, 1),
                    "error": round(rating.error, 1),
                    "blocks": blocks[player],
                    "stalled": False,
                    "weaker": False,
                }
            )
    return rated


def _by_settings(tallies: Iterable[Tally], numbers: dict[str, int]) -> dict[MatchSettings, list[Tally]]:
    """Return the results by the settings they were played with: those of the newest model first."""
    groups: dict[MatchSettings, list[Tally]] = {}
    for tally in sorted(tallies, key=lambda entry: -numbers.get(entry.pair.model.hex(), 0)):
        if tally.points:
            groups.setdefault(tally.pair.settings, []).append(tally)
    return groups


def _names(pair: Pair) -> tuple[str, str]:
    """Return the names of the player and of its opponent."""
    model = "" if pair.opponent_model is None else pair.opponent_model.hex()
    opponent = f"search:{model}" if pair.opponent == "model" else pair.opponent
    return f"{pair.player}:{pair.model.hex()}", opponent


def _games(tally: Tally) -> Iterator[tuple[list[str], int | None]]:
    """Yield the players of each game by seat, and the place of the winner: as many wins and draws as the points say."""
    count = players(tally.pair.configuration)
    player, opponent = _names(tally.pair)
    seats = [player, *[opponent] * (count - 1)]
    games, (won, drawn) = count * len(tally.points), divmod(sum(tally.points), count)
    for number in range(games):
        winner = 0 if number < won else 1
        yield seats, None if won <= number < won + drawn else winner
