"""`scripts/bench epochs` goes through epochs, and what it measures is there to read and to see."""

import json
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

MAIN = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "benches" / "epochs.py"))["main"]


def test_a_short_run_has_samples_closes_and_a_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "plot.svg"
    options = ["--members", "4", "--events", "800", "--each", "200", "--sample", "80", "--plot", str(plot), "--json"]
    assert MAIN(options) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["events"] >= 800
    assert result["epochs"] == len(result["closes"]) >= 3
    assert [close["epoch"] for close in result["closes"]] == list(range(result["epochs"]))
    assert all(close["pause_ms"] > 0 and close["snapshot_bytes"] > 0 for close in result["closes"])
    assert len(result["samples"]) >= 7
    assert all(sample["events_per_s"] > 0 and sample["rss_mb"] > 0 for sample in result["samples"])
    drawn = ElementTree.parse(plot).getroot()  # our own file
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 3
