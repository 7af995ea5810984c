"""The metrics at `/metrics`: every figure of `GET /status` as Prometheus text, under names ringrift_*."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from node.api.status import DurationsInfo, Status
from node.text.harmless import harmless_values

_SWARM = " (of the swarm: each node tells the same, so take max, not sum)"


def render_metrics(status: Status) -> bytes:
    """Return the exposition (text format 0.0.4) of one status."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(harmless_values(status)))
    return generate_latest(registry)


class _StatusCollector(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from _node_metrics(self._status)
        yield from _consensus_metrics(self._status)
        yield from _conduct_metrics(self._status)
        yield from _peer_metrics(self._status)
        yield from _exchange_metrics(self._status)
        yield from _work_metrics(self._status)
        yield from _count_metrics(self._status)
        yield from _blob_metrics(self._status)
        yield from _archive_metrics(self._status)


def _node_metrics(status: Status) -> Iterator[Metric]:
    node, swarm = status["node"], status["swarm"]
    yield InfoMetricFamily(
        "ringrift_node",
        "Which node this is",
        {
            "id": node["id"],
            "name": node["name"],
            "version": node["version"],
            "sources": node["sources"],
            "device": node["device"],
            "roles": ",".join(node["roles"]),
        },
    )
    yield InfoMetricFamily(
        "ringrift_swarm", "Which swarm it belongs to", {"name": swarm["name"], "genesis": swarm["genesis"]}
    )
    yield GaugeMetricFamily("ringrift_members", f"Members in the roster{_SWARM}", swarm["members"])
    yield GaugeMetricFamily("ringrift_weight", f"Weight of all members together{_SWARM}", swarm["weight"])
    yield GaugeMetricFamily(
        "ringrift_open_proposals", f"Proposals that wait for ballots{_SWARM}", swarm["open_proposals"]
    )
    yield GaugeMetricFamily("ringrift_uptime_seconds", "Seconds since the node started", node["uptime_s"])
    if node["disk_free_bytes"] is not None:
        yield GaugeMetricFamily(
            "ringrift_disk_free_bytes", "Free bytes where the data folder lies", node["disk_free_bytes"]
        )
    if node["memory_bytes"] is not None:
        yield GaugeMetricFamily(
            "ringrift_memory_bytes", "Memory of the node's own process, without its workers", node["memory_bytes"]
        )
    yield GaugeMetricFamily(
        "ringrift_memory_tier", "How scarce memory is where the node runs, from 0 to 4", node["memory_tier"]
    )
    yield GaugeMetricFamily(
        "ringrift_disk_tier", "How scarce room is where the data folder lies, from 0 to 2", node["disk_tier"]
    )
    yield GaugeMetricFamily("ringrift_draining", "1 if the node takes no more work and ends", int(node["draining"]))
    yield CounterMetricFamily(
        "ringrift_lost_log_lines", "Lines of the log that could not be written", node["lost_log_lines"]
    )
    failures = CounterMetricFamily(
        "ringrift_part_failures", "Unforeseen failures of a part of the node, which was started again", labels=["part"]
    )
    for failure in status["failures"]:
        failures.add_metric([failure["part"]], failure["count"])
    yield failures
    yield GaugeMetricFamily("ringrift_ready", "1 if the node is level with the swarm", int(status["ready"]))


def _consensus_metrics(status: Status) -> Iterator[Metric]:
    consensus = status["consensus"]
    yield GaugeMetricFamily("ringrift_epoch", f"Number of the open epoch{_SWARM}", consensus["epoch"])
    yield GaugeMetricFamily(
        "ringrift_roster_version",
        f"Changes of the roster so far, plus 1{_SWARM}",
        consensus["roster_version"],
    )
    yield GaugeMetricFamily("ringrift_round", f"Last decided round{_SWARM}", consensus["round"])
    if consensus["round_age_s"] is not None:
        yield GaugeMetricFamily(
            "ringrift_round_age_seconds", "Seconds since a round was last decided here", consensus["round_age_s"]
        )
    rounds = HistogramMetricFamily("ringrift_round_seconds", "Seconds from one decided round to the next, at this node")
    _add_durations(rounds, [], consensus["rounds"])
    yield rounds
    yield GaugeMetricFamily("ringrift_events", "Events of the open epoch that this node holds", consensus["events"])
    yield CounterMetricFamily(
        "ringrift_ordered_events", f"Events with a place in the order{_SWARM}", consensus["ordered"]
    )
    yield GaugeMetricFamily(
        "ringrift_pending_events", "Own transactions that wait for their place in the order", consensus["pending"]
    )
    yield GaugeMetricFamily(
        "ringrift_forkers", f"Members that forked in the open epoch{_SWARM}", len(consensus["forkers"])
    )
    yield GaugeMetricFamily(
        "ringrift_dissent", "1 if the ledger here differs from that of the others", int(bool(consensus["dissent"]))
    )
    yield GaugeMetricFamily(
        "ringrift_ailment", "1 if the node makes no events for now", int(bool(consensus["ailment"]))
    )


def _conduct_metrics(status: Status) -> Iterator[Metric]:
    labels = ["member", "id"]
    unheard = GaugeMetricFamily(
        "ringrift_member_unheard_seconds", f"Time since the member's last event in the order{_SWARM}", labels=labels
    )
    withheld = CounterMetricFamily(
        "ringrift_member_withheld_preimages",
        f"Preimages that the member owed and did not reveal{_SWARM}",
        labels=labels,
    )
    wrong = CounterMetricFamily(
        "ringrift_member_wrong_results", f"Match results of the member that were proven wrong{_SWARM}", labels=labels
    )
    equivocated = GaugeMetricFamily(
        "ringrift_member_equivocated",
        f"1 if the member is proven to have signed conflicting events{_SWARM}",
        labels=labels,
    )
    for entry in status["conduct"]:
        values = [entry["name"], entry["id"]]
        if entry["unheard_s"] is not None:
            unheard.add_metric(values, entry["unheard_s"])
        withheld.add_metric(values, entry["withheld"])
        wrong.add_metric(values, entry["wrong_results"])
        equivocated.add_metric(values, int(entry["equivocated"] is not None))
    yield from (unheard, withheld, wrong, equivocated)


def _peer_metrics(status: Status) -> Iterator[Metric]:
    labels = ["peer", "id"]
    up = GaugeMetricFamily("ringrift_peer_up", "1 if the peer's state is ok", labels=labels)
    contact = GaugeMetricFamily(
        "ringrift_peer_last_contact_seconds", "Seconds since the peer last said something correct", labels=labels
    )
    lag = GaugeMetricFamily(
        "ringrift_peer_lag_events",
        "Events that the peer lacked when it last said what it has",
        labels=labels,
    )
    for peer in status["peers"]:
        values = [peer["name"], peer["id"]]
        up.add_metric(values, int(peer["state"] == "ok"))
        if peer["last_contact_s"] is not None:
            contact.add_metric(values, peer["last_contact_s"])
        if peer["lag_events"] is not None:
            lag.add_metric(values, peer["lag_events"])
    yield from (up, contact, lag)


def _exchange_metrics(status: Status) -> Iterator[Metric]:
    labels = ["path"]
    seconds = HistogramMetricFamily(
        "ringrift_exchange_seconds", "Seconds of this node's requests to peers that were answered", labels=labels
    )
    failures = CounterMetricFamily(
        "ringrift_exchange_failures", "This node's requests to peers without an answer, or refused", labels=labels
    )
    for path, exchanges in status["exchanges"].items():
        _add_durations(seconds, [path], exchanges["durations"])
        failures.add_metric([path], exchanges["failures"])
    yield from (seconds, failures)


def _add_durations(family: HistogramMetricFamily, labels: list[str], durations: DurationsInfo) -> None:
    classes = durations["classes"]
    bounds = ["+Inf" if each["most_s"] is None else str(float(each["most_s"])) for each in classes]
    totals = accumulate(each["count"] for each in classes)
    family.add_metric(labels, list(zip(bounds, totals, strict=True)), sum_value=durations["sum_s"])


def _work_metrics(status: Status) -> Iterator[Metric]:
    work, labels = status["work"], ["kind"]
    done = GaugeMetricFamily("ringrift_work_done", "Games or steps of the current work that are done", labels=labels)
    wished = GaugeMetricFamily("ringrift_work_wished", "Games or steps of the current work in all", labels=labels)
    since = GaugeMetricFamily("ringrift_work_seconds", "Seconds since the current work began", labels=labels)
    if work is not None:
        values = [work["kind"]]
        done.add_metric(values, work["done"])
        wished.add_metric(values, work["wished"])
        since.add_metric(values, work["since_s"])
    yield from (done, wished, since)
    yield from _slot_metrics(status)
    canonical = GaugeMetricFamily(
        "ringrift_canonical_since_round",
        f"Round that promoted the model in force{_SWARM}",
        labels=["configuration"],
    )
    promotions = CounterMetricFamily(
        "ringrift_configuration_promotions", f"Promotions of one configuration{_SWARM}", labels=["configuration"]
    )
    rating = GaugeMetricFamily(
        "ringrift_canonical_rating", f"Rating of the model in force, with search{_SWARM}", labels=["configuration"]
    )
    error = GaugeMetricFamily(
        "ringrift_canonical_rating_error", f"Standard error of that rating{_SWARM}", labels=["configuration"]
    )
    for configuration, model in sorted(status["canonical"].items()):
        canonical.add_metric([configuration], model["since_round"])
        promotions.add_metric([configuration], model["promotions"])
        if model["rating"] is not None and model["rating_error"] is not None:
            rating.add_metric([configuration], model["rating"])
            error.add_metric([configuration], model["rating_error"])
    yield from (canonical, promotions, rating, error)


def _slot_metrics(status: Status) -> Iterator[Metric]:
    labels = ["slot", "device"]
    busy = GaugeMetricFamily("ringrift_slot_busy", "1 if the worker slot works on a claim", labels=labels)
    done = GaugeMetricFamily("ringrift_slot_done", "Games or steps of its claim that are done", labels=labels)
    wished = GaugeMetricFamily("ringrift_slot_wished", "Games or steps of its claim in all", labels=labels)
    since = GaugeMetricFamily("ringrift_slot_seconds", "Seconds since it began its claim", labels=labels)
    failures = CounterMetricFamily("ringrift_slot_failures", "Jobs that failed in the worker slot", labels=labels)
    memory = GaugeMetricFamily("ringrift_slot_memory_bytes", "Memory of the worker slot's process", labels=labels)
    for slot in status["slots"]:
        work, values = slot["work"], [str(slot["number"]), slot["device"]]
        busy.add_metric(values, int(work is not None))
        failures.add_metric(values, slot["failures"])
        memory.add_metric(values, slot["memory_bytes"] or 0)
        if work is not None:
            done.add_metric(values, work["done"])
            wished.add_metric(values, work["wished"])
            since.add_metric(values, work["since_s"])
    yield from (busy, done, wished, since, failures, memory)


def _count_metrics(status: Status) -> Iterator[Metric]:
    counts = status["counts"]
    yield CounterMetricFamily("ringrift_games", f"Self-play games in the order{_SWARM}", counts["games"])
    yield CounterMetricFamily("ringrift_plies", f"Plies of these games{_SWARM}", counts["plies"])
    yield CounterMetricFamily("ringrift_shards", f"Shards of games in the order{_SWARM}", counts["shards"])
    yield CounterMetricFamily("ringrift_candidates", f"Candidates in the order{_SWARM}", counts["candidates"])
    yield CounterMetricFamily("ringrift_promotions", f"Promotions in the order{_SWARM}", counts["promotions"])
    yield CounterMetricFamily("ringrift_certificates", f"Complete certificates{_SWARM}", counts["certificates"])
    yield CounterMetricFamily("ringrift_wrong_results", f"Match results proven wrong{_SWARM}", counts["wrong_results"])
    yield GaugeMetricFamily(
        "ringrift_open_cases", f"Results that members are asked to replay{_SWARM}", counts["open_cases"]
    )
    rejected = CounterMetricFamily(
        "ringrift_rejected_transactions", f"Transactions in the order without effect{_SWARM}", labels=["reason"]
    )
    for reason, number in sorted(counts["rejected"].items()):
        rejected.add_metric([reason], number)
    yield rejected


def _blob_metrics(status: Status) -> Iterator[Metric]:
    blobs = status["blobs"]
    yield CounterMetricFamily(
        "ringrift_blobs_checked_bytes", "Bytes of blobs read again in the background", blobs["checked_bytes"]
    )
    yield CounterMetricFamily("ringrift_blobs_damaged", "Blobs found damaged on this disk", blobs["damaged"])
    yield GaugeMetricFamily("ringrift_blobs_lost", "Damaged blobs that peers could not give yet", blobs["lost"])
    custody = status["custody"]
    unsafe = "Games that do not count yet, as too few members hold them"
    yield GaugeMetricFamily("ringrift_unsafe_games", unsafe, custody["unsafe_games"])
    short = "Shards that count and lack a holder, because one is gone"
    yield GaugeMetricFamily("ringrift_short_shards", short, custody["short"])


def _archive_metrics(status: Status) -> Iterator[Metric]:
    archive = status["archive"]
    if archive is None:
        return
    archived = "Bytes that the ledger counts and that are in this node's archive"
    yield GaugeMetricFamily("ringrift_archived_bytes", archived, archive["archived_bytes"])
    waiting = "Blobs and certificates that are to be archived yet"
    yield GaugeMetricFamily("ringrift_archive_waiting", waiting, archive["waiting"])
    failing = "1 if the last request to the archive failed"
    yield GaugeMetricFamily("ringrift_archive_failing", failing, int(bool(archive["error"])))
    restored = "Bytes read back from the archive, as no peer had them"
    yield CounterMetricFamily("ringrift_archive_restored_bytes", restored, archive["restored_bytes"])
