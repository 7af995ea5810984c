"""Writes the text of a swarm.toml: its members, and every setting with its value and what it means."""

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from typing import NamedTuple

from consensus.settings import SECTIONS, Settings
from node.config.address import Address

_HEAD = """\
# A swarm of RingRift nodes. Every member has the same copy of this file. [swarm], the ids, anchors and weights
# of the members, and [settings.*] are the genesis, whose digest identifies the swarm: with any other genesis it
# is another swarm, so change these only before the first start. Names, addresses and [node] may change at any time.
#
# `ringrift-node init DIR --members 4` writes such a file together with the keys of its members.
"""

_SWARM = """\
[swarm]
name = {name}
# What is played, as BOARD-PLAYERS: square8, square19, hex8 or hexagonal, with 2, 3 or 4 players.
configurations = [{configurations}]
# Ids of members whose word alone pauses and resumes work; without any it takes a ballot. Part of the genesis, and only
# for swarms with steering.rules = 1.
# operators = ["..."]
"""

_MEMBERS = """\
# One table for each member. `id` is its public key and `anchor` what its part in seeds is checked against, both
# as `ringrift-node id KEYFILE` prints them; without an anchor it has no part in seeds. `address` is where the other
# members reach it. `weight` is what it counts in votes; of four or more members, each must have less than a third
# of the whole weight. With two or three the swarm stands still whenever one is away that has a third or more.
"""

_MEMBER = """\
[[member]]
name = {name}
id = {id}
{anchor}address = {address}
weight = {weight}
"""

_SETTINGS = """\
# All settings are written out, so that a later version of the program with other defaults still runs this swarm.
"""

_NODE = """\
# [node] may differ from host to host. Options of `ringrift-node run` override it.

[node]
# Where this node serves people: the status page, /status and the rest. Default: on loopback, at the port for
# peers + 1000. On any other address, everybody who reaches it sees the page.
# http = "127.0.0.1:8400"
# What this node works on: any of "selfplay", "train" and "match". With [] it only orders, votes and serves.
# roles = ["selfplay", "train", "match"]
# How many epochs, the open one included, keep their events and ledgers on this disk; the records of all epochs
# are always kept. Default: all. 2 are enough to take part and to help others catch up.
# keep_epochs = 2
# A command that /bin/sh runs once the swarm has wanted nothing from this node for so many seconds, such as one that
# gives a rented machine back; again only after there was work in between. Default: none, 900.
# idle_command = "systemctl poweroff"
# idle_after_s = 900
# For how many seconds from its start this machine is expected to be there; claims are made to fit. Default: not known.
# life_s = 36000
# What an hour of this machine costs, in thousandths of a currency unit that all members mean; of machines that are
# equally fast, the cheaper ones train first. Default: 0.
# cost = 350
# How many jobs this node does at once, 1 to 60, each in a process of its own. Default: one for each GPU, and one for
# each two of the other cores, as far as there is memory.
# slots = 4
# By how many processes of this machine one training computes, 1 to 16; each takes a core and up to 1 GiB. Nobody counts
# them when slots are planned: say fewer slots. In the slot of a GPU it is on how many GPUs. Default: all GPUs, else 1.
# training_processes = 4
# A bucket behind an S3 API in which this node keeps what the ledger counts, and from which it reads back what no other
# node has. Default: none; the endpoint is Amazon's, the region us-east-1, and the keys come from AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY in the environment. Keys are never in this file, but can be in one of mode 600.
# archive = "s3://bucket/prefix"
# archive_endpoint = "https://s3.example.com"
# archive_region = "eu-central-1"
# archive_keys = "archive.keys"
# For how many seconds this node ends its work when it is told to end: no new claims, results delivered, claims given
# back. A second signal ends it at once. Default: 30.
# drain_s = 30
# A command that /bin/sh runs after that, just before this node ends; it may take 10 s. Default: none.
# drain_command = "systemctl poweroff"
"""

_COMMENTS: dict[str, dict[str, str]] = {
    "selfplay": {
        "": "How self-play games are made.",
        "games": "games of one claim (large boards, square19 and hexagonal: a quarter)",
        "random_games": "random games before the first network is trained; 0: as many as of later games",
        "simulations": "simulations of the search for each move",
        "late_simulations": "simulations with model no. late_promotions and later ones (large boards: with all)",
        "late_promotions": "promotions of a configuration after which late_simulations count; 0: never",
        "considered": "moves that the search considers at its root (large boards: twice as many)",
        "opening_plies": "random plies before the search begins",
        "sparring": "in one game of so many the heuristic has a seat; 0: in none",
        "ceiling": "games since the last candidate after which nobody plays more (large boards: a quarter)",
    },
    "training": {
        "": "When and how a candidate is trained.",
        "games": "new games since the last candidate before the next one is trained (large boards: a quarter)",
        "window": "newest games to train on (large boards: a quarter)",
        "steps": "steps of the optimizer (large boards: a quarter)",
        "batch": "positions in each step",
        "architecture": "network; c16b2 has 16 channels and 2 blocks",
        "learning_rate": "learning rate of the optimizer",
        "first_networks": "first networks, each trained from another seed; the one that plays best is kept",
        "first_steps": "steps of each first network; 0: as many as of a later training",
        "sibling_promotions": "promotions after which the sibling's model may be a configuration's first; 0: never",
        "measured_blocks": "blocks of games by which the trainer measures what search adds to a candidate; 0: none",
        "rejections": "rejected candidates in a row after which training starts from the canonical model; 0: always",
    },
    "match": {
        "": "How a candidate is measured against the canonical model.",
        "simulations": "simulations of the search for each move",
        "considered": "moves that the search considers at its root",
        "opening_plies": "random plies before the search begins; the order fixes them, so nobody chooses",
        "slot_blocks": "blocks of a slot, which one member plays; a block is one opening in every seating",
        "block_limit": "blocks after which limit_share decides; a multiple of 2 x slot_blocks",
        "p0": "share of the points that is not better; equal players have 0.5",
        "p1": "share of the points that the test looks for, against p0",
        "alpha": "risk that the test accepts a candidate that scores p0",
        "beta": "risk that the test rejects a candidate that scores p1",
        "limit_share": "share of the points that is enough at the block limit; 1: undecided is rejected",
    },
    "timing": {
        "": "How long things may take, in seconds of the ledger's clock.",
        "lease_s": "a claim without progress; then others may claim the work",
        "claim_s": "a claim in all, whatever progress it makes",
        "vote_s": "a candidate that passed its match but lacks votes; then it is dropped",
        "idle_s": "a match without a new result; then the candidate is dropped",
        "gap_s": "a longer gap between two events counts as this long, so that an outage ends no lease",
        "by_weight": "1: that clock is the weighted median of the members' own; 0: each judge's counts the same",
    },
    "epoch": {
        "": "When an epoch closes. What is older than the open epoch needs no memory.",
        "events": "events in the order after which it closes",
        "bytes": "bytes of these events after which it closes; every member keeps the open epoch in memory",
        "ahead": "events that one makes while no quorum is heard, for each member; 0: any number",
    },
    "membership": {
        "": "How members come and go.",
        "vote_s": "seconds after which a proposal without enough ballots is dropped",
        "absence_s": "seconds without an event after which a member is proposed to leave; 0: never",
        "expel": "1: a member proven to have signed two histories is proposed to leave; 0: it is not",
        "faults": "match results proven wrong after which a member is proposed to leave; 0: never",
        "names": "1: who joins, or gets a new key, can get a name by the same vote; 0: it cannot",
    },
    "steering": {
        "": "how the swarm decides what to work on",
        "rules": "1: by cost, quality and ratings; 0: by counts of games alone",
        "window_s": "seconds in which delivered games count against a share",
        "floor": "least share of self-play of a configuration, in thousandths",
        "quota": "largest share of self-play of a configuration, in thousandths",
        "staleness": "weight of old games and of an old model, in thousandths, as the next five",
        "velocity": "weight of what learns fast",
        "curriculum": "weight of promotions of siblings",
        "quality": "weight of games of low quality",
        "diversity": "weight of few distinct openings",
        "information": "weight of a rating with a wide error",
        "starved": "the weight is multiplied so where at most a fifth of the median was delivered",
        "starving": "the same for a tenth",
        "starved_out": "the same for a twentieth",
        "swing": "quality of games moves the threshold of a training by up to so much, in thousandths",
        "early_interval": "training may start early once the value error is within so many thousandths; 0: never",
        "early_floor": "thousandths of the threshold that are needed even then",
        "cooldown_s": "seconds between the end of a match and the next training there",
        "full_share": "of a thousand positions so many are searched fully and teach the policy",
        "fast_simulations": "simulations of the search for each move in the others",
        "stall_s": "seconds that a claim lives whose progress does not grow",
        "slot_s": "seconds for which a member may hold slots of one match without a result",
        "turn_s": "seconds for which others go first after a failed training, twice as long after the next",
        "congested": "open blocks, in thousandths of those finished lately, from which on nothing is trained",
        "relieved": "and below which it is again",
        "families": "architectures to train, such as c16b2.c32b4; none: training.architecture alone",
        "regression_permille": "risk of an alarm about a model that is not weaker, in thousandths; 0: no alarms",
        "stall_trainings": "a stall: little rating gained for what so many trainings cost",
        "outcome_share": "games of matches and series to train on for a thousand of self-play; 0: none",
        "joint_share": "thousandths of a training's steps on games of siblings, which may get its model, too",
        "custodians": "members besides the author that hold a shard before its games count; 0: they count at once",
        "custody_s": "seconds after which a silent member is taken for gone, and the next one is asked to hold a shard",
        "custody_disk_gib": "free GiB from which on a member holds shards; twice as much, twice as many; 0: any disk",
    },
}


class Listing(NamedTuple):
    """One [[member]] to be written; `id` and `anchor` are text."""

    name: str
    id: str
    address: Address
    weight: int
    anchor: str | None = None


def render_swarm(name: str, members: Sequence[Listing], settings: Settings) -> str:
    """Return the text of a swarm.toml."""
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
    """Return `text` as a TOML basic string."""
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
    comments, values = _COMMENTS[section], getattr(settings, section)
    lines = [f"[settings.{section}]  # {comments['']}"]
    for item in fields(SECTIONS[section]):  # type: ignore[arg-type]  # every Section is a dataclass
        line = f"{item.name} = {_literal(getattr(values, item.name))}"
        lines.append(f"{line:<26}  # {comments[item.name]}")
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, Fraction):
        decimal = f"{float(value)}"
        return decimal if Fraction(decimal) == value else quote(str(value))
    return quote(value) if isinstance(value, str) else str(value)
