"""Before a node is a member: it says what it waits for, and what others have to type."""

import re
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.epoch import EpochRecord
from consensus.keys import id_text
from consensus.ledger.records.changes import Change
from consensus.roster import Roster, RosterMember, make_roster
from consensus.settings import Settings
from node.config.address import Address, parse_address
from node.config.identity import Identity
from node.config.swarm_file import parse_config
from node.config.template import Listing, render_swarm
from node.membership.address_book import AddressBook
from node.membership.joining import joining_command, log_while, reason_outside, reason_voteless
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.swarm import Swarm

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
        return reason_outside(me.id, HERE, directory, Swarm(2).ledger)

    command = joining_command(me.id, HERE)
    assert reason() == f"not a member in epoch 0: waits to be voted in; run at a member's machine: {command}"
    async with trio.open_nursery() as nursery:
        over = "this node is a member now"
        nursery.start_soon(log_while, reason, "outside", over, lambda: "a (connection refused)")
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
    back = (
        f"if another key replaced it, start this node with that one; to come back, run at a member's machine: {command}"
    )
    ledger = Swarm(2).ledger
    assert reason_outside(me.id, HERE, directory, ledger) == f"voted out: this key is not in epoch 0; {back}"
    behind = AddressBook(config, lambda: roster(a, b, me))
    digest = bytes(range(32))
    record = EpochRecord(
        genesis=digest, number=4, previous=digest, old=digest, roster=roster(a, b), roster_version=2, ledger=digest,
        snapshot=digest, round=9, ordered=9, time=9, judges=(digest,),
    )  # fmt: skip
    words = reason_outside(me.id, HERE, behind, ledger, removed_by=record)
    beginning = "voted out: this key is not in epoch 4, since 1970-01-01 00:00:00 UTC; the record "
    assert words.startswith(f"{beginning}{record.digest.hex()[:16]} has ")
    assert words.endswith(back)


def test_a_member_without_a_vote_learns_since_when_and_why_and_what_to_do() -> None:
    swarm = Swarm(4)
    convict = swarm.id(3)
    assert reason_voteless(convict, swarm.ledger, "d") == ""
    assert reason_voteless(b"stranger", swarm.ledger, "d") == ""
    swarm.act(0, fork(swarm, 3))
    swarm.close()
    words = reason_voteless(convict, swarm.ledger, "d")
    assert re.match(
        r"no vote since 1970-01-01 00:1\d:\d\d UTC: it is proven that this key signed two events with the number 3 "
        "in epoch 0, so nothing that it signs counts; stop any other process with this key, then run at another ",
        words,
    )
    assert words.endswith("ringrift-node propose key d NEWID --reason TEXT --data DIR")
    assert reason_voteless(swarm.id(0), swarm.ledger, "a") == ""


def test_a_member_of_weight_0_has_no_vote() -> None:
    swarm = Swarm(4)
    swarm.agree(Change("weight", swarm.id(3), weight=0), 0, 1, 2)
    swarm.close()
    words = reason_voteless(swarm.id(3), swarm.ledger, "d")
    assert words.startswith("no vote: it has weight 0 in epoch 1, since 1970-01-01 00:")
    assert words.endswith("UTC or before; ringrift-node propose weight d N gives it one")
    swarm = Swarm(5)
    swarm.agree(Change("leave", swarm.id(4)), 0, 1, 2, 3)
    swarm.close()
    words = reason_voteless(swarm.id(4), swarm.ledger, "e")
    assert (
        "; it leaves; let this node run until others have its seal of that; if another key takes its place, " in words
    )
    words = reason_voteless(swarm.id(4), swarm.ledger, "e", was_heard=True)
    assert words.endswith("; it leaves, others have its seal of that, and this node can be stopped")


def test_the_command_has_everything_that_others_must_type(identities: Ids) -> None:
    me = identities[0]
    assert joining_command(me.id, HERE) == (
        f"ringrift-node propose join {id_text(me.id)} --address 127.0.0.1:7404 --reason TEXT --data DIR"
    )
    assert "--address HOST:7404" in joining_command(me.id, Address("0.0.0.0", 7404))
