"""What is wrong with a node that runs, by what it tells of itself: causes and remedies, without input or output."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from node.api.members import MemberInfo
from node.api.status import ConductInfo, Status
from node.preflight.finding import Finding, fault, ok, warning
from node.text.formatting import age, ago, conduct, needed, plural

_STALLED_S = 60.0  # without a decided round, while own transactions wait
_REFUSED = "turns this node away; if this node was voted out, ringrift-node members says so at a member's machine"
_RESUME = "ringrift-node resume proposes to go on"
_BACK = "start the node there, or look at its log and at the network between"


def find_symptoms(status: Status, members: Sequence[MemberInfo]) -> list[Finding]:
    """Return what is found, the causes before what follows from them."""
    return [
        *_node(status),
        *_quorum(status, members),
        *_peers(status, {member["id"]: member["error"] for member in members}),
        *_reach(status),
        *_order(status),
        *_conduct(status),
        *_versions(status, members),
        *_work(status),
        *_archive(status),
    ]


def _archive(status: Status) -> Iterator[Finding]:
    archive = status["archive"]
    if archive is None:
        return
    if archive["error"]:
        yield warning("archive", archive["error"].removeprefix("archive "))
    else:
        text = f"{archive['place']}: {plural(archive['archived'], 'blob')} there, {archive['waiting']} waiting"
        yield ok("archive", text)


def _weights(status: Status, members: Sequence[MemberInfo]) -> tuple[int, int, int]:
    """Return the weight that is here, what is needed, and that of all members."""
    total = status["swarm"]["weight"]
    own = sum(member["weight"] for member in members if member["state"] == "self")
    present = own + sum(peer["weight"] for peer in status["peers"] if peer["state"] == "ok")
    return present, needed(total), total


def _node(status: Status) -> Iterator[Finding]:
    node = status["node"]
    text = f"{node['name']}, version {node['version']}, runs for {age(node['uptime_s'])}"
    if status["ready"]:
        yield ok("node", f"{text}; {status['ready_reason']}")
    else:
        yield fault("node", f"{text}; not ready: {status['ready_reason']}")
    for failure in status["failures"]:
        what = f"{failure['part']} failed {plural(failure['count'], 'time')}, last {ago(failure['ago_s'])}"
        remedy = "this is a fault of the program: report it, with the log"
        level = warning if failure["again_in_s"] is None else fault
        yield level("parts", f"{what}: {failure['reason']}; {remedy}")
    if lost := node["lost_log_lines"]:
        yield warning("log", f"{plural(lost, 'line')} lost; let somebody read the log, or make room on its disk")
    if silence := status["consensus"]["ailment"]:
        yield fault("events", f"this node makes none for now: {silence}")


def _quorum(status: Status, members: Sequence[MemberInfo]) -> Iterator[Finding]:
    present, enough, total = _weights(status, members)
    if missing := status["swarm"]["quorum"]:
        yield fault("quorum", f"{missing}; nothing is decided until they are back: {_BACK}")
        return
    weights = [peer["weight"] for peer in status["peers"] if peer["state"] == "ok"]
    text = f"{present} of {total} weight, {enough} needed"
    if any(present - weight < enough for weight in weights) and present < total:
        yield warning("quorum", f"{text}; no further member may fall silent")
    else:
        yield ok("quorum", text)
    if status["swarm"]["fragility"]:
        yield warning("quorum", status["swarm"]["fragility"])


def _peers(status: Status, errors: Mapping[str, str]) -> Iterator[Finding]:
    for peer in status["peers"]:
        who = f"{peer['name']} at {peer['address'] or 'no known address'}"
        if peer["state"] == "refused":
            yield warning("members", f"{who} {_REFUSED}")
        elif peer["state"] != "ok":
            since = "never since this node started" if peer["state"] == "never" else ago(peer["last_contact_s"])
            reason = f" ({errors[peer['id']]})" if errors.get(peer["id"]) else ""
            yield warning("members", f"{who} is silent{reason}, last contact {since}; {_BACK}")
    if answering := sum(peer["state"] == "ok" for peer in status["peers"]):
        yield ok("members", f"{answering} of {plural(len(status['peers']), 'other member')} answer")


def _reach(status: Status) -> Iterator[Finding]:
    if status["unreached"]:
        yield warning("address", f"no member reaches this node: {status['unreached']}")
    elif met := [entry["by_name"] for entry in status["reach"] if not entry["reason"]]:
        yield ok("address", f"{', '.join(dict.fromkeys(met))} connected back to this node")


def _order(status: Status) -> Iterator[Finding]:
    order = status["consensus"]
    if order["dissent"]:
        yield fault("ledger", order["dissent"])
    round_age_s, pending = order["round_age_s"], order["pending"]
    text = "no round is decided yet" if round_age_s is None else f"round {order['round']}, decided {ago(round_age_s)}"
    waits_s = status["node"]["uptime_s"] if round_age_s is None else round_age_s
    if pending and waits_s > _STALLED_S:
        waiting = f"{text}, while {plural(pending, 'own transaction')} wait"
        remedy = "if the quorum is here, ask the doctor at the other members, too, and look at their logs"
        yield fault("order", f"{waiting}; {remedy}")
    else:
        yield ok("order", f"{text}, epoch {order['epoch']}")


def _conduct(status: Status) -> Iterator[Finding]:
    for entry in status["conduct"]:
        if entry["id"] == status["node"]["id"] and _is_convicted(entry):
            remedy = f"at another member's machine: ringrift-node propose key {entry['name']} NEWID --reason TEXT"
            yield fault("conduct", f"this node {conduct(entry)}; stop any other process with its key, then {remedy}")
        elif _is_convicted(entry) or entry["wrong_results"]:
            remedy = "ringrift-node propose leave or propose key, if its operator cannot explain it"
            yield warning("conduct", f"{entry['name']} {conduct(entry)}; {remedy}")


def _is_convicted(entry: ConductInfo) -> bool:
    return entry["silenced"] or entry["equivocated"] is not None


def _versions(status: Status, members: Sequence[MemberInfo]) -> Iterator[Finding]:
    for text in status["decisions"]["unknown"]:
        yield warning("version", f"{text}: this program does not know that, and ends if it passes; install a newer one")
    told = {member["name"]: member["version"] for member in members if member["version"] and member["weight"]}
    if not told:
        return
    (common, count), *others = Counter(told.values()).most_common()
    own = next((member["version"] for member in members if member["state"] == "self"), "")
    if not others:
        yield ok("version", f"{plural(count, 'member')} with the same program, {common}")
    elif own not in ("", common):
        yield warning("version", f"this node runs {own}; {plural(count, 'member')} with {common}: install that here")
    else:
        odd = ", ".join(f"{name} runs {version}" for name, version in told.items() if version != common)
        yield warning("version", f"{plural(count, 'member')} with {common}, but {odd}; bring all to one version")


def _work(status: Status) -> Iterator[Finding]:
    for pause in status["decisions"]["paused"]:
        yield warning("work", f"{pause['text']}, by ballot since round {pause['round']}; {_RESUME}")
    for text in status["node"]["scarce"]:
        yield warning("room", f"{text}; end what else runs there, give the node fewer slots, or make room on the disk")
    work = status["work"]
    if work is not None:
        yield ok("work", f"{work['kind']} {work['subject']}, {work['done']} of {work['wished']}")
    elif not status["node"]["roles"]:
        yield ok("work", "this node has no work roles")
    else:
        yield ok("work", f"nothing now: {status['rest']}; ringrift-node why says more" if status["rest"] else "between")
