"""Import of games: each is replayed by the rules, and those that are sound become one file of recorded games."""

import argparse
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.cli.lines import print_line
from node.cli.progress import showing_progress
from node.cli.reading import print_json, save_new
from node.config.toml import ConfigError
from node.text.formatting import plural
from node.text.harmless import harmless

_SHOWN = 10  # games whose refusal is told


@dataclass
class _Import:
    """What became of the games so far."""

    lines: list[str] = field(default_factory=list)
    by_configuration: dict[str, int] = field(default_factory=dict)
    again: int = 0
    refused: list[str] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    def keep(self, configuration: str, moves: list[int], line: str) -> None:
        """Keep a verified game, unless it is here."""
        digest = hashlib.sha256(f"{configuration} {moves}".encode()).digest()
        if digest in self._seen:
            self.again += 1
            return
        self._seen.add(digest)
        self.lines.append(line)
        self.by_configuration[configuration] = self.by_configuration.get(configuration, 0) + 1


def import_games(options: argparse.Namespace) -> int:
    """Write the file; return 0, or 1 if a game was refused. Raise ConfigError if a file cannot be read or written."""
    if options.to is None:
        raise ConfigError("games need the new file to write; name it with --to OUT", options.sources[0])
    from node.cli.replay.games import load_games

    found = _Import()
    with showing_progress(f"{options.sources[0]}: reading", quiet=options.json) as progress:
        for file in options.sources:
            games = load_games(file)
            for number, game in enumerate(games, 1):
                _verify(found, file, game)
                progress.tell(f"{file}: replaying games", done=number, total=len(games))
    if not found.lines:
        first = f" ({found.refused[0]})" if found.refused else ""
        raise ConfigError(f"none of the games can be kept{first}; nothing was written", options.to)
    save_new(options.to, "".join(found.lines).encode())
    if options.json:
        facts = {"kept": found.by_configuration, "again": found.again, "refused": found.refused}
        print_json({"file": str(options.to), **facts})
    else:
        _print(options.to, found)
    return int(bool(found.refused))


def _verify(found: _Import, file: Path, game: Any) -> None:
    from engine.games import IllegalMoveError
    from engine.move_parser import text_to_move
    from node.play.game import PlayedGame
    from node.play.records import record_game

    name = f"{file.name}, game {game.name}"
    if game.swap:
        found.refused.append(f"{name}: was played with the pie rule, which no swarm plays")
        return
    played = PlayedGame(game.config)
    for number, given in enumerate(game.moves, 1):
        try:
            if played.is_over:
                raise IllegalMoveError("the game is over")
            played.apply(text_to_move(played.games, 0, given) if isinstance(given, str) else given)
        except (ValueError, OverflowError):
            found.refused.append(f"{name}: move {number} is not legal")
            return
    winner = played.position().winner or 0
    if game.winner is not None and game.winner != winner:
        found.refused.append(f"{name}: says that {game.winner or 'nobody'} won, but {winner or 'nobody'} did")
        return
    about = {"source": file.name, "note": game.note}
    found.keep(game.config.name, played.moves, record_game(played, f"{file.stem}-{game.name}", about))


def _print(to: Path, found: _Import) -> None:
    kept = ", ".join(f"{count} of {name}" for name, count in sorted(found.by_configuration.items()))
    again = f"; {plural(found.again, 'game')} came again" if found.again else ""
    print_line(f"{to}: {plural(len(found.lines), 'game')}, each replayed: {kept}{again}")
    for reason in found.refused[:_SHOWN]:
        print_line(f"refused: {harmless(reason)}")
    if len(found.refused) > _SHOWN:
        print_line(f"and {len(found.refused) - _SHOWN} more")
