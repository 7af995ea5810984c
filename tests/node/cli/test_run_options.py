"""How a node runs: where it listens after a vote on its address or key, and which roles it can have."""

import argparse
import importlib.util
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consensus.epoch import EpochRecord
from consensus.keys import MemberId
from consensus.roster import make_roster
from node.cli.run import _with_possible_roles, add_run_options, read_run_options
from node.config.founding import Founded, found_swarm
from node.config.identity import create_identity, load_identity
from node.config.swarm_file import RunOptions, load_config
from node.config.toml import ConfigError
from node.store.schema import open_database


@pytest.fixture
def founded(tmp_path: Path) -> Founded:
    return found_swarm(tmp_path / "swarm", ["127.0.0.1:7400", "127.0.0.1:7401"], ["hex8-2"])


def write_epoch(founded: Founded, data: Path, member: MemberId, place: str, *, before: MemberId | None = None) -> None:
    """Write a data folder whose current epoch began with `member` at `place`; `before` is the key that it had."""
    genesis = load_config(founded.config).genesis
    moved = [
        replace(listed, id=member, address=place) if listed.id == (before or member) else listed
        for listed in genesis.roster.members
    ]
    record = EpochRecord(
        genesis=genesis.digest, number=1, previous=genesis.digest, old=genesis.roster.digest, roster=make_roster(moved),
        roster_version=2, ledger=bytes(32), snapshot=bytes(32), round=9, ordered=9, time=9, judges=(bytes(32),),
    )  # fmt: skip
    data.mkdir()
    database, _ = open_database(data / "events.sqlite", genesis=genesis.digest, member=member)
    with closing(database):
        database.execute("INSERT INTO records VALUES (1, ?, NULL)", (record.raw,))
        database.execute("INSERT INTO turns VALUES (1, x'', x'80')")


def run_options(founded: Founded, key: Path, data: Path, *more: str) -> RunOptions:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    where = [str(founded.config), "--key", str(key), "--data", str(data)]
    return read_run_options(parser.parse_args([*where, *more]))[2]


def test_an_address_that_was_voted_on_is_that_of_the_next_start(founded: Founded, tmp_path: Path) -> None:
    key, data = founded.keys[0], tmp_path / "data"
    assert str(run_options(founded, key, data).listen) == "127.0.0.1:7400", "the first start"
    write_epoch(founded, data, load_identity(key).id, "127.0.0.1:7500")
    assert str(run_options(founded, key, data).listen) == "127.0.0.1:7500"
    assert str(run_options(founded, key, data).http) == "127.0.0.1:8500"
    assert str(run_options(founded, key, data, "--listen", "127.0.0.1:7600").listen) == "127.0.0.1:7600"


def test_one_that_only_others_see_is_not_bound(founded: Founded, tmp_path: Path) -> None:
    """Such as that of a router, which passes on to this machine."""
    key, data = founded.keys[0], tmp_path / "data"
    write_epoch(founded, data, load_identity(key).id, "192.0.2.7:7500")
    assert str(run_options(founded, key, data).listen) == "127.0.0.1:7400"


def test_a_new_key_is_known_from_the_vote_on(founded: Founded, tmp_path: Path) -> None:
    key, data = tmp_path / "new.key", tmp_path / "data"
    new, old = create_identity(key), load_identity(founded.keys[1]).id
    with pytest.raises(ConfigError, match="join the swarm: --peer"):
        run_options(founded, key, data)
    write_epoch(founded, data, new.id, "127.0.0.1:7501", before=old)
    assert str(run_options(founded, key, data).listen) == "127.0.0.1:7501"


def test_damaged_data_are_told_by_the_start_itself(founded: Founded, tmp_path: Path) -> None:
    key, data = founded.keys[0], tmp_path / "data"
    write_epoch(founded, data, load_identity(key).id, "127.0.0.1:7500")
    with closing(sqlite3.connect(data / "events.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE records SET record = x'00'")
    assert str(run_options(founded, key, data).listen) == "127.0.0.1:7400"


def test_a_node_without_the_libraries_for_work_runs_without_roles(
    founded: Founded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = run_options(founded, founded.keys[0], tmp_path / "data")
    assert options.roles
    assert _with_possible_roles(options) == options
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "warp" else find(name))
    with capture_logs() as lines:
        assert _with_possible_roles(options).roles == ()
    assert [(line["log_level"], line["event"], line["wanted"]) for line in lines] == [
        ("warning", "no work roles", "selfplay,train,match")
    ]
    assert "pip install 'ringrift-swarm[work]'" in lines[0]["reason"]
    with capture_logs() as lines:
        assert _with_possible_roles(replace(options, roles=())).roles == ()
    assert lines == [], "nothing is missing where nothing was wanted"
