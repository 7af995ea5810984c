"""Proposals and ballots of people: what is put forward, what is turned down with its reason, what becomes of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from consensus.keys import MemberId, SigningKey, id_text
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.settings import MembershipSettings, SteeringSettings
from node.api.proposals import ProposalInfo
from node.config.address import parse_address
from node.config.swarm_file import SwarmConfig, parse_config
from node.config.template import Listing, render_swarm
from node.member.ledger_client import SubmitError
from node.membership import proposal_file
from node.membership.address_book import AddressBook
from node.membership.governance import Governance, GovernanceError
from node.membership.proposal_file import read_motions
from node.membership.proposals import Proposals
from node.report import membership
from node.report.actions import NodeActions
from node.work.drain import Drain
from node.work.imports import Imports
from node.work.nominations import Nominations
from tests.consensus.ledger.swarm import Swarm, settings

NEWCOMER = SigningKey(b"n" * 32).id
JOIN = {
    "change": "join", "member": id_text(NEWCOMER), "weight": 1, "address": "127.0.0.1:7499", "reason": "more hands"
}  # fmt: skip
FULL = "too many wait"


def make_actions(room: "Room", governance: Governance) -> NodeActions:
    async def add_file(path: Path) -> bytes:
        """Each file holds its own name."""
        return hashlib.sha256(path.name.encode()).digest()

    nominations = Nominations(room, lambda: room.ready)
    return NodeActions(governance, nominations, Imports(nominations, add_file), room.directory, Drain(0))


class Room:
    """Governance of member `number` over the ledger of a swarm; `order` orders what was put forward."""

    def __init__(self, swarm: Swarm, number: int = 0) -> None:
        self.swarm, self.number = swarm, number
        self.submitted: list[t.Transaction] = []
        self.ready = (True, "level")
        self.full = False
        self.directory = AddressBook(config_of(swarm), lambda: swarm.ledger.roster)
        self.proposals = Proposals(self.me, lambda: swarm.ledger)
        governance = Governance(self, self.directory, self.proposals, lambda: self.ready)
        self.actions = make_actions(self, governance)

    @property
    def me(self) -> MemberId:
        return self.swarm.id(self.number)

    @property
    def ledger(self) -> Ledger:
        return self.swarm.ledger

    def next_id(self) -> int:
        return self.swarm.next_id(self.number)

    async def submit(self, *transactions: t.Transaction) -> None:
        if self.full:
            raise SubmitError(FULL)
        self.submitted += transactions

    def order(self) -> None:
        for transaction in self.submitted:
            self.proposals.observe(self.swarm.act(self.number, transaction))
        self.submitted.clear()

    def ballot(self, member: int, proposal: str, *, approve: bool = True) -> None:
        ballot = t.Ballot(self.swarm.next_id(member), bytes.fromhex(proposal), approve)
        self.proposals.observe(self.swarm.act(member, ballot))

    def info(self) -> ProposalInfo:
        (info,) = membership.proposals(self.proposals, self.ledger, self.directory)
        return info

    async def refusal(self, wish: Mapping[str, Any]) -> str:
        with pytest.raises(GovernanceError) as refused:
            await self.actions.propose({"reason": "why not", **wish})
        assert not self.submitted
        return f"{refused.value.status}: {refused.value}"


def config_of(swarm: Swarm) -> SwarmConfig:
    listings = [
        Listing(f"node{number}", id_text(key.id), parse_address(f"127.0.0.1:{7400 + number}"), 1)
        for number, key in enumerate(swarm.keys, 1)
    ]
    return parse_config(Path("swarm.toml"), render_swarm("test", listings, swarm.genesis.settings))


@pytest.fixture
def room() -> Room:
    return Room(Swarm(4))


async def test_from_proposal_to_the_next_epoch(room: Room) -> None:
    sent = await room.actions.propose(JOIN)
    assert (sent["state"], sent["approve"], sent["needs"], sent["total"]) == ("sent", 1, 3, 4)
    assert sent["text"] == f"{id_text(NEWCOMER)[:8]} joins with weight 1 at 127.0.0.1:7499"
    room.order()
    assert room.info() == {
        **sent, "state": "open", "round": 1, "ends_s": room.swarm.genesis.settings.membership.vote_s
    }  # fmt: skip
    room.ballot(1, sent["proposal"])
    room.ballot(2, sent["proposal"], approve=False)
    assert (room.info()["approve"], room.info()["reject"]) == (2, 1)
    assert [(vote["name"], vote["approve"]) for vote in room.info()["votes"]] == [
        ("node1", True), ("node2", True), ("node3", False)
    ]  # fmt: skip
    room.ballot(3, sent["proposal"])
    assert (room.info()["state"], room.info()["approve"]) == ("approved", 3)
    room.proposals.observe(room.swarm.close().effects)
    assert (room.info()["state"], room.info()["total"]) == ("in force", 4), "as it was decided"
    assert NEWCOMER in room.directory.roster
    joined = room.directory.members()[-1]
    assert membership.standing(joined, room.directory) == "joined"
    assert room.directory.address(NEWCOMER) == "127.0.0.1:7499"


async def test_a_vote_for_and_one_against(room: Room) -> None:
    proposal = room.swarm.propose(1, Change("leave", room.swarm.id(3)))
    room.proposals.observe(room.swarm.last)
    answer = await room.actions.vote(proposal.hex()[:6].upper(), approve=False)
    assert (answer["proposal"], answer["by_name"], answer["text"]) == (proposal.hex(), "node2", "node4 leaves")
    with pytest.raises(GovernanceError, match=r"has voted on .* already"):  # before it is ordered
        await room.actions.vote(proposal.hex(), approve=True)
    room.order()
    with pytest.raises(GovernanceError, match=r"has voted on .* already"):  # and afterwards
        await room.actions.vote(proposal.hex(), approve=True)
    room.ballot(2, proposal.hex(), approve=False)
    assert (room.info()["state"], room.info()["outcome"]) == ("dropped", "a third of the weight or more rejects")
    with pytest.raises(GovernanceError, match="is over: dropped"):
        await room.actions.vote(proposal.hex()[:8], approve=True)


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_removes_this_node_is_in_force_when_a_sealed_record_says_that_it_is_out(
    room: Room, ordered: bool
) -> None:
    """A node that was behind at the close hears nothing more; who waits for the proposal must not wait for ever."""
    await room.actions.propose({"change": "leave", "member": "node1", "reason": "so"})
    if ordered:
        room.order()
    room.proposals.end_membership()
    room.proposals.end_membership()
    assert room.info()["state"] == "in force"


async def test_a_vote_stays_as_it_was_decided(room: Room, tmp_path: Path) -> None:
    """Whatever becomes of its voters, and when the node is started again."""
    sent = await room.actions.propose({"change": "weight", "member": "node4", "weight": 0, "reason": "it is broken"})
    room.order()
    for member in (1, 2):
        room.ballot(member, sent["proposal"])
    decided = room.info()
    assert (decided["state"], decided["approve"], decided["needs"], decided["total"]) == ("approved", 3, 3, 4)
    for kind in ("weight", "leave"):  # two of its voters, too
        room.proposals.observe(room.swarm.close().effects)
        room.swarm.open(0, 1, 2)
        change = Change("weight", room.swarm.id(2), weight=0) if kind == "weight" else Change("leave", room.swarm.id(3))
        number = room.swarm.next_id(0)
        room.proposals.observe(room.swarm.act(0, t.Propose(number, change, "why not")))
        for member in (1, 2):
            room.ballot(member, t.proposal_id(room.me, number).hex())
    infos = membership.proposals(room.proposals, room.ledger, room.directory)
    assert infos[-1] == {**decided, "state": "in force"}
    file, genesis = tmp_path / "proposals.json", room.swarm.genesis.digest
    proposal_file._write(file, genesis, room.proposals.over())
    again = Proposals(room.me, lambda: room.ledger, read_motions(file, genesis))
    assert membership.proposals(again, room.ledger, room.directory) == infos
    room.swarm.close()
    again.observe([])
    states = [info["state"] for info in membership.proposals(again, room.ledger, room.directory)]
    assert states == ["in force"] * 3, "an epoch that closed while the node was away"
    assert read_motions(file, bytes(32)) == [], "of another swarm"
    for damaged in ("", "[]", '{"genesis": 1}', f'{{"genesis": "{genesis.hex()}", "proposals": [{{}}]}}'):
        file.write_text(damaged)
        assert read_motions(file, genesis) == []


async def test_a_member_keeps_its_name_when_its_key_changes(room: Room, tmp_path: Path) -> None:
    room.directory.follow_keys(lambda: room.proposals.earlier_keys())
    keys = [room.swarm.id(3), NEWCOMER, SigningKey(b"m" * 32).id]
    for port, (old, new) in enumerate(pairwise(keys), 7404):
        about = {"member": id_text(old), "key": id_text(new), "address": f"127.0.0.1:{port}"}
        wish = {"change": "key", **about, "reason": "it leaked"}
        sent = await room.actions.propose(wish)
        room.order()
        for member in (1, 2):
            room.ballot(member, sent["proposal"])
        assert room.directory.name(new) == id_text(new)[:8], "not in force yet"
        room.proposals.observe(room.swarm.close().effects)
        room.swarm.open(0, 1, 2)
        assert room.directory.name(new) == "node4"
    proposal_file._write(tmp_path / "p.json", bytes(32), room.proposals.over())
    again = Proposals(room.me, lambda: room.ledger, read_motions(tmp_path / "p.json", bytes(32)))
    room.directory.follow_keys(again.earlier_keys)
    assert room.directory.name(new) == "node4"


@pytest.fixture
def named() -> Room:
    """In a swarm that gives names to who joins, at a member that knows them from the ledger."""
    room = Room(Swarm(4, settings(membership=MembershipSettings(names=1))))
    config = config_of(room.swarm)
    room.directory = AddressBook(config, lambda: room.ledger.roster, names=lambda: room.ledger.member_names())
    governance = Governance(room, room.directory, room.proposals, lambda: room.ready)
    room.actions = make_actions(room, governance)
    return room


async def agree(room: Room, wish: Mapping[str, Any]) -> ProposalInfo:
    """What is proposed, once it is in force."""
    sent = await room.actions.propose({"reason": "so", **wish})
    room.order()
    for member in (1, 2):
        room.ballot(member, sent["proposal"])
    room.proposals.observe(room.swarm.close().effects)
    room.swarm.open(0, 1, 2)
    return sent


async def test_all_nodes_know_the_name_of_who_joins_and_of_a_founder_with_a_new_key(
    named: Room, tmp_path: Path
) -> None:
    sent = await agree(named, {**JOIN, "weight": 0, "name": "echo"})
    assert sent["text"] == f"{id_text(NEWCOMER)[:8]} joins as echo with weight 0 at 127.0.0.1:7499"
    assert sent["new_name"] == "echo"
    assert named.directory.name(NEWCOMER) == "echo"
    key = SigningKey(b"m" * 32).id
    sent = await agree(named, {"change": "key", "member": "node4", "key": id_text(key), "address": "127.0.0.1:7404"})
    assert sent["new_name"] == "node4", "which only swarm.toml said before"
    while named.ledger.closing is not None:
        named.proposals.observe(named.swarm.close().effects)
        named.swarm.open(0, 1, 2)
    elsewhere = AddressBook(config_of(named.swarm), lambda: named.ledger.roster, names=named.ledger.member_names)
    assert [elsewhere.name(member) for member in (NEWCOMER, key)] == ["echo", "node4"], "where no vote was seen"
    await named.actions.propose({"change": "weight", "member": "echo", "weight": 1, "reason": "it is there"})
    (proposal,) = named.submitted
    assert isinstance(proposal, t.Propose)
    assert proposal.change == Change("weight", NEWCOMER, weight=1)
    proposal_file._write(tmp_path / "p.json", bytes(32), named.proposals.over())
    motions = read_motions(tmp_path / "p.json", bytes(32))
    assert [motion.change.name for motion in motions if isinstance(motion.change, Change)] == ["echo", "node4"]


async def test_names_that_are_not_given(named: Room, room: Room) -> None:
    assert await named.refusal({**JOIN, "name": "node2"}) == (
        "409: another member has the name node2; choose one that nobody has"
    )
    assert "409: another member" in await named.refusal({**JOIN, "name": "NODE2"})
    assert await named.refusal({**JOIN, "name": "zoë"}) == '400: name "zoë": write 1 to 32 letters, digits and ._-'
    assert "only a new swarm can have them" in await room.refusal({**JOIN, "name": "echo"})


def test_no_newcomer_is_shown_with_the_name_of_a_member_of_swarm_toml() -> None:
    """Whoever proposed it may have another swarm.toml."""
    swarm = Swarm(5)
    config = config_of(swarm)
    roster = swarm.ledger.roster
    book = AddressBook(config, lambda: roster, names=lambda: {NEWCOMER: "Node2", swarm.id(0): "boss"})
    assert book.name(NEWCOMER) == id_text(NEWCOMER)[:8]
    assert book.name(swarm.id(0)) == "node1"


async def test_an_own_proposal_is_voted_for_already(room: Room) -> None:
    sent = await room.actions.propose(JOIN)
    with pytest.raises(GovernanceError, match="already"):
        await room.actions.vote(sent["proposal"], approve=True)


async def test_members_by_name_by_id_and_by_its_beginning(room: Room) -> None:
    target = id_text(room.swarm.id(2))
    for text in ("node3", target, target[:12], target[:12].upper()):
        await room.actions.propose({"change": "weight", "member": text, "weight": 0, "reason": "broken"})
        (proposal,) = room.submitted
        assert isinstance(proposal, t.Propose)
        assert proposal.change == Change("weight", room.swarm.id(2), weight=0)
        room.submitted.clear()
        room.proposals = Proposals(room.me, lambda: room.ledger)
        governance = Governance(room, room.directory, room.proposals, lambda: room.ready)
        room.actions = make_actions(room, governance)


async def test_all_changes(room: Room) -> None:
    for wish in (
        {"change": "key", "member": "node2", "key": id_text(NEWCOMER)},
        {"change": "address", "member": "node2", "address": "beta.example:7400"},
        {"change": "leave", "member": "node2"},
        JOIN,
    ):
        await room.actions.propose({"reason": "so", **wish})
    key = room.submitted[0]
    assert isinstance(key, t.Propose)
    assert isinstance(key.change, Change)
    assert key.change.address == "127.0.0.1:7402"  # swarm.toml does not list the new key
    room.order()
    assert room.swarm.refusal() is None
    assert [entry.change.kind for entry in room.ledger.proposals()] == ["key", "address", "leave", "join"]


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"change": "leave", "member": "node9"}, '404: no member has the name "node9", or an id that begins so'),
        ({"change": "leave", "member": ""}, "400: member is missing"),
        ({"change": "marry", "member": "node2"}, '400: "marry" is not a change; changes are join, leave'),
        ({"change": "weight", "member": "node2", "weight": 2}, "is a third or more of all 5"),
        ({"change": "weight", "member": "node2", "weight": 1}, "409: it would change nothing"),
        ({"change": "weight", "member": "node2", "weight": -1}, "400: weight -1 must be a whole number"),
        ({"change": "weight", "member": "node2"}, "400: weight None must be a whole number"),
        ({**JOIN, "member": "node2"}, "400: member: "),
        ({**JOIN, "address": "127.0.0.1"}, "is not host:port"),
        ({**JOIN, "address": "0.0.0.0:7400"}, "cannot be reached by peers"),
        ({**JOIN, "reason": "two\nlines"}, "400: field reason"),
        ({**JOIN, "reason": " "}, "400: reason is missing"),
    ],
)
async def test_what_cannot_be_proposed(room: Room, wish: dict[str, Any], complaint: str) -> None:
    assert complaint in await room.refusal(wish)


async def test_a_member_cannot_join_again(room: Room) -> None:
    assert "it is already a member" in await room.refusal({**JOIN, "member": id_text(room.swarm.id(1))})


async def test_too_much_at_once() -> None:
    room = Room(Swarm(3))
    refusal = await room.refusal({"change": "leave", "member": "node2"})
    assert refusal == (
        "409: too much at once: the members that stay must weigh more than 2/3 before and after; propose weight 0 for "
        "it first, then that it leaves"
    )
    for change in (Change("weight", room.swarm.id(1), weight=0), Change("leave", room.swarm.id(1))):
        room.swarm.agree(change, *((0, 1, 2) if change.kind == "weight" else (0, 2)))
        room.swarm.close()
        room.swarm.open(*((0, 1, 2) if change.kind == "weight" else (0, 2)))
    assert len(room.directory.roster) == 2


async def test_nothing_is_proposed_twice_nor_too_much(room: Room) -> None:
    sent = await room.actions.propose(JOIN)
    assert f"ringrift-node vote {sent['proposal'][:10]} yes" in await _again(room, JOIN)
    room.order()
    assert "that is proposed already" in await _again(room, JOIN)
    for port in (1, 2, 3):
        await room.actions.propose({**JOIN, "address": f"127.0.0.1:{port}"})
    room.submitted.clear()
    assert "4 proposals of this node are open" in await _again(room, {**JOIN, "address": "127.0.0.1:4"})


async def _again(room: Room, wish: Mapping[str, Any]) -> str:
    room.order()
    return await room.refusal(wish)


async def test_an_ambiguous_beginning(room: Room) -> None:
    for port in (1, 2):
        await room.actions.propose({**JOIN, "address": f"127.0.0.1:{port}"})
    with pytest.raises(GovernanceError, match='2 open proposals have an id that begins with ""'):
        await room.actions.vote("", approve=True)
    with pytest.raises(GovernanceError, match='no open proposal has an id that begins with "xyz"'):
        await room.actions.vote("xyz", approve=True)


async def test_a_node_that_is_behind_waits(room: Room) -> None:
    room.ready = (False, "listening")
    assert await room.refusal(JOIN) == (
        "503: this node is not ready: listening; try again when ringrift-node status says ready"
    )


async def test_a_node_that_can_hold_no_more(room: Room) -> None:
    room.full = True
    assert await room.refusal(JOIN) == f"503: {FULL}"


async def test_a_stranger_has_no_voice(room: Room) -> None:
    room.number = room.swarm.enlist(99)
    assert "this node is not a member" in await room.refusal(JOIN)


async def test_what_the_ledger_refuses_is_told(room: Room) -> None:
    """Another member was faster, in a round that this node had not seen."""
    await room.actions.propose(JOIN)
    room.swarm.propose(1, Change("join", NEWCOMER, weight=1, address="127.0.0.1:7499"))
    late = room.proposals.motions
    room.order()
    states = {motion.state: motion.outcome for motion in late()}
    assert states == {"open": "", "refused": "change is proposed already"}


async def test_what_the_genesis_proposes_is_shown_with_the_others() -> None:
    room = Room(Swarm(4, settings(membership=MembershipSettings(absence_s=60))))
    room.proposals.observe(room.swarm.wait(120))
    absent = membership.proposals(room.proposals, room.ledger, room.directory)
    assert {entry["text"] for entry in absent} == {f"node{number} leaves" for number in (2, 3, 4)}
    assert all(entry["by"] is None and entry["votes"] == [] and entry["state"] == "open" for entry in absent)
    await room.actions.vote(absent[0]["proposal"], approve=True)


def test_a_founder_that_left_is_still_shown(room: Room) -> None:
    room.swarm.agree(Change("leave", room.swarm.id(3)), 0, 1, 2)
    room.swarm.close()
    assert membership.departed(room.directory) == []  # it is to seal that it leaves
    room.swarm.open(0, 1, 2, 3)
    room.swarm.close()
    (gone,) = membership.departed(room.directory)
    assert (gone["name"], gone["standing"], gone["weight"]) == ("node4", "left", 0)
    assert len(room.directory.members()) == 3


STEERED = settings(steering=SteeringSettings(rules=1))


async def test_a_setting_from_proposal_to_force() -> None:
    room = Room(Swarm(4, STEERED))
    wish = {"change": "set", "setting": "match.p1", "value": "0.6", "reason": "shorter matches"}
    sent = await room.actions.propose(wish)
    assert (sent["text"], sent["value"], sent["known"]) == ("match.p1 becomes 3/5", "3/5", True)
    assert (sent["member"], sent["name"], sent["weight"]) == ("", "", None)
    room.order()
    room.ballot(1, sent["proposal"])
    assert (room.info()["state"], room.info()["approve"]) == ("open", 2)
    room.ballot(2, sent["proposal"])
    assert (room.info()["state"], room.info()["approve"], room.info()["text"]) == ("in force", 3, sent["text"])
    assert str(room.ledger.settings.match.p1) == "3/5"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"change": "set"}, "400: setting is missing; say it as text"),
        ({"change": "set", "setting": "match.p1"}, "400: value is missing; say it as text"),
        (
            {"change": "set", "setting": "match.p2", "value": "1"},
            "400: this program does not know match.p2; known there are simulations, considered, opening_plies, "
            "slot_blocks, block_limit, p0, p1, alpha, beta, limit_share",
        ),
        (
            {"change": "set", "setting": "games", "value": "1"},
            "400: this program does not know games; settings are section.name, in the sections selfplay, training, "
            "match, steering",
        ),
        (
            {"change": "set", "setting": "selfplay.games", "value": "many"},
            "409: settings.selfplay.games: must be a whole number of 1 or more, not 'many'; "
            "ringrift-node status shows what holds",
        ),
        (
            {"change": "set", "setting": "selfplay.games", "value": "two words"},
            "400: field value has text that is not allowed there; write it otherwise",
        ),
        (
            {"change": "set", "setting": "timing.lease_s", "value": "9"},
            "409: timing.lease_s holds as long as the swarm does; ringrift-node status shows what holds",
        ),
        (
            {"change": "add", "configuration": "chess-2"},
            "400: this program does not know chess-2; configurations are board-players, such as hex8-2",
        ),
        (
            {"change": "pause", "work": "sleep"},
            "400: work 'sleep' is not a kind of work; kinds are selfplay, train, match, rate",
        ),
        (
            {"change": "resume"},
            "409: nothing is paused there; ringrift-node status shows what holds",
        ),
    ],
)
async def test_what_the_swarm_cannot_do_is_turned_down(wish: Mapping[str, Any], reason: str) -> None:
    assert await Room(Swarm(4, STEERED)).refusal(wish) == reason


async def test_without_the_rules_nobody_is_asked(room: Room) -> None:
    refusal = await room.refusal({"change": "pause"})
    assert refusal.startswith("409: the genesis of this swarm does not let its members change what it does")


async def test_changes_of_what_the_swarm_does_in_words() -> None:
    for wish, text in (
        ({"change": "pause"}, "all work pauses"),
        ({"change": "pause", "work": "match", "configuration": "hex8-2"}, "matches on hex8-2 pause"),
        ({"change": "add", "configuration": "square8-3"}, "square8-3 is played, too"),
        (
            {"change": "set", "setting": "match.p1", "configuration": "hex8-2"},
            "match.p1 on hex8-2 becomes that of the whole swarm",
        ),
    ):
        room = Room(Swarm(4, STEERED))
        own = SteeringChange("set", setting="match.p1", value="3/5", configuration="hex8-2")
        room.swarm.agree(own, 1, 2, 3)
        assert (await room.actions.propose({"reason": "so", **wish}))["text"] == text


async def test_a_proposal_that_this_program_does_not_know_says_so() -> None:
    room = Room(Swarm(4, STEERED))
    room.swarm.propose(1, SteeringChange("set", setting="steering.coming", value="7"))
    assert (room.info()["text"], room.info()["known"]) == ("steering.coming becomes 7", False)


async def test_an_operator_decides_alone() -> None:
    swarm = Swarm(4, STEERED)
    swarm.genesis = replace(swarm.genesis, operators=(swarm.id(0),))
    swarm.ledger = Ledger.found(swarm.genesis)
    room = Room(swarm)
    sent = await room.actions.propose({"change": "pause", "reason": "the power goes"})
    assert (sent["state"], sent["needs"]) == ("sent", 0)
    room.order()
    assert (room.info()["state"], room.info()["needs"]) == ("in force", 0)
    asked = await room.actions.propose({"change": "add", "configuration": "square8-3", "reason": "more"})
    assert asked["needs"] == 3
