"""Both forms of the log, from our own lines and from libraries'."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from node.system.logs import configure_logs


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
