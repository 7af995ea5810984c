"""What members of a swarm with `steering.rules` write, and all that is computed from it.

Inputs are transactions. Most are made to be about what is there now: a live claim, a shard, an open case, a slot. So
the other fields of a changed transaction reach the rules, and what follows from it. Changes of settings are approved.
What an input does depends on those before it; the swarm is made anew at each multiple of 400. So whoever repeats input
number I begins with the last of these before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import count
from typing import Any

from consensus.encoding import decode, encode
from consensus.event import MAX_EVENT_BYTES
from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.priorities import next_work, why_rest
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.decisions import OutdatedError, SteeringChange
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.ratings import Contest
from consensus.settings import SECTIONS, SteeringSettings
from node.report.steering import steering
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of, facts_of
from tests.fuzz.mutations import Mutator, to_cbor

RULED = replace(
    SMALL,
    configurations=("hex8-2", "square8-3"),
    steering=SteeringSettings(rules=1, cooldown_s=1, window_s=600, families="c16b2.c32b4", custodians=1, custody_s=30),
)
ROLES = ("match", "selfplay", "train")
_RENEWED = 400  # inputs after which the swarm is made anew
_LOOKED = 4  # inputs after which everything is computed


def busy_swarm(rules: int) -> Swarm:
    """Four members with rates, shards, two promotions whose series are played, and an open match with a result."""
    made = Swarm(4, replace(RULED, steering=replace(RULED.steering, rules=rules) if rules else SteeringSettings()))
    for member in range(4):
        made.act(member, profile(made.next_id(member), member))
        made.play(member, 32)
        made.play(member, 8, "square8-3")
    made.certify(made.promote(0), (2, 0, 1, 3))
    made.promote(1, "second")
    candidate = made.nominate(2, "third")
    made.play_slot(3, candidate, made.ledger.open_slots(made.ledger.candidates()[0], made.id(3))[0])
    return made


def profile(number: int, member: int) -> t.Profile:
    rates = {"train-hex8-2": 100 + member, "selfplay-hex8-2": 400, "random-square8-3": 7, "evaluations": 10**6}
    return t.Profile(
        number,
        roles=ROLES,
        device="cpu",
        software=bytes(32),
        rates=rates,
        cost=350_000 * member,
        life=900 * member,
        hidden=member == 1 or None,
    )


def samples() -> list[bytes]:
    """One of each kind of transaction, or form of it, that came with the steering."""
    name, changes = digest_of("name"), (
        SteeringChange("set", setting="selfplay.games", value="64"),
        SteeringChange("set", setting="steering.window_s", value="60"),
        SteeringChange("set", setting="steering.quota", value="1000"),
        SteeringChange("set", setting="steering.families", value="none"),
        SteeringChange("set", setting="training.games", value="1"),
        SteeringChange("set", setting="training.batch", value="9007199254740991"),
        SteeringChange("set", setting="selfplay.simulations", value="9007199254740991"),
        SteeringChange("set", setting="match.p1", value="3/5", configuration="hex8-2"),
        SteeringChange("set", setting="match.p1", configuration="hex8-2"),
        SteeringChange("set", setting="steering.coming", value="7"),
        SteeringChange("add", configuration="hexagonal-4"),
        SteeringChange("pause", work="rate", configuration="hex8-2"),
        SteeringChange("resume"),
    )  # fmt: skip
    games = t.Games(
        1, claim=1, configuration="hex8-2", model=name, shard=name, size=1000, games=4, plies=360, root=name,
        facts=facts_of(RULED, 4, 360),
    )  # fmt: skip
    result = t.Result(1, claim=1, scores=((0, 2), (1, 4)), root=name, blob=name, size=100, games=4)
    files = {"weights.safetensors": name}
    candidate = t.Candidate(
        1, claim=None, configuration="hex8-2", model=t.model_digest(files, "c16b2", None), files=files,
        architecture="c16b2", parent=None, incumbent=name, shards=(), losses={"policy": 5}, measures={}, state=None,
    )  # fmt: skip
    made: list[t.Transaction] = [
        *(profile(1, member) for member in range(3)),
        *(t.Propose(1, change, "so") for change in changes),
        t.Ballot(1, name, approve=False),
        t.SelfplayClaim(1, "hex8-2", 4),
        t.TrainClaim(1, "hex8-2", "c32b4"),
        t.RateClaim(1, name),
        t.Progress(1, 1, 3),
        *(games,) * 3,
        *(result,) * 3,
        *(t.ShardFinding(1, name, wrong, "loaded") for wrong in (True, True, False)),
        *(t.Held(1, (name, digest_of(place))[:place]) for place in (1, 2)),
        *(t.Missing(1, name, slot, name) for slot in (None, 0)),
        t.Finding(1, candidate=name, slot=0, result=name, wrong=True, reason="replayed"),
        candidate,
    ]
    return [encode(transaction.as_table()) for transaction in made]


_WHOLES = (0, 1, 2, 3, 7, 23, 24, 100, 255, 999, 1000, 1001, 65_535, 65_536, 2**31, 2**32, 2**48, 2**53 - 1, 2**63 - 1)
_VALUES = (*map(str, _WHOLES[:-1]), "1/2", "51/100", "3/5", "1/9007199254740991", "none", "c16b2", "c32b4.c16b2")
_SETTINGS = tuple(f"{kind.NAME}.{item.name}" for kind in SECTIONS.values() for item in fields(kind))  # type: ignore[arg-type]
_CONFIGURATIONS = (None, None, "hex8-2", "square8-3", "hexagonal-4", "square19-2")


def forge(mutator: Mutator) -> bytes:
    """Change a transaction: any value to any other, or numbers and settings to others that may be there."""
    chance = mutator.chance
    table: Any = decode(chance.choice(mutator.samples), limit=MAX_EVENT_BYTES)
    if chance.random() < 0.3:
        return to_cbor(mutator.value(table))
    change = table.get("change")
    if isinstance(change, dict) and change["kind"] == "set":
        change |= {"setting": chance.choice(_SETTINGS), "value": chance.choice(_VALUES)}
        change["configuration"] = chance.choice(_CONFIGURATIONS)
    elif isinstance(change, dict) and chance.random() < 0.5:
        change["configuration"] = chance.choice(_CONFIGURATIONS)
    inner = [part for part in (table, *table.values()) if isinstance(part, dict)]
    for _ in range(chance.choice((0, 1, 1, 2))):
        part = chance.choice(inner)
        names = sorted(name for name, value in part.items() if type(value) is int)
        if names:
            part[chance.choice(names)] = chance.choice(_WHOLES)
    return to_cbor(table)


class SteeredCheck:
    """Orders a transaction in a swarm with the rules, or in one without, and computes what follows from it."""

    def __init__(self) -> None:
        self._swarms: dict[int, Swarm] = {}
        self._taken = count()

    def __call__(self, data: bytes) -> None:
        table = decode(data, limit=MAX_EVENT_BYTES)
        if not isinstance(table, dict) or not isinstance(table.get("type"), str) or type(table.get("id")) is not int:
            raise MalformedError("not a transaction that an event can hold")
        number = next(self._taken)
        rules = int(number % 8 > 0)
        if number % _RENEWED < 2:  # of the one without the rules, and of the one with them
            self._swarms[rules] = busy_swarm(rules)
        swarm, member = self._swarms[rules], number % 4
        try:
            self._order(swarm, member, number, table)
        except OutdatedError:
            self._swarms[rules] = busy_swarm(rules)
            raise
        if number % _LOOKED == 0 or table["type"] in ("propose", "profile"):
            look(swarm)
        if number % _RENEWED == _RENEWED - 1:
            _close(swarm)
        held = swarm.ledger.settings_version, swarm.ledger.pauses(), swarm.ledger.shard_cases(), swarm.ledger.absences()
        assert rules or held == (0, (), (), ()), "a swarm without the rules has what only the rules know"
        parse_transaction(table, rules)

    def _order(self, swarm: Swarm, member: int, number: int, table: dict[str, Any]) -> None:
        if number % 5:
            fit(swarm, member, table, number)
        table["id"] = 10_000 + 10 * number
        swarm.order((swarm.id(member), [table]))
        for place, proposal in enumerate(swarm.ledger.proposals()):
            for voter in range(1, 4):
                other = (member + voter) % 4
                approve = number % 3 > 0
                ballot = t.Ballot(10_000 + 10 * number + 1 + place, proposal.id, approve)
                swarm.act(other, ballot)


def fit(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> None:
    """Let a transaction be about something that is there, in the fields that still have their type."""
    about: dict[str, Callable[[Swarm, int, dict[str, Any], int], dict[str, Any]]] = {
        "games": _games, "result": _result, "shard_finding": _shard, "held": _held, "missing": _slot, "finding": _slot,
        "claim": _series, "progress": _progress, "candidate": _candidate, "ballot": _proposal,
    }  # fmt: skip
    if table["type"] not in about:
        return
    for name, value in about[table["type"]](swarm, member, table, number).items():
        if type(table.get(name)) is type(value):
            table[name] = value


def _claim(swarm: Swarm, member: int, wanted: t.Transaction) -> Claim | None:
    """The member's newest claim, after it has asked for this one and the beacon has drawn."""
    swarm.act(member, wanted)
    swarm.order()
    swarm.order()
    claims = swarm.ledger.claims_of(swarm.id(member))
    return claims[-1] if claims else None


def _games(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    claim = _claim(swarm, member, t.SelfplayClaim(swarm.next_id(member), "hex8-2", 4))
    if claim is None:
        return {}
    shard = digest_of("shard", number)
    return {"claim": claim.id, "configuration": claim.configuration, "model": claim.model, "shard": shard}


def _result(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    series = swarm.ledger.series()
    if not series:
        return {}
    claim = _claim(swarm, member, t.RateClaim(swarm.next_id(member), series[number % len(series)].id))
    if claim is None or claim.slot is None:
        return {}
    first = 2 * claim.slot
    for place, pair in enumerate(table["scores"] if isinstance(table.get("scores"), list) else []):
        if isinstance(pair, list) and pair and type(pair[0]) is int:
            pair[0] += first if pair[0] == place else 0
    return {"claim": claim.id, "blob": digest_of("blob", number)}


def _shard(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    kept = [shard.digest for entry in swarm.ledger.configurations() for shard in swarm.ledger.shards(entry.name)]
    return {"shard": kept[number % len(kept)]}


def _held(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    """What the member is to hold; now and then another's, or what it holds already."""
    me = swarm.id(member)
    kept = [shard for entry in swarm.ledger.configurations() for shard in swarm.ledger.shards(entry.name)]
    mine = [shard for shard in kept if me in swarm.ledger.custodians(shard) and me not in shard.holders]
    return {"shards": [shard.digest for shard in (mine if mine and number % 7 else kept)[-2:]]}


def _slot(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    contests: list[Contest] = [*swarm.ledger.candidates(), *swarm.ledger.series()]
    reports = [report for entry in contests for slot in range(len(entry.slots)) if (report := report_of(entry, slot))]
    if table.get("slot") is None and swarm.ledger.candidates():
        open_ = swarm.ledger.candidates()[0]
        return {"candidate": open_.id, "subject": open_.model.digest}
    if not reports:
        return {}
    report = reports[number % len(reports)]
    name = report.digest
    return {"candidate": report.candidate, "slot": report.slot, "subject": name, "result": name}


def _series(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    series = swarm.ledger.series()
    return {"series": series[number % len(series)].id} if series else {}


def _progress(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    claims = swarm.ledger.claims_of(swarm.id(member))
    return {"claim": claims[-1].id} if claims else {}


def _candidate(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    """An earlier model, as after a regression."""
    promoted = swarm.ledger.promotions("hex8-2")
    if not promoted:
        return {}
    model = promoted[0].model
    return {
        "incumbent": swarm.ledger.configuration("hex8-2").model.digest, "model": model.digest,
        "files": dict(model.files),
    }  # fmt: skip


def _proposal(swarm: Swarm, member: int, table: dict[str, Any], number: int) -> dict[str, Any]:
    proposed = swarm.propose(member, SteeringChange("set", setting="training.steps", value=str(1 + number)))
    return {"proposal": proposed}


def look(swarm: Swarm) -> None:
    """Compute all that nodes compute from the ledger, for each member."""
    members = [swarm.id(number) for number in range(4)]
    for member in members:
        work = next_work(swarm.ledger, member, ROLES)
        assert (work is None) == bool(why_rest(swarm.ledger, member, ROLES))
        if work is not None:
            parse_transaction(work.claim(1).as_table(), swarm.ledger.settings.steering.rules)
    table = steering(swarm.ledger, members, id_text)
    assert not table["shares"] or sum(entry["share"] for entry in table["shares"]) == 1000


def _close(swarm: Swarm) -> None:
    """Whoever reads the snapshot has the same ledger."""
    state = swarm.ledger._state
    state.epoch.size = state.settings.epoch.bytes + 1
    if not state.epoch.can_close:
        return
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
