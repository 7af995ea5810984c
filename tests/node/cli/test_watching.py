"""`ringrift-node logs`, `top` and `debug`, against a real local server."""

import base64
import json
import tarfile
import time
from pathlib import Path

import pytest

from node.api.endpoint import write_token
from node.api.log import LogEntry
from node.cli import debug, main
from node.config.identity import create_identity
from tests.node.cli.running import ask
from tests.node.fake_source import EFFECTS, FakeSource

Output = pytest.CaptureFixture[str]


async def test_logs_shows_the_last_entries_in_words(data: Path, capsys: Output) -> None:
    assert await ask("logs", "--data", data, "-n", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2026-11-20 13:48:41  <dune>: certificate cba1c16035… is complete with 3 seals"
    assert len(lines) == 3
    assert await ask("logs", "--data", data, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(EFFECTS)


async def test_logs_shows_what_only_programs_care_about_if_asked(data: Path, capsys: Output) -> None:
    assert await ask("logs", "--data", data) == 0
    assert "beacon" not in capsys.readouterr().out
    assert await ask("logs", "--data", data, "--all") == 0
    assert "cedar: beacon claim=7 configuration=hex8-2" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "json"])
async def test_logs_follows_each_entry_once(
    data: Path, source: FakeSource, form: str, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    whole, polls = source.log(0), [0]
    seen = [5]

    def log(after: int) -> list[LogEntry]:
        return [entry for entry in whole[: seen[0]] if entry["number"] > after]

    def sleep(_seconds: float) -> None:
        polls[0] += 1
        seen[0] = len(whole)
        if polls[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(source, "log", log)
    monkeypatch.setattr(time, "sleep", sleep)
    more = ["--json"] if form == "json" else ["--all"]
    assert await ask("logs", "-f", *more, "--data", data) == 130
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(whole)
    if form == "json":
        assert [json.loads(line)["number"] for line in lines] == [entry["number"] for entry in whole]


async def test_top_is_drawn_once_where_there_is_no_terminal(data: Path, source: FakeSource, capsys: Output) -> None:
    source.values["swarm"]["quorum"] = "1 of 4 weight, 3 needed; silent: birch, cedar, <dune>"
    assert await ask("top", "--data", data) == 0
    text = capsys.readouterr().out
    for words in ("1 of 4 weight, 3 needed; silent: birch, cedar, <dune>", "round 1,187", "412 of 500", "<dune>"):
        assert words in text
    assert await ask("top", "--data", data, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"status", "members", "work"}


async def test_top_draws_anew_on_a_terminal_until_ctrl_c(
    data: Path, source: FakeSource, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    def sleep(_seconds: float) -> None:
        if source.values["consensus"]["round"] == 2222:
            raise KeyboardInterrupt
        source.values["consensus"]["round"] = 2222

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert await ask("top", "--data", data) == 0
    text = capsys.readouterr().out
    assert text.index("round 1,187") < text.index("round 2,222")


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        found = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in found.items() if file is not None}


async def test_debug_has_no_secret_in_it(data: Path, source: FakeSource, tmp_path: Path, capsys: Output) -> None:
    identity = create_identity(data.parent / "node1.key")
    token, pem = write_token(data), (data.parent / "node1.key").read_text()
    seed = identity.private.private_bytes_raw()
    forms = [
        seed,
        seed.hex().encode(),
        base64.b64encode(seed).rstrip(b"="),
        token.encode(),
        pem.splitlines()[1].encode(),
    ]
    (data / "worker.log").write_bytes(b"Traceback of a worker\n" + b"\n".join([*forms, pem.encode()]))
    source.values["node"]["device"] = f"a GPU with {token} and {seed.hex()}"
    archive = tmp_path / "bundle.tar.gz"
    assert await ask("debug", "--data", data, "--save", archive, "--json") == 0
    found = contents(archive)
    assert json.loads(capsys.readouterr().out)["file"] == str(archive)
    for name, content in found.items():
        assert not [form for form in forms if form in content], name
    assert found["ringrift-debug/data/worker.log"].startswith(b"Traceback of a worker\n[removed]")
    assert json.loads(found["ringrift-debug/node/status.json"])["swarm"]["name"] == "workshop"
    assert b"http.token 65 100600" in found["ringrift-debug/data/files.txt"]
    assert {name.rpartition("/")[2] for name in found} >= {"machine.json", "log.json", "doctor.json", "metrics.txt"}
    assert await ask("debug", "--data", data, "--save", archive) == 2, "nothing is overwritten"


def test_debug_of_a_node_that_does_not_run(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "worker.log").write_text("killed\n")
    archive = tmp_path / "bundle.tar.gz"
    assert main(["debug", "--data", str(tmp_path / "data"), "--save", str(archive)]) == 0
    found = contents(archive)
    assert found["ringrift-debug/data/worker.log"] == b"killed\n"
    assert b"no node runs with its data here" in found["ringrift-debug/no-node.txt"]


def test_the_end_of_a_long_log_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug, "_MAX_FILE_BYTES", 4)
    (tmp_path / "worker.log").write_text("123456789")
    assert dict(debug._kept(tmp_path))["data/worker.log"] == b"6789"
