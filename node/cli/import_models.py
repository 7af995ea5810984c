"""Import of a model: checked in this process, then nominated by the node on this machine."""

import argparse
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from node.api.nominations import NominationInfo
from node.cli.client import Client, find_own_node
from node.cli.lines import print_line
from node.cli.progress import showing_progress
from node.cli.reading import expecting_form, print_json
from node.config.toml import ConfigError
from node.text.formatting import short

_NEEDED = ("safetensors", "torch")


def import_model(folder: Path, options: argparse.Namespace) -> int:
    """Check the model in a folder and let the node nominate it; return 0. Raise ConfigError."""
    client, token = find_own_node(options.data)
    configuration = _configuration(client, options.configuration)
    with showing_progress(f"{folder}: checking the model", quiet=options.json):
        request = _checked(folder, configuration)
    with expecting_form(client, "/import"):
        nomination: NominationInfo = client.post("/import", token, request)
        if options.json:
            print_json({**nomination, "architecture": request["architecture"], "files": request["files"]})
            return 0
        model, incumbent = short(nomination["model"]), short(nomination["incumbent"])
        candidate = short(nomination["candidate"])
    print_line(f"nominated model {model} ({request['architecture']}) for {configuration} as candidate {candidate}")
    print_line(f"it becomes canonical if it wins its match against {incumbent}: ringrift-node work shows it")
    return 0


def _configuration(client: Client, wanted: str | None) -> str:
    """Return the configuration for which the model is nominated. Raise ConfigError."""
    with expecting_form(client, "/status"):
        played = sorted(client.json("/status")["canonical"])
    if wanted is None and len(played) == 1:
        return str(played[0])
    if wanted not in played:
        what = "say for which configuration" if wanted is None else f"{wanted} is not played in this swarm"
        raise ConfigError(f"{what}; write one of {', '.join(played)}", "--configuration")
    return str(wanted)


def _checked(folder: Path, configuration: str) -> dict[str, Any]:
    """Return what the node is to be told of a model that can play. Raise ConfigError."""
    from engine.config import config

    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(f"a model is checked with {missing[0]}: pip install 'ringrift-swarm[work]'", folder)
    from training.arrays import DataError
    from training.model import CONFIG, WEIGHTS, load_model
    from training.trial import answers_with_numbers

    try:
        network = load_model(folder)
        digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, WEIGHTS)}
    except DataError as error:
        remedy = "give a folder as ringrift-node export writes it"
        raise ConfigError(f"is not a model that this program reads ({error}); {remedy}", folder) from None
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error}); check the file and its permissions"
        raise ConfigError(reason, error.filename or folder) from None
    if not answers_with_numbers(network, config(configuration)):
        raise ConfigError("its answers are not finite numbers, so it cannot play; give another model", folder)
    return {
        "folder": str(folder.absolute()),
        "files": digests,
        "architecture": network.architecture,
        "configuration": configuration,
    }
