"""Who can make a node act: the commands of its own user, but neither other users nor web pages."""

import json
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from node.api.drains import DrainInfo
from node.api.endpoint import TOKEN_HEADER, read_token, read_url
from node.api.nominations import NominationInfo
from node.api.proposals import ProposalInfo, ProposalState
from node.cli import main
from node.config.address import Address
from node.membership.governance import GovernanceError
from node.web.server import serve_local
from tests.node.fake_source import FakeSource, digest

GOOD = {"content-type": "application/json", "host": "127.0.0.1"}


NOMINATION: NominationInfo = {
    "candidate": "ca" * 32, "configuration": "hex8-2", "model": "ab" * 32, "incumbent": "cd" * 32,
}  # fmt: skip


class FakeActions:
    """Accepts every request unless there is a `complaint`, and keeps it."""

    def __init__(self, source: FakeSource) -> None:
        self.source = source
        self.requests: list[Mapping[str, Any]] = []
        self.votes: list[tuple[str, bool]] = []
        self.nominated: list[tuple[str, str | None]] = []
        self.imported: list[Mapping[str, Any]] = []
        self.drained = 0
        self.complaint: GovernanceError | Exception | None = None

    async def propose(self, request: Mapping[str, Any]) -> ProposalInfo:
        if self.complaint is not None:
            raise self.complaint
        self.requests.append(request)
        return self.source.proposals()[0]

    async def vote(self, beginning: str, *, approve: bool) -> ProposalInfo:
        self.votes.append((beginning, approve))
        return self.source.proposals()[0]

    async def nominate(self, beginning: str, configuration: str | None) -> NominationInfo:
        if self.complaint is not None:
            raise self.complaint
        self.nominated.append((beginning, configuration))
        return NOMINATION

    async def import_model(self, request: Mapping[str, Any]) -> NominationInfo:
        if self.complaint is not None:
            raise self.complaint
        self.imported.append(request)
        return NOMINATION

    async def drain(self) -> DrainInfo:
        self.drained += 1
        return {"bound_s": 30}


@pytest.fixture
def actions(source: FakeSource) -> FakeActions:
    return FakeActions(source)


@pytest.fixture
async def data(source: FakeSource, actions: FakeActions, tmp_path: Path) -> AsyncIterator[Path]:
    """The data folder of a node that runs."""
    folder = tmp_path / "node1"
    folder.mkdir()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_local, source, Address("127.0.0.1", 0), folder, actions)
        yield folder
        nursery.cancel_scope.cancel()


async def post(data: Path, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    url = read_url(data)
    assert url is not None
    port = int(url.rpartition(":")[2])
    given = {**GOOD, TOKEN_HEADER: read_token(data), "content-length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(f"POST {path} HTTP/1.1\r\nconnection: close\r\n{head}\r\n".encode() + body)
        answer = b"".join([part async for part in stream])
    first, _, rest = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(rest)


async def test_with_the_token_a_node_acts(data: Path, actions: FakeActions) -> None:
    wish = {"change": "leave", "member": "cedar", "reason": "so"}
    assert await post(data, "/propose", json.dumps(wish).encode()) == (200, actions.source.proposals()[0])
    assert actions.requests == [wish]
    assert (await post(data, "/vote", b'{"proposal": "ab", "approve": false}'))[0] == 200
    assert actions.votes == [("ab", False)]


@pytest.mark.parametrize(
    ("headers", "status", "complaint"),
    [
        ({"x_ringrift_token": ""}, 403, "the token is missing"),
        ({"x_ringrift_token": "0" * 64}, 403, "another node's"),
        ({"x_ringrift_token": "ä"}, 403, "another node's"),
        ({"host": "evil.example"}, 400, "its own address only"),
        ({"host": "evil.example:8400"}, 400, "its own address only"),
        ({"origin": "http://127.0.0.1:8400"}, 403, "does not act for web pages"),
        ({"origin": "null"}, 403, "does not act for web pages"),
        ({"sec_fetch_site": "same-origin"}, 403, "does not act for web pages"),
        ({"content_type": "text/plain"}, 415, "application/json"),
    ],
)
async def test_others_cannot_make_it_act(
    data: Path, actions: FakeActions, headers: dict[str, str], status: int, complaint: str
) -> None:
    answer = await post(data, "/propose", b'{"change": "leave"}', **headers)
    assert answer[0] == status
    assert complaint in answer[1]["error"]
    assert not actions.requests


async def test_text_that_no_answer_can_repeat_ends_no_node(data: Path, actions: FakeActions) -> None:
    """A byte that is not UTF-8 on the command line reaches the node as a lone surrogate, which it refuses."""
    actions.complaint = GovernanceError(404, 'no member has the name "\udcff"')
    wish = json.dumps({"change": "leave", "member": "\udcff"}).encode()
    assert await post(data, "/propose", wish) == (404, {"error": 'no member has the name "\\udcff"'})
    actions.complaint = None
    assert (await post(data, "/propose", b'{"change": "leave"}'))[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/propose", b"", 400), ("/propose", b"[]", 400), ("/propose", b"\xff", 400), ("/propose", b"[" * 9999, 400),
        ("/vote", b"{}", 400), ("/vote", b'{"proposal": 3, "approve": true}', 400),
        ("/vote", b'{"proposal": "a", "approve": 1}', 400), ("/status", b"{}", 404), ("/", b"{}", 404),
    ],
)  # fmt: skip
async def test_bad_requests_have_one_reason(
    data: Path, actions: FakeActions, path: str, body: bytes, status: int
) -> None:
    answer = await post(data, path, body)
    assert answer[0] == status
    assert "\n" not in answer[1]["error"]
    assert not actions.requests + actions.votes


async def test_a_mistake_of_ours_does_not_end_the_node(
    data: Path, actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.complaint = KeyError("oops")
    assert (await post(data, "/propose", b"{}"))[0] == 500
    assert "KeyError" in capsys.readouterr().out
    actions.complaint = None
    assert (await post(data, "/propose", b"{}"))[0] == 200


async def test_reading_needs_no_token_and_changes_nothing(source: FakeSource, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path)
        assert not (tmp_path / "http.token").exists()
        nursery.cancel_scope.cancel()


async def test_the_token_is_for_the_node_s_user_alone(source: FakeSource, actions: FakeActions, tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path, actions)
            assert stat.S_IMODE((tmp_path / "http.token").stat().st_mode) == 0o600
            tokens.append(read_token(tmp_path))
            nursery.cancel_scope.cancel()
        assert not (tmp_path / "http.token").exists()
    assert len(set(tokens)) == 2
    assert all(len(token) == 64 for token in tokens)


# The commands.


async def run(*arguments: str | Path) -> int:
    return await trio.to_thread.run_sync(main, [str(argument) for argument in arguments])


async def test_propose_says_what_will_happen(
    data: Path, actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("propose", "leave", "cedar", "--reason", "its disk fails", "--data", data) == 0
    assert actions.requests == [{"change": "leave", "member": "cedar", "reason": "its disk fails"}]
    name = digest("proposal 1")[:10]
    assert capsys.readouterr().out == (
        f"proposed {name}: cedar leaves\n"
        "1 for it so far; 3 of weight 4 decide (more than 2/3), then this epoch closes and the next begins with the "
        "change\n"
        f"the others vote with: ringrift-node vote {name} yes --data DIR\n"
    )


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (["join", "abc", "--address", "b:1"], {"change": "join", "member": "abc", "address": "b:1", "weight": 1}),
        (["join", "abc", "--address", "b:1", "--weight", "3"],
         {"change": "join", "member": "abc", "address": "b:1", "weight": 3}),
        (["weight", "anvil", "0"], {"change": "weight", "member": "anvil", "weight": 0}),
        (["key", "anvil", "abc"], {"change": "key", "member": "anvil", "key": "abc"}),
        (["address", "anvil", "b:1"], {"change": "address", "member": "anvil", "address": "b:1"}),
        (["set", "selfplay.games", "64"], {"change": "set", "setting": "selfplay.games", "value": "64"}),
        (["set", "match.p1", "3/5", "--configuration", "hex8-2"],
         {"change": "set", "setting": "match.p1", "value": "3/5", "configuration": "hex8-2"}),
        (["set", "match.p1", "--configuration", "hex8-2"],
         {"change": "set", "setting": "match.p1", "configuration": "hex8-2"}),
        (["add", "hexagonal-3"], {"change": "add", "configuration": "hexagonal-3"}),
    ],
)  # fmt: skip
async def test_every_change_can_be_typed(
    data: Path, actions: FakeActions, words: list[str], wish: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("propose", *words, "--reason", "so", "--data", data, "--json") == 0
    assert actions.requests == [{**wish, "reason": "so"}]
    assert json.loads(capsys.readouterr().out) == actions.source.proposals()[0]


@pytest.mark.parametrize("change", ["pause", "resume"])
async def test_a_pause_and_its_end_can_be_typed(
    data: Path, actions: FakeActions, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(change, "--reason", "so", "--data", data) == 0
    assert await run(change, "--work", "train", "--configuration", "hex8-2", "--reason", "so", "--data", data) == 0
    whole = {"change": change, "reason": "so"}
    assert actions.requests == [whole, {**whole, "work": "train", "configuration": "hex8-2"}]
    assert capsys.readouterr().out


async def test_vote(data: Path, actions: FakeActions, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("vote", "ab12", "no", "--data", data) == 0
    assert await run("vote", "ab12", "yes", "--data", data) == 0
    assert actions.votes == [("ab12", False), ("ab12", True)]
    assert "voted no on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [("in force", 0, "in force: epoch 2, roster version 2, 4 members"), ("dropped", 1, "dropped: too late")],
)
async def test_wait_returns_when_it_is_decided(
    data: Path, source: FakeSource, state: ProposalState, status: int, words: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("node.cli.acting._POLL_S", 0.01)
    before, looks = source.proposals(), 0

    def proposals() -> list[ProposalInfo]:
        nonlocal looks
        looks += 1
        states: dict[int, ProposalState] = {2: "open", 4: "approved", 5: state}
        if looks not in states and looks != 1:
            return []
        return [{**before[0], "state": states.get(looks, "sent"), "outcome": "too late"}]

    monkeypatch.setattr(source, "proposals", proposals)
    assert await run("vote", "ab", "yes", "--data", data, "--wait") == status
    assert capsys.readouterr().out.splitlines()[-1] == words


async def test_waiting_ends_where_nobody_decides(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A swarm without a quorum decides nothing."""
    monkeypatch.setattr("node.cli.acting._POLL_S", 0.01)
    answer: list[ProposalInfo] = [{**source.proposals()[0], "state": "open"}]
    monkeypatch.setattr(source, "proposals", lambda: answer)
    assert await run("vote", "ab", "yes", "--data", data, "--wait", "--wait-limit", "0.05") == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("still open; ringrift-node proposals shows")


async def test_a_node_that_leaves_does_not_tell_of_an_epoch_that_it_is_not_in(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    me = source.values["node"]["id"]
    answer: ProposalInfo = {**source.proposals()[0], "change": "leave", "member": me, "state": "in force"}
    monkeypatch.setattr(source, "proposals", lambda: [answer])
    assert await run("propose", "leave", "anvil", "--reason", "so", "--data", data, "--wait") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "in force: this node's key is no longer a member's"


async def test_a_proposal_that_a_restart_forgot(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.cli.acting._POLL_S", 0.001)
    answers = iter([source.proposals()])
    monkeypatch.setattr(source, "proposals", lambda: next(answers, []))
    assert await run("vote", "ab", "yes", "--data", data, "--wait") == 2
    assert "does not know proposal" in capsys.readouterr().err


async def test_the_node_s_reason_is_the_command_s(
    data: Path, actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.complaint = GovernanceError(409, "that is how it is already; look")
    assert await run("propose", "leave", "cedar", "--reason", "x", "--data", data) == 2
    assert capsys.readouterr().err == "ringrift-node: that is how it is already; look\n"


async def test_where_no_node_runs(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("vote", "ab", "yes", "--data", tmp_path / "none") == 2
    assert "no node runs with its data here; start one with ringrift-node run" in capsys.readouterr().err
    note, token = (data / "http.json").read_text(), (data / "http.token").read_text()
    (data / "http.token").unlink()
    assert await run("vote", "ab", "yes", "--data", data) == 2
    assert "the node's token cannot be read (No such file or directory); run this as the user who runs the node" in (
        capsys.readouterr().err
    )
    (data / "http.token").write_text("0" * 64)
    assert await run("vote", "ab", "yes", "--data", data) == 2
    assert "the token is missing, or another node's; say which node acts with --data DIR" in (capsys.readouterr().err)
    (data / "http.token").write_text(token)
    other = tmp_path / "node2"
    other.mkdir()
    (other / "http.json").write_text(note)
    assert await run("vote", "ab", "yes", "--data", tmp_path) == 2
    complaint = capsys.readouterr().err
    assert f"2 nodes run with their data here; say which one acts with --data: {data}, {other}" in complaint
    (data / "http.json").write_text('{"url": "http://127.0.0.1:1"}')
    assert await run("vote", "ab", "yes", "--data", data) == 2
    assert "no node answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_mistakes_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["propose"], ["propose", "marry"], ["propose", "leave", "x"], ["vote", "ab", "maybe"], ["vote"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


async def test_a_model_is_nominated_again(data: Path, actions: FakeActions, capsys: pytest.CaptureFixture[str]) -> None:
    wish = {"model": "abab", "configuration": "hex8-2"}
    assert await post(data, "/nominate", json.dumps(wish).encode()) == (200, NOMINATION)
    for wrong in ({}, {"model": 5}, {"model": "abab", "configuration": 2}):
        status, answer = await post(data, "/nominate", json.dumps(wrong).encode())
        assert status == 400
        assert answer["error"].startswith("a nomination needs model, a text")
    arguments = ["nominate", "abab", "--data", str(data)]
    assert await trio.to_thread.run_sync(main, arguments) == 0
    assert actions.nominated == [("abab", "hex8-2"), ("abab", None)]
    shown = capsys.readouterr().out
    assert "nominated abababab" in shown
    assert "ringrift-node work shows it" in shown
    assert await trio.to_thread.run_sync(main, [*arguments, "--json", "--configuration", "hex8-2"]) == 0
    assert json.loads(capsys.readouterr().out) == NOMINATION
    actions.complaint = GovernanceError(409, "it is canonical already; nominate another one")
    assert await trio.to_thread.run_sync(main, arguments) == 2
    assert "it is canonical already" in capsys.readouterr().err
