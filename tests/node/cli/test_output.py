"""Where the output of a command goes: any encoding, a reader that leaves, a full device, a closed stream."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from node.cli import main
from node.config.founding import found_swarm
from tests.node.cli.running import ask
from tests.node.fake_source import FakeSource

ROOT = Path(__file__).parents[3]
READING = ["status", "members", "work", "models", "ratings", "certificates", "proposals", "faults"]
NASTY = "\x1b[31m\u202egpj\u200b[/bold]\nanvil"
SHOWN = "\\x1b[31m\\u202egpj\\u200b[/bold]\\nanvil"


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    node = f"{sys.executable} -m node.cli"
    return subprocess.run(
        ["bash", "-c", command.replace("NODE", node)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
@pytest.mark.parametrize("is_json", [False, True])
async def test_no_encoding_stops_a_table(
    data: Path, source: FakeSource, encoding: str, is_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.values["node"]["name"] = "añvil €"
    for command in READING:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        assert await ask(command, "--data", data, *(["--json"] if is_json else [])) == 0
        shown = raw.getvalue().decode(encoding)
        if is_json:
            assert json.loads(shown) == json.loads(json.dumps(getattr(source, command)()))
        elif command == "status":
            names = {"ascii": "a\\xf1vil \\u20ac", "latin-1": "añvil \\u20ac", "cp437": "añvil \\u20ac"}
            assert shown.startswith(f"{names.get(encoding, 'añvil €')} in workshop, ready")


async def test_a_dash_is_a_hyphen_where_there_is_none(
    data: Path, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert await ask("members", "--data", data) == 0
    assert b"\\u2013" not in raw.getvalue()
    assert b" - " in raw.getvalue()


def _with_nasty_text(value: Any) -> Any:
    """Return a JSON value in which every text that is no identifier, address or word of ours is nasty."""
    if isinstance(value, dict):
        return {name: NASTY if name in NAMES else _with_nasty_text(inner) for name, inner in value.items()}
    return [_with_nasty_text(inner) for inner in value] if isinstance(value, list) else value


NAMES = {"name", "device", "version", "reason", "ready_reason", "ailment", "dissent", "outcome", "by_name", "subject"}


@pytest.mark.parametrize("command", READING)
async def test_text_of_others_is_harmless_in_tables(
    data: Path, source: FakeSource, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = _with_nasty_text(json.loads(json.dumps(getattr(source, command)())))
    monkeypatch.setattr(source, command, lambda: answer)
    assert await ask(command, "--data", data) == 0
    shown = capsys.readouterr().out
    assert not {"\x1b", "\u202e", "\u200b"} & set(shown)
    assert command in ("certificates", "ratings") or SHOWN in shown  # no words of others are in those tables
    assert await ask(command, "--data", data, "--json") == 0
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert json.loads(shown) == answer


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("answer", [None, 7, "text", [], {}, [{}], [[]], {"node": {}}, {"node": 3, "ready": []}])
async def test_an_answer_of_another_form_is_one_line(
    data: Path,
    source: FakeSource,
    command: str,
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(source, command, lambda: answer)
    status = await ask(command, "--data", data)
    output = capsys.readouterr()
    assert status == 0 or (status, output.err.count("\n")) == (2, 1)
    assert status == 0 or "is this a ringrift-node of this version?" in output.err


async def test_a_name_of_very_many_letters_is_shown(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    source.values["node"]["name"] = "x" * 100_000
    assert await ask("status", "--data", data) == 0
    assert capsys.readouterr().out.count("x") >= 100_000


def test_error_messages_are_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data", f"{tmp_path}/\x1b[2J\u202e"]) == 2
    error = capsys.readouterr().err
    assert "\\x1b[2J\\u202e" in error
    assert error.count("\n") == 1
    with pytest.raises(SystemExit):
        main(["status", "\x1b[2J"])
    assert "\\x1b[2J" in capsys.readouterr().err


REMEDY = "check this path, the free space and the permissions\n"
FULL = f"ringrift-node: standard output: No space left on device; {REMEDY}"
CLOSED = f"ringrift-node: standard output: Bad file descriptor; {REMEDY}"


@pytest.mark.parametrize(
    ("command", "status", "error"),
    [
        ("NODE --version > /dev/full", 2, FULL),
        ("NODE --version >&-", 2, CLOSED),
        ("NODE --version <&- | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("sleep 0.05; (NODE --version; echo $? >&2) | true", 0, "0\n"),
        ("NODE --help > /dev/full", 2, FULL),
        ("NODE id --help > /dev/full", 2, FULL),
        ("NODE --help | true", 0, ""),
        ("NODE id nowhere 2> /dev/full", 2, ""),
        ("NODE id nowhere 2>&-", 2, ""),
        ("NODE bogus 2>&-", 2, ""),
        ("NODE --version <&- >&- 2>&-", 2, ""),
    ],
)
def test_an_output_that_fails(command: str, status: int, error: str) -> None:
    done = shell(command)
    assert (done.returncode, done.stderr) == (status, error)


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Otherwise whatever prints, here or in a child, would write into it."""
    code = (
        "import os, sys; from node.system.streams import prepare_streams; prepare_streams()\n"
        f"file = open({str(tmp_path / 'store')!r}, 'w'); assert file.fileno() > 2, file.fileno()\n"
        "assert sys.stdin.read() == ''\n"
        "try: print('x', file=sys.stderr, flush=True)\n"
        "except OSError: pass\n"
        "else: sys.exit(3)\n"
        "os._exit(0)\n"
    )
    command = f"{sys.executable} -c '{code.replace(chr(39), chr(34))}' <&- >&- 2>&-"
    assert shell(command).returncode == 0


@pytest.mark.parametrize("environment", [{"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {}])
def test_swarms_are_founded_and_read_under_any_locale(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "schön"
    assert shell(f"NODE init {folder} --name 'Bücher – 名'", **environment).returncode == 0
    done = shell(f"NODE verify {folder}/swarm.toml --genesis {folder}/swarm.toml", **environment)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    founded = found_swarm(tmp_path / "other", ["127.0.0.1:7400"], ["hex8-2"], name="Bücher – 名").config
    assert "Bücher – 名" in founded.read_text(encoding="utf-8")
    assert "Bücher – 名" in (folder / "swarm.toml").read_text(encoding="utf-8")


async def test_very_long_names_and_odd_files(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    source.values["peers"][0]["name"] = "y" * 20_000
    assert await ask("status", "--data", data) == 0
    shown = capsys.readouterr().out
    assert shown.count("y") >= 20_000
    assert all(word in shown for word in ("last contact", "silent", "1,904"))
    for text in ('{"url": "http://a:b"}', '{"url": "http://[::1"}', '{"url": "http://a\\u0000"}', '{"url": 3}'):
        (data / "http.json").write_text(text)
        assert await ask("status", "--data", data) == 2
        assert capsys.readouterr().err.count("\n") == 1
