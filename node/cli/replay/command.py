"""`ringrift-node replay`: shows recorded games, their moves, and any position as text or as a picture."""

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from engine import notation
from engine.picture import draw
from engine.position import situation
from node.cli import PROGRAM
from node.cli.board import board_lines, legend_line, stack_lines, standing_lines, touched_cells
from node.cli.lines import print_line, say
from node.cli.progress import showing_progress
from node.cli.replay.games import ReplayedGame, Step, StoredGame, load_games, replay
from node.cli.tables import open_console, print_table
from node.config.toml import ConfigError
from node.text.formatting import count
from node.text.harmless import harmless

_PNG_ZOOM = 2  # pixels for each pixel of the SVG, so that it is sharp on a dense screen and on paper
_BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"></svg>'
_LETTER = _BLANK.replace("></", '><text y="20" font-size="20" font-family="sans-serif">M</text></')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `replay`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="recorded games, a self-play shard, or a match")
    parser.add_argument("--game", metavar="GAME", help="number or id of the game, where the file holds several")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--list", action="store_true", help="list the moves")
    shown.add_argument("--at", type=int, metavar="N", help="show the position after move N (default: the last)")
    shown.add_argument("--all", action="store_true", help="show every position")
    shown.add_argument("--step", action="store_true", help="go through the game move by move with the keyboard")
    parser.add_argument("--svg", type=Path, metavar="OUT", help="write the position to OUT as an SVG picture instead")
    parser.add_argument(
        "--png",
        type=Path,
        metavar="OUT",
        help="write it to OUT as a PNG picture (needs ringrift-swarm[picture])",
    )
    parser.add_argument("--json", action="store_true", help="print the game, its moves and the position as JSON")


def main(options: argparse.Namespace) -> int:
    """Show one game, or list the games of the file; return 0."""
    games = load_games(options.file)
    console = open_console()
    wants_walk = options.list or options.all or options.step
    wants_picture = options.svg or options.png
    wants_one_game = wants_walk or wants_picture or options.game is not None or options.at is not None
    if len(games) > 1 and not wants_one_game:
        _show_games(console, options, games)
        return 0
    if wants_walk and wants_picture:
        raise ConfigError(
            "--svg and --png write one position; leave out --list, --all and --step, or say which with --at N"
        )
    game = _choose(options, games)
    with showing_progress("replaying the game", quiet=options.json):
        played = replay(game, f"{options.file}, game {game.name}")
    number = _number(options, played)
    if wants_picture:
        _write_pictures(options, played, number)
    elif options.json:
        print(json.dumps(_facts(played, number), indent=2))
    elif options.step:
        _walk(console, played)
    else:
        _show_game(console, options, played, number)
    return 0


def _choose(options: argparse.Namespace, games: list[StoredGame]) -> StoredGame:
    if options.game is None:
        if len(games) > 1:
            raise ConfigError(
                f"holds {count(len(games))} games; choose one with --game (a number or id; "
                "without options they are listed)",
                options.file,
            )
        return games[0]
    wanted = str(options.game)
    for game in games:
        if game.name == wanted:
            return game
    if wanted.isdecimal() and 1 <= int(wanted) <= len(games):
        return games[int(wanted) - 1]
    near = difflib.get_close_matches(wanted, [game.name for game in games], 1)
    meant = f"did you mean {near[0]}?" if near else f"they are numbered 1 to {len(games)}"
    raise ConfigError(f"no game {wanted!r} in this file; {meant}", options.file)


def _number(options: argparse.Namespace, played: ReplayedGame) -> int:
    last = len(played.steps)
    if options.at is None:
        return last
    if not 0 <= options.at <= last:
        raise ConfigError(f"--at {options.at}: the game has {last} moves; say 0 to {last}", options.file)
    return int(options.at)


def _show_games(console: Console, options: argparse.Namespace, games: list[StoredGame]) -> None:
    if options.json:
        heads = [_head_facts(game) | {"number": number} for number, game in enumerate(games, 1)]
        print(json.dumps(heads, indent=2))
        return
    columns = ("#no.", "game", "configuration", "#moves", "#winner", "?note")
    rows = [
        (
            str(number),
            game.name,
            game.config.name,
            count(len(game.moves)),
            "–" if game.winner is None else str(game.winner or "none"),
            game.note,
        )
        for number, game in enumerate(games, 1)
    ]
    print_table(console, f"Games in {options.file}", columns, rows, "none")
    console.print("To show one of them, give --game with its number or id.", style="dim", markup=False)


def _head_facts(game: StoredGame) -> dict[str, Any]:
    return {
        "game": game.name,
        "configuration": game.config.name,
        "swap": game.swap,
        "moves": len(game.moves),
        "winner": game.winner,
        "note": game.note,
    }


def _facts(played: ReplayedGame, number: int) -> dict[str, Any]:
    final = played.position(len(played.steps))
    return _head_facts(played.game) | {
        "winner": final.winner,
        "end": final.ending or None,
        "moves": [
            {"number": step.number, "player": step.player, "phase": step.phase, "move": step.text}
            for step in played.steps
        ],
        "at": number,
        "position": notation.state_text(played.game.config, played.rows[number]).split("\n"),
    }


def _show_game(console: Console, options: argparse.Namespace, played: ReplayedGame, number: int) -> None:
    console.print(_title(played))
    if options.list:
        for step in played.steps:
            _print_line(console, _step_line(step, len(str(len(played.steps)))))
        return
    for each in range(len(played.steps) + 1) if options.all else [number]:
        _show_position(console, played, each)
    _print_line(console, legend_line(played.position(number)))


def _walk(console: Console, played: ReplayedGame) -> None:
    """Show position after position as the lines of standard input say, until it ends."""
    number, total = 0, len(played.steps)
    while True:
        if console.is_terminal:
            console.clear()
        console.print(_title(played))
        _show_position(console, played, number)
        _print_line(console, legend_line(played.position(number)))
        console.print(f"Enter: on, b: back, 0 to {total}: after that move, q: quit", style="dim")
        line = sys.stdin.readline()
        word = line.strip().lower()
        if not line or word == "q":
            return
        if word.isdecimal():
            number = min(int(word), total)
        else:
            number = max(number - 1, 0) if word == "b" else min(number + 1, total)


def _title(played: ReplayedGame) -> Text:
    game, final = played.game, played.position(len(played.steps))
    ending = f"player {final.winner} won {situation(final)}" if final.winner else "broken off"
    claim = "" if game.winner in (None, final.winner) else f" (the file says: winner {game.winner or 'none'})"
    title = Text(f"Game {harmless(game.name)}", style="bold")
    title.append(f": {game.config.name}, {count(len(game.moves))} moves, {ending}{claim}", style="not bold")
    if game.note:
        title.append(f"; {harmless(game.note)}", style="not bold dim")
    return title


def _step_line(step: Step, wide: int) -> Text:
    has_choice = step.text[:2] not in ("NP", "NM", "NL", "NT")
    line = Text(f"{step.number:>{wide}}  player {step.player}  {step.phase.replace('_', ' '):<20}  ")
    line.append(step.text)
    line.stylize("" if has_choice else "dim")
    return line


def _show_position(console: Console, played: ReplayedGame, number: int) -> None:
    position, total = played.position(number), len(played.steps)
    step = played.steps[number - 1] if number else None
    head = Text(f"\nAfter move {number} of {total}", style="bold")
    if step is not None:
        head.append(f": player {step.player} {step.text}", style="not bold")
    _print_line(console, head)
    who = f"Player {position.winner} won" if position.winner else f"Player {position.player} to move:"
    _print_line(console, Text(f"{who} {situation(position)}\n"))
    last = played.last_on_board(number)
    for line in board_lines(position, touched_cells(last.move) if last else ()):
        _print_line(console, line)
    for block in (standing_lines(position), stack_lines(position, console.width)):
        console.print()
        for line in block:
            _print_line(console, line)
    console.print()


def _print_line(console: Console, line: Text) -> None:
    console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _write_pictures(options: argparse.Namespace, played: ReplayedGame, number: int) -> None:
    drawn = draw(played.game.config, played.rows[number], played.last_on_board(number))
    for path, encode in ((options.svg, str.encode), (options.png, _rasterize)):
        if path is None:
            continue
        if path.exists() and path.samefile(options.file):
            raise ConfigError("holds the games and is not overwritten; choose another name", path)
        data = encode(drawn)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise ConfigError(f"cannot be written ({error.strerror}); choose another place", path) from None
        print_line(f"{path}: game {played.game.name} after move {number} of {len(played.steps)}")


def _rasterize(drawn: str) -> bytes:
    try:
        import resvg_py
    except ImportError:
        raise ConfigError(
            "resvg-py is not installed; pip install 'ringrift-swarm[picture]', or write --svg", "--png"
        ) from None
    if resvg_py.svg_to_bytes(svg_string=_LETTER) == resvg_py.svg_to_bytes(svg_string=_BLANK):
        say(f"{PROGRAM}: --png: no font was found, so words and numbers are missing; install one")
    return bytes(resvg_py.svg_to_bytes(svg_string=drawn, zoom=_PNG_ZOOM))
