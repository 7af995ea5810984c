"""Where members are said to be: who is believed how far, and what a liar can make a node do."""

import json
import random
import socket
from collections import Counter
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.keys import MemberId
from consensus.roster import Roster, RosterMember, make_roster
from consensus.settings import Settings
from node.config.address import is_for_everybody, is_loopback, parse_address
from node.config.identity import Identity
from node.config.swarm_file import parse_config
from node.config.template import Listing, render_swarm
from node.gossip.messages import MessageError
from node.membership.address_book import AddressBook
from node.membership.address_file import keep_places, read_places
from node.membership.address_messages import (
    AddressNews,
    Hint,
    decode_address_answer,
    decode_address_request,
)
from node.membership.claims import AddressClaim, make_claim
from node.membership.whereabouts import TRIES_AT_ONCE, TRIES_PER_S, RememberedPlace, Whereabouts
from node.transport import Candidate, Unreachable
from node.transport.client import HttpTransport
from node.transport.tls import Credentials

Ids = list[Identity]

GENESIS = bytes(32)


class Desk:
    """What one node knows of the places of the first four members, at 10.0.0.1 and so on, and of nobody else."""

    def __init__(
        self, identities: Ids, number: int = 0, remembered: dict[MemberId, RememberedPlace] | None = None
    ) -> None:
        self.own = [f"10.0.0.{number + 1}:7400"]
        self.now_ns = 1000
        self.roster: Roster = make_roster([RosterMember(identity.id, 1) for identity in identities[:4]])
        listings = [
            Listing(f"node{place}", identity.text, parse_address(f"10.0.0.{place}:7400"), 1)
            for place, identity in enumerate(identities[:4], 1)
        ]
        config = parse_config(Path("swarm.toml"), render_swarm("test", listings, Settings()))
        self.whereabouts = Whereabouts(
            key=identities[number].key,
            genesis=GENESIS,
            address_book=AddressBook(config, lambda: self.roster),
            own=lambda: self.own,
            time_ns=lambda: self.now_ns,
            chance=random.Random(1),
            remembered=remembered or {},
        )
        self.whereabouts.update_own()

    def addresses(self, member: Identity) -> list[str]:
        return [candidate.address for candidate in self.whereabouts.candidates(member.id)]

    def claim(self) -> AddressClaim:
        claim = self.whereabouts.remembered()[self.whereabouts._key.id].claim
        assert claim is not None
        return claim


def claim_of(identity: Identity, number: int, *addresses: str) -> AddressClaim:
    return make_claim(identity.key, GENESIS, number, addresses)


async def test_a_member_is_tried_where_it_says_beside_the_agreed_address(identities: Ids) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    told = AddressNews([claim_of(b, 5, "10.9.9.9:7400")])
    assert desk.whereabouts.observe_news(c.id, told) == {b.id}
    assert desk.addresses(b) == ["10.0.0.2:7400", "10.9.9.9:7400"]
    desk.whereabouts.observe_reached(b.id, "10.9.9.9:7400")
    assert desk.addresses(b) == ["10.9.9.9:7400", "10.0.0.2:7400"]
    assert desk.whereabouts.observe_news(c.id, told) == set()
    assert desk.whereabouts.observe_news(c.id, AddressNews([claim_of(b, 4, "10.8.8.8:1")])) == set()
    assert desk.addresses(b) == ["10.9.9.9:7400", "10.0.0.2:7400"]


def test_a_vote_comes_before_everything_else(identities: Ids) -> None:
    _, b, *_ = identities
    desk = Desk(identities)
    desk.whereabouts.observe_roster()
    desk.whereabouts.observe_reached(b.id, "10.9.9.9:7400")
    assert desk.addresses(b)[0] == "10.9.9.9:7400"
    members = [RosterMember(identity.id, 1) for identity in identities[:4] if identity is not b]
    desk.roster = make_roster([*members, RosterMember(b.id, 1, None, "10.7.7.7:7400")])
    desk.whereabouts.observe_roster()
    assert desk.addresses(b)[0] == "10.7.7.7:7400"


def test_nobody_speaks_for_another_and_no_other_swarm_counts(identities: Ids) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    elsewhere = make_claim(b.key, b"x" * 32, 7, ["10.9.9.9:7400"])
    forged = AddressClaim(b.id, 7, ("10.9.9.9:7400",), claim_of(c, 7, "10.9.9.9:7400").signature)
    for claim in (elsewhere, forged):
        with pytest.raises(MessageError, match="not signed by the member"):
            desk.whereabouts.observe_news(c.id, AddressNews([claim]))
    assert desk.addresses(b) == ["10.0.0.2:7400"]


async def test_an_own_claim_is_new_when_the_address_is_whatever_the_clock_says(identities: Ids) -> None:
    a, b, *_ = identities
    desk = Desk(identities)
    first = desk.claim()
    desk.whereabouts.update_own()
    assert desk.claim() == first
    desk.own, desk.now_ns = ["10.0.0.77:7400"], 3  # and the clock was set back
    desk.whereabouts.update_own()
    assert (desk.claim().addresses, desk.claim().number) == (("10.0.0.77:7400",), first.number + 1)
    again = Desk(identities, 0, desk.whereabouts.remembered())
    again.whereabouts.update_own()
    assert again.claim().number == first.number + 2  # it was not the address of the last run
    without_disk = Desk(identities)
    without_disk.whereabouts.observe_news(b.id, AddressNews([claim_of(a, 10**6, "10.0.0.66:7400")]))
    assert without_disk.claim().addresses == ("10.0.0.1:7400",)
    assert without_disk.claim().number > 10**6


async def test_a_member_that_listens_anywhere_is_where_its_connections_come_from(identities: Ids) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    desk.whereabouts.observe_news(b.id, AddressNews([claim_of(b, 5, "0.0.0.0:7401", "10.0.0.2:7400")]))
    assert desk.addresses(b) == ["10.0.0.2:7400"]
    desk.whereabouts.observe_connection(b.id, "10.3.3.3")
    assert desk.addresses(b) == ["10.0.0.2:7400", "10.3.3.3:7401"]
    desk.whereabouts.observe_reached(b.id, "10.3.3.3:7401")
    news, _ = desk.whereabouts.news_for(c.id)
    assert Hint(b.id, "10.3.3.3:7401") in news.hints  # others cannot know that


async def test_what_is_new_is_told_once_and_not_to_whom_it_came_from(identities: Ids) -> None:
    a, b, c, d, _ = identities
    desk = Desk(identities)

    def told(peer: Identity) -> list[MemberId]:
        news, change = desk.whereabouts.news_for(peer.id)
        desk.whereabouts.observe_told(peer.id, change)
        assert not news.hints
        return [claim.member for claim in news.claims]

    assert told(c) == told(d) == [a.id]  # this node's own word
    assert told(c) == []
    desk.whereabouts.observe_news(b.id, AddressNews([claim_of(b, 5, "10.0.0.2:7400")]))
    assert told(c) == []  # b is where all think that it is
    desk.whereabouts.observe_news(d.id, AddressNews([claim_of(b, 6, "10.9.9.9:7400")]))
    assert told(c) == [b.id]
    assert told(d) == told(c) == []
    assert told(b) == [a.id]
    assert [claim.number for claim in desk.whereabouts.answer([b.id, c.id]).claims] == [6]
    assert [hint.member for hint in desk.whereabouts.answer([b.id, c.id]).hints] == [b.id, c.id]


async def test_a_flood_of_hints_and_claims_leads_to_few_connections(
    identities: Ids, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A liar names other victims every second, and so does its accomplice of itself, while both are asked as often."""
    a, b, liar, accomplice, stranger = identities
    desk = Desk(identities)
    opened: Counter[str] = Counter()

    async def refuse(host: str, port: int) -> None:
        opened[host] += 1
        await trio.lowlevel.checkpoint()
        raise ConnectionRefusedError("no")

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        await trio.lowlevel.checkpoint()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]

    monkeypatch.setattr(trio, "open_tcp_stream", refuse)
    monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
    transport = HttpTransport(Credentials(a, [b.id]), desk.whereabouts)
    seconds = 300
    for second in range(seconds):
        hints = [Hint(b.id, f"172.16.{second % 256}.{host}:80") for host in range(1, 9)]
        made_up = [claim_of(stranger, second, "192.168.0.1:1")]
        claims = [claim_of(accomplice, second, f"172.17.{second % 256}.1:80", f"172.17.{second % 256}.2:80")]
        desk.whereabouts.observe_news(liar.id, AddressNews([*claims, *made_up], hints))
        assert len(desk.whereabouts.candidates(b.id)) == 2  # the agreed address, and one hint of this source
        for member in (b, accomplice):
            with pytest.raises(Unreachable):
                await transport.ask(member.id, "/echo", b"", timeout_s=5)
        await trio.sleep(1)
    allowed = TRIES_AT_ONCE + seconds * TRIES_PER_S
    for net in ("172.16.", "172.17."):
        assert 10 < sum(count for host, count in opened.items() if host.startswith(net)) <= allowed
    assert opened["10.0.0.2"] == opened["10.0.0.4"] == seconds  # what was agreed on is tried each time
    assert not any(host.startswith("192.168") for host in opened)  # whoever has a key can sign claims
    assert stranger.id not in desk.whereabouts.remembered()


HERE_OR_NEAR = [
    "127.0.0.1:22", "127.8.8.8:22", "127.1:22", "2130706433:22", "0x7f.1:22", "localhost:22", "[::1]:22",
    "[::ffff:127.0.0.1]:22",
    "169.254.169.254:80", "[fe80::1]:80", "224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80", "0.0.0.0:80", "[::]:80",
]  # fmt: skip


@pytest.mark.parametrize("address", HERE_OR_NEAR)
async def test_a_word_does_not_lead_to_this_machine_or_its_link(identities: Ids, address: str) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    news = AddressNews([claim_of(b, 5, address)], [Hint(b.id, address)])
    desk.whereabouts.observe_news(c.id, news)
    assert desk.addresses(b) == ["10.0.0.2:7400"]
    assert not is_for_everybody(parse_address(address).host)


@pytest.mark.parametrize("place", ["127.0.0.1", "169.254.169.254", "::1"])
async def test_a_name_does_not_lead_there_either(identities: Ids, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    a, b, c, *_ = identities
    desk = Desk(identities)
    opened: list[str] = []

    async def refuse(host: str, port: int) -> None:
        opened.append(host)
        await trio.lowlevel.checkpoint()
        raise ConnectionRefusedError("no")

    async def resolve(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        await trio.lowlevel.checkpoint()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port))]

    monkeypatch.setattr(trio, "open_tcp_stream", refuse)
    monkeypatch.setattr(trio.socket, "getaddrinfo", resolve)
    desk.whereabouts.observe_news(
        c.id, AddressNews([claim_of(b, 5, "inner.example:80")], [Hint(b.id, "other.example:80")])
    )
    assert desk.addresses(b) == ["10.0.0.2:7400", "inner.example:80", "other.example:80"]
    with pytest.raises(Unreachable):
        await HttpTransport(Credentials(a, [b.id]), desk.whereabouts).ask(b.id, "/echo", b"", timeout_s=5)
    assert opened == ["10.0.0.2"]


async def test_a_swarm_on_loopback_moves_there_and_not_to_the_link(identities: Ids) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    desk.own = ["127.0.0.1:7400"]
    desk.whereabouts.update_own()
    desk.whereabouts.observe_news(b.id, AddressNews([claim_of(b, 5, "127.0.0.9:7400")]))
    desk.whereabouts.observe_news(c.id, AddressNews([], [Hint(b.id, "169.254.1.1:7400")]))
    assert desk.addresses(b) == ["10.0.0.2:7400", "127.0.0.9:7400"]
    assert is_loopback("127.0.0.9")


async def test_what_rests_on_a_word_names_its_source(identities: Ids) -> None:
    _, b, c, *_ = identities
    desk = Desk(identities)
    desk.whereabouts.observe_news(
        c.id, AddressNews([claim_of(b, 5, "10.5.5.5:1", "10.0.0.2:7400")], [Hint(b.id, "10.6.6.6:1")])
    )
    assert list(desk.whereabouts.candidates(b.id)) == [
        Candidate("10.0.0.2:7400"), Candidate("10.5.5.5:1", b.id), Candidate("10.6.6.6:1", c.id)
    ]  # fmt: skip


def test_news_survive_the_wire(identities: Ids) -> None:
    a, b, *_ = identities
    news = AddressNews([claim_of(b, 5, "10.5.5.5:1", "host.example:7400")], [Hint(a.id, "[2001:db8::1]:7400")])
    assert decode_address_answer(news.encode()) == news
    assert decode_address_request(news.encode_request([b.id])) == (news, [b.id])


async def test_an_address_that_was_voted_on_in_another_spelling_is_passed_on_in_the_right_one(identities: Ids) -> None:
    _, b, *_ = identities
    desk = Desk(identities)
    members = [RosterMember(identity.id, 1) for identity in identities[:4] if identity is not b]
    desk.roster = make_roster([*members, RosterMember(b.id, 1, None, "Host.Example:07400")])
    answer = desk.whereabouts.answer([b.id])
    assert decode_address_answer(answer.encode()).hints == [Hint(b.id, "host.example:7400")]


async def test_an_address_that_no_message_can_hold_is_not_told(identities: Ids) -> None:
    desk = Desk(identities)
    desk.own = [f"{'a.' * 130}example:7400", "10.0.0.1:7400"]
    desk.whereabouts.update_own()
    assert desk.claim().addresses == ("10.0.0.1:7400",)
    decode_address_answer(desk.whereabouts.news_for(identities[1].id)[0].encode())


@pytest.mark.parametrize(
    ("address", "reason"),
    [("10.0.0.1", "not host:port"), ("10.0.0.1:07400", "not how"), ("a" * 300 + ":1", "255 bytes"), (7, "255 bytes")],
)
def test_an_address_is_read_in_one_form_only(identities: Ids, address: object, reason: str) -> None:
    news = AddressNews([], [Hint(identities[0].id, address)])  # type: ignore[arg-type]
    with pytest.raises(MessageError, match=reason):
        decode_address_answer(news.encode())


def test_after_a_restart_all_that_others_may_not_know_is_told_again(identities: Ids) -> None:
    """They may have been off, or have forgotten it."""
    a, b, c, *_ = identities
    desk = Desk(identities)
    moved = claim_of(b, 5, "10.9.9.9:7400")
    desk.whereabouts.observe_news(b.id, AddressNews([moved]))
    again = Desk(identities, 0, desk.whereabouts.remembered())
    news, change = again.whereabouts.news_for(c.id)
    assert {claim.member: claim for claim in news.claims} == {a.id: desk.claim(), b.id: moved}
    again.whereabouts.observe_told(c.id, change)
    assert not again.whereabouts.news_for(c.id)[0]
    again.whereabouts.observe_forgotten(c.id)
    assert again.whereabouts.news_for(c.id) == (news, change)


async def test_what_is_known_outlives_a_restart(
    identities: Ids, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.membership.address_file._PAUSE_S", 0.0)
    _, b, c, *_ = identities
    desk, path = Desk(identities), tmp_path / "addresses.json"
    desk.whereabouts.observe_roster()
    assert read_places(path, GENESIS) == {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_places, path, desk.whereabouts)
        with trio.fail_after(10):
            for member, address in ((b, "10.9.9.9:7400"), (c, "10.8.8.8:7400")):
                desk.whereabouts.observe_news(member.id, AddressNews([claim_of(b, 5, "10.9.9.9:7400")]))
                desk.whereabouts.observe_reached(member.id, address)
                while read_places(path, GENESIS) != desk.whereabouts.remembered():
                    await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    places = read_places(path, GENESIS)
    b_place = places[b.id]
    assert (b_place.reached, b_place.named, b_place.claim) == (
        "10.9.9.9:7400", "10.0.0.2:7400", claim_of(b, 5, "10.9.9.9:7400")
    )  # fmt: skip
    again = Desk(identities, 0, places)
    assert again.addresses(c) == ["10.8.8.8:7400", "10.0.0.3:7400"]
    assert again.addresses(b) == ["10.9.9.9:7400", "10.0.0.2:7400"]


@pytest.mark.parametrize("text", ["", "[]", '{"x": 1}', '{"%s": {"reached": 7, "named": ""}}', "\udcff", "[" * 10**5])
def test_a_damaged_file_is_not_used_and_said(
    identities: Ids, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "addresses.json"
    path.write_bytes(text.replace("%s", identities[0].text).encode("utf-8", "surrogateescape"))
    assert read_places(path, GENESIS) == {}
    assert "known addresses not read" in capsys.readouterr().out


def test_a_claim_in_the_file_that_is_not_signed_is_not_used(identities: Ids, tmp_path: Path) -> None:
    b, path = identities[1], tmp_path / "addresses.json"
    claim = {"number": 1, "addresses": ["10.1.1.1:1"], "signature": "00" * 64}
    path.write_text(json.dumps({b.text: {"reached": "", "named": "", "claim": claim}}))
    assert read_places(path, GENESIS) == {}
