"""Proofs of wrong results with real games, made as a swarm would make them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from consensus.encoding import Value, decode, encode
from consensus.event import Event, make_event
from consensus.fault_proof import encode_proof
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.cases import Fault, Replay, SlotReport
from consensus.ledger.records.entities import Place, SlotResult
from consensus.ledger.records.transactions import Finding, Profile, Result
from consensus.roster import RosterMember
from consensus.settings import MatchSettings, Settings
from engine.config import config
from engine.search import evaluate_uniformly
from training.match import MatchGame, block_scores, games_root, play_match, write_games
from training.settings import MatchSettings as Playing

HEX = config("hex8-2")
MATCH = MatchSettings(slot_blocks=2, block_limit=32, opening_plies=6)
KEYS = sorted((SigningKey(bytes([number]) * 32) for number in range(1, 5)), key=lambda key: key.id)
ACCUSED, FINDERS = KEYS[1], (KEYS[0], KEYS[2], KEYS[3])
CANDIDATE, BEACON, SLOT = b"c" * 32, b"b" * 32, 3
BLOCKS = list(slot_blocks(BEACON, CANDIDATE, SLOT, MATCH.slot_blocks))


@cache
def genesis() -> Genesis:
    return make_genesis("proofs", [RosterMember(key.id, 1) for key in KEYS], Settings(match=MATCH))


@dataclass(frozen=True)
class Slot:
    """What was played, and what was reported of it."""

    games: bytes
    scores: tuple[tuple[int, int], ...]
    root: bytes


@cache
def honest() -> Slot:
    """The slot as it should be played."""
    played = tuple(play(BLOCKS))
    return Slot(stored(played), tuple(block_scores(2, played)), games_root(HEX, played))


@cache
def other_seeds() -> Slot:
    """Sound games of another match."""
    blocks = [(number, bytes(32)) for number, _ in BLOCKS]
    played = tuple(play(blocks))
    return Slot(stored(played), tuple(block_scores(2, played)), games_root(HEX, played))


def play(blocks: Sequence[tuple[int, bytes]]) -> list[MatchGame]:
    settings = Playing(simulations=2, considered=2, opening_plies=MATCH.opening_plies)
    return play_match(HEX, evaluate_uniformly, evaluate_uniformly, blocks, settings)


def stored(games: Sequence[MatchGame]) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        return write_games(Path(directory), HEX, games).path.read_bytes()


def wrong_scores() -> Slot:
    """A winner that was none."""
    (first, score), *others = honest().scores
    return replace(honest(), scores=((first, 4 if score < 4 else 0), *others))


def wrong_root() -> Slot:
    return replace(honest(), root=bytes(32))


def not_games() -> Slot:
    return replace(honest(), games=b"no games at all")


def illegal() -> Slot:
    """A game that does not replay: the first one's moves are those of the second."""
    first, second, *others = play(BLOCKS)
    swapped = replace(first, moves=second.moves[::-1].copy())
    return replace(honest(), games=stored([swapped, second, *others]))


def event(key: SigningKey, *said: Result | Finding | Profile, seq: int = 0) -> Event:
    parent = None if seq == 0 else bytes(32)
    tables = tuple(entry.as_table() for entry in said)
    return make_event(key, epoch=genesis().digest, seq=seq, self_parent=parent, time=1 + seq, transactions=tables)


def place_of(made: Event, index: int) -> Place:
    return Place(7, made.time, index, made.hash, 100)


def report_of(slot: Slot, size: int | None = None) -> tuple[SlotReport, Event]:
    """What the ledger has of a result, and the accused's event."""
    blob = hashlib.sha256(slot.games).digest()
    size = len(slot.games) if size is None else size
    profile = Profile(1, roles=("match",), device="cpu", software=bytes(32), rates={}, cost=0, life=0)
    made = event(
        ACCUSED, profile, Result(2, claim=1, scores=slot.scores, root=slot.root, blob=blob, size=size, games=4)
    )
    scores = tuple(score for _, score in slot.scores)
    result = SlotResult(
        author=ACCUSED.id, scores=scores, root=slot.root, blob=blob, size=size, games=4, place=place_of(made, 5)
    )
    return SlotReport(
        candidate=CANDIDATE, slot=SLOT, configuration="hex8-2", settings=MATCH, beacon=BEACON, result=result
    ), made


def proof_of(
    slot: Slot, size: int | None = None, beacon: bytes = BEACON, finders: Sequence[SigningKey] = FINDERS
) -> bytes:
    """The proof as the nodes write it after these members found the slot wrong."""
    report, reported = report_of(slot, size)
    return proof(replace(report, beacon=beacon), reported, slot.games, finders)


def proof(report: SlotReport, reported: Event, games: bytes, finders: Sequence[SigningKey] = FINDERS) -> bytes:
    fault, findings = fault_of(report, reported, finders)
    return encode_proof(genesis(), [], fault, event=reported.raw, findings=[made.raw for made in findings], games=games)


def fault_of(report: SlotReport, reported: Event, finders: Sequence[SigningKey] = FINDERS) -> tuple[Fault, list[Event]]:
    """What the ledger keeps when these members found the result wrong, and their events."""
    findings = [
        event(
            key,
            Finding(1, candidate=report.candidate, slot=report.slot, result=report.digest, wrong=True, reason="wrong"),
            seq=number,
        )
        for number, key in enumerate(finders)
    ]
    replays = tuple(
        Replay(made.creator, True, "wrong", place_of(made, 10 + number)) for number, made in enumerate(findings)
    )
    weight = len(finders)
    return Fault(
        report=report,
        reason="wrong",
        replays=replays,
        roster_version=1,
        weight=weight,
        total_weight=4,
        place=place_of(reported, 20),
    ), findings


def changed(data: bytes, **fields: Value) -> bytes:
    """A proof with other fields."""
    table = decode(data, limit=1 << 27)
    assert isinstance(table, dict)
    return encode({**table, **fields})
