"""The parser of transactions: what an author wrote becomes a checked dataclass, or is refused."""

from __future__ import annotations

from collections.abc import Callable

from consensus.encoding import Decoded
from consensus.event import MAX_HEADER_BYTES
from consensus.keys import SIGNATURE_BYTES
from consensus.ledger.records.changes import FIELDS, KINDS, MEMBER_NAME, OPTIONAL, Change
from consensus.ledger.records.decisions import FIELDS as STEERING_FIELDS
from consensus.ledger.records.decisions import SETTING, STEERING_KINDS, VALUE, WORK_KINDS, SteeringChange
from consensus.ledger.records.entities import WorkKind
from consensus.ledger.records.fields import (
    FILE,
    NAME,
    Fields,
    MalformedError,
    digest,
    line,
    matching,
    score,
    signed,
    sized,
    whole,
)
from consensus.ledger.records.transactions import (
    HELD_LIMIT,
    ROLES,
    SHARDS_LIMIT,
    Ballot,
    Candidate,
    Evidence,
    Finding,
    Games,
    Held,
    MatchClaim,
    Missing,
    Open,
    Profile,
    Progress,
    Propose,
    RateClaim,
    Release,
    Result,
    Seal,
    SelfplayClaim,
    ShardFinding,
    TrainClaim,
    Transaction,
    Vote,
    model_digest,
)
from consensus.roster import ADDRESS_LIMIT, WEIGHT_LIMIT
from consensus.statement import MANIFEST

SIZE_LIMIT = 1 << 48  # bytes of a blob
LOSSES_LIMIT = 16  # of a candidate
MEASURES_LIMIT = 32  # of a candidate
FACTS_LIMIT = 16  # of a shard
PLIES_LIMIT = 1 << 32  # of a shard; so no sum over shards exceeds what can be encoded


def parse_transaction(table: object, rules: int = 1, names: int = 1) -> Transaction | None:
    """Return the transaction in a CBOR map; None for an unknown type.

    `rules` is the swarm's setting `steering.rules`, and `names` is `membership.names`. Raise MalformedError, which
    names the wrong field.
    """
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
        raise MalformedError("not a map with text keys")
    kind = table.get("type")
    if not isinstance(kind, str):
        raise MalformedError("field type is missing")
    read = READERS.get(kind)
    if read is None:
        return None
    source = Fields(table, rules, names)
    source.raw("type")
    transaction = read(source, source.whole("id"))
    source.done()
    return transaction


def _profile(source: Fields, number: int) -> Transaction:
    roles = source.items("roles", len(ROLES), lambda value, name: matching(value, name, NAME))
    if list(roles) != sorted(set(roles)) or not set(roles) <= set(ROLES):
        raise MalformedError(f"field roles must be sorted, distinct and of {', '.join(ROLES)}")
    return Profile(
        number,
        roles=roles,
        device=source.text("device", 64),
        software=source.digest("software"),
        rates=source.table("rates", 32, NAME, whole),
        cost=source.whole("cost"),
        life=source.whole("life"),
        hidden=source.boolean("hidden") if source.rules and source.has("hidden") else None,
        disk=source.whole("disk") if source.rules and source.has("disk") else None,
    )


def _claim(source: Fields, number: int) -> Transaction:
    kind = source.raw("kind")
    if kind == "selfplay":
        return SelfplayClaim(number, source.name("configuration"), source.whole("amount", 1, 1 << 20))
    if kind == "train":
        return TrainClaim(number, source.name("configuration"), source.name("family"))
    if kind == "match":
        return MatchClaim(number, source.digest("candidate"))
    if kind == "rate" and source.rules:
        return RateClaim(number, source.digest("series"))
    known = "selfplay, train, match or rate" if source.rules else "selfplay, train or match"
    raise MalformedError(f"field kind must be {known}")


def _progress(source: Fields, number: int) -> Transaction:
    return Progress(number, source.whole("claim"), source.whole("done"))


def _release(source: Fields, number: int) -> Transaction:
    return Release(number, source.whole("claim"), source.text("reason"))


def _games(source: Fields, number: int) -> Transaction:
    return Games(
        number,
        claim=source.whole("claim"),
        configuration=source.name("configuration"),
        model=source.digest("model"),
        shard=source.digest("shard"),
        size=source.whole("size", 1, SIZE_LIMIT),
        games=source.whole("games", 1, 1 << 20),
        plies=source.whole("plies", 1, PLIES_LIMIT),
        root=source.digest("root"),
        facts=source.table("facts", FACTS_LIMIT, NAME, whole) if source.has("facts") else None,
    )


def _candidate(source: Fields, number: int) -> Transaction:
    shards = source.items("shards", SHARDS_LIMIT, digest)
    if len(set(shards)) != len(shards):
        raise MalformedError("field shards names a shard twice")
    candidate = Candidate(
        number,
        claim=source.maybe("claim", whole),
        configuration=source.name("configuration"),
        model=source.digest("model"),
        files=source.table("files", 64, FILE, digest),
        architecture=source.name("architecture"),
        parent=source.maybe("parent", digest),
        incumbent=source.digest("incumbent"),
        shards=shards,
        losses=source.table("losses", LOSSES_LIMIT, NAME, signed),
        measures=source.table("measures", MEASURES_LIMIT, NAME, signed),
        state=source.maybe("state", _blob),
    )
    if MANIFEST in candidate.files:
        raise MalformedError(f"field files must not name {MANIFEST}, which is the manifest itself")
    if candidate.model != model_digest(candidate.files, candidate.architecture, candidate.parent):
        raise MalformedError("field model is not the digest of files, architecture and parent")
    return candidate


def _blob(value: Decoded, name: str) -> tuple[bytes, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedError(f"field {name} must be [digest, size]")
    return digest(value[0], name), whole(value[1], name, 1, SIZE_LIMIT)


def _result(source: Fields, number: int) -> Transaction:
    return Result(
        number,
        claim=source.whole("claim"),
        scores=source.items("scores", 4096, score),
        root=source.digest("root"),
        blob=source.digest("blob"),
        size=source.whole("size", 1, SIZE_LIMIT),
        games=source.whole("games", 1, 1 << 20),
    )


def _vote(source: Fields, number: int) -> Transaction:
    return Vote(
        number,
        source.digest("candidate"),
        source.boolean("approve"),
        source.digest("checked"),
        source.text("reason"),
    )


def _finding(source: Fields, number: int) -> Transaction:
    return Finding(
        number,
        candidate=source.digest("candidate"),
        slot=source.whole("slot"),
        result=source.digest("result"),
        wrong=source.boolean("wrong"),
        reason=source.text("reason"),
    )


def _held(source: Fields, number: int) -> Transaction:
    shards = source.items("shards", HELD_LIMIT, digest)
    if not shards or len(set(shards)) != len(shards):
        raise MalformedError("field shards must name at least one shard, and none twice")
    return Held(number, shards)


def _shard_finding(source: Fields, number: int) -> Transaction:
    return ShardFinding(number, source.digest("shard"), source.boolean("wrong"), source.text("reason"))


def _missing(source: Fields, number: int) -> Transaction:
    return Missing(number, source.digest("candidate"), source.maybe("slot", whole), source.digest("subject"))


def _seal(source: Fields, number: int) -> Transaction:
    return Seal(number, source.digest("statement"), source.signature("signature"))


def _propose(source: Fields, number: int) -> Transaction:
    return Propose(number, _change(source.raw("change"), source.rules, source.names), source.text("reason"))


def _change(value: Decoded, rules: int, names: int) -> Change | SteeringChange:
    if not isinstance(value, dict):
        raise MalformedError("field change must be a map")
    source = Fields(value, rules)
    kind = source.raw("kind")
    known = [name for name in KINDS if name == kind]
    if not known and rules:
        return _steering_change(source)
    if not known:
        raise MalformedError(f"field kind must be one of {', '.join(KINDS)}")
    change = Change(
        known[0],
        source.digest("member"),
        weight=source.maybe("weight", lambda value, name: whole(value, name, 0, WEIGHT_LIMIT)),
        address=source.maybe("address", lambda value, name: line(value, name, ADDRESS_LIMIT)),
        key=source.maybe("key", digest),
        anchor=source.maybe("anchor", digest),
        name=matching(source.raw("name"), "name", MEMBER_NAME) if names and source.has("name") else None,
    )
    source.done()
    for name in ("weight", "address", "key", "anchor", "name"):
        given = getattr(change, name) is not None
        if given and name not in FIELDS[change.kind]:
            raise MalformedError(f"field {name} has no place in a change of kind {change.kind}")
        if not given and name in FIELDS[change.kind] - OPTIONAL.get(change.kind, frozenset()):
            raise MalformedError(f"field {name} is missing in a change of kind {change.kind}")
    return change


def _steering_change(source: Fields) -> SteeringChange:
    """Read a change of what the swarm does. Settings and configurations that this program does not know are kept."""
    known = [name for name in STEERING_KINDS if name == source.raw("kind")]
    if not known:
        raise MalformedError(f"field kind must be one of {', '.join((*KINDS, *STEERING_KINDS))}")
    change = SteeringChange(
        known[0],
        setting=source.maybe("setting", lambda value, name: matching(value, name, SETTING)),
        value=source.maybe("value", lambda value, name: matching(value, name, VALUE)),
        configuration=source.maybe("configuration", lambda value, name: matching(value, name, NAME)),
        work=source.maybe("work", _work),
    )
    source.done()
    needed, possible = STEERING_FIELDS[change.kind]
    for name in ("setting", "value", "configuration", "work"):
        given = getattr(change, name) is not None
        if given and name not in needed | possible:
            raise MalformedError(f"field {name} has no place in a change of kind {change.kind}")
        if not given and name in needed:
            raise MalformedError(f"field {name} is missing in a change of kind {change.kind}")
    if change.kind == "set" and change.value is None and change.configuration is None:
        raise MalformedError("field value is missing in a change of kind set")
    return change


def _work(value: Decoded, name: str) -> WorkKind:
    for kind in WORK_KINDS:
        if kind == value:
            return kind
    raise MalformedError(f"field {name} must be one of {', '.join(WORK_KINDS)}")


def _ballot(source: Fields, number: int) -> Transaction:
    return Ballot(number, source.digest("proposal"), source.boolean("approve"))


def _evidence(source: Fields, number: int) -> Transaction:
    return Evidence(number, _signed_header(source, "first"), _signed_header(source, "second"))


def _signed_header(source: Fields, name: str) -> tuple[bytes, bytes]:
    value = source.raw(name)
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedError(f"field {name} must be [header, signature]")
    header, signature = value
    if not isinstance(header, bytes) or len(header) > MAX_HEADER_BYTES:
        raise MalformedError(f"field {name} must hold a header of at most {MAX_HEADER_BYTES} bytes")
    return header, sized(signature, name, SIGNATURE_BYTES)


def _open(source: Fields, number: int) -> Transaction:
    seal = source.maybe("seal", lambda value, name: sized(value, name, SIGNATURE_BYTES))
    return Open(number, seal, source.maybe("anchor", digest))


READERS: dict[str, Callable[[Fields, int], Transaction]] = {
    "profile": _profile,
    "claim": _claim,
    "progress": _progress,
    "release": _release,
    "games": _games,
    "candidate": _candidate,
    "result": _result,
    "vote": _vote,
    "finding": _finding,
    "shard_finding": _shard_finding,
    "held": _held,
    "missing": _missing,
    "seal": _seal,
    "propose": _propose,
    "ballot": _ballot,
    "evidence": _evidence,
    "open": _open,
}
