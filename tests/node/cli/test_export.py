"""`ringrift-node export`: the files of a model, its card and its certificate; and as ONNX, held against torch."""

import json
import sys
from pathlib import Path

import pytest
import torch

from engine.config import config
from node.cli import main
from node.cli.export import _card
from training.model import load_model, save_model
from training.network import Network

Output = pytest.CaptureFixture[str]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    save_model(tmp_path / "model", Network("c4b1"))
    return tmp_path / "model"


def test_a_model_with_its_card(model: Path, tmp_path: Path, capsys: Output) -> None:
    out = tmp_path / "out"
    arguments = ["export", "square8-3", "--model", str(model), "--to", str(out), "--data", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["files"]) == {"weights.safetensors", "config.json"}
    assert (told["architecture"], told["certified"]) == ("c4b1", False)
    before, after = load_model(model).state_dict(), load_model(out).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    card = (out / "README.md").read_text()
    assert card.startswith('---\nlibrary_name: "ringrift-swarm"\n')
    assert all(digest in card for digest in told["files"].values())
    assert "ringrift-node play square8-3 --model ." in card
    assert "No certificate is known" in card
    assert main(arguments) == 2, "nothing is overwritten"
    assert "exists already" in capsys.readouterr().err


def test_a_card_says_how_it_was_promoted_and_how_to_check_that() -> None:
    from consensus.certificate.verification import verify
    from tests.node.cli.test_verify import GOOD, SWARM

    facts = {"configuration": "hex8-2", "architecture": "c4b1", "parameters": 1234}
    card = _card(facts, {"weights.safetensors": "ab" * 32, "hex8-2.onnx": "cd" * 32}, verify(GOOD))
    assert "Match: 48 of 48 points in 12 blocks" in card
    assert "Sealed by weight 3 of 4" in card
    assert f"verify certificate.json --genesis-digest {SWARM.genesis.digest.hex()} --model ." in card
    assert "`hex8-2.onnx` is the same network" in card


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["hex9-2"], "unknown configuration 'hex9-2'"),
        (["hex8-2"], "there is no model of hex8-2 with a certificate here; name one with --model"),
        (["hex8-2", "--model", "IN/empty"], "is not a model that this program reads"),
    ],
)
def test_mistakes(options: list[str], words: str, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "empty").mkdir()
    given = [option.replace("IN", str(tmp_path)) for option in options]
    assert main(["export", *given, "--to", str(tmp_path / "out"), "--data", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_the_packages_for_onnx_their_pip_line(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    arguments = ["export", "hex8-2", "--model", str(model), "--to", str(tmp_path / "out"), "--onnx"]
    assert main([*arguments, "--data", str(tmp_path)]) == 2
    assert "onnx is not installed; pip install 'ringrift-swarm[work,onnx]'" in capsys.readouterr().err


def test_an_onnx_that_computes_otherwise_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr("training.onnx_export.write_onnx", lambda *_: None)
    monkeypatch.setattr("training.onnx_export.difference", lambda *_: 0.5)
    arguments = ["export", "hex8-2", "--model", str(model), "--to", str(tmp_path / "out"), "--onnx"]
    assert main([*arguments, "--data", str(tmp_path)]) == 2
    assert "onnxruntime and torch differ by 0.5" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
def test_onnxruntime_computes_what_torch_does(model: Path, tmp_path: Path, name: str, capsys: Output) -> None:
    pytest.importorskip("onnx", reason="pip install 'ringrift-swarm[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'ringrift-swarm[onnx]'")
    from training.onnx_export import difference

    out = tmp_path / "out"
    options = ["--model", str(model), "--to", str(out), "--onnx", "--json", "--data", str(tmp_path)]
    assert main(["export", name, *options]) == 0
    assert f"{name}.onnx" in json.loads(capsys.readouterr().out)["files"]
    assert difference(load_model(out), config(name), out / f"{name}.onnx") < 1e-5
    assert difference(Network("c4b1"), config(name), out / f"{name}.onnx") > 1e-3, "of another network"
