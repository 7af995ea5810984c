"""`ringrift-node play`: plays a game against a model in the terminal; no node has to run."""

import argparse
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Timer

from node.cli.lines import say
from node.config.toml import ConfigError

_PATIENCE_S = 2.0  # before a person is told what is waited for

_EPILOG = """\
Moves are typed as coordinates: "0,0 2" places two rings on 0,0, "0,0 2,0" moves or captures. "help" lists what else
can be typed. Without --model it is the newest model with a certificate in the data folder, else a built-in heuristic.
Equal seeds, models and answers give equal games.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `play`."""
    parser.add_argument("configuration", nargs="?", default="hex8-2", metavar="NAME", help="board and players, "
                        "such as square8-3 (default hex8-2)")  # fmt: skip
    parser.add_argument("--model", metavar="DIR|DIGEST", help="folder of a model, or the beginning of its digest")
    parser.add_argument("--data", type=Path, default=Path(), metavar="DIR", help="data folder of a node, whose models "
                        "are found there (default: this folder)")  # fmt: skip
    parser.add_argument("--seat", type=int, action="append", metavar="N", help="the player you are (default 1; "
                        "may be repeated; 0: you watch)")  # fmt: skip
    parser.add_argument("--strength", default="64", metavar="N", help="simulations of the model for a move: 16, 64 "
                        "or 400, or policy for none (default 64)")  # fmt: skip
    parser.add_argument("--seed", metavar="TEXT", help="what all chance comes from (default: drawn)")
    parser.add_argument("--json", action="store_true", help="for programs: each position, and what is said, as one "
                        "JSON object per line; what is typed stays the same")  # fmt: skip
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def main(options: argparse.Namespace) -> int:
    """Play one game; return 0. Raise ConfigError for a mistake in the options."""
    from engine.config import config
    from node.play.minds import MindError, check_installed, load_mind
    from node.play.strengths import STRENGTHS

    try:
        settings = config(options.configuration)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if options.strength not in STRENGTHS:
        raise ConfigError(f'must be one of {", ".join(STRENGTHS)}, not "{options.strength}"', "--strength")
    persons = _persons(options.seat, settings.players)
    seed = options.seed or secrets.token_hex(4)
    try:
        check_installed()
        with tempfile.TemporaryDirectory(prefix="ringrift-play-") as room:
            from node.cli.play.dialogue import Dialogue
            from node.cli.tables import open_console
            from node.play.game import PlayedGame
            from node.play.models import find_model

            model = find_model(settings.name, options.data, options.model, Path(room))
            mind = load_mind(model.directory)
    except MindError as error:
        raise ConfigError(str(error)) from None
    dialogue = Dialogue(
        console=open_console(),
        game=PlayedGame(settings),
        persons=persons,
        mind=mind,
        model=model.name,
        strength=options.strength,
        seed=seed,
        as_json=options.json,
    )
    with telling_what_takes_long():
        dialogue.run()
    return 0


@contextmanager
def telling_what_takes_long(patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """Say once on standard error that the rules are compiled, if that takes longer than `patience_s`."""
    from engine.backend.compiling import observing_compiling

    timers: list[Timer] = []

    def tell() -> None:
        say("The rules are compiled for this machine, which takes a minute, and happens once.")
        has_told.set()

    def observe(module: str) -> None:
        while timers:
            timers.pop().cancel()
        if module and not has_told.is_set():
            timers.append(Timer(patience_s, tell))
            timers[-1].start()

    has_told = Event()
    with observing_compiling(observe):
        try:
            yield
        finally:
            observe("")


def _persons(seats: list[int] | None, players: int) -> frozenset[int]:
    """Return the players that are persons. Raise ConfigError for a seat that is none."""
    for seat in seats or ():
        if not 0 <= seat <= players:
            raise ConfigError(f"must be 1 to {players}, or 0 to watch, not {seat}", "--seat")
    return frozenset(seats or (1,)) - {0}
