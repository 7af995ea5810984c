"""Verify the certificate of a promotion offline, with this file, Python 3.11 and `cryptography` alone.

    python verify_certificate.py certificate.json --genesis-digest HEX

Written from docs/certificates.md, not from the program that makes certificates, and in the order of that page. What has
another form ends in an exception, and every exception refuses. Exit status: 0 holds, 1 refused, 2 cannot be read.
"""
# fmt: off

import base64
import hashlib
import json
import re
import sys
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from itertools import accumulate
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NOT_CHECKED = """  Not checked, as no certificate shows it: that the games follow the rules and score what is written
  (those who voted replayed them); the beacon, the place in the order, the number, the incumbent and the ballots (the
  seals vouch); the measures. The genesis with your digest is believed as it is."""
REFUSALS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, InvalidSignature)

def need(condition: object, reason: str) -> None:
    if not condition:
        raise ValueError(reason)

# ---- JSON, base64, keys and signatures
def to_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
def from_base64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 with stray bits")
    return data
def to_id(member: bytes) -> str:
    return base64.b32encode(member).decode().rstrip("=").lower()
def whole(value: Any) -> int:
    need(type(value) is int and 0 <= value < 2**63, f"{value!a:.80} is not a whole number")
    return int(value)
def digest(value: Any, or_null: bool = False) -> Any:
    need((value is None and or_null) or re.fullmatch("[0-9a-f]{64}", value), f"{value!a:.80} is not a digest")
    return None if value is None else bytes.fromhex(value)
P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
C = 2707385501144840649318225287225658788936804267575313519463743609750303402022
def is_strict(point: bytes) -> bool:
    """Return whether 32 bytes are canonical, and of a point whose order does not divide 8."""
    y = int.from_bytes(point, "little") % 2**255
    return len(point) == 32 and y < P and y not in (0, 1, P - 1, C, P - C)
def check_signature(member: bytes, message: bytes, signature: bytes) -> None:
    need(is_strict(signature[:32]) and int.from_bytes(signature[32:], "little") < ORDER, "a signature is not strict")
    Ed25519PublicKey.from_public_bytes(member).verify(signature, message)

# ---- CBOR: what is decoded must encode to the same bytes, so every other form is refused
def head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes([major << 5 | 23 + size.bit_length()]) + number.to_bytes(size)

def encode(value: Any) -> bytes:
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(sorted(encode(name) + encode(entry) for name, entry in value.items()))
    return head(4, len(value)) + b"".join(map(encode, value))

def read(data: bytes, at: int) -> tuple[Any, int]:
    """Return the value that starts at byte `at`, and where it ends."""
    major, number, at = data[at] >> 5, data[at] & 31, at + 1
    if number > 23:
        number, at = int.from_bytes(data[at : at + (1 << number - 24)]), at + (1 << number - 24)
    if major in (2, 3):
        part = data[at : at + number]
        return (part.decode() if major == 3 else part), at + number
    if major not in (4, 5):  # nothing in a record is below 0
        return {(0, number): number, (7, 20): False, (7, 21): True, (7, 22): None}[major, number], at
    items: list[Any] = []
    for _ in range(number * (major - 3)):
        item, at = read(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if major == 5 else items), at
def decode(data: bytes) -> Any:
    value, end = read(data, 0)
    need(end == len(data) and encode(value) == data, "CBOR that is not deterministic")
    return value
def hash_of(value: Any) -> bytes:
    return hashlib.sha256(encode(value)).digest()

# ---- The chain
Roster = dict[bytes, int]  # weight by member, ascending
DIGESTS, NUMBERS = ["genesis", "previous", "old", "ledger", "snapshot"], ["number", "round", "ordered", "time"]

def is_most(members: list[bytes], roster: Roster) -> bool:
    return 3 * sum(roster.get(member, 0) for member in members) > 2 * sum(roster.values())

def read_roster(entries: Any) -> Roster:
    for member, weight, anchor, address in entries:
        need(type(member) is bytes and is_strict(member), "roster: an id")
        need(anchor is None or (type(anchor) is bytes and len(anchor) == 32), "roster: an anchor")
        need(type(weight) is int and 0 <= weight <= 2**32, "roster: a weight")
        need(type(address) is str and address.isascii() and len(address) <= 255, "roster: an address")
    roster = {member: weight for member, weight, _, _ in entries}
    need(list(roster) == sorted(entry[0] for entry in entries) and len(roster) <= 256, "roster: its order or size")
    need(any(roster.values()), "roster: nobody has a weight")
    return roster
def roster_digest(roster: Roster) -> bytes:
    return hash_of(["ringrift/roster/1", list(roster.items())])

def follow(records: list[bytes], founders: Roster, swarm: bytes) -> list[Roster]:
    """Return all rosters from that of the genesis, whose digest is `swarm`, through these sealed records."""
    rosters, last = [founders], [0, 0, 0, 0]
    for raw, seals in map(decode, records):
        record, old, where = decode(raw), rosters[-1], f"record {len(rosters)} of the chain: "
        need(record.keys() == {"version", "roster_version", "roster", "judges", *DIGESTS, *NUMBERS}, where + "fields")
        numbers, judges, roster = [record[name] for name in NUMBERS], record["judges"], read_roster(record["roster"])
        need(1 <= len(judges) <= 256 and judges == sorted(set(judges)), where + "its judges")
        digests = [*judges, *(record[name] for name in DIGESTS)]
        need(all(type(each) is bytes and len(each) == 32 for each in digests), where + "a digest that is none")
        need(all(type(number) is int and 0 <= number < 2**63 for number in numbers), where + "a number out of bounds")
        need(encode([record["version"], record["roster_version"]]) == encode([1, len(rosters) + 1]), where + "version")
        need(record["genesis"] == swarm, where + "is of another swarm")
        need(record["old"] == roster_digest(old) != roster_digest(roster), where + "does not follow the roster before")
        is_later = numbers[0] > last[0] and numbers[1] > last[1] and numbers[2] >= last[2] and numbers[3] >= last[3]
        need(is_later, where + "is not later than the one before")
        members = [member for member, _ in seals]
        need(members == sorted({*members}) and {*members} <= {*old, *roster}, where + "seals twice, or of strangers")
        for member, signature in seals:
            check_signature(member, b"ringrift/epoch/1\0" + hashlib.sha256(raw).digest(), signature)
        need(is_most(members, old) and is_most(members, roster), where + "sealed by two thirds or less")
        rosters, last = [*rosters, roster], numbers
    return rosters

# ---- The statement
TYPES = ["https://in-toto.io/Statement/v1", "urn:ringrift-swarm:promotion:v1"]
WHOLES = {"simulations": 1, "considered": 1, "slot_blocks": 1, "opening_plies": 0, "block_limit": 1}  # at least
BALLOT = r"(?!(timing|epoch|membership)\.|steering\.rules=)[a-z][a-z0-9_]{0,31}\.[a-z][a-z0-9_]{0,31}=[\w./-]{1,64}"
LEFT_OUT = {"p0": Fraction(1, 2), "limit_share": Fraction(1)}  # what it means that they are absent

def read_settings(it: Any, genesis: Any) -> dict[str, Any]:
    """Return the settings of the match by the genesis and the ballots."""
    match: dict[str, Any] = dict(LEFT_OUT)
    match |= {name: Fraction(*value) if type(value) is list else value for name, value in genesis["match"].items()}
    is_named = it["configuration"] in genesis["configurations"]
    if not genesis.get("steering", {}).get("rules", 0):
        need(is_named, "configuration: is not played by this swarm")
        return match
    first, then, added = (it["settings"][name] for name in ("match", "promotion", "added"))
    (changed, start), (later, end) = ((moment["changed"], whole(moment["version"])) for moment in (first, then))
    for ballot in (name + "=" + text for name, text in (*changed.items(), *later.items())):
        need(re.fullmatch(BALLOT, ballot, re.ASCII), f"settings: {ballot!a:.80} is no ballot")
    differing = sum(changed.get(name) != later.get(name) for name in {*changed, *later})
    need(len(changed) <= start and len(later) <= end and differing <= end - start, "settings: version")
    need(added is None if is_named else len(changed) < start >= whole(added) >= 1, "settings.added")
    need(re.fullmatch("(square8|square19|hex8|hexagonal)-[234]", it["configuration"]), "configuration")
    for key, text in ((key, text) for key, text in changed.items() if key.startswith("match.")):
        name = key.removeprefix("match.")
        need(name in match and re.fullmatch("[0-9]{1,16}(/[0-9]{1,16})?", text), f"settings: {key} is unknown")
        value = match[name] = int(text) if name in WHOLES else Fraction(text)
        need(str(value) == text and max(value.as_integer_ratio()) < 2**53, f"settings: {key} in another form")
        need(value >= WHOLES[name] if name in WHOLES else 0 < value < 1 or (name, value) == ("limit_share", 1), key)
    need(LEFT_OUT["p0"] <= match["p0"] < match["p1"] and match["p0"] <= match["limit_share"], "settings: p0, p1")
    limit, size = match["block_limit"], match["slot_blocks"]
    need(limit <= min(4096, 64 * size) and limit % (2 * size) == 0, "settings: slots")
    return match
def to_text(number: Any) -> str:
    return f"{number.numerator}/{number.denominator}" if type(number) is Fraction else f"{number:.12f}"
def run_test(match: dict[str, Any], scores: list[int], most: int) -> Any:
    """Return what the test says of these block scores, the last of which must make it accept."""
    limit, enough, p0, p1 = match["block_limit"], match["limit_share"], match["p0"], match["p1"]
    need(0 < len(scores) <= limit and max(scores) <= most, "match.scores: are impossible")
    exact = p1 / p0, (1 - p1) / (1 - p0), 1 / match["alpha"], match["beta"], -2 * limit * (enough - Fraction(1, 2)) ** 2
    with localcontext(Context(prec=50, rounding=ROUND_HALF_EVEN)):
        *quotients, exponent = (Decimal(fraction.numerator) / fraction.denominator for fraction in exact)
        gain, loss, upper, lower = (quotient.ln() for quotient in quotients)
        for blocks, score in enumerate(accumulate(scores), 1):
            share = Decimal(score) / most
            ratio = share * gain + (blocks - share) * loss
            if not lower < ratio < upper:
                break
        at_limit = lower < ratio < upper
        is_enough = blocks == limit and enough < 1 and score >= enough * limit * most
        need(blocks == len(scores) and (is_enough if at_limit else ratio >= upper), "match.scores: do not accept")
        texts = {"llr": to_text(ratio), "accept": to_text(upper), "reject": to_text(lower)}
        risk = {"blocks": limit, "share": to_text(enough), "risk": to_text(exponent.exp())}
    decided = {} if enough == 1 else {"decided_by": "limit" if at_limit else "test", "limit": risk}
    return {"blocks": blocks, "score": score, **texts, **decided}

def check_statement(table: Any, genesis: Any, swarm: bytes, rosters: list[Roster]) -> dict[str, bytes]:
    """Return the SHA-256 of each subject, after computing again all that can be."""
    it, roster = table["predicate"], rosters[-1]
    ids, match = {to_id(member): member for each in rosters for member in each}, it["match"]
    subjects = {entry["name"]: digest(entry["digest"]["sha256"]) for entry in table["subject"]}
    architecture, parent = it["model"]["architecture"], digest(it["model"]["parent"], or_null=True)
    need(all(type(text) is str for text in [architecture, *subjects]), "subject, model: not texts")
    files = {name: value for name, value in subjects.items() if name != "manifest.cbor"}
    model = hash_of({"files": files, "architecture": architecture, "parent": parent})
    need(len(subjects) == len(table["subject"]) and subjects["manifest.cbor"] == model, "subject: not one model")
    settings, players = read_settings(it, genesis["settings"]), int(it["configuration"][-1])
    scores, most = [whole(score) for score in match["scores"]], 2 * players * (players - 1)
    candidate, beacon = digest(it["proposal"]["candidate"]), digest(match["beacon"]["value"])
    seeds = [hash_of(["ringrift/block/1", beacon, candidate, block]).hex() for block in range(len(scores))]
    absent = {name for name in LEFT_OUT if name not in match["settings"] and settings[name] == LEFT_OUT[name]}
    form = {name: value if name in WHOLES else to_text(value) for name, value in settings.items() if name not in absent}
    slots = it["results"]["slots"]
    rows = [[ids[slot["member"]], [whole(score) for score in slot["scores"]], digest(slot["root"]),
             digest(slot["games"]["sha256"]), whole(slot["games"]["size"])] for slot in slots]
    size, holders, author = settings["slot_blocks"], [row[0] for row in rows], ids[it["proposal"]["member"]]
    need(len(rows) == -(-len(scores) // size) and all(len(row[1]) == size for row in rows), "results.slots: how many")
    need([score for row in rows for score in row[1]][: len(scores)] == scores, "results.slots: other scores")
    is_fair = author not in holders and all(a != b for a, b in zip(holders[::2], holders[1::2], strict=False))
    need(is_fair or min(map(len, rosters)) <= 2, "results.slots: played by whom the rules forbid")
    results = hash_of(["ringrift/results/1", candidate, len(scores), rows])
    votes = sorted([ids[each["member"]], each["approve"], digest(each["checked"]), digest(each["event"])]
                   for each in it["votes"]["cast"])
    voters = {vote[0] for vote in votes if type(vote[1]) is bool}
    need(len(voters) == len(votes) and voters <= roster.keys(), "votes.cast: not of distinct members")
    approving = [member for member, approve, checked, _ in votes if approve and checked == results]
    need(is_most(approving, roster), "votes.cast: two thirds or less")
    members = [{"id": to_id(member), "weight": weight} for member, weight in roster.items()]
    numbers = {"version": len(rosters), "digest": roster_digest(roster).hex(), "weight": sum(roster.values())}
    for name, found, value in (
        ("types", [table["_type"], table["predicateType"]], TYPES),
        ("swarm", [it["swarm"]["name"], it["swarm"]["genesis"]], [genesis["swarm"], swarm.hex()]),
        ("roster", it["roster"], {**numbers, "members": members}),
        ("slots", [slot["slot"] for slot in slots], list(range(len(rows)))),
        ("model", it["model"]["digest"], model.hex()),
        ("match", [match["players"], match["most"], match["seeds"]], [players, most, seeds]),
        ("match.settings", match["settings"], form),
        ("test", it["test"], run_test(settings, scores, most)),
        ("results", it["results"]["digest"], results.hex()),
        ("votes.approved", it["votes"]["approved"], sum(roster[member] for member in approving)),
        ("votes.digest", it["votes"]["digest"], hash_of(["ringrift/votes/1", votes]).hex()),
    ):
        need(to_json(found) == to_json(value), f"{name}: is not what follows from the rest")
    _ = whole(it["number"]), whole(it["order"]["round"]), whole(it["order"]["index"])
    _ = digest(it["incumbent"]["model"]), digest(it["incumbent"]["statement"], or_null=True), digest(it["ledger"])
    measures = it["proposal"]["measures"].values() if genesis["version"] > 3 else []
    need(re.fullmatch("[0-9]{1,20}", it["order"]["time_ns"]), "order.time_ns")
    need(all(re.fullmatch("-?[0-9]{1,20}", text) for text in measures), "proposal.measures")
    return subjects

def verify(data: bytes, swarm: bytes) -> str:
    """Return what a certificate of the swarm proves, for people. Raise one of REFUSALS if it must not be believed."""
    table = json.loads(data)
    need(table.keys() == {"chain", "payload", "payloadType", "signatures"}, "the envelope has other fields")
    need(to_json(table) + b"\n" == data, "not in canonical form; an editor may have saved it anew")
    need(table["chain"] and table["payloadType"] == "application/vnd.in-toto+json", "no chain, or another payloadType")
    raw, *records = map(from_base64, table["chain"])
    need(hashlib.sha256(raw).digest() == swarm, f"is of the swarm with genesis {hashlib.sha256(raw).hexdigest()}")
    genesis, payload = decode(raw), from_base64(table["payload"])
    rosters = follow(records, read_roster(genesis["members"]), swarm)
    ids = {to_id(member): member for member in rosters[-1]}
    need(all(seal.keys() == {"keyid", "sig"} and seal["keyid"] in ids for seal in table["signatures"]), "who seals")
    sealed = [ids[seal["keyid"]] for seal in table["signatures"]]
    need(sealed == sorted(set(sealed)), "seals are out of order, or twice")
    message = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    for member, seal in zip(sealed, table["signatures"], strict=True):
        check_signature(member, message, from_base64(seal["sig"]))
    need(is_most(sealed, rosters[-1]), "sealed by two thirds or less")
    statement = json.loads(payload)
    need(to_json(statement) == payload, "the statement is not in canonical form")
    subjects, it = check_statement(statement, genesis, swarm, rosters), statement["predicate"]
    weight, total = sum(rosters[-1][member] for member in sealed), sum(rosters[-1].values())
    return "\n".join([
        f"  swarm     {genesis['swarm']!a}, genesis {swarm.hex()}",
        f"  promoted  {it['configuration']} no. {it['number']}: {it['model']['digest']}, round {it['order']['round']}",
        f"  match     {it['test']['score']} points in {it['test']['blocks']} blocks, ratio {it['test']['llr']}",
        f"  weight    {it['votes']['approved']} of {total} approved, {weight} of {total} sealed",
        *(f"  file      {value.hex()}  {name!a}" for name, value in subjects.items()), NOT_CHECKED])

def main(arguments: list[str]) -> int:
    try:
        need(len(arguments) == 3 and arguments[1] == "--genesis-digest", "name a file and the digest of a genesis")
        path, swarm = ascii(arguments[0]), digest(arguments[2].strip().lower())
        with open(arguments[0], "rb") as file:
            data = file.read((4 << 20) + 1)
        need(len(data) <= 4 << 20 and type(json.loads(data)) is dict, f"{path} is not a certificate")
    except (OSError, ValueError, RecursionError) as error:
        print(f"verify_certificate.py FILE --genesis-digest HEX: cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        print(f"{path}: HOLDS\n{verify(data, swarm)}\n", end="")
    except REFUSALS as error:
        kind = ascii(error) if type(error) is KeyError else type(error).__name__  # texts of others differ by version
        print(f"{path}: REFUSED: {error if type(error) is ValueError else kind}", file=sys.stderr)
        return 1
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
