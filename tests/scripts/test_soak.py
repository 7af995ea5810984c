"""`scripts/soak`: its swarm, what it samples and checks, its picture; and, slowly, a soak of real processes."""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from node.config.founding import found_swarm
from node.config.swarm_file import load_config
from scripts.soaking import checks
from scripts.soaking.chart import draw_soak, tick_step
from scripts.soaking.checks import Digests, Findings, check_claims, check_growth, check_sizes, check_status
from scripts.soaking.machine import LogReader, disk_of, ledger_bytes_of, memory_of
from scripts.soaking.records import FILE_NAME, Recorder
from scripts.soaking.samples import metric_values, ratings_of, read_records
from scripts.soaking.swarm import CONFIGURATIONS, SETTINGS, SoakError, commands, edit_settings

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
MIB = 1 << 20


def test_the_swarm_is_a_new_one_with_other_settings_in_its_file(tmp_path: Path) -> None:
    founded = found_swarm(tmp_path, ["127.0.0.1:7400"], list(CONFIGURATIONS))
    before = founded.config.read_text()
    founded.config.write_text(edit_settings(before, SETTINGS))
    settings = load_config(founded.config).genesis.settings
    assert settings.steering.rules == 1
    table = tomllib.loads(founded.config.read_text())["settings"]
    for name, value in SETTINGS.items():
        section, _, key = name.partition(".")
        assert table[section][key] == json.loads(value)
    assert "# games of one claim" in founded.config.read_text(), "the comments stay"
    assert settings.match.p1 == load_config(founded.config).genesis.settings.match.p1
    (command,) = commands(founded.config, ["selfplay,match"])
    assert command.arguments[-2:] == ("--roles", "selfplay,match")


def test_a_setting_that_the_file_lacks_is_refused() -> None:
    with pytest.raises(SoakError, match=r"no setting selfplay\.gamse;"):
        edit_settings("[settings.selfplay]\ngames = 3  # many\n", {"selfplay.gamse": "4"})
    edited = edit_settings("[settings.selfplay]\ngames = 3  # many\n[settings.x]\ngames = 5\n", {"selfplay.games": "4"})
    assert edited == "[settings.selfplay]\ngames = 4                   # many\n[settings.x]\ngames = 5\n"


def test_different_ledgers_at_one_round_are_found() -> None:
    digests = Digests()
    assert digests.observe("node1", 7, "aa") is None
    assert digests.observe("node1", 7, "aa") is None
    assert digests.compared == 0
    assert digests.observe("node2", 7, "aa") is None
    assert digests.compared == 1
    assert digests.observe("node3", 7, "bb") == "round 7: node3 has bb, node1 aa, node2 aa"
    assert digests.observe("node1", 8, "cc") is None
    assert digests.observe("node1", 8, "dd") == "round 8: node1 has dd, node1 cc"


def status(**other: Any) -> dict[str, Any]:
    well: dict[str, Any] = {
        "consensus": {"dissent": "", "forkers": []},
        "failures": [],
        "counts": {"wrong_results": 0},
        "conduct": [{"name": "node1", "equivocated": None, "wrong_results": 0}],
        "blobs": {"damaged": 0},
        "node": {"lost_log_lines": 0},
    }
    return {**well, **other}


def test_what_a_node_says_of_itself_is_checked() -> None:
    assert not list(check_status(status()))
    broken = {
        "dissent": status(consensus={"dissent": "differs", "forkers": []}),
        "forkers": status(consensus={"dissent": "", "forkers": ["a"]}),
        "failure of gossip": status(failures=[{"part": "gossip", "reason": "KeyError"}]),
        "wrong results": status(counts={"wrong_results": 1}),
        "conduct of node2": status(conduct=[{"name": "node2", "equivocated": 3, "wrong_results": 0}]),
        "damaged blobs": status(blobs={"damaged": 1}),
        "lost log lines": status(node={"lost_log_lines": 2}),
    }
    for check, said in broken.items():
        assert [name for name, _ in check_status(said)] == [check]


def test_claims_end_with_their_leases() -> None:
    def found(age_s: float, lease_s: float) -> list[str]:
        claim = {"subject": "hex8-2", "name": "node1", "age_s": age_s, "lease_s": lease_s}
        return [name for name, _ in check_claims({"claims": [claim]}, 120, 3600)]

    assert found(100, 100) == []
    assert found(3700, 100) == ["claim too old"]
    assert found(100, -90) == ["lease"]
    assert found(100, 900) == ["lease"]


def sample(at_s: float, node_mib: float | None, promotions: int = 0, **rating: float) -> dict[str, Any]:
    node: dict[str, Any] = {"data_bytes": 5 * MIB}
    if node_mib is not None:
        node |= {"node_bytes": int(node_mib * MIB), "workers_bytes": 300 * MIB}
    shown = {"rating": rating["rating"], "error": rating["error"]} if rating else None
    configurations = {"hex8-2": {"promotions": promotions, "rating": shown}}
    return {"kind": "sample", "at_s": at_s, "nodes": {"node1": node}, "configurations": configurations}


def test_sizes_are_bounded_and_growth_is_found() -> None:
    assert not list(check_sizes({"node_bytes": 90 * MIB, "ledger_bytes": None}))
    (found,) = check_sizes({"node_bytes": checks.NODE_MAX_BYTES + MIB})
    assert found[0] == "node bytes"
    steady = [sample(number * 30, 60 + 40 * (number % 20) / 20) for number in range(100)]
    assert not list(check_growth(steady))
    growing = [sample(number * 30, 60 + 2 * number) for number in range(100)]
    assert [check for _, check, _ in check_growth(growing)] == ["growth of node bytes"]
    assert not list(check_growth(growing[:50])), "too few to tell"


def test_a_finding_is_told_once_and_counted() -> None:
    findings = Findings()
    assert findings.add(1.0, "ready", "node1", "not ready after 61 s")
    assert not findings.add(2.0, "ready", "node1", "not ready after 62 s")
    assert findings.add(3.0, "ready", "node2", "not ready after 61 s")
    first, second = findings.as_json()
    assert (first["count"], first["first_s"], first["last_s"], first["text"]) == (2, 1.0, 2.0, "not ready after 61 s")
    assert second["subject"] == "node2"


def test_whole_lines_of_a_log_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    reader = LogReader(path)
    reader.read_on()
    path.write_text('{"level": "info", "event": "running"}\n{"level": "warning", "ev')
    reader.read_on()
    assert reader.odd == []
    with path.open("a") as file:
        file.write('ent": "work failed"}\nTraceback\n')
    reader.read_on()
    reader.read_on()
    assert dict(reader.lines) == {
        ("info", "running"): 1,
        ("warning", "work failed"): 1,
        ("critical", "a line of no log"): 1,
    }
    assert reader.odd == ['{"level": "warning", "event": "work failed"}', "Traceback"]


@contextmanager
def session() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a session, and has a child."""
    words = ["sh", "-c", "(echo; exec sleep 60) & wait"]  # the child is there when it says so
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            os.killpg(process.pid, 9)


def test_memory_is_that_of_a_session_with_its_leader_apart() -> None:
    with session() as process:
        memory = memory_of(process.pid)
        assert memory.processes == 2
        assert 0 < memory.node_bytes < 64 * MIB
        assert 0 < memory.workers_bytes < 64 * MIB
    assert memory_of(process.pid).processes == 0


def test_disk_is_told_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "blobs" / "ab").mkdir(parents=True)
    (tmp_path / "blobs" / "ab" / "abcd").write_bytes(bytes(1000))
    (tmp_path / "events.sqlite-wal").write_bytes(bytes(100))
    (tmp_path / "node.log").write_bytes(bytes(10))
    (tmp_path / "token").write_bytes(bytes(1))
    assert disk_of(tmp_path) == {"data_bytes": 1111, "events_bytes": 100, "blobs_bytes": 1000, "log_bytes": 10}
    assert ledger_bytes_of(tmp_path) is None


def test_the_canonical_model_is_rated_by_the_settings_with_most_blocks() -> None:
    def entry(**other: Any) -> dict[str, Any]:
        usual = {"configuration": "hex8-2", "canonical": True, "player": "search", "simulations": 8}
        return {**usual, "number": 3, "rating": 1600.0, "error": 30.0, "stalled": False, "weaker": False, **other}

    entries = [
        entry(blocks=8, rating=1500.0),
        entry(blocks=32),
        entry(blocks=64, player="policy"),
        entry(blocks=64, canonical=False),
    ]
    assert ratings_of(entries)["hex8-2"]["rating"] == 1600.0
    assert ratings_of([]) == {}


def test_metrics_are_lines_of_a_name_and_a_number() -> None:
    assert list(metric_values('# HELP a b\na{b="c d"} 3.5\n\n')) == [('a{b="c d"}', 3.5)]
    with pytest.raises(ValueError, match="'broken' is not a metric"):
        list(metric_values("broken\n"))


def test_records_go_on_after_an_interruption(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    path = tmp_path / FILE_NAME
    recorder = Recorder(path, told.append)
    recorder.write("run", nodes=["node1"])
    recorder.write("sample", nodes={})
    recorder.close()
    with path.open("a") as file:
        file.write('{"kind": "sam')
    again = Recorder(path, told.append)
    again.write("sample", nodes={})
    again.close()
    assert [record["kind"] for record in read_records(path)] == ["run", "sample", "sample"]
    assert len(again.samples) == 2
    times = [record["at_s"] for record in read_records(path)]
    assert times == sorted(times)
    assert told == read_records(path)


def records() -> list[dict[str, Any]]:
    return [
        {"kind": "run", "at_s": 0.0, "nodes": ["node1"]},
        {"kind": "sample", "at_s": 30.0, "nodes": {"node1": {"data_bytes": 1}}},
        sample(60.0, 80.0),
        {"kind": "kill", "at_s": 70.0, "node": "node1", "pause_s": 60.0},
        sample(90.0, None, 1),
        {"kind": "decided", "at_s": 100.0, "setting": "selfplay.games", "value": "96"},
        sample(120.0, 90.0, 2, rating=1600.0, error=50.0),
        sample(150.0, 95.0, 2, rating=1650.0, error=40.0),
    ]


def test_the_picture_shows_each_line_with_its_gaps_and_marks() -> None:
    picture = ElementTree.fromstring(draw_soak(records()))
    kinds = [line.attrib["class"] for line in picture.iter(f"{SVG}polyline")]
    assert len(kinds) == 7, "promotions, rating, disk; memory of node and workers, each before and after the kill"
    (band,) = picture.iter(f"{SVG}polygon")
    assert band.attrib["class"] == "band c0"
    marks = [line.attrib["class"] for line in picture.iter(f"{SVG}line")]
    assert (marks.count("kill"), marks.count("ballot")) == (1, 1)
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"hex8-2", "node1", "ballot", "promotions", "disk, MiB"} <= set(texts)


def test_the_picture_of_a_soak_that_just_began_can_be_drawn() -> None:
    ElementTree.fromstring(draw_soak([]))
    ElementTree.fromstring(draw_soak(records()[:2]))


def test_ticks_are_round() -> None:
    assert [tick_step(extent, 4) for extent in (0.5, 4, 5, 23, 100, 1700)] == [1, 1, 2, 10, 50, 500]


def soak(*arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "scripts.soak", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def test_wrong_options_are_refused_with_one_line(tmp_path: Path) -> None:
    refused = soak("--hours", "0", timeout_s=60)
    assert refused.returncode == 2
    assert "--hours: 0: give a number above 0" in refused.stderr
    refused = soak("--keep", str(tmp_path), "--configurations", "hex9-2", timeout_s=60)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_short_soak_with_a_kill_and_a_ballot(tmp_path: Path) -> None:
    """All checks hold in three minutes, and what it leaves is as its page says."""
    minutes = ["--hours", "0.055", "--kill-every", "0.7", "--keep", str(tmp_path), "--json", "--promotions", "0"]
    small = ["selfplay.random_games=256", "training.first_steps=60", "training.measured_blocks=1", "training.steps=60"]
    less = ["--set", *small, "match.slot_blocks=4", "match.block_limit=16", "--configurations", "hex8-2", "square8-2"]
    done = soak(*minutes, *less, "--ready", "180", timeout_s=600)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, summary["findings"]
    assert summary["ok"]
    assert summary["kills"] >= 1
    assert summary["ballot"]["version"] == 1
    assert summary["rounds_compared"] > 0
    assert summary["verified"] == summary["certificates"] == summary["counts"]["certificates"]
    kinds = {record["kind"] for record in read_records(tmp_path / FILE_NAME)}
    assert {"run", "start", "ready", "kill", "sample", "ballot", "decided", "summary"} <= kinds
    ElementTree.parse(tmp_path / "soak.svg")
