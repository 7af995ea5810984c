"""The dashboard and the alert rules: they use metrics that exist, with labels that exist, and sum nothing up twice."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from node.web.metrics import render_metrics
from tests.node.fake_source import FakeSource

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
DASHBOARD, ALERTS = FOLDER / "grafana-dashboard.json", FOLDER / "alerts.yaml"
_NAME = re.compile("ringrift_[a-z_]+")
PROMTOOL = shutil.which("promtool") or ""


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    drawn = [target["expr"] for panel in panels for target in panel["targets"]]
    return drawn + re.findall(r"^ +expr: '(.*)'$", ALERTS.read_text(), re.MULTILINE)


FAMILIES = list(text_string_to_metric_families(render_metrics(FakeSource().status()).decode()))
LABELS = {sample.name: set(sample.labels) for family in FAMILIES for sample in family.samples}
OF_THE_SWARM = {
    sample.name for family in FAMILIES for sample in family.samples if "max, not sum" in family.documentation
}


@pytest.mark.parametrize("expression", expressions())
def test_metrics_and_labels_exist(expression: str) -> None:
    names = _NAME.findall(expression)
    assert names or "up{" in expression
    assert not [name for name in names if name not in LABELS]
    known = set().union({"instance", "job"}, *(LABELS[name] for name in names))
    for grouped in re.findall(r"by \(([a-z, ]+)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= known, expression


@pytest.mark.parametrize("expression", expressions())
def test_what_is_of_the_swarm_is_not_summed_up(expression: str) -> None:
    for summed in re.findall(r"sum(?: by \([a-z, ]+\))? \(?(?:rate\()?(ringrift_[a-z_]+)", expression):
        assert summed not in OF_THE_SWARM


def test_each_alert_says_what_to_do() -> None:
    text = ALERTS.read_text()
    alerts = text.count("- alert: ")
    assert alerts >= 15
    assert text.count("description: '") == text.count("severity: ") == alerts


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_promtool_takes_the_rules_and_the_metrics() -> None:
    """What it has against the metrics themselves is a fault of ours: a name, a unit, a missing description."""
    subprocess.run([PROMTOOL, "check", "rules", str(ALERTS)], check=True, capture_output=True)
    metrics = render_metrics(FakeSource().status())
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=metrics, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_no_label_grows_with_time() -> None:
    """Who works at the next claim, slot or model makes no further series."""
    before = {(sample.name, tuple(sample.labels)) for family in FAMILIES for sample in family.samples}
    bounded = {"id", "member", "peer", "reason", "part", "kind", "slot", "device", "configuration", "name", "genesis"}
    assert set().union(*(labels for _, labels in before)) <= bounded | {"version", "sources", "roles", "path", "le"}
