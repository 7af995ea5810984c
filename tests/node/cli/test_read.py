"""The commands that read a running node, against a real local server."""

import json
from pathlib import Path
from typing import Any

import pytest

from node.api.endpoint import read_url, write_endpoint
from node.config.founding import found_swarm
from node.text.formatting import fragility
from tests.node.cli.running import ask
from tests.node.fake_source import FakeSource, digest


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            "status",
            [
                "anvil",
                "workshop",
                "ready",
                "1,187",
                "412 of 500",
                "in slot 1 on NVIDIA <H200>",
                "8,123",
                "silent",
                "13 d 6 h ago",
                "1,904",
                "cedar: signed two events in one place in epoch 1, has no say",
                "2 proven wrong, 1 in doubt",
            ],
        ),
        (
            "members",
            [
                "<dune>",
                "127.0.0.1:7403",
                "self-play hex8-2",
                "this node",
                "2,401",
                "S, 0.35/h, stays 2 h 0 min",
            ],
        ),
        (
            "work",
            [
                "train",
                "1,200 of 2,000",
                "21 of 200",
                "the test says it is not stronger",
                "policy 1.934, winner 0.512",
                "0.12 0.31 0.48 0.77",
                "2 wrong, 1 right, needs 3",
                "its seeds do not match",
            ],
        ),
        (
            "models",
            [
                "square8-2",
                "uniform (built in)",
                "canonical",
                "2026-11-20 13:48:09",
                "0.12 0.31 0.48 0.77    0.19                 45%             61%",
            ],
        ),
        ("proposals", ["cedar leaves", "1 : 0, needs 3", "the genesis", "not enough ballots in time"]),
        ("certificates", [digest("certificate 1")[:10], "4 members, 4 of 4", "complete"]),
        (
            "why",
            [
                "anvil",
                "selfplay hex8-2",
                "farthest behind its share",
                "1,024",
                "x 20",
                "2% to 30%",
                "18,000",
                "its own newest weights",
                "0.35",
            ],
        ),
        ("faults", ["<dune>", "3 of candidate", "weight 3 of 4", "4 was claimed for block 13", "kept here"]),
    ],
)
async def test_tables_show_what_the_node_says(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], command: str, shown: list[str]
) -> None:
    source.values["peers"][2]["last_contact_s"] = 318.4 * 3600
    assert await ask(command, "--data", data) == 0
    text = capsys.readouterr().out
    for words in shown:
        assert words in text


async def test_members_say_what_is_missing_for_a_quorum_and_offer_in_letters(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask("members", "--data", data) == 0
    text = capsys.readouterr().out
    assert "Nothing can be decided" not in text
    assert "STM" in text
    assert "S self-play, T training, M matches" in text
    assert max(len(line) for line in text.splitlines()) < 220
    source.values["swarm"]["quorum"] = "2 of 4 weight, 3 needed; silent: cedar, <dune>"
    assert await ask("members", "--data", data) == 0
    assert "Nothing can be decided: 2 of 4 weight, 3 needed; silent: cedar, <dune>." in capsys.readouterr().out
    assert await ask("members", "--json", "--data", data) == 0
    assert [member["name"] for member in json.loads(capsys.readouterr().out)] == ["anvil", "birch", "cedar", "<dune>"]


async def test_status_says_that_one_member_can_stop_the_swarm(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask("status", "--data", data) == 0
    assert "fragile" not in capsys.readouterr().out
    source.values["swarm"]["fragility"] = fragility(["anvil", "cedar"])
    assert await ask("status", "--data", data) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "fragile without anvil or cedar the others decide nothing" in text


async def test_why_shows_one_member_or_every_signal_of_a_configuration(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask("why", "--member", "<dune>", "--data", data) == 0
    text = capsys.readouterr().out
    assert "nothing is wanted of train" in text
    assert "anvil" not in text
    assert await ask("why", "--configuration", "hex8-2", "--data", data) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Members" not in text
    assert "staleness 700 150 105,000 games age s 70" in text
    assert await ask("why", "--member", "<dune>", "--json", "--data", data) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in answer["wants"]] == ["<dune>"]
    assert [entry["configuration"] for entry in answer["shares"]] == ["hex8-2"]


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (["--member", "nobody"], 'no members are called "nobody"; the members are anvil, <dune>'),
        (["--configuration", "hex8-4"], "hex8-4 is not played here; choose one of hex8-2"),
    ],
)
async def test_why_of_what_is_not_there(
    data: Path, capsys: pytest.CaptureFixture[str], wish: list[str], complaint: str, more: list[str]
) -> None:
    assert await ask("why", *wish, *more, "--data", data) == 2
    what, _, remedy = complaint.partition("; ")
    as_json = json.dumps({"what": what, "where": "", "remedy": remedy})
    assert capsys.readouterr().err == (f"{as_json}\n" if more else f"ringrift-node: {complaint}\n")


@pytest.mark.parametrize("text", ["", "[" * 4000, "[]", "{}", '{"url": 5}', "\0", "\ud800"])
async def test_a_damaged_http_json_names_no_node(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "http.json").write_text(text, errors="surrogatepass")
    assert await ask("status", "--data", tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1


async def test_a_folder_with_a_swarm_toml_is_enough(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = (read_url(data) or "").removeprefix("http://")
    folder = tmp_path / "swarm"
    config = found_swarm(folder, ["127.0.0.1:7400"], ["hex8-2"]).config
    config.write_text(config.read_text().replace('# http = "127.0.0.1:8400"', f'http = "{place}"'))
    assert await ask("status", "--data", folder) == 0
    assert capsys.readouterr().out.startswith("anvil in workshop, ready")
    config.write_text(config.read_text().replace(f'"{place}"', '"127.0.0.1:1"'))
    assert await ask("status", "--data", folder) == 2
    assert capsys.readouterr().err == (
        f"ringrift-node: no node answers at http://127.0.0.1:1 (the default of {config}); "
        "start it with ringrift-node run, or name another\n"
    )


@pytest.mark.parametrize("command", ["status", "members", "work", "models", "certificates", "proposals", "faults"])
async def test_json_is_the_node_s_answer(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert await ask(command, "--json", "--data", data) == 0
    expected: Any = getattr(source, command)()
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(expected))


async def test_the_folder_of_the_whole_swarm_will_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await ask("status", "--data", data.parent) == 0
    assert "anvil" in capsys.readouterr().out


async def test_a_stale_note_does_not_hide_a_node_that_runs(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = data.parent / "node0"
    dead.mkdir()
    write_endpoint(dead, "http://127.0.0.1:9")
    assert await ask("status", "--data", data.parent) == 0
    assert "anvil" in capsys.readouterr().out


async def test_a_node_that_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_endpoint(tmp_path, "http://127.0.0.1:9")
    assert await ask("status", "--data", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no node answers at http://127.0.0.1:9" in error
    assert "ringrift-node run" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status", "--data", "nowhere"], ["nowhere", "no node runs", "--node URL"]),
        (["status", "--node", "http://127.0.0.1"], ['--node "http://127.0.0.1"', "http://127.0.0.1:8400"]),
        (["status", "--node", "https://127.0.0.1:1"], ["--node"]),
        (["status", "--node", "127.0.0.1:9x"], ["--node"]),
        (["status", "--node", "http://[::1"], ["--node"]),
    ],
)
async def test_mistakes_are_one_line(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(word in error for word in words)


async def test_a_certificate_is_saved_byte_for_byte(
    data: Path, source: FakeSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "saved.json"
    name = digest("certificate 1")
    assert await ask("certificates", name[:8], "--save", file, "--data", data) == 0
    assert file.read_bytes() == source.certificate(name)
    told = f"check it with ringrift-node verify {file} --genesis-digest {digest('genesis')}"
    assert told in capsys.readouterr().out
    assert await ask("certificates", "--save", file, "--data", data) == 2
    assert "not overwritten" in capsys.readouterr().err


async def test_a_proof_is_saved_byte_for_byte(
    data: Path, source: FakeSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, name = tmp_path / "saved.fault", digest("fault 1")
    assert await ask("faults", name[:8], "--save", file, "--data", data) == 0
    assert file.read_bytes() == source.fault(name)
    told = f"check it with ringrift-node verify {file} --genesis-digest {digest('genesis')}"
    assert told in capsys.readouterr().out
    for arguments, message in (
        ((name[:8],), "say with --save FILE where to write it"),
        ((name[:8], "--save", file), "not overwritten"),
        (("zz", "--save", file), 'no wrong results have an id that begins with "zz"; ringrift-node faults lists'),
        (("", "--save", file), "there are 2 wrong results; say the id of one"),
        ((digest("fault 0"), "--save", tmp_path / "other"), "no proof of a wrong result"),
    ):
        assert await ask("faults", *arguments, "--data", data) == 2
        assert message in capsys.readouterr().err


async def test_no_such_certificate(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await ask("certificates", "zz", "--data", data) == 2
    assert 'no certificates have an id that begins with "zz"' in capsys.readouterr().err


async def test_a_narrow_terminal_loses_columns_not_letters(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "80")
    assert await ask("members", "--data", data) == 0
    text = capsys.readouterr().out
    assert "match of candidate 5a01…" in text
    assert "5 min ago" in text
    assert "127.0.0.1:7403" not in text
