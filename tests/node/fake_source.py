"""A `StatusSource` without a node: the figures of a swarm of four members after one promotion."""

import base64
import hashlib
from pathlib import Path
from typing import Any, TypedDict

from engine.boards import board
from node.api.certificates import CertificateInfo
from node.api.faults import ProofInfo
from node.api.graph import GraphEventInfo, GraphInfo, GraphMemberInfo
from node.api.history import HistoryInfo
from node.api.log import LogEntry
from node.api.matches import MatchInfo
from node.api.members import MemberInfo, MemberStanding, MemberState
from node.api.models import ModelInfo
from node.api.playing import PlayingInfo
from node.api.proposals import ProposalInfo
from node.api.ratings import RatingInfo
from node.api.records import RecordFileInfo
from node.api.status import ConductInfo, CurrentWorkInfo, DurationsInfo, PeerInfo, PeerState, Status
from node.api.steering import SteeringInfo
from node.api.work import CandidateInfo, CandidateState, ClaimInfo, WorkInfo

NOW = 1_795_183_389_000_000_000


def member_id(number: int) -> str:
    digest = hashlib.sha256(b"member %d" % number).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


NAMES = ("anvil", "birch", "cedar", "<dune>")
IDS = [member_id(number) for number in range(4)]

MEASURES = {
    "brier": 192_345,
    "held_out_games": 512,
    "policy_vs_search_16": 447_000,
    "search_64_vs_16": 584_100,
    "value_correlation_1": 121_000,
    "value_correlation_2": 314_000,
    "value_correlation_3": 482_000,
    "value_correlation_4": 768_000,
}

EFFECTS: list[tuple[str, dict[str, Any]]] = [
    (
        "claim",
        {"kind": "selfplay", "configuration": "hex8-2", "amount": 500, "model": digest("uniform"), "claim": 7},
    ),
    ("beacon", {"claim": 7, "configuration": "hex8-2", "seed": digest("seed")}),
    ("progress", {"claim": 7, "kind": "selfplay", "configuration": "hex8-2", "done": 100, "amount": 500}),
    ("games", {"configuration": "hex8-2", "games": 500, "plies": 33_120, "total": 7623}),
    (
        "candidate",
        {"model": digest("model 1"), "candidate": digest("candidate 1"), "shards": 16, "incumbent": digest("uniform")},
    ),
    ("result", {"slot": 2, "score": 11, "most": 16, "counted": 12, "llr": "1.204839"}),
    ("ripe", {"candidate": digest("candidate 1"), "score": 75, "most": 4, "blocks": 32}),
    ("vote", {"approve": True, "approved": 3, "rejected": 0, "weight": 4, "reason": ""}),
    ("promotion", {"model": digest("model 1"), "configuration": "hex8-2", "number": 1}),
    ("seal", {"statement": digest("certificate 1"), "sealed": 3, "weight": 4}),
    ("certificate", {"statement": digest("certificate 1"), "seals": 3}),
]


class _Result(TypedDict):
    """Which result of a match a case or a fault is about."""

    result: str
    candidate: str
    configuration: str
    slot: int
    member: str
    name: str


WORK: CurrentWorkInfo = {
    "kind": "selfplay",
    "subject": "hex8-2",
    "claim": digest("claim 0"),
    "done": 412,
    "wished": 500,
    "since_s": 96.2,
}


def durations(counts: dict[float | None, int], sum_s: float) -> DurationsInfo:
    return {"classes": [{"most_s": most, "count": count} for most, count in counts.items()], "sum_s": sum_s}


def game_now() -> PlayingInfo:
    """Return what slot 1 plays."""
    return {
        "slot": 1,
        "kind": "selfplay",
        "subject": "hex8-2",
        "configuration": "hex8-2",
        "board": "hex8",
        "cells": [f"{x},{y}" for x, y in board("hex8").cells],
        "ring_threshold": 18,
        "territory_minimum": 31,
        "players": ["model 1f", "the <heuristic>"],
        "move": {
            "number": 3,
            "plies": 17,
            "player": 2,
            "phase": "movement",
            "seats": [
                {"hand": 11, "eliminated": 2, "territory": 0},
                {"hand": 12, "eliminated": 0, "territory": 1},
            ],
            "lies": {"0,0": "s12", "1,-1": "m2", "-2,1": "c1"},
            "words": "move 0,0 to 0,2",
            "chosen": ["0,0", "0,2"],
            "chances": [0.25, 0.75],
            "policy": [
                {"words": "move 0,0 to 0,2", "cells": ["0,0", "0,2"], "share": 0.7},
                {"words": "move 0,0 to 1,0", "cells": ["0,0", "1,0"], "share": 0.2},
            ],
        },
    }


class FakeSource:
    """Answers like a node. Tests change `values`, the answer of `status`."""

    def __init__(self) -> None:
        self.added: list[RecordFileInfo] = []  # whose files are in `folder`
        self.folder = Path("/nowhere")
        self.games_now: list[PlayingInfo] = [game_now()]
        self.values: Status = {
            "node": {
                "id": IDS[0],
                "name": "anvil",
                "version": "0.1.0",
                "uptime_s": 4520.4,
                "roles": ["selfplay", "train", "match"],
                "device": "cpu",
                "address": "127.0.0.1:7400",
                "draining": False,
                "lost_log_lines": 0,
                "sources": "0123456789ab",
                "disk_free_bytes": 71_000_000_000,
                "memory_tier": 1,
                "disk_tier": 0,
                "scarce": ["64% of 8.0 GiB of memory are used, tier 1 of 4: new jobs play at most 64 games at once"],
                "memory_bytes": 210_000_000,
            },
            "swarm": {
                "name": "workshop",
                "genesis": digest("genesis"),
                "members": 4,
                "weight": 4,
                "open_proposals": 1,
                "quorum": "",
                "fragility": "",
            },
            "decisions": {
                "settings_version": 2,
                "changed": [
                    {
                        "text": "match.p1 becomes 3/5 on hex8-2",
                        "setting": "match.p1",
                        "value": "3/5",
                        "configuration": "hex8-2",
                        "work": None,
                        "version": 2,
                        "by_name": "anvil",
                        "round": 1001,
                    }
                ],
                "paused": [
                    {
                        "text": "training pauses",
                        "setting": None,
                        "value": None,
                        "configuration": None,
                        "work": "train",
                        "version": 2,
                        "by_name": "beam",
                        "round": 1100,
                    }
                ],
                "unknown": [],
            },
            "ready": True,
            "ready_reason": "caught up with 4 of 4 of the weight",
            "peers": [self._peer(number) for number in (1, 2, 3)],
            "reach": [{"by_name": "borax", "address": "10.0.0.5:7400", "reason": "", "ago_s": 41.0}],
            "unreached": "",
            "exchanges": {
                "/gossip/sync": {
                    "durations": durations({0.01: 9000, 0.1: 800, 1.0: 20, None: 0}, 61.25),
                    "failures": 4,
                },
            },
            "consensus": {
                "epoch": 2,
                "roster_version": 2,
                "round": 1187,
                "round_age_s": 0.41,
                "rounds": durations({0.1: 0, 1.0: 1100, 10.0: 80, None: 6}, 730.5),
                "events": 9512,
                "ordered": 9498,
                "pending": 14,
                "ledger_digest": digest("ledger"),
                "forkers": [],
                "dissent": "",
                "ailment": "",
            },
            "conduct": [self._conduct(number) for number in range(4)],
            "work": WORK,
            "slots": [
                {
                    "number": 1,
                    "device": "NVIDIA <H200>",
                    "work": WORK,
                    "failures": 0,
                    "memory_bytes": 400_000_000,
                    "memory_tier": 2,
                    "scarce": "its process holds 381 MiB, tier 2: the next claim begins with a new process",
                },
                {
                    "number": 2,
                    "device": "cpu",
                    "work": None,
                    "failures": 3,
                    "memory_bytes": None,
                    "memory_tier": 0,
                    "scarce": "",
                },
            ],
            "rest": "",
            "custody": {"unsafe": [], "unsafe_games": 0, "short": 0},
            "canonical": {
                "hex8-2": {
                    "model": digest("model 1"),
                    "since_round": 903,
                    "promotions": 1,
                    "certificate": digest("certificate 1"),
                    "rating": 1623.4,
                    "rating_error": 21.5,
                },
                "square8-2": {
                    "model": digest("uniform"),
                    "since_round": 0,
                    "promotions": 0,
                    "certificate": None,
                    "rating": None,
                    "rating_error": None,
                },
            },
            "counts": {
                "games": 8123,
                "plies": 551_204,
                "shards": 17,
                "candidates": 3,
                "promotions": 1,
                "certificates": 1,
                "wrong_results": 2,
                "open_cases": 1,
                "rejected": {"claim not live": 2, 'say "no"\\': 1},
            },
            "failures": [
                {
                    "part": "effect log",
                    "reason": "KeyError: 'kind'",
                    "count": 2,
                    "ago_s": 318.2,
                    "again_in_s": None,
                },
            ],
            "blobs": {"checked_bytes": 123_456_789, "damaged": 2, "lost": 1},
            "archive": {
                "place": "s3://swarm/first/",
                "archived": 12,
                "archived_bytes": 34_567_890,
                "waiting": 3,
                "uploaded_bytes": 4_567_890,
                "restored_bytes": 567_890,
                "error": "",
                "error_ago_s": None,
            },
        }

    @staticmethod
    def _peer(number: int) -> PeerInfo:
        states: list[PeerState] = ["ok", "ok", "ok", "silent"]
        return {
            "id": IDS[number],
            "name": NAMES[number],
            "address": f"127.0.0.1:{7400 + number}",
            "weight": 1,
            "last_contact_s": (None, 0.2, 1.4, 318.0)[number],
            "lag_events": (None, 3, 11, 1904)[number],
            "state": states[number],
        }

    @staticmethod
    def _conduct(number: int) -> ConductInfo:
        return {
            "id": IDS[number],
            "name": NAMES[number],
            "unheard_s": (0.4, 2.1, 1.0, 318.0)[number],
            "withheld": (0, 0, 3, 0)[number],
            "wrong_results": (0, 0, 2, 0)[number],
            "equivocated": (None, None, 1, None)[number],
            "silenced": number == 2,
        }

    def status(self) -> Status:
        return self.values

    def members(self) -> list[MemberInfo]:
        work = ("self-play hex8-2", "training hex8-2", "match of candidate 5a01…", "")
        standings: list[MemberStanding] = ["founder", "founder", "no vote", "joined"]
        states: list[MemberState] = ["self", "ok", "ok", "silent"]
        return [
            {
                **self._peer(number),
                "state": states[number],
                "standing": standings[number],
                "roles": ["selfplay", "train", "match"] if number < 3 else ["selfplay"],
                "device": "cpu" if number < 3 else "cuda",
                "version": "0.1.0",
                "rates": {"plies": 9000} if number < 3 else {},
                "cost_per_h": 0 if number < 3 else 350_000,
                "life_s": None if number < 3 else 7200,
                "events": (2401, 2398, 2390, 2309)[number],
                "games": (3012, 2511, 2100, 500)[number],
                "work": work[number],
                "reached": (None, True, True, False)[number],
                "asked_s": (None, 0.7, 2.0, None)[number],
                "flaps": (0, 0, 1, 4)[number],
                "error": "" if number < 3 else "no answer within 5 s",
            }
            for number in range(4)
        ]

    def work(self) -> WorkInfo:
        return {
            "claims": [
                self._claim(0, "selfplay", "hex8-2", 412, 500),
                self._claim(1, "train", "hex8-2", 1200, 2000),
                self._claim(2, "match", "blocks 8 to 15", 3, 8),
            ],
            "candidates": [
                self._candidate(2, "match", counted=21, votes=(0, 0)),
                self._candidate(1, "promoted", counted=32, votes=(3, 0)),
                self._candidate(0, "rejected", counted=17, reason="the test says it is not stronger"),
            ],
            "cases": [
                {
                    **self._result(3),
                    "by": IDS[1],
                    "by_name": NAMES[1],
                    "reason": "game 3, move 17 is <not> legal",
                    "wrong": 2,
                    "right": 1,
                    "needs": 3,
                    "ends_s": 540.0,
                }
            ],
            "faults": [
                {**self._result(2), "reason": "its seeds do not match", "round": 1000, "time": NOW - 600 * 10**9}
            ],
        }

    @staticmethod
    def _result(number: int) -> _Result:
        return {
            "result": digest(f"result {number}"),
            "candidate": digest(f"candidate {number}"),
            "configuration": "hex8-2",
            "slot": number,
            "member": IDS[number],
            "name": NAMES[number],
        }

    @staticmethod
    def _claim(number: int, kind: str, subject: str, done: int, wished: int) -> ClaimInfo:
        return {
            "claim": digest(f"claim {number}"),
            "kind": kind,
            "configuration": "hex8-2",
            "subject": subject,
            "member": IDS[number],
            "name": NAMES[number],
            "done": done,
            "wished": wished,
            "age_s": 96.2 + 40 * number,
            "lease_s": 58.0,
        }

    @staticmethod
    def _candidate(
        number: int, state: CandidateState, *, counted: int, votes: tuple[int, int] | None = None, reason: str = ""
    ) -> CandidateInfo:
        return {
            "candidate": digest(f"candidate {number}"),
            "model": digest(f"model {number}"),
            "configuration": "hex8-2",
            "incumbent": digest("uniform"),
            "member": IDS[number],
            "name": NAMES[number],
            "losses": {"policy": 1.934217, "winner": 0.512} if state == "match" else None,
            "measures": MEASURES if state == "match" else {},
            "state": state,
            "reason": reason,
            "counted": counted,
            "limit": 200,
            "score": counted * 2 + 11,
            "null_score": counted * 2,
            "llr": {"match": 1.204839, "promoted": 3.1, "rejected": -3.01}[state],
            "rejects_at": -2.995732,
            "accepts_at": 2.995732,
            "approve": None if votes is None else votes[0],
            "reject": None if votes is None else votes[1],
        }

    def steering(self) -> SteeringInfo:
        return {
            "rules": 1,
            "window_s": 3600,
            "shares": [
                {
                    "configuration": "hex8-2",
                    "signals": [
                        {
                            "name": "staleness",
                            "value": 700,
                            "weight": 150,
                            "product": 105_000,
                            "inputs": {"games_age_s": 70},
                        },
                        {"name": "quality", "value": 500, "weight": 150, "product": 75_000, "inputs": {}},
                    ],
                    "sum": 180_000,
                    "starvation": 20,
                    "delivered_ever": 12_000,
                    "median_ever": 90_000,
                    "weight": 3_600_000,
                    "floor": 20,
                    "quota": 300,
                    "share": 300,
                    "delivered": 10_000,
                    "claimed": 2_000,
                    "total": 100_000,
                    "deficit": 18_000,
                }
            ],
            "needs": [
                {
                    "configuration": "hex8-2",
                    "games": 7623,
                    "new_games": 812,
                    "claimed_games": 256,
                    "training_games": 1024,
                    "enough_games": 2048,
                    "training": ["<dune>"],
                    "first_trainers": ["<dune>", NAMES[1]],
                    "candidates": 1,
                    "simulations": 16,
                    "starts_from": "its own newest weights",
                    "paused": [],
                }
            ],
            "wants": [
                {
                    "member": IDS[0],
                    "name": NAMES[0],
                    "roles": ["selfplay"],
                    "cost_per_h": 0,
                    "life_s": None,
                    "doing": "selfplay hex8-2",
                    "kind": "selfplay",
                    "configuration": "hex8-2",
                    "reason": "it is farthest behind its share of 30%: 18,000 evaluations of 100,000",
                },
                {
                    "member": IDS[3],
                    "name": NAMES[3],
                    "roles": ["train"],
                    "cost_per_h": 350_000,
                    "life_s": 6900,
                    "doing": "",
                    "kind": "",
                    "configuration": "",
                    "reason": "nothing is wanted of train, and it does not play",
                },
            ],
        }

    def ratings(self) -> list[RatingInfo]:
        common: RatingInfo = {
            "configuration": "hex8-2",
            "simulations": 16,
            "player": "search",
            "model": digest("second"),
            "number": 2,
            "canonical": True,
            "rating": 1701.5,
            "error": 32.0,
            "blocks": 128,
            "stalled": False,
            "weaker": True,
        }
        heuristic: RatingInfo = {**common, "player": "heuristic", "model": None, "number": None, "canonical": False}
        return [common, {**heuristic, "rating": 1500.0, "error": 0.0, "weaker": False}]

    def models(self) -> list[ModelInfo]:
        uniform: ModelInfo = {
            "model": digest("uniform"),
            "configuration": "hex8-2",
            "canonical": False,
            "since_round": 0,
            "time": NOW - 5000 * 10**9,
            "parent": None,
            "candidate": None,
            "member": None,
            "name": None,
            "certificate": None,
            "measures": {},
        }
        first: ModelInfo = {
            "model": digest("model 1"),
            "configuration": "hex8-2",
            "canonical": True,
            "since_round": 903,
            "time": NOW - 900 * 10**9,
            "parent": digest("uniform"),
            "candidate": digest("candidate 1"),
            "member": IDS[1],
            "name": NAMES[1],
            "certificate": digest("certificate 1"),
            "measures": {**MEASURES, "search_64_vs_16": 612_000},
        }
        return [first, uniform, {**uniform, "configuration": "square8-2", "canonical": True}]

    def graph(self) -> GraphInfo:
        events: list[GraphEventInfo] = [
            {
                "row": row,
                "member": row % 4,
                "seq": row // 4,
                "level": row + 1,
                "parents": [parent for parent in (row - 4, row - 1) if parent >= 0],
                "round": 1 + row // 8,
                "witness": row % 8 < 4,
                "famous": None if row >= 16 or row % 8 > 3 else row != 9,
                "transactions": row % 3,
            }
            for row in range(30)
        ]
        members: list[GraphMemberInfo] = [{"member": IDS[place], "name": NAMES[place]} for place in range(4)]
        return {"epoch": 2, "decided": 2, "total": 9512, "levels": 36, "members": members, "events": events}

    def history(self) -> HistoryInfo:
        return {
            "axis": "clock",
            "unit": "evaluations",
            "begin": 7200,
            "end": 0,
            "configurations": {
                "hex8-2": [1000 + 90 * number for number in range(48)],
                "square8-2": [0 if number < 9 else 2500 - 40 * number for number in range(48)],
            },
            "members": [
                {
                    "member": IDS[place],
                    "name": NAMES[place],
                    "amounts": [(place + 1) * 200 + number * 7 * (place % 2) for number in range(48)],
                }
                for place in (3, 2, 1)
            ],
        }

    def match(self, candidate: str) -> MatchInfo | None:
        found = [entry for entry in self.work()["candidates"] if entry["candidate"] == candidate]
        if not found:
            return None
        return {
            "candidate": found[0],
            "most": 4,
            "slots": [
                {
                    "slot": slot,
                    "first_block": 8 * slot,
                    "member": IDS[slot],
                    "name": NAMES[slot],
                    "scores": [2, 4, 0, 3, 2, 2, 1, 4],
                    "counted": 8 if slot < 2 else 1,
                    "games": 16,
                    "digest": digest(f"games {slot}"),
                    "size": 81_920,
                    "kept": slot != 1,
                }
                for slot in range(3)
            ],
            "complete": found[0]["state"] != "promoted",
        }

    def games(self, candidate: str, slot: int) -> bytes | None:
        return b"games" if self.match(candidate) and slot == 0 else None

    def playing(self) -> list[PlayingInfo]:
        return self.games_now

    def records(self) -> list[RecordFileInfo]:
        own: RecordFileInfo = {
            "digest": digest("shard 1"),
            "kind": "selfplay",
            "configuration": "hex8-2",
            "member": IDS[0],
            "name": NAMES[0],
            "round": 1204,
            "games": 500,
            "size": 961_020,
            "model": digest("model 1"),
            "candidate": None,
            "slot": None,
        }
        contest: RecordFileInfo = {
            **own,
            "digest": digest("games 0"),
            "kind": "match",
            "member": IDS[3],
            "name": NAMES[3],
            "round": 1100,
            "games": 16,
            "model": None,
            "candidate": digest("candidate 1"),
            "slot": 0,
        }
        return [own, contest, {**contest, "digest": digest("games 9"), "kind": "series"}, *self.added]

    def record(self, digest: str) -> RecordFileInfo | None:
        return next((entry for entry in self.records() if entry["digest"] == digest), None)

    def record_path(self, digest: str) -> Path:
        return self.folder / digest

    def certificates(self) -> list[CertificateInfo]:
        return [
            {
                "id": digest("certificate 1"),
                "configuration": "hex8-2",
                "model": digest("model 1"),
                "parent": digest("uniform"),
                "round": 903,
                "time": NOW - 900 * 10**9,
                "seals": 4,
                "sealed": 4,
                "weight": 4,
                "missing": [],
                "complete": True,
            }
        ]

    def certificate(self, certificate: str) -> bytes | None:
        return b'{"payload": "e30="}' if certificate == digest("certificate 1") else None

    def faults(self) -> list[ProofInfo]:
        return [
            {
                "result": digest(f"fault {number}"),
                "member": IDS[3],
                "name": NAMES[3],
                "configuration": "hex8-2",
                "candidate": digest("candidate 1"),
                "slot": 3 + number,
                "reason": "block 13 scores 2, but 4 was claimed for block 13",
                "found": 3,
                "weight": 4,
                "round": 700 + number,
                "time": NOW - 2000 * 10**9,
                "count": 2,
                "kept": number == 1,
            }
            for number in (0, 1)
        ]

    def fault(self, result: str) -> bytes | None:
        return b"\xa1\x61a\x01" if result == digest("fault 1") else None

    def proposals(self) -> list[ProposalInfo]:
        leave: ProposalInfo = {
            "proposal": digest("proposal 1"),
            "change": "leave",
            "member": IDS[2],
            "name": "cedar",
            "weight": None,
            "address": None,
            "key": None,
            "new_name": None,
            "setting": None,
            "value": None,
            "configuration": None,
            "work": None,
            "known": True,
            "text": "cedar leaves",
            "by": IDS[0],
            "by_name": "anvil",
            "reason": "its <disk> fails",
            "state": "open",
            "outcome": "",
            "votes": [{"member": IDS[0], "name": "anvil", "approve": True, "weight": 1}],
            "approve": 1,
            "reject": 0,
            "needs": 3,
            "total": 4,
            "ends_s": 3600.0,
            "round": 1100,
        }
        gone: ProposalInfo = {
            **leave,
            "proposal": digest("proposal 0"),
            "by": None,
            "by_name": "",
            "state": "dropped",
            "outcome": "not enough ballots in time",
            "ends_s": None,
        }
        return [leave, gone]

    def log(self, after: int) -> list[LogEntry]:
        entries: list[LogEntry] = [
            {
                "number": number,
                "kind": kind,
                "member": IDS[number % 4],
                "name": NAMES[number % 4],
                "round": 890 + number,
                "time": NOW - (1000 - 12 * number) * 10**9,
                "fields": fields,
            }
            for number, (kind, fields) in enumerate(EFFECTS, 1)
        ]
        return [entry for entry in entries if entry["number"] > after]

    def latest(self, count: int) -> list[LogEntry]:
        return self.log(0)[-count:]
