"""`ringrift-node import`: games of others as a file of recorded games, or a model of others as a candidate."""

import argparse
from pathlib import Path

from node.cli.import_games import import_games
from node.cli.import_models import import_model
from node.config.toml import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `import`."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE",
        help="files with recorded games, self-play shards or matches; or one folder with a model, as export writes it",
    )  # fmt: skip
    parser.add_argument("--to", type=Path, metavar="OUT", help="games: the new file of recorded games")
    parser.add_argument(
        "--configuration", metavar="NAME", help="model: for which configuration, where the swarm plays several"
    )
    parser.add_argument(
        "--data", type=Path, default=Path(), metavar="DIR",
        help="model: data folder of the node that nominates it (default: this folder)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what became of it as one JSON object")
    parser.epilog = (
        "Every game is played again by the rules of this program. What is not legal, ends otherwise than the file "
        "says, or was there before is left out. The file is for ringrift-node replay and for tools of your own: a "
        "swarm counts only games that its members claimed, because only their seeds are known. Exit status: 1 if a "
        "game was refused. A model is checked here, handed to the node on this machine, and nominated by it without "
        "training: it becomes canonical if it wins its match, as any other candidate. Its architecture has to be one "
        "that the swarm trains there."
    )


def main(options: argparse.Namespace) -> int:
    """Import games or a model; return 0, or 1 if a game was refused. Raise ConfigError."""
    folders = [source for source in options.sources if source.is_dir()]
    if not folders:
        return import_games(options)
    if len(options.sources) > 1:
        remedy = "import one model at a time: a member has one open candidate in a configuration"
        raise ConfigError(f"is a folder, and there is more on the command line; {remedy}", folders[0])
    if options.to is not None:
        raise ConfigError("is for games, and this is the folder of a model; leave it out", "--to")
    return import_model(folders[0], options)
