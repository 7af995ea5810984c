"""What has to hold during a soak, and what was found that does not."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ANSWER_S = 30.0
"""A running node that does not answer for longer is a finding."""
ORPHANS_S = 15.0
"""The workers of a killed node have ended after so long."""
NODE_MAX_BYTES = 512 << 20
WORKERS_MAX_BYTES = 2048 << 20
DATA_MAX_BYTES = 4096 << 20
"""Of some four hundred thousand games; files are deleted an hour after the ledger last needed them."""
LEDGER_MAX_BYTES = 8 << 20
LOG_MAX_BYTES_PER_H = 4 << 20
_KEPT_ROUNDS = 4096
_CLAIM_SLACK_S = 60.0  # ledger seconds: the ledger's clock goes on with events, and claims end as it does
_GROWTH_SAMPLES = 40  # fewer say nothing about growth
_GROWTH = 1.25
_SETTLED_S = 600.0  # what fills once is full by then
_GROWTH_SLACK_BYTES = 32 << 20


@dataclass(kw_only=True)
class Finding:
    """Something that does not hold: how often it was seen, and when first and last."""

    check: str
    subject: str
    text: str
    first_s: float
    last_s: float
    count: int = 1

    def as_json(self) -> Json:
        """Return the finding as it stands in the summary."""
        return {**vars(self), "first_s": round(self.first_s, 1), "last_s": round(self.last_s, 1)}


@dataclass
class Findings:
    """What was found: the first text of each check and subject, and how often it came."""

    found: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, at_s: float, check: str, subject: str, text: str) -> bool:
        """Take in a finding; return whether it is the first of this check and subject."""
        known = self.found.get((check, subject))
        if known is None:
            finding = Finding(check=check, subject=subject, text=text, first_s=at_s, last_s=at_s)
            self.found[check, subject] = finding
            return True
        known.last_s, known.count = at_s, known.count + 1
        return False

    def as_json(self) -> list[Json]:
        """Return all findings, the first ones first."""
        return [finding.as_json() for finding in sorted(self.found.values(), key=lambda each: each.first_s)]


@dataclass
class Digests:
    """The ledgers' digests by round: two nodes that were seen at one round must have the same."""

    compared: int = 0
    """Rounds at which at least two nodes were seen."""
    _seen: dict[int, dict[str, str]] = field(default_factory=dict)

    def observe(self, name: str, round_number: int, digest: str) -> str | None:
        """Take in where a node is; return what is wrong if another node had another digest there."""
        at = self._seen.setdefault(round_number, {})
        if name not in at:
            at[name] = digest
            self.compared += len(at) == 2
        while len(self._seen) > _KEPT_ROUNDS:
            del self._seen[min(self._seen)]
        if len({*at.values(), digest}) == 1:
            return None
        others = ", ".join(f"{other} {value[:12]}" for other, value in sorted(at.items()) if value != digest)
        return f"round {round_number}: {name} has {digest[:12]}, {others or 'and had another one before'}"


def check_status(status: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what does not hold in a node's status, as the name of the check and a text."""
    consensus = status["consensus"]
    if consensus["dissent"]:
        yield "dissent", consensus["dissent"]
    if consensus["forkers"]:
        yield "forkers", f"{len(consensus['forkers'])} members have forked"
    for failure in status["failures"]:
        yield f"failure of {failure['part']}", failure["reason"]
    if status["counts"]["wrong_results"]:
        yield "wrong results", f"{status['counts']['wrong_results']} proven wrong, and nobody lied"
    for entry in status["conduct"]:
        if entry["equivocated"] is not None or entry["wrong_results"]:
            yield f"conduct of {entry['name']}", f"{entry['wrong_results']} wrong, equivocated {entry['equivocated']}"
    if status["blobs"]["damaged"]:
        yield "damaged blobs", f"{status['blobs']['damaged']} files were found damaged"
    if status["node"]["lost_log_lines"]:
        yield "lost log lines", f"{status['node']['lost_log_lines']} lines"


def check_claims(work: Mapping[str, Any], lease_s: float, claim_s: float) -> Iterator[tuple[str, str]]:
    """Yield the claims that live longer than they may."""
    for claim in work["claims"]:
        if claim["age_s"] > claim_s + _CLAIM_SLACK_S:
            yield "claim too old", f"{claim['subject']} of {claim['name']} is {claim['age_s']:.0f} s old"
        if not -_CLAIM_SLACK_S <= claim["lease_s"] <= lease_s + _CLAIM_SLACK_S:
            yield "lease", f"{claim['subject']} of {claim['name']} has {claim['lease_s']:.0f} s left"


def check_sizes(reading: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the sizes of a node in a sample that are beyond their bounds."""
    bounds = {
        "node_bytes": NODE_MAX_BYTES,
        "workers_bytes": WORKERS_MAX_BYTES,
        "data_bytes": DATA_MAX_BYTES,
        "ledger_bytes": LEDGER_MAX_BYTES,
    }
    for key, bound in bounds.items():
        size = reading.get(key) or 0
        if size > bound:
            yield key.replace("_", " "), f"{size / 2**20:.0f} MiB, bound {bound / 2**20:.0f}"


def check_growth(samples: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield the node, the check and a text where memory or the database still grows: its largest sizes in both halves.

    Files do not count: those of an hour and more are kept.
    """
    settled = [sample for sample in samples if sample["at_s"] >= _SETTLED_S]
    if len(settled) < _GROWTH_SAMPLES:
        return
    halves = settled[: len(settled) // 2], settled[len(settled) // 2 :]
    for name in sorted({name for sample in samples for name in sample["nodes"]}):
        for key in ("node_bytes", "workers_bytes", "events_bytes"):
            before, after = (max((_size(sample, name, key) for sample in half), default=0) for half in halves)
            if before and after > before * _GROWTH + _GROWTH_SLACK_BYTES:
                text = f"{before / 2**20:.0f} MiB in the first half, {after / 2**20:.0f} in the second"
                yield name, f"growth of {key.replace('_', ' ')}", text


def _size(sample: Mapping[str, Any], name: str, key: str) -> int:
    return int(sample["nodes"].get(name, {}).get(key) or 0)


def check_logs(sizes: Mapping[str, int], hours: float) -> Iterator[tuple[str, str, str]]:
    """Yield the nodes that wrote too much into their logs."""
    for name, size in sizes.items():
        bound = LOG_MAX_BYTES_PER_H * max(hours, 0.25)
        if size > bound:
            yield name, "log", f"{size / 2**20:.1f} MiB of log in {hours:.2f} h, bound {bound / 2**20:.1f}"


def check_progress(promotions: Mapping[str, int], wanted: int) -> Iterator[tuple[str, str, str]]:
    """Yield the configurations with fewer promotions than `wanted`."""
    for name, count in sorted(promotions.items()):
        if count < wanted:
            yield name, "promotions", f"{count} promotions, at least {wanted} are wanted"


def spread_of(values: Sequence[float]) -> Json | None:
    """Return the median and the largest of some values; None if there are none."""
    if not values:
        return None
    return {"count": len(values), "median": round(statistics.median(values), 1), "max": round(max(values), 1)}
