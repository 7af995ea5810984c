"""`ringrift-node drain`: it tells the node, and returns when the node has ended or its time is over."""

import json
import threading
from pathlib import Path

import pytest

from node.cli import drain, main


class Ending:
    """A node that ends a while after it was told to, or never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bound_s: float, *, ends: bool) -> None:
        self.posts: list[tuple[str, str]] = []
        self._bound_s, self._ends, self._url = bound_s, ends, "http://127.0.0.1:8400"
        monkeypatch.setattr(drain, "find_own_node", lambda _data: (self, "token"))
        monkeypatch.setattr(drain, "read_url", lambda _data: self._url)
        monkeypatch.setattr(drain, "_LOOK_S", 0.01)
        monkeypatch.setattr(drain, "_ENDING_S", 0.1)

    @property
    def origin(self) -> str:
        return self._url

    def post(self, path: str, token: str, _request: object) -> dict[str, float]:
        self.posts.append((path, token))
        if self._ends:
            threading.Timer(0.03, lambda: setattr(self, "_url", None)).start()
        return {"bound_s": self._bound_s}


@pytest.mark.parametrize(("ends", "status", "said"), [(True, 0, "the node has ended"), (False, 1, "it has not ended")])
def test_it_waits_for_the_end(
    ends: bool, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Ending(monkeypatch, 0.1, ends=ends)
    assert main(["drain", "--data", "somewhere"]) == status
    assert node.posts == [("/drain", "token")]
    assert said in capsys.readouterr().out


def test_it_need_not_wait(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Ending(monkeypatch, 30, ends=False)
    assert main(["drain", "--data", "somewhere", "--no-wait"]) == 0
    assert "within 30 s" in capsys.readouterr().out


@pytest.mark.parametrize(("more", "ended"), [([], True), (["--no-wait"], None)])
def test_it_says_the_same_as_json(
    more: list[str], ended: bool | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Ending(monkeypatch, 0.5, ends=True)
    assert main(["drain", "--data", "somewhere", "--json", *more]) == 0
    assert json.loads(capsys.readouterr().out) == {"bound_s": 0.5, "ended": ended}


def test_no_node_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drain", "--data", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
