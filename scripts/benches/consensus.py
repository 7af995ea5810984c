"""Measures how many events a second one core puts in order, without and with signatures.

Every figure is for the whole way of an event: from its bytes through decoding, the replica and the
hashgraph into the ledger. Events are random gossip among N members, all creators equally busy.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from consensus.event import Event, decode_event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.replica import Replica
from consensus.roster import Member
from consensus.settings import Settings

_SYNC = 50  # events a sync brings, after which the replica is asked for decided rounds


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench consensus", description=purpose)
    parser.add_argument("--members", type=int, action="append", help="only swarms of this size (4, 10, 40)")
    parser.add_argument("--other-parents", type=int, action="append", help="only so many an event (1 to 4)")
    parser.add_argument("--events", type=int, default=5000, help="events in each measurement (5000)")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def gossip(members: int, other_parents: int, count: int) -> tuple[Genesis, list[Event]]:
    """`count` signed events in which random members take the newest events of random others."""
    rng = random.Random(members * 10 + other_parents)
    keys = sorted((SigningKey(rng.randbytes(32)) for _ in range(members)), key=lambda key: key.id)
    genesis = make_genesis("bench", [Member(key.id, 1) for key in keys], Settings())
    newest: dict[int, Event] = {}
    events = []
    for number in range(count):
        creator = rng.randrange(members)
        known = [member for member in sorted(newest) if member != creator]
        others = rng.sample(known, min(other_parents, len(known)))
        mine = newest.get(creator)
        seq = mine.seq + 1 if mine else 0
        note = {"type": "note", "id": seq, "text": "a transaction of usual size", "of": rng.randbytes(32)}
        event = newest[creator] = make_event(
            keys[creator],
            epoch=genesis.digest,
            seq=seq,
            self_parent=mine.hash if mine else None,
            other_parents=tuple(newest[other].hash for other in others),
            time=number * 1_000_000,
            transactions=(note,),
        )
        events.append(event)
    return genesis, events


def seconds(work: Callable[[], object]) -> float:
    """Processor time that `work` takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def order(genesis: Genesis, raws: list[bytes], signed: bool) -> int:
    """Takes events in from their bytes, as a node does; returns the number that was ordered."""
    replica, ordered = Replica(genesis), 0
    for start in range(0, len(raws), _SYNC):
        events = [decode_event(raw, genesis.digest) for raw in raws[start : start + _SYNC]]
        if signed and not all(event.verify() for event in events):
            raise AssertionError("an event of our own does not verify")
        replica.insert(events)
        ordered += sum(len(result.round.events) for result in replica.advance())
    return ordered


def measure(members: int, other_parents: int, count: int) -> dict[str, Any]:
    genesis, events = gossip(members, other_parents, count)
    raws = [event.raw for event in events]
    ordered = order(genesis, raws, signed=False)
    assert ordered
    return {
        "n": members,
        "other_parents": other_parents,
        "events": count,
        "ordered": ordered,
        "bytes_per_event": round(sum(map(len, raws)) / count),
        "events_per_s": round(count / seconds(lambda: order(genesis, raws, signed=False))),
        "events_per_s_signed": round(count / seconds(lambda: order(genesis, raws, signed=True))),
        "verify_per_s": round(count / seconds(lambda: [event.verify() for event in events])),
    }


def show(results: list[dict[str, Any]]) -> None:
    table = Table("members", "parents", "events/s", "with signatures", "signatures alone/s", "bytes")
    for column in table.columns:
        column.justify = "right"
    for row in results:
        speeds = (f"{row[key]:,}" for key in ("events_per_s", "events_per_s_signed", "verify_per_s"))
        table.add_row(str(row["n"]), str(row["other_parents"]), *speeds, str(row["bytes_per_event"]))
    Console().print(table)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    results = [
        measure(members, other_parents, arguments.events)
        for members in arguments.members or (4, 10, 40)
        for other_parents in arguments.other_parents or (1, 2, 3, 4)
        if other_parents < members
    ]
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0
