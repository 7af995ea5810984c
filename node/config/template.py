"""The text of a swarm.toml: who is in it, and every setting with its value and what it means."""

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from typing import NamedTuple

from consensus.settings import SECTIONS, Settings
from node.config.address import Address

_HEAD = """\
# A swarm of RingRift nodes. Every member has the same copy of this file; [swarm], [[member]] and
# [settings.*] together are the genesis, whose digest names the swarm. A node with another genesis is
# another swarm: change these only before the first start. Addresses and [node] may change at any time.
#
# `ringrift-node init DIR --members 4` writes such a file together with the keys of its members.
"""

_SWARM = """\
[swarm]
name = {name}
# What is played: BOARD-PLAYERS with square8 or hex8 and 2, 3 or 4 players.
configurations = [{configurations}]
"""

_MEMBERS = """\
# One table a member. `id` is its public key and `anchor` what it adds to seeds will be held against, as
# `ringrift-node id KEYFILE` prints them (without an anchor it adds nothing); `address` is where the
# other members reach it; `weight` counts in every vote (with four or more members each must have less
# than a third of all).
"""

_MEMBER = """\
[[member]]
name = {name}
id = {id}
{anchor}address = {address}
weight = {weight}
"""

_SETTINGS = """\
# The settings. All are written out, so that a later version of the program with other defaults still
# runs this swarm and not another one.
"""

_NODE = """\
# What may differ from host to host; options of `ringrift-node run` go before it.

[node]
# Where this node serves people: the status page, /status and the rest. Without it: loopback, and the
# port for peers + 1000. Whoever binds another address shows the page to everybody who reaches it.
# http = "127.0.0.1:8400"
# What this node works on: "selfplay", "train", "match". [] only orders, votes and serves.
# roles = ["selfplay", "train", "match"]
# How many epochs' events and ledgers stay on this disk, the open one among them; the chain of epoch records
# always does. Without it: all. 2 is enough to take part and to help others catch up.
# keep_epochs = 2
"""

_WORDS: dict[str, dict[str, str]] = {
    "selfplay": {
        "": "How self-play games are made.",
        "games": "games that one claim asks for",
        "simulations": "of the search, for each move",
        "considered": "moves that the search considers at its root",
        "opening_plies": "random plies before the search begins",
        "ceiling": "so many games since the last candidate are enough; then nobody plays more",
    },
    "training": {
        "": "When and how a candidate is trained.",
        "games": "new games since the last candidate before the next one is trained",
        "window": "newest games to train on",
        "steps": "of the optimizer",
        "batch": "positions a step",
        "architecture": "of the network: c16b2 has 16 channels and 2 blocks",
        "learning_rate": "of the optimizer",
    },
    "match": {
        "": "How a candidate is measured against the canonical model.",
        "simulations": "of the search, for each move",
        "considered": "moves that the search considers at its root",
        "opening_plies": "random plies before the search begins; the order fixes them, nobody chooses",
        "slot_blocks": "blocks that one member plays at a time; a block is one opening in every seating",
        "block_limit": "undecided after so many blocks: rejected; a multiple of 2 x slot_blocks",
        "p1": "share of the points that the test looks for, against 0.5 for equal players",
        "alpha": "risk of accepting a candidate that is only equal",
        "beta": "risk of rejecting one that scores p1",
    },
    "timing": {
        "": "How long things may take, in seconds of the order's own clock.",
        "lease_s": "a claim without progress; then others may claim the work",
        "claim_s": "a claim at most, whatever progress it tells",
        "vote_s": "a candidate that passed its match, without enough votes; then it is dropped",
        "idle_s": "a match without a new result; then the candidate is dropped",
        "gap_s": "a longer gap between two events counts as this, so that an outage ends no lease",
    },
    "epoch": {
        "": "When the swarm turns a page: what is older needs no memory.",
        "events": "ordered events, after which the epoch closes",
        "bytes": "bytes of them, after which it closes too: all members keep an open epoch in memory",
    },
    "membership": {
        "": "How members come and go.",
        "vote_s": "a proposal without enough ballots; then it is dropped",
        "absence_s": "so long without an event proposes that a member leaves; 0: never",
        "expel": "1: whoever provably signed two histories is proposed to leave",
        "faults": "so many match results proven to be wrong propose that a member leaves; 0: never",
    },
}


class Listing(NamedTuple):
    """One [[member]]; id and anchor as text."""

    name: str
    id: str
    address: Address
    weight: int
    anchor: str | None = None


def render_swarm(name: str, members: Sequence[Listing], settings: Settings) -> str:
    """Return a swarm.toml."""
    configurations = ", ".join(quote(configuration) for configuration in settings.configurations)
    tables = [_render_member(member) for member in members]
    return "\n".join(
        [
            _HEAD,
            _SWARM.format(name=quote(name), configurations=configurations),
            _MEMBERS + "\n" + "\n".join(tables),
            _SETTINGS,
            *(_render_section(section, settings) for section in SECTIONS),
            _NODE,
        ]
    )


def quote(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def _render_member(member: Listing) -> str:
    return _MEMBER.format(
        name=quote(member.name),
        id=quote(member.id),
        anchor="" if member.anchor is None else f"anchor = {quote(member.anchor)}\n",
        address=quote(str(member.address)),
        weight=member.weight,
    )


def _render_section(section: str, settings: Settings) -> str:
    words, values = _WORDS[section], getattr(settings, section)
    lines = [f"[settings.{section}]  # {words['']}"]
    for item in fields(SECTIONS[section]):  # type: ignore[arg-type]  # every Section is a dataclass
        line = f"{item.name} = {_literal(getattr(values, item.name))}"
        lines.append(f"{line:<26}  # {words[item.name]}")
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, Fraction):
        decimal = f"{float(value)}"
        return decimal if Fraction(decimal) == value else quote(str(value))
    return quote(value) if isinstance(value, str) else str(value)
