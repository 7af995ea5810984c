"""Before a node is a member: it says what it waits for, and what others have to type."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.epoch import EpochRecord
from consensus.keys import id_text
from consensus.roster import Roster, RosterMember, make_roster
from consensus.settings import Settings
from node.config.address import Address, parse_address
from node.config.identity import Identity
from node.config.swarm_file import parse_config
from node.config.template import Listing, render_swarm
from node.membership.address_book import AddressBook
from node.membership.joining import joining_command, log_while_outside, reason_outside

HERE = Address("127.0.0.1", 7404)
Ids = list[Identity]


def roster(*identities: Identity) -> Roster:
    return make_roster(RosterMember(identity.id, 1) for identity in identities)


async def test_it_says_once_a_minute_what_it_waits_for(
    identities: Ids, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, me, *_ = identities
    present = roster(a, b)
    listing = Listing("a", a.text, parse_address("127.0.0.1:7401"), 1)
    config = parse_config(Path("swarm.toml"), render_swarm("test", [listing], Settings()))
    directory = AddressBook(config, lambda: present)

    def reason() -> str:
        return reason_outside(me.id, HERE, directory, 3)

    command = joining_command(me.id, HERE)
    assert reason() == f"not a member in epoch 3: waits to be voted in; run at a member's machine: {command}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log_while_outside, reason, lambda: "a (connection refused)")
        await trio.sleep(150)
        said = capsys.readouterr().out
        assert (said.count(command), said.count("a (connection refused)")) == (3, 3)
        present = roster(a, b, me)
        assert reason() == ""
        await trio.sleep(150)
        said = capsys.readouterr().out
        assert "outside" not in said
        assert said.count("a member now") == 1
        nursery.cancel_scope.cancel()


def test_one_that_was_voted_out_says_so_and_by_what_record(identities: Ids) -> None:
    a, b, me, *_ = identities
    listing = Listing("a", a.text, parse_address("127.0.0.1:7401"), 1)
    config = parse_config(Path("swarm.toml"), render_swarm("test", [listing], Settings()))
    directory = AddressBook(config, lambda: roster(a, b), None, lambda: frozenset([me.id]))
    command = joining_command(me.id, HERE)
    assert reason_outside(me.id, HERE, directory, 3) == (
        f"voted out: this key is not in epoch 3; to come back, run at a member's machine: {command}"
    )
    behind = AddressBook(config, lambda: roster(a, b, me))
    digest = bytes(range(32))
    record = EpochRecord(
        genesis=digest, number=4, previous=digest, old=digest, roster=roster(a, b), roster_version=2, ledger=digest,
        snapshot=digest, round=9, ordered=9, time=9, judges=(digest,),
    )  # fmt: skip
    words = reason_outside(me.id, HERE, behind, 3, record)
    assert words.startswith(f"voted out: this key is not in epoch 4, whose record {record.digest.hex()[:16]} has ")
    assert words.endswith(f"to come back: {command}")


def test_the_command_has_everything_that_others_must_type(identities: Ids) -> None:
    me = identities[0]
    assert joining_command(me.id, HERE) == (
        f"ringrift-node propose join {id_text(me.id)} --address 127.0.0.1:7404 --reason TEXT --data DIR"
    )
    assert "--address HOST:7404" in joining_command(me.id, Address("0.0.0.0", 7404))
