"""`ringrift-node export`: a model for others, as safetensors with a model card and its certificate, and as ONNX."""

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from consensus.certificate.verification import CertificateError, VerifiedCertificate, verify
from node.cli.lines import print_line
from node.cli.progress import ProgressBar, showing_progress
from node.cli.reading import print_json
from node.config.toml import ConfigError
from node.text.formatting import measures, moment, short

_CARD = "README.md"
_CERTIFICATE = "certificate.json"
_MAX_BYTES = 4 << 20  # of a certificate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export`."""
    parser.add_argument("configuration", nargs="?", default="hex8-2", metavar="NAME", help="board and players, "
                        "such as square8-3 (default hex8-2)")  # fmt: skip
    parser.add_argument("--to", type=Path, required=True, metavar="OUT", help="the new folder to write")
    parser.add_argument("--model", metavar="DIR|DIGEST", help="folder of a model, or the beginning of its digest "
                        "(default: the newest with a certificate)")  # fmt: skip
    parser.add_argument("--data", type=Path, default=Path(), metavar="DIR", help="data folder of a node, whose models "
                        "are found there (default: this folder)")  # fmt: skip
    parser.add_argument("--onnx", action="store_true", help="also as ONNX for this configuration, held against "
                        "torch with onnxruntime (needs ringrift-swarm[work,onnx])")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was written as one JSON object")


def main(options: argparse.Namespace) -> int:
    """Write the folder, say what is in it, and return 0. Raise ConfigError."""
    from engine.config import config
    from node.play.models import find_model

    try:
        settings = config(options.configuration)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if options.to.exists():
        raise ConfigError("exists already and is not overwritten; choose another name with --to", options.to)
    with tempfile.TemporaryDirectory(prefix="ringrift-export-") as room, tempfile.TemporaryDirectory() as made:
        model = find_model(settings.name, options.data, options.model, Path(room))
        if model.directory is None:
            remedy = "name one with --model, or wait for the first promotion (ringrift-node certificates)"
            raise ConfigError(f"there is no model of {settings.name} with a certificate here; {remedy}", options.data)
        with showing_progress("reading the model", quiet=options.json) as progress:
            facts = _write(model.directory, Path(made), options, progress)
        _copy(Path(made), options.to)
    if options.json:
        print_json({"folder": str(options.to), **facts})
    else:
        print_line(f"{options.to}: {', '.join(sorted(facts['files']))}; {_CARD} says what it is and how to use it")
    return 0


def _copy(made: Path, to: Path) -> None:
    try:
        shutil.copytree(made, to)
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror or error}); choose another place with --to", to
        ) from None


def _write(model: Path, to: Path, options: argparse.Namespace, progress: ProgressBar) -> dict[str, Any]:
    """Write the files into `to`, and return what was written, for --json."""
    from training.arrays import DataError
    from training.model import CONFIG, WEIGHTS, load_model

    try:
        network = load_model(model)
    except DataError as error:
        raise ConfigError(f"is not a model that this program reads ({error}); give another --model", model) from None
    for name in (WEIGHTS, CONFIG):
        shutil.copyfile(model / name, to / name)
    if options.onnx:
        _write_onnx(network, to, options.configuration, progress)
    progress.tell("looking for its certificate")
    certificate = _find_certificate(options.data, model, (WEIGHTS, CONFIG))
    verified = None
    if certificate is not None:
        verified = verify(certificate)
        (to / _CERTIFICATE).write_bytes(certificate)
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(to.iterdir())}
    parameters = sum(parameter.numel() for parameter in network.parameters())
    facts = {"configuration": options.configuration, "architecture": network.architecture, "parameters": parameters}
    (to / _CARD).write_text(_card(facts, digests, verified), encoding="utf-8")
    return {**facts, "certified": verified is not None, "files": digests}


def _write_onnx(network: Any, to: Path, configuration: str, progress: ProgressBar) -> None:
    from engine.config import config
    from training.onnx_export import LARGEST_DIFFERENCE, difference, write_onnx

    path, settings = to / f"{configuration}.onnx", config(configuration)
    try:
        progress.tell("writing the model as ONNX")
        write_onnx(network, settings, path)
        progress.tell("comparing onnxruntime with torch")
        found = difference(network, settings, path)
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed; pip install 'ringrift-swarm[work,onnx]'", "--onnx") from None
    if found > LARGEST_DIFFERENCE:
        raise ConfigError(f"onnxruntime and torch differ by {found:g}; report this, and leave --onnx out", "--onnx")


def _find_certificate(data: Path, model: Path, names: tuple[str, ...]) -> bytes | None:
    """Return the certificate in a data folder that speaks of exactly these files; None if there is none."""
    digests = {name: hashlib.sha256((model / name).read_bytes()).digest() for name in names}
    for path in sorted((data / "certificates").glob("*.json")):
        try:
            envelope = path.read_bytes()[: _MAX_BYTES + 1]
            subjects = verify(envelope).content.subjects
        except (OSError, CertificateError):
            continue
        if all(subjects.get(name) == digest for name, digest in digests.items()):
            return envelope
    return None


def _card(facts: Mapping[str, Any], digests: Mapping[str, str], verified: VerifiedCertificate | None) -> str:
    front = {
        "library_name": "ringrift-swarm",
        "tags": ["ringrift", "board-game", "alphazero", "reinforcement-learning"],
    }
    lines = ["---", *(f"{name}: {json.dumps(value)}" for name, value in front.items()), "---", ""]
    lines += [f"# RingRift {facts['configuration']}, {facts['architecture']}", ""]
    lines += [
        "A network for the territory game RingRift, trained by self-play in a swarm of equal machines. One set of "
        "weights serves every board and number of players; this one was promoted for "
        f"{facts['configuration']}. It has {facts['parameters']:,} parameters.",
        "",
        "| file | SHA-256 |",
        "|---|---|",
        *(f"| `{name}` | `{digest}` |" for name, digest in digests.items()),
        "",
        *(_promotion(verified) if verified is not None else ["No certificate is known of this model.", ""]),
        *_use(facts, digests),
    ]
    return "\n".join(lines)


def _promotion(verified: VerifiedCertificate) -> Iterator[str]:
    content, genesis = verified.content, verified.genesis
    yield "## How it was promoted"
    yield ""
    yield f"- Promotion {content.number} of {content.configuration}, {moment(content.time)} UTC"
    points = f"{content.score} of {content.blocks * content.most} points in {content.blocks} blocks"
    yield f"- Match: {points} against model `{short(content.incumbent.hex())}`, log-likelihood ratio {content.llr}"
    yield f"- Sealed by weight {verified.sealed_weight} of {verified.roster.total_weight} of the swarm {genesis.swarm}"
    if content.measures:
        yield f"- Measured, as its trainer says: {measures(content.measures)}"
    yield ""
    yield "Check it, if you trust the swarm with this genesis:"
    yield ""
    yield f"    ringrift-node verify {_CERTIFICATE} --genesis-digest {genesis.digest.hex()} --model ."
    yield ""


def _use(facts: Mapping[str, Any], digests: Mapping[str, str]) -> Iterator[str]:
    yield "## How to use it"
    yield ""
    yield "With `pip install 'ringrift-swarm[work]'`:"
    yield ""
    yield f"    ringrift-node play {facts['configuration']} --model ."
    yield ""
    yield "```python"
    yield "from pathlib import Path"
    yield ""
    yield "from training.evaluate import NetworkEvaluator"
    yield "from training.model import load_model"
    yield ""
    yield 'evaluate = NetworkEvaluator(load_model(Path(".")))  # a callback for engine.search'
    yield "```"
    for name in digests:
        if name.endswith(".onnx"):
            yield ""
            yield f"`{name}` is the same network for {facts['configuration']} alone: inputs `planes` and `scalars` of "
            yield "`engine.features`, outputs the heads of `training.network`, any number of positions."
    yield ""
    yield "## Limits"
    yield ""
    yield "It knows nothing but this game, and plays as well as its training went: look at the ratings of its swarm."
    yield ""
