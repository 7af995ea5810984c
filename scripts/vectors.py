"""Replay DAGs with known results through the hashgraph, and report every difference.

Each DAG is fed event by event, comparing the decisions after each one, and in several other orders that put parents
first. Rounds, witnesses, fame, received rounds, times, order and every view must be equal. The exit status is 0 if
there is no mismatch, 1 if there is one, and 2 if a file cannot be read.
"""

import argparse
import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from consensus.hashgraph import Decision, Hashgraph

RESULTS = ("round", "witness", "fame", "received", "time_raw", "time", "order", "decided")


class UnreadableError(ValueError):
    """A file or one of its lines cannot be read; the message is one line that names them and the reason."""


@dataclass(frozen=True, kw_only=True)
class Dag:
    """One line of a file: events with parents first, and the results that they must have."""

    name: str
    kind: str
    weights: list[int]
    events: list[tuple[int, int | None, list[int], int, bytes]]  # creator, parents, time, hash
    expect: dict[str, Any]
    views: list[dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One result that differs."""

    dag: str
    kind: str
    feed: str  # in which order the events came
    what: str
    where: str  # event or view
    expected: object
    found: object


def read_dags(path: Path) -> Iterator[Dag]:
    """Yield the DAGs of a file, one JSON object a line, gzipped if the name ends in .gz.

    Raise UnreadableError.
    """
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            for number, line in enumerate(lines, 1):
                yield _parse(line, f"{path}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path}: cannot be read: {error}") from None


def _parse(line: str, where: str) -> Dag:
    try:
        record = json.loads(line)
        if record["v"] != 1:
            raise ValueError(f"version {record['v']!r} where 1 is known")
        events = [
            (creator, self_parent, others, time, bytes.fromhex(digest))
            for creator, _, self_parent, others, time, digest in record["events"]
        ]
        missing = [key for key in RESULTS if key not in record["expect"]]
        if missing:
            raise ValueError(f"`expect` lacks {', '.join(missing)}")
        Hashgraph(record["weights"])
        _require_dag(len(record["weights"]), events)
        fields = {key: record[key] for key in ("name", "kind", "weights", "expect", "views")}
        return Dag(events=events, **fields)
    except KeyError as error:
        raise UnreadableError(f"{where}: no key {error}") from None
    except (ValueError, TypeError) as error:
        raise UnreadableError(f"{where}: not a DAG: {error}") from None


def _require_dag(members: int, events: list[tuple[int, int | None, list[int], int, bytes]]) -> None:
    """Raise ValueError unless the events are as the hashgraph assumes (S1)."""
    for index, (creator, self_parent, others, time, digest) in enumerate(events):
        parents = others if self_parent is None else [self_parent, *others]
        if creator not in range(members):
            raise ValueError(f"event {index}: creator {creator} of {members} members")
        if any(parent not in range(index) for parent in parents):
            raise ValueError(f"event {index}: a parent that is not an earlier event")
        if self_parent is not None and events[self_parent][0] != creator:
            raise ValueError(f"event {index}: a self-parent of another member")
        if not -(2**63) <= time < 2**63 or len(digest) != 32:
            raise ValueError(f"event {index}: a time beyond 64 bits, or a hash that is not 32 bytes")


def check(dag: Dag, orders: int = 4) -> list[Mismatch]:
    """Return every difference from what `dag` expects, fed as listed and in `orders` other orders."""
    mismatches = _check_one_by_one(dag)
    for number in range(orders):
        ids = parents_first(dag, random.Random(f"{dag.name}/{number}"))
        every = (1, 7, len(ids))[number % 3]
        graph, decisions, rows = feed(dag, ids, every)
        mismatches += compare(dag, f"order {number}", results(graph, decisions, rows))
    return mismatches


def parents_first(dag: Dag, rng: random.Random) -> list[int]:
    """Return a random order of the events, with parents first and some members' events delayed."""
    waiting = [0] * len(dag.events)
    children: list[list[int]] = [[] for _ in dag.events]
    for index, (_, self_parent, others, _, _) in enumerate(dag.events):
        for parent in others if self_parent is None else (self_parent, *others):
            children[parent].append(index)
            waiting[index] += 1
    held = {member for member in range(len(dag.weights)) if rng.random() < 0.3}
    ready = [index for index, count in enumerate(waiting) if not count]
    order = []
    while ready:
        first = [index for index in ready if dag.events[index][0] not in held] or ready
        index = rng.choice(first)
        ready.remove(index)
        order.append(index)
        for child in children[index]:
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return order


def feed(dag: Dag, ids: Sequence[int], every: int) -> tuple[Hashgraph, list[Decision], dict[int, int]]:
    """Return the graph of all events, its decisions (made after each `every` events) and the row of each id."""
    graph, decisions = Hashgraph(dag.weights), list[Decision]()
    rows: dict[int, int] = {}
    for count, index in enumerate(ids, 1):
        rows[index] = _add(graph, dag, index, rows)
        if count % every == 0:
            decisions += graph.decide()
    return graph, decisions + graph.decide(), rows


def _add(graph: Hashgraph, dag: Dag, index: int, rows: dict[int, int]) -> int:
    creator, self_parent, others, time, digest = dag.events[index]
    parents = [rows[other] for other in others]
    return graph.add(creator, None if self_parent is None else rows[self_parent], parents, time, digest)


def _check_one_by_one(dag: Dag) -> list[Mismatch]:
    """Feed the events as listed, and compare every view, then the results of the whole."""
    mismatches = []
    views = {view["size"]: view for view in dag.views}
    graph, decisions = Hashgraph(dag.weights), list[Decision]()
    rows: dict[int, int] = {}
    order: list[int] = []
    for index in range(len(dag.events)):
        rows[index] = _add(graph, dag, index, rows)
        for decision in graph.decide():
            decisions.append(decision)
            order += [row for row, _, _ in decision.received]
        view = views.get(index + 1)
        if view:
            expected = (view["decided"], dag.expect["order"][: view["order_len"]])
            if (graph.decided, order) != expected:
                found = (graph.decided, order)
                mismatches.append(
                    Mismatch(
                        dag=dag.name,
                        kind=dag.kind,
                        feed="as listed",
                        what="view",
                        where=f"size {index + 1}",
                        expected=expected,
                        found=found,
                    )
                )
    return mismatches + compare(dag, "as listed", results(graph, decisions, rows))


def results(graph: Hashgraph, decisions: list[Decision], rows: dict[int, int]) -> dict[str, Any]:
    """Return the hashgraph's own results in the form of `expect`, by event id."""
    ids = {row: index for index, row in rows.items()}
    places = {
        ids[item.row]: (decision.round, item.raw_time, item.time)
        for decision in decisions
        for item in decision.received
    }
    nowhere = (None, None, None)
    count = range(len(rows))
    return {
        "round": [graph.round_of(rows[index]) for index in count],
        "witness": [graph.is_witness(rows[index]) for index in count],
        "fame": [graph.fame(rows[index]) for index in count],
        "received": [places.get(index, nowhere)[0] for index in count],
        "time_raw": [places.get(index, nowhere)[1] for index in count],
        "time": [places.get(index, nowhere)[2] for index in count],
        "order": list(places),
        "decided": graph.decided,
    }


def compare(dag: Dag, order: str, found: dict[str, Any]) -> list[Mismatch]:
    mismatches = []
    for what in RESULTS:
        if what in ("order", "decided"):
            pairs = [("the whole", dag.expect[what], found[what])]
        else:
            pairs = [
                (f"event {index}", *pair) for index, pair in enumerate(zip(dag.expect[what], found[what], strict=True))
            ]
        for where, expected, got in pairs:
            if expected != got:
                mismatches.append(
                    Mismatch(
                        dag=dag.name,
                        kind=dag.kind,
                        feed=order,
                        what=what,
                        where=where,
                        expected=expected,
                        found=got,
                    )
                )
    return mismatches


def report(dags: list[Dag], mismatches: list[Mismatch]) -> None:
    """Print a table by kind, the sums, and the first mismatch in full."""
    bad = Counter(mismatch.kind for mismatch in mismatches)
    table = Table("kind", "DAGs", "events", "mismatches")
    for kind in sorted({dag.kind for dag in dags}):
        events = [len(dag.events) for dag in dags if dag.kind == kind]
        table.add_row(kind, str(len(events)), str(sum(events)), str(bad[kind]))
    console = Console()
    console.print(table)
    total = sum(len(dag.events) for dag in dags)
    console.print(f"{len(dags)} DAGs, {total} events, {len(mismatches)} mismatches")
    if mismatches:
        first = mismatches[0]
        print(f"first mismatch: {first.dag}, fed {first.feed}: {first.what} of {first.where}")
        print(f"  expected {first.expected}\n  found    {first.found}")


def main(argv: list[str] | None = None) -> int:
    """Check all files named on the command line; see the module's docstring for the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/vectors", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="JSON lines, or .gz of them")
    parser.add_argument("--orders", type=int, default=4, help="other orders tried for each DAG (4)")
    arguments = parser.parse_args(argv)
    dags, mismatches = [], []
    try:
        for path in arguments.files:
            for dag in read_dags(path):
                dags.append(dag)
                mismatches += check(dag, arguments.orders)
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    report(dags, mismatches)
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
