"""What is fuzzed: everything that reads bytes of others, each with valid samples and what it may raise."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from consensus.certificate.envelope import make_certificate, make_envelope, to_base64
from consensus.certificate.verification import CertificateError, UnreadableError, verify
from consensus.encoding import EncodingError, decode, encode
from consensus.epoch import (
    EpochError,
    EpochRecord,
    SealedRecord,
    decode_record,
    decode_sealed,
    verify_chain,
    verify_seals,
)
from consensus.event import (
    MAX_EVENT_BYTES,
    Event,
    EventError,
    _any_fields,
    _quick_fields,
    decode_event,
    decode_header,
    make_event,
)
from consensus.fault_proof import NotAProofError, ProofError, verify_proof
from consensus.genesis import Genesis, GenesisError, decode_genesis, make_genesis
from consensus.keys import SigningKey, id_text
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.decisions import OutdatedError, SteeringChange
from consensus.ledger.records.entity import ShapeError, parse_value, to_value
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.state.snapshot import SIZE_LIMIT, SnapshotError, decode_snapshot
from consensus.replica import Replica
from consensus.roster import Roster, RosterMember
from consensus.settings import Settings, SteeringSettings
from consensus.statement import pae
from consensus.sync import Tip
from engine.games import IllegalMoveError
from node.blobs import PIECE_BYTES, push_messages
from node.blobs import messages as blob_messages
from node.blobs.checkpoint_messages import CheckpointOffer, decode_find, decode_offer, encode_find
from node.blobs.messages import BlobMessageError, BlobRequest
from node.blobs.push_messages import KeepRequest, PushedPiece
from node.config.swarm_file import parse_config
from node.config.toml import ConfigError
from node.gossip.messages import MAX_MESSAGE_BYTES, MessageError, SyncAnswer, SyncRequest, decode_answer, decode_request
from node.membership.address_messages import (
    AddressNews,
    Hint,
    decode_address_answer,
    decode_address_request,
)
from node.membership.claims import make_claim
from node.membership.dial_back import decode_tried
from node.proofs.fault_check import replay
from node.text.harmless import harmless
from node.transport import BadAnswer
from node.transport.http1 import Hangup
from node.work.training_plans import PlanError, PlannedPartner, TrainingPlan, TrainingSubject, decode_plan
from scripts import verify_certificate
from tests.consensus.certificate import forgeries
from tests.consensus.gossip import Gossip
from tests.consensus.ledger.forks import forged, fork
from tests.consensus.ledger.swarm import Swarm, digest_of
from tests.consensus.ledger.test_random import run
from tests.consensus.test_bounds import Swarm as BoundedSwarm
from tests.fuzz import recorded, shards, steered
from tests.fuzz.mutations import Mutator, to_cbor, to_json
from tests.fuzz.talk import (
    ChainCheck,
    NoSuccess,
    PlayCheck,
    WishCheck,
    chain_samples,
    check_local_port,
    check_peer_answer,
    check_peer_port,
    forge_chain,
    forge_http,
    import_samples,
    local_requests,
    nomination_samples,
    peer_answers,
    peer_requests,
    play_samples,
    vote_samples,
    wish_samples,
)
from tests.node.proofs import fault_proofs
from training.arrays import DataError

Check = Callable[[bytes], None]
Forge = Callable[[Mutator], bytes]


@dataclass(frozen=True)
class Target:
    """A reader of bytes. `check` takes any input; what it raises besides `refusals` is a finding."""

    samples: Sequence[bytes]
    check: Check
    refusals: tuple[type[Exception], ...]
    forge: Forge = Mutator.bytes_input  # how an input is made

    def try_one(self, data: bytes) -> bool:
        """Whether `data` was accepted; raises what is not a refusal, and a refusal of more than one line."""
        try:
            self.check(data)
        except self.refusals as refusal:
            text = str(refusal)
            if "\n" in text or len(text) > 3000 + len(data):  # it may quote what it refuses
                raise AssertionError(f"a refusal that is not one short line: {text[:300]!r}") from None
            return False
        return True


def must(holds: bool, what: str) -> None:
    """AssertionError unless it holds."""
    if not holds:
        raise AssertionError(what)


@cache
def history() -> Swarm:
    """A ledger's random history over several epochs, with every kind of transaction."""
    made, _ = run(3, 4)  # by weight, and with `steering.rules`
    return made


@cache
def swarm() -> Swarm:
    """A ledger after two promotions with certificates."""
    made = Swarm(4)
    for member in range(4):
        made.play(member)
    made.certify(made.promote(0), (2, 0, 1, 3))
    made.certify(made.promote(1, "second"), (0, 1, 2))
    return made


@cache
def decided() -> Swarm:
    """A ledger after a promotion between two changes of the settings, one for its configuration alone."""
    made = steered.busy_swarm(1)
    made.agree(SteeringChange("set", setting="match.p1", value="3/5"), 0, 1, 2)
    made.agree(SteeringChange("add", configuration="hex8-3"), 0, 1, 2)
    candidate = made.nominate(1, "fourth")
    made.agree(SteeringChange("set", setting="match.alpha", value="1/10", configuration="hex8-2"), 0, 1, 2)
    made.certify(made.promote_candidate(candidate, 1), (0, 2, 3))
    return made


@cache
def gossip() -> Gossip:
    """Replicas that have gossiped, with a forker."""
    return Gossip(4, seed=5, forkers=(3,)).run(120)


@cache
def bounded() -> BoundedSwarm:
    """Replicas in a swarm that bounds what one member can make others keep, and many branches of a liar."""
    made, chance = BoundedSwarm(4, liars=1), random.Random(5)
    for _ in range(40):
        made.turns(chance, 1, made.honest)
        own, other = made.own[3], made.own[chance.choice(made.honest)]
        made.sign(3, chance.choice([None, *own[-3:]]), other[-1:])
    return made


# Values and events.


def check_encoding(data: bytes) -> None:
    must(encode(decode(data, limit=MAX_MESSAGE_BYTES)) == data, "decoded, but encoded in another way")


def check_event(data: bytes) -> None:
    event = decode_event(data, gossip().genesis.digest)
    must(event.raw == data, "an event whose raw bytes are others")
    must(decode_header(event.header, event.signature) == event, "the header alone reads differently")
    event.verify()


def check_header(data: bytes) -> None:
    """The quick way to read a header takes exactly what the careful one takes, and for the same."""
    quick = _quick_fields(data)
    try:
        careful = _any_fields(data)
    except (EncodingError, EventError):
        must(quick is None, "a header that was read too quickly")
        raise
    must(quick == careful, f"{quick} if read quickly, else {careful}")


def header_samples() -> list[bytes]:
    """Headers with numbers of every length, and with and without all that may be left out."""
    digests, samples = [bytes([number]) * 32 for number in range(6)], []
    for number, seq in enumerate((0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1)):
        made = make_event(
            gossip().keys[0],
            epoch=digests[0],
            seq=seq,
            self_parent=digests[5] if seq else None,
            other_parents=tuple(digests[: number % 5]),
            time=seq,
            reveal=digests[1] if number % 2 else None,
            ledger=(seq, digests[2]) if number % 3 else None,
        )
        samples.append(made.header)
    return [*samples, *(event.header for event in gossip().made[:20])]


def forge_event(mutator: Mutator) -> bytes:
    """A changed event with the right digest of its payload and the right signature, as liars make them."""
    return _forged(mutator, gossip().genesis.digest)


def forge_bounded_event(mutator: Mutator) -> bytes:
    return _forged(mutator, bounded().epoch)


def _forged(mutator: Mutator, epoch: bytes) -> bytes:
    event = decode_event(mutator.chance.choice(mutator.samples), epoch)
    header: Any = decode(event.header, limit=MAX_EVENT_BYTES)
    payload: Any = decode(event.payload, limit=MAX_EVENT_BYTES)
    if mutator.chance.random() < 0.5:
        payload = mutator.value(payload)
    coded = to_cbor(payload)
    header[-1] = sha256(coded).digest()
    if mutator.chance.random() < 0.7:
        header = mutator.value(header)
    signed = to_cbor(header)
    key = mutator.chance.choice(gossip().keys)
    return encode([signed, key.sign(b"ringrift/event/2\0" + signed), coded])


class ReplicaCheck:
    """Puts whatever decodes into a replica, signature or not: nothing that a peer sends makes it raise."""

    def __init__(self, genesis: Genesis, key: SigningKey, past: Iterable[Event]) -> None:
        self._genesis, self._key, self._past = genesis, key, list(past)
        self._replica: Replica | None = None
        self._taken = 0

    def __call__(self, data: bytes) -> None:
        event = decode_event(data, self._genesis.digest)
        if self._replica is None or self._taken >= 300:
            self._replica, self._taken = Replica.found(self._genesis, self._key), 0
            self._replica.insert(self._past)
            self._replica.advance()
        self._taken += 1
        self._replica.insert([event], sent=True)
        self._replica.advance()
        self._replica.observe_tips(event.creator, [Tip(event.creator, event.seq, event.hash)])
        self._replica.events_for_peer([Tip(event.creator, event.seq, event.hash)], 50, event.parents)
        must(len(self._replica.wanted()) <= 256, "too many are wanted")


# Messages.


def sync_samples() -> list[bytes]:
    """Requests and answers as the replicas of the gossip would send them."""
    samples: list[SyncRequest | SyncAnswer] = []
    for asker in gossip().replicas:
        for other in gossip().replicas:
            lacking = [event.raw for event in asker.events_for_peer(other.tips()[:2], 20)]
            samples.append(
                SyncRequest(asker.epoch_digest, asker.tips(), [event.hash for event in gossip().made[:3]], lacking)
            )
            samples.append(SyncAnswer(asker.tips(), lacking, bool(lacking), asker is other))
    return sorted({sample.encode() for sample in samples})


def check_message(data: bytes) -> None:
    replica = gossip().replicas[0]
    members = len(gossip().keys)
    try:
        request = decode_request(data, members)
    except MessageError:
        answer = decode_answer(data, members)
        must(answer.encode() == data, "an answer that reads back differently")
        replica.observe_tips(gossip().keys[1].id, answer.tips)
        return
    must(request.encode() == data, "a request that reads back differently")
    replica.events_for_peer(request.tips, 100, request.want)


def address_samples() -> list[bytes]:
    """Requests and answers about addresses."""
    genesis, keys = gossip().genesis.digest, gossip().keys
    claims = [
        make_claim(key, genesis, number, ["10.0.0.1:7400", "[::1]:7"][:number]) for number, key in enumerate(keys)
    ]
    news = AddressNews(claims, [Hint(key.id, f"host{number}.example:7400") for number, key in enumerate(keys, 1)])
    some = AddressNews(claims[:1])
    return [news.encode(), some.encode(), news.encode_request([keys[0].id]), AddressNews().encode_request([])]


def check_addresses(data: bytes) -> None:
    genesis = gossip().genesis.digest
    try:
        news, wanted = decode_address_request(data)
    except MessageError:
        news = decode_address_answer(data)
        must(news.encode() == data, "an answer that reads back differently")
    else:
        must(news.encode_request(wanted) == data, "a request that reads back differently")
    signed = [claim.signature for claim in news.claims if claim.is_signed(genesis)]
    must({*signed} <= _signatures(), "a claim that nobody has signed")


def dial_back_samples() -> list[bytes]:
    """Answers of members that tried to connect back."""
    tried = [["10.0.0.1:7400", ""], ["host.example:7", "Connection refused"], ["[::1]:7400", "no answer within 3 s"]]
    return [encode([]), encode(tried[:1]), encode(tried)]


def check_dial_back(data: bytes) -> None:
    tried = decode_tried(data)
    must(all(text == harmless(text) for entry in tried.items() for text in entry), "text that does something")


def plan_samples() -> list[bytes]:
    """Plans of trainings, without and with a state and partners."""
    subject = TrainingSubject(
        configuration="hex8-2", family="c16b2", model=bytes(32), state=None, is_sibling=False, settings_version=3
    )
    plan = TrainingPlan(subject=subject, seed=bytes(32), shards=(bytes(32),), outcomes=(), partners=())
    partners = (PlannedPartner("hex8-3", (bytes(32), b"s" * 32)),)
    joint = replace(plan, subject=replace(subject, state=b"t" * 32), outcomes=(b"o" * 32,), partners=partners)
    return [plan.encode(), joint.encode()]


def check_checkpoint_offer(data: bytes) -> None:
    try:
        must(encode_find(decode_find(data)) == data, "a question that reads back differently")
    except BlobMessageError:
        must(decode_offer(data).encode() == data, "an offer that reads back differently")


def check_plan(data: bytes) -> None:
    must(decode_plan(data).encode() == data, "a plan that reads back differently")


@cache
def _signatures() -> frozenset[bytes]:
    return frozenset(claim.signature for raw in address_samples()[:1] for claim in decode_address_answer(raw).claims)


def check_push_message(data: bytes) -> None:
    try:
        push_messages.decode_keep(data)
    except BlobMessageError:
        try:
            push_messages.decode_piece(data)
        except BlobMessageError:
            push_messages.decode_wanted(data, KeepRequest(bytes(32), 9 * PIECE_BYTES))


def check_blob_message(data: bytes) -> None:
    try:
        blob_messages.decode_request(data)
    except BlobMessageError:
        blob_messages.decode_answer(data, BlobRequest(bytes(32), 0, 900))


# Transactions, into a ledger.


def transaction_samples() -> list[bytes]:
    """Some of every kind of transaction that the histories have."""
    kinds: dict[str, set[bytes]] = {}
    for decided in (*history().rounds, *swarm().rounds):
        for entry in decided.events:
            for table in entry.event.transactions:
                kinds.setdefault(str(table["type"]), set()).add(encode(table))
    proofs = [encode(proof.as_table()) for proof in (fork(history(), 3), fork(history(), 3, seq=0), forged(history()))]
    plain = (sample for _, samples in sorted(kinds.items()) for sample in sorted(samples)[:12])
    return [*plain, *proofs, *steered.samples()]


class LedgerCheck:
    """Parses a transaction, then orders it with some others: the ledger refuses what is wrong, and goes on."""

    def __init__(self) -> None:
        self._swarm: Swarm | None = None
        self._guilty: set[bytes] = set()  # of the history, and who is seen to have signed twice
        self._taken = count()

    def __call__(self, data: bytes) -> None:
        table = decode(data, limit=MAX_EVENT_BYTES)
        if not isinstance(table, dict) or not isinstance(table.get("type"), str):
            raise MalformedError("not a transaction that an event can hold")
        number = next(self._taken)
        if self._swarm is None or number % 1000 == 0:
            self._swarm, _ = run(1 if number // 1000 % 2 else 3, 4)  # with `steering.rules` and without
            self._guilty = {self._swarm.id(3), *(entry.member for entry in self._swarm.ledger.convictions())}
        if number % 2 and type(table.get("id")) is int:
            table["id"] = 10_000 + number  # so that it is not refused as one that was used before
        self._swarm.order((self._swarm.id(number % 4), [table]))
        convicted = {entry.member for entry in self._swarm.ledger.convictions()}
        if not convicted <= self._guilty:
            must(_is_proof(table), "somebody was convicted who has not signed twice")
            self._guilty |= convicted  # the history itself has proofs against some, which did not count there
        if self._swarm.ledger.closing is not None:
            self._swarm.close()
        parse_transaction(table)


def _is_proof(table: Mapping[str, Any]) -> bool:
    """Whether evidence holds two different headers with one number, both signed by their creator."""
    first, second = (decode_header(header, signature) for header, signature in (table["first"], table["second"]))
    is_one_place = (first.creator, first.epoch, first.seq) == (second.creator, second.epoch, second.seq)
    return is_one_place and first != second and first.verify() and second.verify()


# Records and certificates.


def check_genesis(data: bytes) -> None:
    must(decode_genesis(data).raw == data, "a genesis that reads back differently")


def genesis_samples() -> list[bytes]:
    keys = [SigningKey(bytes([number]) * 32) for number in range(1, 6)]
    plain = make_genesis("plain", [RosterMember(key.id, 3) for key in keys], Settings())
    full = make_genesis(
        "full",
        [RosterMember(key.id, 7 - place, bytes([place]) * 32, f"h{place}:1") for place, key in enumerate(keys)],
        Settings(configurations=("hex8-2", "square8-3")),
    )
    alone = make_genesis("é", [RosterMember(keys[0].id, 1)], Settings())
    steered = Settings(steering=SteeringSettings(rules=1))
    operated = make_genesis("operated", plain.members, steered, [key.id for key in keys[:2]])
    return [plain.raw, full.raw, alone.raw, operated.raw, swarm().genesis.raw]


def chain() -> list[SealedRecord]:
    """Two sealed records after the genesis of the swarm; the second changes a weight."""
    genesis, keys = swarm().genesis, swarm().keys
    sealed: list[SealedRecord] = []
    previous, roster = genesis.digest, genesis.roster
    for number in (1, 2):
        new = (
            roster
            if number == 1
            else Roster((*roster.members[:3], RosterMember(roster.ids[3], 0, bytes(32), "elsewhere:7")))
        )
        record = EpochRecord(
            genesis=genesis.digest,
            number=number,
            previous=previous,
            old=roster.digest,
            roster=new,
            roster_version=number,
            ledger=digest_of("ledger", number),
            snapshot=digest_of("snapshot", number),
            round=10 * number,
            ordered=100 * number,
            time=1000 * number,
            judges=(bytes(32), digest_of("j")),
        )
        seals = tuple(sorted((key.id, record.seal(key)) for key in keys))
        sealed.append(SealedRecord(record, seals))
        previous, roster = record.digest, new
    return sealed


def check_record(data: bytes) -> None:
    must(decode_record(data).raw == data, "a record that reads back differently")


def check_sealed(data: bytes) -> None:
    """As a node takes it: alone, after the genesis, and after a good record."""
    sealed = decode_sealed(data)
    must(sealed.raw == data, "a sealed record that reads back differently")
    try:
        verify_chain(swarm().genesis, [sealed], complete=False)
    except EpochError:
        verify_chain(swarm().genesis, [chain()[0], sealed])
    verify_seals(sealed, swarm().genesis.roster)


def forge_sealed(mutator: Mutator) -> bytes:
    """A changed record under seals of all members that are right as long as it is a record at all."""
    sealed = decode_sealed(mutator.chance.choice(mutator.samples))
    raw = mutator.structure(sealed.record.raw)
    try:
        record = decode_record(raw)
    except EpochError:
        return encode([raw, [list(seal) for seal in sealed.seals]])
    return SealedRecord(record, tuple(sorted((key.id, record.seal(key)) for key in swarm().keys))).raw


def snapshot_samples() -> list[bytes]:
    """Each the record of a close and the snapshot that it names: the smallest, so that many can be tried."""
    pairs = [encode([closing.record.raw, closing.snapshot]) for closing in history().closings.values()]
    return sorted(pairs, key=len)[:3]


def check_snapshot(data: bytes) -> None:
    """As if the record named whatever the snapshot is; then the ledger goes on from it."""
    match decode(data, limit=SIZE_LIMIT):
        case [bytes(raw), bytes(snapshot)]:
            record = replace(decode_record(raw), snapshot=sha256(snapshot).digest())
            decode_snapshot(history().genesis, record, snapshot)
        case _:
            raise SnapshotError("no pair")


def forge_snapshot(mutator: Mutator) -> bytes:
    match decode(mutator.chance.choice(mutator.samples), limit=SIZE_LIMIT):
        case [bytes(raw), bytes(snapshot)]:
            return encode([raw, mutator.structure(snapshot)])
    raise AssertionError("a sample that is no pair")


def certificate_samples() -> list[bytes]:
    made = [
        make_certificate(entry, ledger)
        for ledger in (swarm().ledger, history().ledger, decided().ledger)
        for entry in ledger.promotions()
    ]
    return [data for data in made if data is not None]


def check_certificate(data: bytes) -> None:
    verify(data, swarm().genesis.digest, {"weights.safetensors": bytes(32)})


def check_foreign_certificate(data: bytes) -> None:
    """As `verify` without --genesis does it: the certificate's own genesis is believed."""
    verify(data)


def forge_certificate(mutator: Mutator) -> bytes:
    """A changed statement, or a changed genesis, under seals that are right."""
    made = mutator.chance.choice((swarm(), decided()))
    promotion = mutator.chance.choice(made.ledger.promotions())
    statement, genesis = promotion.statement, made.genesis.raw
    if mutator.chance.random() < 0.8:
        statement = to_json(mutator.value(json.loads(statement)))
    else:
        genesis = mutator.structure(genesis)
    seals = [(key.id, key.sign(pae(statement))) for key in made.keys[:3]]
    return make_envelope(statement, seals, [genesis])


def forge_for_two(mutator: Mutator) -> bytes:
    """A changed statement, record or envelope; what members seal has seals that are right."""
    made, chance = forgeries.history(), mutator.chance
    kind = chance.choice(("statement", "statement", "record", "envelope", "bytes"))
    if kind == "statement":
        return forgeries.sealed(to_json(mutator.value(made.statement)))
    if kind == "record":
        chain = made.chain
        at = chance.randrange(1, len(chain))
        link = decode_sealed(chain[at])
        chain[at] = forgeries.sealed_bytes(mutator.structure(link.record.raw), link)
        return forgeries.written({**made.last, "chain": [to_base64(raw) for raw in chain]})
    return mutator.bytes_input() if kind == "bytes" else to_json(mutator.value(made.last)) + b"\n"


def check_with_two(data: bytes) -> None:
    """`ringrift-node verify` and the verifier in one file agree."""
    genesis = forgeries.history().swarm.genesis.digest
    refused = None
    try:
        verify(data, genesis)
    except (CertificateError, UnreadableError) as error:
        refused = error
    try:
        verify_certificate.verify(data, genesis)
    except verify_certificate.REFUSALS as error:
        must(refused is not None, f"only the verifier in one file refuses it: {error!a}")
    else:
        must(refused is None, f"only ringrift-node verify refuses it: {refused}")
    if refused is not None:
        raise refused


# Proofs of wrong results.


def fault_samples() -> list[bytes]:
    return [
        fault_proofs.proof_of(slot)
        for slot in (fault_proofs.not_games(), fault_proofs.wrong_scores(), fault_proofs.other_seeds())
    ]


def check_fault(data: bytes) -> None:
    """All but the games, which are those of a sample as long as their digest is right."""
    proof = verify_proof(data)
    must(proof.accused == fault_proofs.ACCUSED.id, "somebody is accused who has signed nothing")


def check_forged_fault(data: bytes) -> None:
    replay(verify_proof(data))


def forge_fault(mutator: Mutator) -> bytes:
    """A changed report, or changed games, which the accused and the members signed as they are."""
    chance = mutator.chance
    if chance.random() < 0.5:
        games = bytearray(fault_proofs.honest().games)
        for _ in range(chance.choice((1, 1, 4))):
            games[chance.randrange(len(games))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        slot = replace(fault_proofs.honest(), games=bytes(games[: len(games) - chance.choice((0, 0, 0, 8))]))
        report, reported = fault_proofs.report_of(slot)
        return fault_proofs.proof(report, reported, slot.games)
    report, reported = fault_proofs.report_of(fault_proofs.not_games())
    table = decode(encode(to_value(report)), limit=1 << 20)
    assert isinstance(table, list)
    at = chance.randrange(len(table))
    table[at] = mutator.value(table[at])
    try:
        changed = parse_value(SlotReport, decode(to_cbor(table), limit=1 << 20), "report")
        return fault_proofs.proof(changed, reported, fault_proofs.not_games().games)
    except (EncodingError, EventError, ShapeError):
        return fault_proofs.changed(
            fault_proofs.proof(report, reported, fault_proofs.not_games().games), report=bytes(1)
        )


# The file that a person writes.


def toml_samples() -> list[bytes]:
    root = Path(__file__).parents[2]
    keys = [SigningKey(bytes([number]) * 32) for number in range(1, 5)]
    operated = made_toml(keys).replace(
        b"\n\n[settings", f'\noperators = ["{id_text(keys[0].id)}"]\n\n[settings'.encode(), 1
    )
    return [(root / "swarm.toml").read_bytes(), *(made_toml(keys[:size]) for size in (1, 4)), operated]


def made_toml(keys: Iterable[SigningKey]) -> bytes:
    members = "".join(
        f'\n[[member]]\nname = "n{place}"\nid = "{id_text(key.id)}"\naddress = "10.0.0.{place}:7400"\nweight = 2\n'
        for place, key in enumerate(keys)
    )
    return (
        '[swarm]\nname = "fuzzed"\nconfigurations = ["hex8-2"]\n\n[settings.match]\nalpha = "1/20"\nblock_limit = 64\n'
        '\n[settings.timing]\nlease_s = 60\n\n[settings.steering]\nrules = 1\nquota = 300\nfamilies = "c16b2.c32b4"\n'
        '\n[node]\nhttp = "127.0.0.1:8000"\nroles = ["train"]\nlife_s = 3600\ncost = 350\nslots = 2\n'
        "idle_after_s = 900\n"
        f"{members}"
    ).encode()


def check_toml(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8") from None
    parse_config(Path("swarm.toml"), text)


def _checkpoint_target() -> Target:
    from tests.fuzz import checkpoints  # with torch, which takes seconds

    return Target(checkpoints.samples(), checkpoints.check, (DataError,), checkpoints.forge)


TARGETS: dict[str, Callable[[], Target]] = {
    "encoding": lambda: Target(
        [*sync_samples()[:9], *genesis_samples(), *transaction_samples()[:20]], check_encoding, (EncodingError,)
    ),
    "event": lambda: Target([event.raw for event in gossip().made], check_event, (EventError,)),
    "header": lambda: Target(header_samples(), check_header, (EncodingError, EventError)),
    "signed-event": lambda: Target(
        [event.raw for event in gossip().made],
        ReplicaCheck(gossip().genesis, gossip().keys[0], gossip().made),
        (EventError,),
        forge_event,
    ),
    "bounded-event": lambda: Target(
        [event.raw for event in bounded().pool.values()],
        ReplicaCheck(bounded().replicas[0].genesis, bounded().keys[0], bounded().pool.values()),
        (EventError,),
        forge_bounded_event,
    ),
    "message": lambda: Target(sync_samples(), check_message, (MessageError,)),
    "dial-back": lambda: Target(dial_back_samples(), check_dial_back, (MessageError,)),
    "addresses": lambda: Target(address_samples(), check_addresses, (MessageError,)),
    "blob-message": lambda: Target(
        [
            encode({"digest": bytes(32), "offset": 5, "length": 70_000}),
            encode({"size": 900, "data": bytes(900)}),
        ],
        check_blob_message,
        (BlobMessageError,),
    ),
    "push-message": lambda: Target(
        [
            KeepRequest(bytes(32), 70_000).encode(),
            PushedPiece(bytes(32), 3, bytes(900)).encode(),
            push_messages.encode_wanted([0, 3, 8]),
        ],
        check_push_message,
        (BlobMessageError,),
    ),
    "checkpoint-offer": lambda: Target(
        [
            CheckpointOffer(subject=bytes(32), plan=plan, digest=bytes(32), size=70_000, steps=9).encode()
            for plan in plan_samples()
        ]
        + [encode_find(bytes(32))],
        check_checkpoint_offer,
        (BlobMessageError,),
    ),
    "transaction": lambda: Target(transaction_samples(), LedgerCheck(), (EncodingError, MalformedError)),
    "steered": lambda: Target(
        steered.samples(), steered.SteeredCheck(), (EncodingError, MalformedError, OutdatedError), steered.forge
    ),
    "genesis": lambda: Target(genesis_samples(), check_genesis, (GenesisError,)),
    "record": lambda: Target([link.record.raw for link in chain()], check_record, (EpochError,)),
    "sealed-record": lambda: Target([link.raw for link in chain()], check_sealed, (EpochError,)),
    "forged-record": lambda: Target([link.raw for link in chain()], check_sealed, (EpochError,), forge_sealed),
    "snapshot": lambda: Target(
        snapshot_samples(), check_snapshot, (EpochError, EncodingError, SnapshotError), forge_snapshot
    ),
    "certificate": lambda: Target(certificate_samples(), check_certificate, (CertificateError, UnreadableError)),
    "two-verifiers": lambda: Target(
        forgeries.history().certificates, check_with_two, (CertificateError, UnreadableError), forge_for_two
    ),
    "forged-certificate": lambda: Target(
        certificate_samples(), check_foreign_certificate, (CertificateError, UnreadableError), forge_certificate
    ),
    "fault": lambda: Target(fault_samples(), check_fault, (NotAProofError, ProofError)),
    "forged-fault": lambda: Target(fault_samples()[:1], check_forged_fault, (NotAProofError, ProofError), forge_fault),
    "checkpoint": _checkpoint_target,
    "training-plan": lambda: Target(plan_samples(), check_plan, (PlanError,)),
    "shard": lambda: Target(shards.samples(), shards.check, (DataError,), shards.forge),
    "recorded": lambda: Target(recorded.samples(), recorded.check, (DataError, IllegalMoveError), shards.forge),
    "toml": lambda: Target(toml_samples(), check_toml, (ConfigError,)),
    "chain": lambda: Target(
        chain_samples(chain()),
        ChainCheck(swarm(), chain()),
        (MessageError, EpochError, BadAnswer),
        lambda mutator: forge_chain(chain(), swarm().keys[3], mutator),
    ),
    "peer-port": lambda: Target(peer_requests(sync_samples()), check_peer_port, (NoSuccess,), forge_http),
    "peer-answer": lambda: Target(peer_answers(), check_peer_answer, (Hangup, BadAnswer), forge_http),
    "local-port": lambda: Target(local_requests(), check_local_port, (NoSuccess,), forge_http),
    "wish": lambda: Target(wish_samples(), WishCheck("/propose"), (NoSuccess,)),
    "nomination": lambda: Target(nomination_samples(), WishCheck("/nominate"), (NoSuccess,)),
    "import": lambda: Target(import_samples(), WishCheck("/import"), (NoSuccess,)),
    "play": lambda: Target(play_samples(), PlayCheck(), (NoSuccess,)),
    "ballot": lambda: Target(vote_samples(), WishCheck("/vote"), (NoSuccess,)),
}
