"""Before a node is a member: it says what it waits for, and what others have to type."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.keys import id_text
from consensus.roster import Member, Roster, make_roster
from consensus.settings import Settings
from node.config import Address, parse_config, split_address
from node.directory import Directory
from node.identity import Identity
from node.joining import joining_command, outside, tell_while_outside
from node.swarm_text import Listing, render_swarm

HERE = Address("127.0.0.1", 7404)
Ids = list[Identity]


def roster(*identities: Identity) -> Roster:
    return make_roster(Member(identity.id, 1) for identity in identities)


async def test_it_says_once_a_minute_what_it_waits_for(
    identities: Ids, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, me, *_ = identities
    present = roster(a, b)
    listing = Listing("a", a.text, split_address("127.0.0.1:7401"), 1)
    config = parse_config(Path("swarm.toml"), render_swarm("test", [listing], Settings()))
    directory = Directory(config, lambda: present)

    def reason() -> str:
        return outside(me.id, HERE, directory, 3)

    command = joining_command(me.id, HERE)
    assert reason() == f"no member in epoch 3: waits to be voted in; at a member's machine: {command}"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_while_outside, reason)
        await trio.sleep(150)
        assert capsys.readouterr().out.count(command) == 3
        present = roster(a, b, me)
        assert reason() == ""
        await trio.sleep(150)
        said = capsys.readouterr().out
        assert "outside" not in said
        assert said.count("a member now") == 1
        nursery.cancel_scope.cancel()


def test_the_command_has_everything_that_others_must_type(identities: Ids) -> None:
    me = identities[0]
    assert joining_command(me.id, HERE) == (
        f"ringrift-node propose join {id_text(me.id)} --address 127.0.0.1:7404 --reason TEXT --data DIR"
    )
    assert "--address HOST:7404" in joining_command(me.id, Address("0.0.0.0", 7404))
