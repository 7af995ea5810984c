"""The hashgraph reproduces DAGs with known results, and `scripts/vectors` notices when it does not."""

import gzip
import json
from pathlib import Path

import pytest

from scripts import vectors

ROOT = Path(__file__).parents[3]
SELECTION = ROOT / "tests" / "data" / "vectors" / "selection.jsonl.gz"

DAGS = list(vectors.read_dags(SELECTION))
with gzip.open(SELECTION, "rt") as lines:
    FIRST = lines.readline()


@pytest.mark.parametrize("dag", DAGS, ids=lambda dag: dag.name)
def test_known_results_are_reproduced_in_every_order(dag: vectors.Dag) -> None:
    assert vectors.check(dag) == []


def test_the_selection_has_every_kind() -> None:
    assert len({dag.kind for dag in DAGS}) == 22


@pytest.mark.parametrize("what", [*vectors.RESULTS, "views"])
def test_a_wrong_expectation_is_noticed(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(FIRST)
    if what == "views":
        record["views"][-1]["order_len"] -= 1
    elif what == "decided":
        record["expect"]["decided"] += 1
    elif what == "order":
        record["expect"]["order"].reverse()
    else:
        changed = next(index for index, value in enumerate(record["expect"][what]) if value is not None)
        value = record["expect"][what][changed]
        record["expect"][what][changed] = not value if isinstance(value, bool) else value + 1
    path = tmp_path / "wrong.jsonl"
    path.write_text(json.dumps(record))
    assert vectors.main([str(path), "--orders", "1"]) == 1
    printed = capsys.readouterr().out
    assert f"first mismatch: {record['name']}" in printed
    assert "expected" in printed


def test_a_right_file_gives_its_sums_and_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(FIRST)
    assert vectors.main([str(path), "--orders", "0"]) == 0
    assert f"1 DAGs, {len(DAGS[0].events)} events, 0 mismatches" in capsys.readouterr().out


def garbled(**changes: object) -> str:
    return json.dumps(json.loads(FIRST) | changes)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "line 1: no key 'v'"),
        ("nonsense", "line 1: not a DAG"),
        (garbled(v=2), "version 2"),
        (garbled(expect={}), "`expect` lacks round"),
        (garbled(events=[[0, 0, None, [], 1]]), "not a DAG"),
        (garbled(events=[[99, 0, None, [], 1, "00" * 32]]), "creator 99"),
        (garbled(events=[[0, 0, 0, [], 1, "00" * 32]]), "not an earlier event"),
        (garbled(events=[[0, 0, None, [], 2**63, "00" * 32]]), "beyond 64 bits"),
        (garbled(events=[[0, 0, None, [], 1, "00"]]), "not 32 bytes"),
        (garbled(weights=[0, 0]), "weights"),
    ],
)
def test_an_unreadable_file_gives_one_line_and_status_2(
    text: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    assert vectors.main([str(path)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"no gzip", b"\x1f\x8b\x08\x00"])
def test_a_broken_archive_gives_one_line_and_status_2(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.jsonl.gz"
    path.write_bytes(content)
    assert vectors.main([str(path)]) == 2
    assert vectors.main([str(tmp_path / "missing.jsonl")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
