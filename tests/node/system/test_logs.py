"""Both forms of the log, from our own lines and from libraries'."""

import io
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from node.system.logs import configure_logs, finish_logs, lost_log_lines


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(*, as_json: bool) -> list[str]:
    file = io.StringIO()
    configure_logs(as_json=as_json, file=file)
    log = structlog.get_logger("node")
    log.info("running", page="http://127.0.0.1:8400", roles=["train", "match"])
    log.debug("not for people")
    log.warning("work failed", why="two words\nand a line", number=3)
    logging.getLogger("somebody").warning("libraries speak %s", "too")
    logging.getLogger("httpx").info("not every request")
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("request failed", path="/x")
    return file.getvalue().splitlines()


def test_json_is_one_object_a_line() -> None:
    lines = [json.loads(line) for line in written(as_json=True)]
    assert [line["event"] for line in lines] == ["running", "work failed", "libraries speak too", "request failed"]
    assert [line["level"] for line in lines] == ["info", "warning", "warning", "error"]
    assert lines[0]["roles"] == ["train", "match"]
    assert lines[1]["why"] == "two words\nand a line"
    assert lines[2]["logger"] == "somebody"
    assert lines[3]["exception"][0]["exc_type"] == "ValueError"
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_people_get_short_lines() -> None:
    lines = written(as_json=False)
    assert lines[0][8:] == f" {'running':<24} page=http://127.0.0.1:8400 roles=train,match"
    assert lines[1][8:] == f" {'warning: work failed':<24} why='two words\\nand a line' number=3"
    assert lines[2][8:].startswith(" warning: libraries speak too")
    assert lines[3][8:].startswith(" error: request failed")
    assert lines[-1] == "ValueError: broken"


def logger_to(stream: TextIO | None, monkeypatch: pytest.MonkeyPatch) -> structlog.stdlib.BoundLogger:
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(as_json=False)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger("node")
    return logger


def test_text_of_others_is_harmless_in_lines_for_people() -> None:
    file = io.StringIO()
    configure_logs(as_json=False, file=file)
    nasty = "\x1b[2J\u202e\u200b\n14:00:00 forged"
    structlog.get_logger("node").warning("refused", reason=nasty, names=[nasty, "x"])
    logging.getLogger("somebody").warning("heard %s", nasty)
    try:
        raise ValueError(nasty)
    except ValueError:
        structlog.get_logger("node").exception("request failed")
    text = file.getvalue()
    assert not {"\x1b", "\u202e", "\u200b"} & set(text)
    assert text.count("\\x1b[2J\\u202e\\u200b") == 4
    lines = text.splitlines()
    assert [line[9:24] for line in lines[:3]] == ["warning: refuse", "warning: heard ", "error: request "]


def test_a_reader_that_leaves_costs_lines_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    log = logger_to(stream, monkeypatch)
    log.info("first")
    assert os.read(reading, 100).endswith(b" first\n")
    os.close(reading)
    log.info("second")
    logging.getLogger("somebody").warning("third")
    assert lost_log_lines() == 2
    stream.close()


def test_the_next_line_that_is_written_tells_how_many_were_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = (tmp_path / "log").open("w")
    log, full = logger_to(stream, monkeypatch), os.open("/dev/full", os.O_WRONLY)
    own = os.dup(stream.fileno())
    os.dup2(full, stream.fileno())
    log.info("first")
    log.info("second")
    os.dup2(own, stream.fileno())
    log.info("third")
    log.info("fourth")
    third, fourth = (tmp_path / "log").read_text().splitlines()
    assert third.endswith("lost_lines=2")
    assert fourth.endswith("fourth")
    assert lost_log_lines() == 2
    os.close(full)
    os.close(own)
    stream.close()


@pytest.mark.parametrize("what", ["None", "closed", "only for reading", "not open"])
def test_no_stream_costs_lines_and_nothing_else(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream: TextIO | None = None
    if what == "closed":
        stream = (tmp_path / "log").open("w")
        stream.close()
    elif what == "only for reading":
        stream = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w", closefd=False)
    elif what == "not open":
        stream = os.fdopen(os.dup(1), "w", closefd=False)
        os.close(stream.fileno())
    log = logger_to(stream, monkeypatch)
    log.info("first")
    log.warning("second")
    finish_logs()
    assert lost_log_lines() == 2
    if what == "only for reading":
        assert stream is not None
        os.close(stream.fileno())


def test_a_reader_that_does_not_read_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    log = logger_to(stream, monkeypatch)
    for number in range(100):
        log.info("line", number=number, text="x" * 10_000)
    lost = lost_log_lines()
    assert 0 < lost < 100
    seen = b""
    while seen.count(b"\n") < 100 - lost:
        seen += os.read(reading, 1 << 20)
        finish_logs()
    numbers = [int(line.split(b"number=")[1].split()[0]) for line in seen.splitlines()]
    assert numbers == list(range(100 - lost)), "lines are lost whole, the newest ones"
    os.close(reading)
    stream.close()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_encoding_stops_a_line(encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "log").open("w", encoding=encoding) as stream:
        logger_to(stream, monkeypatch).info("node", name="名 – ü")
    text = (tmp_path / "log").read_text(encoding=encoding)
    assert "\\u540d - " in text
    assert lost_log_lines() == 0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_same_line_passes_a_few_times_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, file = Clock(), io.StringIO()
    monkeypatch.setattr(time, "monotonic", clock)
    configure_logs(as_json=False, file=file)
    log = structlog.get_logger("node")
    for _ in range(300):
        log.warning("refused", peer="x")
        clock.now += 0.01
    assert file.getvalue().count("refused") == 5
    log.warning("refused", peer="y")
    assert file.getvalue().count("peer=y") == 1, "another line is not the same"
    clock.now += 60
    log.info("epoch")
    log.warning("refused", peer="x")
    told, epoch, again = file.getvalue().splitlines()[-3:]
    assert told.split()[1:] == ["warning:", "lines", "left", "out", "like=refused", "count=295"]
    assert "epoch" in epoch
    assert again.endswith("peer=x")


def test_lines_of_one_kind_are_limited_too_and_more_so_with_a_traceback() -> None:
    file = io.StringIO()
    configure_logs(as_json=False, file=file)
    log = structlog.get_logger("node")
    for number in range(1000):
        log.warning("a peer misbehaves", number=number)
    for number in range(100):
        try:
            raise ValueError(number)
        except ValueError:
            log.exception("connection failed")
    lines = file.getvalue().splitlines()
    assert sum("misbehaves" in line for line in lines) == 120
    assert lines.count("Traceback (most recent call last):") == 10
    finish_logs()
    assert "like='a peer misbehaves' count=880" in file.getvalue()
    assert "like='connection failed' count=90" in file.getvalue()


@pytest.mark.parametrize("as_json", [False, True])
def test_too_many_connections_are_one_line_without_traceback(as_json: bool) -> None:
    """trio has its own logger for what accept(2) says when the process has too many descriptors."""
    file = io.StringIO()
    configure_logs(as_json=as_json, file=file)
    for _ in range(1000):
        try:
            raise OSError(24, "Too many open files")
        except OSError:
            logging.getLogger("trio.serve_listeners").error("accept returned %s", "EMFILE", exc_info=True)
    finish_logs()
    assert len(file.getvalue().splitlines()) == 6
    assert "Traceback" not in file.getvalue()
    assert "exc_type" not in file.getvalue()
    assert "995" in file.getvalue().splitlines()[-1]
