"""`ringrift-node status`: the node and its swarm on one screen."""

import argparse
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from node.api.status import DecisionInfo, Status
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import model_text, print_table, state_text
from node.text.formatting import age, ago, conduct, count, plural, short


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `status`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show the status of the node; return 0."""
    return read_and_show(options, "/status", _show)


def _show(console: Console, status: Status) -> None:
    ready = Text("ready", "green") if status["ready"] else Text("not ready", "bold red")
    names = (status["node"]["name"], "bold"), " in ", (status["swarm"]["name"], "bold"), ", "
    console.print(Text.assemble(*names, ready, f": {status['ready_reason']}"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, value in (*_node_facts(status), *_order_facts(status), *_work_facts(status)):
        facts.add_row(name, Text(value))
    console.print(facts)
    console.print()
    _print_models(console, status)
    _print_peers(console, status)


def _node_facts(status: Status) -> Iterator[tuple[str, str]]:
    node, swarm = status["node"], status["swarm"]
    roles = ", ".join(node["roles"]) or "no work roles"
    yield "node", node["id"]
    yield "address", node["address"]
    program = f"version {node['version']} ({node['sources']})"
    yield "runs", f"{roles} on {node['device']}, {program}, for {age(node['uptime_s'])}"
    if node["draining"]:
        yield "draining", "it takes no more work, and ends soon"
    if node["lost_log_lines"]:
        yield "log", f"{plural(node['lost_log_lines'], 'line')} lost: nobody reads it, or the disk is full"
    for failure in status["failures"]:
        times = plural(failure["count"], "time")
        yield "failed", f"{failure['part']}, {times}, last {ago(failure['ago_s'])}: {failure['reason']}; see the log"
    members = plural(swarm["members"], "member")
    yield "swarm", f"{members}, weight {count(swarm['weight'])}, genesis {short(swarm['genesis'])}"
    if swarm["quorum"]:
        yield "quorum", f"missing: {swarm['quorum']}"
    if swarm["fragility"]:
        yield "fragile", swarm["fragility"]
    if swarm["open_proposals"]:
        waiting = plural(swarm["open_proposals"], "proposal")
        yield "vote", f"{waiting} to vote on: see ringrift-node proposals"
    for text in status["decisions"]["unknown"]:
        yield "unknown", f"{text}: this program does not know that, and ends if it passes; install a newer version"


def _order_facts(status: Status) -> Iterator[tuple[str, str]]:
    order = status["consensus"]
    age_text = "none decided yet" if order["round_age_s"] is None else f"decided {ago(order['round_age_s'])}"
    yield "round", f"{count(order['round'])}, {age_text}, ledger {short(order['ledger_digest'])}"
    yield "epoch", f"{count(order['epoch'])}, roster version {count(order['roster_version'])}"
    yield "events", f"{count(order['ordered'])} in order, {plural(order['pending'], 'own transaction')} waiting"
    decided = status["decisions"]
    if decided["changed"]:
        changes = "; ".join(_change(entry) for entry in decided["changed"])
        yield "settings", f"version {count(decided['settings_version'])}: {changes}"
    if order["forkers"]:
        yield "forked", ", ".join(order["forkers"])
    if order["ailment"]:
        yield "silent", f"makes no events for now: {order['ailment']}"
    for entry in status["conduct"]:
        if against := conduct(entry):
            yield "conduct", f"{entry['name']}: {against}"


def _change(entry: DecisionInfo) -> str:
    """Return what holds, such as "match.p1 = 3/5 on hex8-2"."""
    if entry["setting"] is None or entry["value"] is None:
        return entry["text"]
    on = "" if entry["configuration"] is None else f" on {entry['configuration']}"
    return f"{entry['setting']} = {entry['value']}{on}"


def _work_facts(status: Status) -> Iterator[tuple[str, str]]:
    counts = status["counts"]
    for pause in status["decisions"]["paused"]:
        yield "paused", f"{pause['text']}, since round {count(pause['round'])}"
    busy = [(slot, slot["work"]) for slot in status["slots"] if slot["work"] is not None]
    for slot, work in busy:
        where = f", in slot {slot['number']} on {slot['device']}" if len(status["slots"]) > 1 else ""
        done = f"{count(work['done'])} of {count(work['wished'])}"
        yield "work", f"{work['kind']} {work['subject']}, {done}, for {age(work['since_s'])}{where}"
    if not busy:
        yield "work", f"nothing: {status['rest']}" if status["rest"] else "nothing right now"
    for text in status["node"]["scarce"]:
        yield "scarce", text
    for slot in status["slots"]:
        if slot["scarce"]:
            yield "scarce", f"slot {slot['number']}: {slot['scarce']}"
    shards = plural(counts["shards"], "shard")
    yield "games", f"{count(counts['games'])} in {shards}, {count(counts['plies'])} plies"
    if (custody := status["custody"])["unsafe_games"]:
        yield "custody", f"{count(custody['unsafe_games'])} games do not count yet: too few others hold them"
    if archive := status["archive"]:
        there = f"{plural(archive['archived'], 'blob')}, {count(archive['archived_bytes'])} bytes"
        yield "archive", archive["error"].removeprefix("archive ") or f"{there}; {count(archive['waiting'])} waiting"
    promoted = f"{plural(counts['promotions'], 'promotion')}, {plural(counts['certificates'], 'certificate')}"
    yield "models", f"{plural(counts['candidates'], 'candidate')}, {promoted}"
    if counts["open_cases"] or counts["wrong_results"]:
        yield "results", f"{count(counts['wrong_results'])} proven wrong, {count(counts['open_cases'])} in doubt"
    if counts["rejected"]:
        rejected = sorted(counts["rejected"].items())
        yield "no effect", ", ".join(f"{count(number)} × {reason}" for reason, number in rejected)


def _print_models(console: Console, status: Status) -> None:
    columns = ("configuration", "model", "?#since round", "#promotions", "certificate")
    rows = [
        (
            name,
            model_text(model["model"], is_uniform=model["promotions"] == 0),
            count(model["since_round"]),
            count(model["promotions"]),
            short(model["certificate"]),
        )
        for name, model in sorted(status["canonical"].items())
    ]
    print_table(console, "Canonical models", columns, rows, "none")


def _print_peers(console: Console, status: Status) -> None:
    columns = ("name", "?id", "?address", "state", "?#weight", "#last contact", "#lacks events")
    rows = [
        (
            peer["name"],
            short(peer["id"]),
            peer["address"],
            state_text(peer["state"]),
            count(peer["weight"]),
            ago(peer["last_contact_s"]),
            count(peer["lag_events"]),
        )
        for peer in status["peers"]
    ]
    print_table(console, "Peers", columns, rows, "none, this node is the whole swarm")
