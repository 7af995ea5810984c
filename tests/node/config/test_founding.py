"""Founding a swarm writes files that work, and never writes over anything; the sample in the repository works too."""

import re
import stat
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import pytest

from consensus.keys import id_text
from consensus.settings import NEW_SWARM, SECTIONS, MatchSettings, Settings, TrainingSettings
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.config.swarm_file import load_config
from node.config.template import Listing, render_swarm
from node.config.toml import ConfigError

SAMPLE = Path(__file__).parents[3] / "swarm.toml"
ADDRESSES = ["127.0.0.1:7400", "alpha.example:7400", "[::1]:7401"]


def test_one_key_a_member_for_its_owner_only(tmp_path: Path) -> None:
    founded = found_swarm(tmp_path / "new" / "dir", ADDRESSES, ["hex8-2"])
    config = load_config(founded.config)
    assert [str(member.address) for member in config.members] == ADDRESSES
    assert [member.weight for member in config.members] == [1, 1, 1]
    assert [load_identity(key).id for key in founded.keys] == [member.id for member in config.members]
    assert [key.name for key in founded.keys] == ["node1.key", "node2.key", "node3.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in founded.keys} == {0o600}


def test_settings_are_written_and_read_back(tmp_path: Path) -> None:
    wished = Settings(
        training=TrainingSettings(games=8, architecture="c8b1", learning_rate=Fraction(1, 3)),
        match=MatchSettings(slot_blocks=4, block_limit=16, p1=Fraction(7, 10)),
    )
    founded = found_swarm(tmp_path, ADDRESSES, ["square8-3", "hex8-2"], settings=wished, name='the "nörth" \\ swarm')
    genesis = load_config(founded.config).genesis
    assert genesis.settings == replace(wished, configurations=("hex8-2", "square8-3"))
    assert genesis.swarm == 'the "nörth" \\ swarm'


@pytest.mark.parametrize("there", ["swarm.toml", "node2.key"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConfigError, match=r"exists already and is never overwritten; choose another directory$"):
        found_swarm(tmp_path, ADDRESSES, ["hex8-2"])
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize(
    ("addresses", "configurations", "complaint"),
    [
        ([], ["hex8-2"], "a swarm needs at least one member"),
        (["alpha"], ["hex8-2"], '"alpha" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400'),
        (["a:1", "b:2", "a:1"], ["hex8-2"], "address a:1 is given twice; give each member its own host or port"),
        (["a:1"], ["hex9-2"], "configuration 'hex9-2': must be board-players, such as hex8-2"),
        (["a:1"], [], "configurations: name at least one, such as hex8-2"),
    ],
)
def test_bad_wishes_leave_nothing_behind(
    tmp_path: Path, addresses: list[str], configurations: list[str], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        found_swarm(tmp_path / "new", addresses, configurations)
    assert str(caught.value) == complaint
    assert not (tmp_path / "new").exists()


def test_every_setting_is_written_out(tmp_path: Path) -> None:
    """So that a later program with other defaults still runs the same swarm."""
    text = found_swarm(tmp_path, ADDRESSES, ["hex8-2"]).config.read_text()
    written = {
        (section, name)
        for section, table in re.findall(r"^\[settings\.(\w+)\](.*?)(?=^\[|\Z)", text, re.DOTALL | re.MULTILINE)
        for name in re.findall(r"^(\w+) = .*  # \w", table, re.MULTILINE)
    }
    known = {(section, item.name) for section, kind in SECTIONS.items() for item in fields(kind)}  # type: ignore[arg-type]  # dataclasses all
    assert written == known


@pytest.mark.parametrize(
    ("name", "digest"), [("2026-11-30", "11e2a2f5f5fd1d4e8f8d1ae7357e99fe8b4de17de3f059b390bc81d8775342b9")]
)
def test_a_file_that_an_earlier_program_wrote_is_still_that_swarm(name: str, digest: str) -> None:
    """It names every setting of its day. One whose meaning in `EARLIER` changed would make it another swarm's file."""
    config = load_config(SAMPLE.parent / "tests" / "data" / "founded" / f"{name}.toml")
    assert config.genesis.digest.hex() == digest


def test_the_sample_is_what_init_writes() -> None:
    config = load_config(SAMPLE)
    (member,) = config.members
    assert member.anchor is not None
    listing = Listing(member.name, id_text(member.id), member.address, 1, member.anchor.hex())
    head, text = SAMPLE.read_text().split("\n\n", 1)
    assert text == render_swarm("sample", [listing], NEW_SWARM)
    assert all(line.startswith("#") for line in head.splitlines())
    assert (config.http, config.roles) == (None, None)


def test_the_sample_s_node_table(tmp_path: Path) -> None:
    everything = tmp_path / "swarm.toml"
    everything.write_text(re.sub(r"^# ((http|roles) = )", r"\1", SAMPLE.read_text(), flags=re.MULTILINE))
    config = load_config(everything)
    assert config.roles == ("selfplay", "train", "match")
    assert str(config.http) == "127.0.0.1:8400"
