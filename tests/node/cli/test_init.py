"""`ringrift-node init`, `keygen` and `id` from the command line."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from consensus.keys import id_text
from consensus.preimages import Preimages
from consensus.roster import RosterMember
from consensus.settings import NEW_SWARM
from node.cli import main
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.config.swarm_file import load_config
from node.config.template import quote
from node.config.toml import ConfigError

ROOT = Path(__file__).parents[3]


def test_members_on_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "new" / "swarm"
    assert main(["init", str(directory), "--members", "4", "--configurations", "hex8-2, square8-3"]) == 0
    config = load_config(directory / "swarm.toml")
    assert config.genesis.settings == replace(NEW_SWARM, configurations=("hex8-2", "square8-3"))
    assert [str(member.address) for member in config.members] == [f"127.0.0.1:{port}" for port in range(7400, 7404)]
    assert [member.weight for member in config.members] == [1] * 4
    for member in config.members:
        key = directory / f"{member.name}.key"
        identity = load_identity(key)
        assert identity.id == member.id
        assert Preimages(identity.key, 0).anchor == member.anchor == config.genesis.roster.member(member.id).anchor
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    text = capsys.readouterr().out
    assert f"ringrift-node run {directory}/swarm.toml --key {directory}/node4.key" in text


@pytest.mark.parametrize(("members", "names"), [(1, ""), (2, "node1 or node2"), (3, "node1, node2 or node3"), (4, "")])
def test_who_founds_a_swarm_that_one_member_can_stop_is_told(
    tmp_path: Path, members: int, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path), "--members", str(members)]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "can stop" in line]
    assert len(told) == (names != "")
    assert all(f"without {names} the others decide nothing" in line for line in told)
    assert all(line.endswith("have four members or more, each with less than a third.") for line in told)


def test_hosts(tmp_path: Path) -> None:
    assert main(["init", str(tmp_path), "--hosts", "alpha.example,beta.example:7500, [::1]"]) == 0
    members = load_config(tmp_path / "swarm.toml").members
    assert [str(member.address) for member in members] == ["alpha.example:7400", "beta.example:7500", "[::1]:7400"]
    assert main(["init", str(tmp_path / "named"), "--hosts", "alpha.example,beta.example"]) == 0
    assert [member.name for member in load_config(tmp_path / "named" / "swarm.toml").members] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("hosts", "names"),
    [
        ("node.one.example,node.two.example", ["node.one.example", "node.two.example"]),
        ("alpha,alpha:7401,beta", ["alpha-7400", "alpha-7401", "beta-7400"]),
        ("192.0.2.1,192.0.2.2,[2001:db8::7]", ["192.0.2.1", "192.0.2.2", "ip6-2001-db8--7"]),
        (f"{'x' * 40}.example,beta", ["node1", "node2"]),
        ("127.0.0.1,127.0.0.1:7401,127.0.0.1:7402", ["node1", "node2", "node3"]),
    ],
)
def test_members_and_keys_are_named_by_host(tmp_path: Path, hosts: str, names: list[str]) -> None:
    assert main(["init", str(tmp_path), "--hosts", hosts]) == 0
    assert [member.name for member in load_config(tmp_path / "swarm.toml").members] == names
    assert sorted(path.stem for path in tmp_path.glob("*.key")) == sorted(names)


def test_hosts_are_told_what_goes_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hosts = ["init", str(tmp_path / "s"), "--hosts", "alpha.example,[2001:db8::7]:7500"]
    assert main(hosts) == 0
    text = capsys.readouterr().out
    for line in (
        "alpha at alpha.example:7400:",
        f"  scp {tmp_path}/s/swarm.toml {tmp_path}/s/alpha.key alpha.example:",
        "  ringrift-node run swarm.toml --key alpha.key --data data",
        f"  scp {tmp_path}/s/swarm.toml {tmp_path}/s/ip6-2001-db8--7.key '[2001:db8::7]':",
    ):
        assert line in text.splitlines()
    assert main(["init", str(tmp_path / "t"), *hosts[2:], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    config = load_config(tmp_path / "t" / "swarm.toml")
    assert told["genesis"] == config.genesis.digest.hex()
    assert [entry["id"] for entry in told["members"]] == [id_text(member.id) for member in config.members]
    assert told["members"][0]["key"] == str(tmp_path / "t" / "alpha.key")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--members", "0"], "--members 0: a swarm has 1 to 256 members"),
        (["--members", "257"], "--members 257: a swarm has 1 to 256 members"),
        (["--hosts", "a,,b"], '":7400" is not host:port'),
        (["--hosts", "a,a"], "address a:7400 is given twice; give each member its own host or port"),
        (["--hosts", "a:99999"], '"99999" in "a:99999" is not a port'),
        (["--configurations", "hex9-2"], "configuration 'hex9-2': must be board-players"),
        (["--name", "x" * 65], "swarm name"),
    ],
)
def test_mistakes_leave_nothing_behind(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "swarm"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ringrift-node: {words}")
    assert error.count("\n") == 1
    assert not (tmp_path / "swarm").exists()


def test_an_existing_swarm_is_never_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found_swarm(tmp_path, ["127.0.0.1:7400"], ["hex8-2"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["init", str(tmp_path), "--members", "4"]) == 2
    assert "swarm.toml: exists already and is never overwritten" in capsys.readouterr().err
    (tmp_path / "swarm.toml").unlink()
    del before[tmp_path / "swarm.toml"]
    with pytest.raises(ConfigError, match=r"node1\.key: exists already"):
        found_swarm(tmp_path, ["127.0.0.1:7400", "127.0.0.1:7401"], ["hex8-2"])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_quote_keeps_control_characters_out() -> None:
    assert quote("a\nb\x7f") == '"a\\U0000000ab\\U0000007f"'


def test_keygen_and_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "my.key"
    assert main(["keygen", str(key)]) == 0
    made = capsys.readouterr().out
    assert main(["id", str(key)]) == 0
    assert capsys.readouterr().out == made
    identity = load_identity(key)
    assert made == f'id = "{identity.text}"\nanchor = "{Preimages(identity.key, 0).anchor.hex()}"\n'
    config = tmp_path / "swarm.toml"
    config.write_text(f'[swarm]\nname = "mine"\n[[member]]\n{made}address = "127.0.0.1:7400"\n')
    assert load_config(config).genesis.members == (RosterMember(identity.id, 1, Preimages(identity.key, 0).anchor),)
    assert main(["keygen", str(key)]) == 2
    assert "never overwritten" in capsys.readouterr().err
    key.chmod(0o644)
    assert main(["id", str(key)]) == 2
    assert f"chmod 600 {key}" in capsys.readouterr().err
