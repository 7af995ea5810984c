"""Certificates of a swarm with a history, and every kind of forgery that docs/certificates.md lists.

The swarm has `steering.rules`. It promotes three times. Between them members set `match.p1`, a member joins, and one
replaces its key. Whoever forges a sealed record or a statement has the keys of more than two thirds of the weight: what
can be computed again must be right even then.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from consensus.certificate.envelope import make_certificate, make_envelope, to_base64
from consensus.encoding import decode, encode
from consensus.epoch import EpochRecord, SealedRecord, decode_sealed
from consensus.genesis import make_genesis
from consensus.keys import SigningKey, id_text, parse_id
from consensus.ledger.records.beacon import block_seed
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.rules.promotion_statement import verdict_numbers, votes_digest
from consensus.ledger.rules.scores import results_digest, standing_of
from consensus.roster import RosterMember
from consensus.settings import MatchSettings, SteeringSettings
from consensus.statement import canonical_json, pae
from tests.consensus.ledger.swarm import SMALL, Swarm

STRANGER = SigningKey(bytes([99]) * 32)
_ORDER = 2**252 + 27742317777372353535851937790883648493  # of the base point of Ed25519
_SMALL_ORDER = bytes([1]) + bytes(31)  # the neutral element: its signatures are anybody's


@dataclass(frozen=True)
class Forgery:
    """A kind of forgery: its number in the catalogue is its place."""

    what: str
    make: Callable[[], bytes]


class History:
    """The swarm, and the certificates of its promotions."""

    def __init__(self) -> None:
        self.swarm = swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1)))
        swarm.measures = {"brier": 190_000}
        swarm.certify(swarm.promote(0, "first"), (0, 1, 2))
        swarm.agree(SteeringChange("set", setting="match.p1", value="3/5"), 0, 1, 2)
        self._change(Change("join", swarm.id(swarm.enlist(9)), weight=1, address="host:7"), 0, 1, 2)
        self._promote(1, "second", (2, 3), (0, 1, 2, 4))
        self._change(Change("key", swarm.id(3), key=swarm.id(swarm.enlist(11))), 0, 1, 2, 4)
        candidate = swarm.nominate(2, "third")
        swarm.agree(SteeringChange("set", setting="match.p1", value="16/25", configuration="hex8-2"), 0, 1, 2, 4)
        self._finish(candidate, (0, 1), (0, 1, 2, 4))
        made = [make_certificate(entry, swarm.ledger) for entry in swarm.ledger.promotions()]
        self.certificates = [data for data in made if data is not None]

    def _change(self, change: Change, *members: int) -> None:
        self.swarm.agree(change, *members)
        while self.swarm.ledger.closing is not None:
            self.swarm.close()
            roster = self.swarm.ledger.roster
            self.swarm.open(*(number for number, key in enumerate(self.swarm.keys) if key.id in roster))

    def _promote(self, author: int, name: str, players: tuple[int, int], members: tuple[int, ...]) -> None:
        self._finish(self.swarm.nominate(author, name), players, members)

    def _finish(self, candidate: bytes, players: tuple[int, int], members: tuple[int, ...]) -> None:
        self.swarm.ripen(candidate, players)
        for member in members:
            if self.swarm.ledger.candidate(candidate) is not None:
                self.swarm.vote(member, candidate)
        self.swarm.certify(self.swarm.ledger.promotions()[-1].digest, members)

    @property
    def last(self) -> dict[str, Any]:
        """The last certificate, to be changed."""
        table: dict[str, Any] = json.loads(self.certificates[-1])
        return table

    @property
    def statement(self) -> dict[str, Any]:
        """The last statement, to be changed."""
        table: dict[str, Any] = json.loads(base64.b64decode(self.last["payload"]))
        return table

    @property
    def chain(self) -> list[bytes]:
        """The genesis and the sealed records of the last certificate."""
        return [base64.b64decode(entry) for entry in self.last["chain"]]

    @property
    def sealers(self) -> list[SigningKey]:
        """The keys of more than two thirds of the last roster."""
        return [self.swarm.by_id[parse_id(entry["keyid"])] for entry in self.last["signatures"]]


@cache
def history() -> History:
    """The history, made once."""
    return History()


def written(table: Mapping[str, Any]) -> bytes:
    """A certificate with these fields in canonical form."""
    return canonical_json(dict(table)) + b"\n"


# The envelope.


def envelope(**changes: Any) -> Callable[[], bytes]:
    """The last certificate with other fields; a function gets the old value."""

    def make() -> bytes:
        table = history().last
        for name, value in changes.items():
            table[name] = value(table[name]) if callable(value) else value
        return written(table)

    return make


def signatures(change: Callable[[list[dict[str, str]]], object]) -> Callable[[], bytes]:
    """The last certificate with signatures that were changed in place."""

    def make() -> bytes:
        table = history().last
        change(table["signatures"])
        return written(table)

    return make


def text(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """The bytes of the last certificate, changed."""
    return lambda: change(history().certificates[-1])


def seal_of(key: SigningKey, message: bytes) -> dict[str, str]:
    return {"keyid": id_text(key.id), "sig": to_base64(key.sign(message))}


def add_seal(key: SigningKey) -> Callable[[list[dict[str, str]]], object]:
    """Add a seal that verifies, in its place."""

    def add(seals: list[dict[str, str]]) -> None:
        seals.append(seal_of(key, pae(canonical_json(history().statement))))
        seals.sort(key=lambda seal: parse_id(seal["keyid"]))

    return add


def resign(message: Callable[[bytes], bytes]) -> Callable[[list[dict[str, str]]], object]:
    """Replace all signatures by those of other messages about the statement."""

    def change(seals: list[dict[str, str]]) -> None:
        statement = canonical_json(history().statement)
        seals[:] = [seal_of(key, message(statement)) for key in history().sealers]

    return change


def set_signature(change: Callable[[bytes], bytes]) -> Callable[[list[dict[str, str]]], object]:
    def edit(seals: list[dict[str, str]]) -> None:
        seals[0]["sig"] = to_base64(change(base64.b64decode(seals[0]["sig"])))

    return edit


def plus_order(signature: bytes) -> bytes:
    """The same signature with another S: libraries that do not compare it with the order accept both."""
    return signature[:32] + (int.from_bytes(signature[32:], "little") + _ORDER).to_bytes(32, "little")


def stray_bits(encoded: str) -> str:
    """Base64 of the same bytes with bits set that mean nothing: a signature has 64 bytes, so its text ends in ==."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return encoded[:-3] + letters[letters.index(encoded[-3]) + 1] + "=="


# The chain.


def chain(change: Callable[[list[bytes]], object]) -> Callable[[], bytes]:
    """The last certificate with a chain that was changed in place."""

    def make() -> bytes:
        links = history().chain
        change(links)
        return written({**history().last, "chain": [to_base64(link) for link in links]})

    return make


def record(place: int = 1, /, **changes: Any) -> Callable[[], bytes]:
    """A record of the chain with other fields, sealed by all members of both rosters; a function gets the record."""

    def change(links: list[bytes]) -> None:
        sealed = decode_sealed(links[place])
        table: dict[str, Any] = decode(sealed.record.raw, limit=1 << 18)  # type: ignore[assignment]
        for name, value in changes.items():
            table[name] = value(sealed.record) if callable(value) else value
        links[place] = sealed_bytes(encode(table), sealed)

    return chain(change)


def sealed_bytes(raw: bytes, before: SealedRecord) -> bytes:
    """A record, whatever is in it, with seals that verify, of all that sealed and can seal."""
    message = b"ringrift/epoch/1\0" + sha256(raw)
    members = sorted({member for member, _ in before.seals})
    return encode([raw, [[member, history().swarm.by_id[member].sign(message)] for member in members]])


def record_seals(change: Callable[[list[list[bytes]]], object]) -> Callable[[], bytes]:
    """The first record of the chain with seals that were changed in place."""

    def edit(links: list[bytes]) -> None:
        pair: Any = decode(links[1], limit=1 << 19)
        raw, seals = pair
        change(seals)
        links[1] = encode([raw, seals])

    return chain(edit)


def seal_record(key: SigningKey) -> Callable[[list[list[bytes]]], object]:
    def add(seals: list[list[bytes]]) -> None:
        seals.append([key.id, decode_sealed(history().chain[1]).record.seal(key)])
        seals.sort()

    return add


def keep_newcomer(seals: list[list[bytes]]) -> None:
    """Leave three seals of founders: enough of the old roster, and too few of the new one, which has five members."""
    newcomer = history().swarm.id(4)
    seals[:] = [seal for seal in seals if seal[0] != newcomer][:3]


def roster_change(change: Callable[[list[list[Any]]], object]) -> Callable[[EpochRecord], Any]:
    """The roster of a record, changed in place."""

    def edit(before: EpochRecord) -> Any:
        members: list[list[Any]] = [list(member) for member in before.roster.table()]  # type: ignore[arg-type]
        change(members)
        return members

    return edit


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def private_swarm() -> bytes:
    """A swarm of one with the same name and settings, which promotes and seals by itself."""
    genesis = history().swarm.genesis
    other = Swarm(1, genesis.settings)
    other.certify(other.promote(0), (0,))
    return make_certificate(other.ledger.promotions()[0], other.ledger) or b""


def heavier(links: list[bytes]) -> None:
    """Give one founder more weight."""
    genesis = history().swarm.genesis
    first, *others = genesis.members
    members = [RosterMember(first.id, 2), *others]
    links[0] = make_genesis(genesis.swarm, [*members, RosterMember(STRANGER.id, 2)], genesis.settings).raw


# The statement, sealed by more than two thirds of the last roster.


def sealed(statement: bytes) -> bytes:
    """A certificate for any statement, with true seals."""
    return make_envelope(statement, [(key.id, key.sign(pae(statement))) for key in history().sealers], history().chain)


def statement(*path: str | int, to: Any) -> Callable[[], bytes]:
    """The last statement with another value at this path; a function gets the old value."""

    def make() -> bytes:
        whole = history().statement
        part: Any = whole
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = to(part[path[-1]]) if callable(to) else to
        return sealed(canonical_json(whole))

    return make


def predicate(*path: str | int, to: Any) -> Callable[[], bytes]:
    return statement("predicate", *path, to=to)


def without(*path: str) -> Callable[[], bytes]:
    """The last statement without a field of the predicate."""
    *way, last = path
    return predicate(*way, to=lambda part: {name: value for name, value in part.items() if name != last})


def consistent(change: Callable[[dict[str, Any]], object]) -> Callable[[], bytes]:
    """The last statement with another predicate, in which every number and digest is right for the slots and votes.

    So only the rule is broken that the change breaks.
    """

    def make() -> bytes:
        whole = history().statement
        it = whole["predicate"]
        change(it)
        slots, match, votes = it["results"]["slots"], it["match"], it["votes"]
        candidate, beacon = bytes.fromhex(it["proposal"]["candidate"]), bytes.fromhex(match["beacon"]["value"])
        blocks, settings = len(match["scores"]), MatchSettings.parse_table(match["settings"])
        match["seeds"] = [block_seed(beacon, candidate, block).hex() for block in range(blocks)]
        it["test"] = verdict_numbers(settings, standing_of(settings, tuple(match["scores"]), match["most"]))
        before, digest = (
            it["results"]["digest"],
            results_digest(candidate, blocks, [_Slot.read(slot) for slot in slots]),
        )
        it["results"]["digest"] = digest.hex()
        for vote in votes["cast"]:
            vote["checked"] = digest.hex() if vote["checked"] == before else vote["checked"]
        rows = [
            (parse_id(vote["member"]), vote["approve"], bytes.fromhex(vote["checked"]), bytes.fromhex(vote["event"]))
            for vote in votes["cast"]
        ]
        roster = history().swarm.ledger.roster
        approving = {member for member, approve, checked, _ in rows if approve and checked == digest}
        votes["approved"], votes["digest"] = roster.weight(approving), votes_digest(rows).hex()
        return sealed(canonical_json(whole))

    return make


@dataclass(frozen=True)
class _Slot:
    """The part of a slot that is digested."""

    author: bytes
    scores: tuple[int, ...]
    root: bytes
    blob: bytes
    size: int

    @classmethod
    def read(cls, slot: Mapping[str, Any]) -> _Slot:
        games = slot["games"]
        author, root, blob = parse_id(slot["member"]), bytes.fromhex(slot["root"]), bytes.fromhex(games["sha256"])
        return cls(author, tuple(slot["scores"]), root, blob, games["size"])


def slots(change: Callable[[list[dict[str, Any]]], object], *, uncounted: int = 0) -> Callable[[], bytes]:
    """Slots changed in place, and with them the scores of the match, up to the block that decides or some after it."""

    def edit(it: dict[str, Any]) -> None:
        change(it["results"]["slots"])
        settings, most = MatchSettings.parse_table(it["match"]["settings"]), it["match"]["most"]
        scores = [score for slot in it["results"]["slots"] for score in slot["scores"]]
        blocks = standing_of(settings, tuple(scores), most).blocks
        it["match"]["scores"] = scores[: blocks + uncounted]

    return consistent(edit)


def slots_alone(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[], bytes]:
    """Slots changed in place, and the scores of the match left as they are."""
    return consistent(lambda it: change(it["results"]["slots"]))


def votes(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[], bytes]:
    return consistent(lambda it: change(it["votes"]["cast"]))


def played_by(place: int, member: Callable[[dict[str, Any]], str]) -> Callable[[], bytes]:
    """A slot that another member played."""
    return consistent(lambda it: it["results"]["slots"][place].update(member=member(it)))


def scored(score: int) -> Callable[[], bytes]:
    """All slots with other scores."""
    return slots(lambda entries: [entry.update(scores=[score, score]) for entry in entries])


def went_on(entries: list[dict[str, Any]]) -> None:
    """Two slots more, after the one with which the test accepted."""
    entries += [{**entry, "slot": len(entries) + number} for number, entry in enumerate(entries[:2])]


def changed_settings(**changed: str) -> Callable[[], bytes]:
    return predicate(
        "settings", "match", "changed", to={name.replace("_", "."): text for name, text in changed.items()}
    )


def changed_throughout(**changed: str) -> Callable[[], bytes]:
    """The same settings were changed at the nomination and at the promotion."""
    values = {name.replace("_", "."): text for name, text in changed.items()}
    return consistent(
        lambda it: [it["settings"][moment].update(changed=values, version=1) for moment in ("match", "promotion")]
    )


def catalogue() -> list[Forgery]:
    """Every kind of forgery, in the order of docs/certificates.md."""
    return [
        # the file and its seals
        Forgery("a letter of a seal", signatures(set_signature(lambda sig: bytes([sig[0] ^ 1]) + sig[1:]))),
        Forgery("a letter of the statement, with the old seals", text(_other_letter(b'"payload":"', 32))),
        Forgery("a statement of the same swarm with the seals of another", envelope(payload=_first_payload)),
        Forgery("two seals, each under the other's name", signatures(_swap_signatures)),
        Forgery("one seal too few", signatures(lambda seals: seals.pop())),
        Forgery("no seal", envelope(signatures=[])),
        Forgery("a seal twice", signatures(lambda seals: seals.insert(1, seals[0]))),
        Forgery("seals in another order", signatures(lambda seals: seals.reverse())),
        Forgery("the seal of a stranger besides enough others", signatures(add_seal(STRANGER))),
        Forgery("the seal of a replaced key", lambda: signatures(add_seal(history().swarm.keys[3]))()),
        Forgery("seals of the bare statement, not of its encoding in DSSE", signatures(resign(lambda it: it))),
        Forgery("seals of the statement as an epoch record", signatures(resign(lambda it: b"ringrift/epoch/1\0" + it))),
        Forgery("a seal whose S is larger by the order", signatures(set_signature(plus_order))),
        Forgery("a seal whose R has small order", signatures(set_signature(lambda sig: _SMALL_ORDER + sig[32:]))),
        Forgery("a seal of 63 bytes", signatures(set_signature(lambda sig: sig[:63]))),
        Forgery("a seal with a byte more", signatures(set_signature(lambda sig: sig + b"\0"))),
        Forgery("an id in capitals", signatures(lambda seals: seals[0].update(keyid=seals[0]["keyid"].upper()))),
        Forgery("a field more in a seal", signatures(lambda seals: seals[0].update(cert=""))),
        Forgery("base64 with stray bits", signatures(lambda seals: seals[0].update(sig=stray_bits(seals[0]["sig"])))),
        Forgery("base64 with a line break", envelope(payload=lambda old: old[:76] + "\n" + old[76:])),
        Forgery("another `payloadType`", envelope(payloadType="application/json")),
        Forgery("a field more in the envelope", envelope(more=1)),
        Forgery("no `chain`", text(lambda data: written({**json.loads(data), "chain": []}))),
        Forgery("a field twice", text(lambda data: data.replace(b'{"chain"', b'{"chain":[],"chain"', 1))),
        Forgery("a blank between fields", text(lambda data: data.replace(b'],"payload"', b'], "payload"'))),
        Forgery("without its newline", text(lambda data: data[:-1])),
        # the chain
        Forgery("a private swarm of the same name", private_swarm),
        Forgery("a genesis in which others have the weight", chain(heavier)),
        Forgery("no record of the first change", chain(lambda links: links.pop(1))),
        Forgery("no record of the last change", chain(lambda links: links.pop())),
        Forgery("records in another order", chain(lambda links: links.insert(1, links.pop(2)))),
        Forgery("a record twice", chain(lambda links: links.insert(1, links[1]))),
        Forgery("a record in another encoding", chain(_long_head)),
        Forgery("bytes after a record", chain(lambda links: links.append(links.pop() + b"\0"))),
        Forgery(
            "a record whose seals are too few for both rosters",
            record_seals(lambda seals: seals.__delitem__(slice(2, None))),
        ),
        Forgery("a record that too few of the new roster sealed", record_seals(keep_newcomer)),
        Forgery("a record that a stranger sealed, too", record_seals(seal_record(STRANGER))),
        Forgery(
            "a record with a seal that does not verify",
            record_seals(lambda seals: seals[0].__setitem__(1, seals[1][1])),
        ),
        Forgery("a record with a seal twice", record_seals(lambda seals: seals.insert(0, seals[0]))),
        Forgery("a record with seals in another order", record_seals(lambda seals: seals.reverse())),
        Forgery("a record with one member more, with the old seals", chain(_smuggled)),
        Forgery("a sealed record of another swarm", record(genesis=bytes(32))),
        Forgery("a sealed record after another roster", record(old=bytes(32))),
        Forgery(
            "a sealed record that changes no weight",
            record(roster=lambda before: history().swarm.genesis.roster.table()),
        ),
        Forgery("a sealed record that skips a version of the roster", record(roster_version=3)),
        Forgery("a sealed record with an earlier number", record(2, number=1)),
        Forgery("a sealed record with an earlier round", record(2, round=1)),
        Forgery("a sealed record with fewer events in the order", record(2, ordered=0)),
        Forgery("a sealed record with an earlier time", record(2, time=0)),
        Forgery("a sealed record of an unknown version", record(version=2)),
        Forgery("a sealed record with a field more", record(more=0)),
        Forgery("a sealed record without judges", record(judges=[])),
        Forgery("a sealed record with judges in another order", record(judges=[b"\1" * 32, bytes(32)])),
        Forgery("a sealed record with a number below 0", record(time=-1)),
        Forgery(
            "a sealed record with a roster in another order", record(roster=roster_change(lambda it: it.reverse()))
        ),
        Forgery("a sealed record with a member twice", record(roster=roster_change(lambda it: it.insert(1, it[0])))),
        Forgery(
            "a sealed record with a weight below 0", record(roster=roster_change(lambda it: it[0].__setitem__(1, -1)))
        ),
        Forgery(
            "a sealed record with a weight above 2^32",
            record(roster=roster_change(lambda it: it[0].__setitem__(1, 1 << 33))),
        ),
        Forgery("a sealed record with a key that is everybody's", record(roster=roster_change(_add_small_order))),
        Forgery(
            "a sealed record with an address that is not ASCII",
            record(roster=roster_change(lambda it: it[0].__setitem__(3, "ä:1"))),
        ),
        # the statement
        Forgery("of another type", statement("_type", to="https://in-toto.io/Statement/v0.1")),
        Forgery("with another type of predicate", statement("predicateType", to="urn:ringrift-swarm:promotion:v2")),
        Forgery("with a blank in it", lambda: sealed(canonical_json(history().statement).replace(b":", b": ", 1))),
        Forgery("not JSON", lambda: sealed(b"{")),
        Forgery("of another swarm", predicate("swarm", "genesis", to="00" * 32)),
        Forgery("of a swarm with another name", predicate("swarm", "name", to="rest")),
        Forgery(
            "with the roster of the genesis",
            lambda: predicate("roster", to=_first_statement()["predicate"]["roster"])(),
        ),
        Forgery("with another version of the roster", predicate("roster", "version", to=1)),
        Forgery("with a weight that is true, not 1", predicate("roster", "members", 0, "weight", to=True)),
        Forgery("of a configuration that is not played", predicate("configuration", to="hex8-3")),
        Forgery("of a configuration that does not exist", predicate("configuration", to="hex9-2")),
        Forgery("with other weights", statement("subject", 1, "digest", "sha256", to="00" * 32)),
        Forgery("with another manifest", statement("subject", 0, "digest", "sha256", to="00" * 32)),
        Forgery(
            "with a file more",
            statement("subject", to=lambda old: [*old, {"name": "x", "digest": {"sha256": "00" * 32}}]),
        ),
        Forgery("with a file twice", statement("subject", to=lambda old: [*old, old[1]])),
        Forgery("with a file whose name has no UTF-8 form", statement("subject", 1, "name", to="\ud800")),
        Forgery("with another architecture", predicate("model", "architecture", to="c32b4")),
        Forgery("with another parent", predicate("model", "parent", to="00" * 32)),
        Forgery("with an empty text for the parent", predicate("model", "parent", to="")),
        Forgery("with another model than its files", predicate("model", "digest", to="00" * 32)),
        Forgery("with settings that nobody set", predicate("match", "settings", "simulations", to=1)),
        Forgery("with a setting in another form", predicate("match", "settings", "p1", to="0.6")),
        Forgery("without a setting", without("match", "settings", "considered")),
        Forgery("with a setting that does not exist", predicate("match", "settings", "more", to=1)),
        Forgery("without what members had set", without("settings")),
        Forgery("with a setting that members had not set", changed_settings(match_p1="3/5", match_simulations="1")),
        Forgery("without a setting that members had set", changed_settings()),
        Forgery("with more changes than the version", predicate("settings", "match", "version", to=0)),
        Forgery("with a version before that of the match", predicate("settings", "promotion", "version", to=0)),
        Forgery("with a ballot in another form", changed_settings(match_p1="6/10")),
        Forgery("with an impossible ballot", changed_settings(match_p1="3/2")),
        Forgery("with a ballot on an unknown setting", changed_throughout(match_coming="1")),
        Forgery("with a ballot on what no ballot can change", changed_throughout(timing_gap="1")),
        Forgery("with a ballot that has no form of one", changed_throughout(match_p1="3 / 5")),
        Forgery("with more changes than versions between", changed_settings(match_p0="1/2")),
        Forgery("with a ballot that is not text", predicate("settings", "match", "changed", to={"match.p1": 1})),
        Forgery("with a configuration that was added, but is in the genesis", predicate("settings", "added", to=1)),
        Forgery("with another number of players", predicate("match", "players", to=3)),
        Forgery("with another highest score", predicate("match", "most", to=5)),
        Forgery("with another beacon", predicate("match", "beacon", "value", to="00" * 32)),
        Forgery("with another seed", predicate("match", "seeds", 0, to="00" * 32)),
        Forgery("with another score in the match", predicate("match", "scores", 0, to=3)),
        Forgery("with a score above the highest", scored(5)),
        Forgery("with scores of equal players", scored(2)),
        Forgery("with blocks after the one that decided", slots(went_on, uncounted=2)),
        Forgery("with too few blocks for a decision", slots(lambda entries: entries.pop())),
        Forgery(
            "with another ratio", predicate("test", "llr", to=lambda old: old[:-1] + ("1" if old[-1] == "0" else "0"))
        ),
        Forgery("with a bound that is easier to reach", predicate("test", "accept", to="1.000000000000")),
        Forgery("decided by another rule", predicate("test", "decided_by", to="limit")),
        Forgery("with another risk", predicate("test", "limit", "risk", to="0.000000000000")),
        Forgery("without a slot", slots_alone(lambda entries: entries.pop())),
        Forgery("with a slot too many", slots_alone(went_on)),
        Forgery("with slots in another order", slots_alone(lambda entries: entries.reverse())),
        Forgery("with a slot that scores otherwise", slots_alone(lambda entries: entries[0].update(scores=[3, 4]))),
        Forgery("with a slot of three blocks", slots_alone(lambda entries: entries[0].update(scores=[4, 4, 4]))),
        Forgery("with games of 2^64 bytes", predicate("results", "slots", 0, "games", "size", to=1 << 64)),
        Forgery("with a slot that the author played", played_by(0, lambda it: str(it["proposal"]["member"]))),
        Forgery(
            "with both slots of a pair by one member", played_by(0, lambda it: str(it["results"]["slots"][1]["member"]))
        ),
        Forgery("with a slot by somebody who was never a member", played_by(0, lambda it: id_text(STRANGER.id))),
        Forgery(
            "proposed by somebody who was never a member", predicate("proposal", "member", to=id_text(STRANGER.id))
        ),
        Forgery("of another candidate", predicate("proposal", "candidate", to="00" * 32)),
        Forgery("with games of others", predicate("results", "slots", 0, "games", "sha256", to="00" * 32)),
        Forgery("with another digest of the results", predicate("results", "digest", to="00" * 32)),
        Forgery("with votes of two thirds or less", votes(lambda cast: cast.__delitem__(slice(2, None)))),
        Forgery("with votes against it", votes(lambda cast: cast[0].update(approve=False))),
        Forgery("with a vote that is 1, not true", predicate("votes", "cast", 0, "approve", to=1)),
        Forgery("with a vote on other results", votes(lambda cast: cast[0].update(checked="00" * 32))),
        Forgery("with a vote twice", votes(lambda cast: cast.append(cast[0]))),
        Forgery(
            "with the vote of a stranger", votes(lambda cast: cast.append({**cast[0], "member": id_text(STRANGER.id)}))
        ),
        Forgery("with the vote of a replaced key", votes(_old_vote)),
        Forgery("with more approving weight than there was", predicate("votes", "approved", to=5)),
        Forgery("with another digest of the votes", predicate("votes", "digest", to="00" * 32)),
        Forgery("with a number that is text", predicate("number", to="3")),
        Forgery("with a round below 0", predicate("order", "round", to=-1)),
        Forgery("with a time that is not decimal", predicate("order", "time_ns", to="1e18")),
        Forgery("replacing what is not a digest", predicate("incumbent", "model", to=None)),
        Forgery("after what is not a certificate", predicate("incumbent", "statement", to="first")),
        Forgery("with a ledger that is not a digest", predicate("ledger", to="00")),
        Forgery("with a measure that is not a number", predicate("proposal", "measures", to={"brier": "good"})),
        Forgery("without measures", without("proposal", "measures")),
    ]


def _other_letter(after: bytes, distance: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = data.index(after) + len(after) + distance
        return data[:place] + (b"B" if data[place : place + 1] == b"A" else b"A") + data[place + 1 :]

    return change


def _first_payload(_: str) -> str:
    return str(json.loads(history().certificates[0])["payload"])


def _first_statement() -> Any:
    return json.loads(base64.b64decode(_first_payload("")))


def _swap_signatures(seals: list[dict[str, str]]) -> None:
    seals[0]["sig"], seals[1]["sig"] = seals[1]["sig"], seals[0]["sig"]


def _long_head(links: list[bytes]) -> None:
    """Write the length of the outer array in two bytes instead of one."""
    links[1] = b"\x98\x02" + links[1][1:]


def _smuggled(links: list[bytes]) -> None:
    before = decode_sealed(links[1])
    members = tuple(sorted([*before.record.roster.members, RosterMember(STRANGER.id, 1)], key=lambda each: each.id))
    links[1] = replace(before, record=replace(before.record, roster=replace(before.record.roster, members=members))).raw


def _add_small_order(members: list[list[Any]]) -> None:
    members.append([_SMALL_ORDER, 1, None, ""])
    members.sort(key=lambda member: bytes(member[0]))


def _old_vote(cast: list[dict[str, Any]]) -> None:
    cast.append({**cast[0], "member": id_text(history().swarm.id(3))})
