"""One sentence for each effect of the order, from an entry of `GET /log`."""

from collections.abc import Callable, Mapping
from typing import Any

from node.text.formatting import short

Fields = Mapping[str, Any]


def sentence(entry: Mapping[str, Any]) -> str | None:
    """Return what happened as a sentence; None for what only programs care about."""
    text = predicate(entry)
    return None if text is None else f"{entry['name'] or 'swarm'}: {text}"


def predicate(entry: Mapping[str, Any]) -> str | None:
    """Return the sentence without who did it."""
    describe = _PREDICATES.get(entry["kind"])
    return None if describe is None else describe(entry["fields"])


def _claim(fields: Fields) -> str:
    if fields["kind"] == "selfplay":
        return f"claims self-play, {fields['amount']} games of {fields['configuration']} with {short(fields['model'])}"
    if fields["kind"] == "train":
        return f"claims training of {fields['configuration']} {fields['family']}, {fields['amount']} steps"
    what = "series" if fields["kind"] == "rate" else "the match of candidate"
    return f"asks for a slot of {what} {short(fields['candidate'])}"


def _slot(fields: Fields) -> str:
    what = "series" if fields["kind"] == "rate" else "candidate"
    return f"is drawn to play slot {fields['slot']} of {what} {short(fields['candidate'])}"


def _withheld(fields: Fields) -> str:
    what = "reveals a wrong preimage" if fields["shown"] else "does not reveal its preimage"
    return f"{what} as a judge; until its next anchor it has no part in seeds"


def _games(fields: Fields) -> str:
    return f"played {fields['games']} games, {fields['plies']} plies; {fields['total']} in all"


def _candidate(fields: Fields) -> str:
    return (
        f"nominates {short(fields['model'])} (candidate {short(fields['candidate'])}), "
        f"trained on {fields['shards']} shards, against {short(fields['incumbent'])}"
    )


def _result(fields: Fields) -> str:
    return (
        f"reports slot {fields['slot']}: {fields['score']} of {fields['most']} points; "
        f"{fields['counted']} blocks counted, log-likelihood ratio {_number(fields['llr'])}"
    )


def _pair(fields: Fields) -> str:
    against = "an earlier model" if fields["opponent"] == "model" else fields["opponent"]
    return f"{fields['player']} of {short(fields['model'])} against {against} ({fields['configuration']})"


def _rated(fields: Fields) -> str:
    return f"rates slot {fields['slot']} of {_pair(fields)}: {fields['score']} of {fields['most']} points"


def _ripe(fields: Fields) -> str:
    most = fields["most"] * fields["blocks"]
    return f"candidate {short(fields['candidate'])} passes the test with {fields['score']} of {most} points"


def _vote(fields: Fields) -> str:
    if fields["approve"]:
        return f"replayed the games and approves ({fields['approved']} of weight {fields['weight']})"
    return f"rejects: {fields['reason']} ({fields['rejected']} of weight {fields['weight']})"


def _slot_of(fields: Fields, role: str) -> str:
    member = fields.get(f"{role}_name") or short(fields[role])
    return f"slot {fields['slot']} of candidate {short(fields['candidate'])}, which {member} played,"


def _finding(fields: Fields) -> str:
    if not fields["wrong"]:
        weight = f"{fields['cleared']} of weight {fields['weight']}"
        return f"replayed {_slot_of(fields, 'suspect')} and finds it right ({weight})"
    weight = f"{fields['against']} of weight {fields['weight']}"
    return f"finds {_slot_of(fields, 'suspect')} wrong: {fields['reason']} ({weight})"


def _unproven(fields: Fields) -> str:
    return f"did not prove that {_slot_of(fields, 'suspect')} is wrong: {fields['reason']}"


def _fault(fields: Fields) -> str:
    return f"proved that {_slot_of(fields, 'accused')} is wrong: {fields['reason']}"


def _shard_of(fields: Fields, role: str) -> str:
    member = fields.get(f"{role}_name") or short(fields[role])
    return f"shard {short(fields['shard'])} of {member}"


def _shard_finding(fields: Fields) -> str:
    if not fields["wrong"]:
        return f"checked {_shard_of(fields, 'suspect')} and finds it right ({fields['cleared']} of {fields['weight']})"
    weight = f"{fields['against']} of weight {fields['weight']}"
    return f"finds {_shard_of(fields, 'suspect')} wrong: {fields['reason']} ({weight})"


def _checked(fields: Fields) -> str:
    return f"checked {_shard_of(fields, 'suspect')}; {fields['shards']} shards wait for that no longer"


def _missing(fields: Fields) -> str:
    weight = f"{fields['against']} of weight {fields['weight']}"
    if fields.get("slot") is None:
        return f"cannot fetch the files of candidate {short(fields['candidate'])} from anybody ({weight})"
    return f"cannot fetch the games of {_slot_of(fields, 'suspect')} from anybody ({weight})"


def _promotion(fields: Fields) -> str:
    return f"model {short(fields['model'])} is canonical for {fields['configuration']}, promotion {fields['number']}"


def _dropped(fields: Fields) -> str:
    return (
        f"candidate {short(fields['candidate'])} is dropped after {fields['blocks']} blocks: {fields['reason']} "
        f"(log-likelihood ratio {_number(fields['llr'])})"
    )


def _seal(fields: Fields) -> str:
    return f"seals statement {short(fields['statement'])} ({fields['sealed']} of weight {fields['weight']})"


def _certificate(fields: Fields) -> str:
    return f"certificate {short(fields['statement'])} is complete with {fields['seals']} seals"


def change_in_words(
    kind: str, name: str, weight: int | None, address: str | None, key: str | None, new_name: str | None
) -> str:
    """Return what a change of the roster does, such as "delta leaves"; `key` is a member id in base32."""
    called = f" as {new_name}" if new_name not in (None, name) else ""
    words = {
        "join": f"{name} joins{called} with weight {weight} at {address}",
        "leave": f"{name} leaves",
        "weight": f"{name} gets weight {weight}",
        "key": f"{name} goes on{called} with the key {key}" + (f" at {address}" if address else ""),
        "address": f"{name} is reached at {address}",
    }
    return words[kind]


_WORK = {None: "all work", "selfplay": "self-play", "train": "training", "match": "matches", "rate": "ratings"}


def steering_in_words(kind: str, setting: str | None, value: str | None, where: str | None, work: str | None) -> str:
    """Return what a change of what the swarm does means, such as "selfplay.games becomes 64 on hex8-2"."""
    on = "" if where is None else f" on {where}"
    if kind == "set" and value is None:
        return f"{setting}{on} becomes that of the whole swarm"
    if kind == "set":
        return f"{setting} becomes {value}{on}"
    if kind == "add":
        return f"{where} is played, too"
    pauses, goes_on = ("pause", "go on") if work in ("match", "rate") else ("pauses", "goes on")
    return f"{_WORK[work]}{on} {pauses if kind == 'pause' else goes_on}"


def _steering(fields: Fields) -> str:
    return steering_in_words(
        fields["change"], fields["setting"], fields["value"], where=fields["configuration"], work=fields["work"]
    )


def _change(fields: Fields) -> str:
    if "work" in fields:
        return f"that {_steering(fields)}"
    member = fields.get("subject_name") or short(fields["subject"])
    if fields["change"] == "weight":
        return f"weight {fields['weight']} of {member}" if "weight" in fields else f"another weight of {member}"
    if fields["change"] in ("key", "address"):
        return f"another {fields['change']} of {member}"
    called = f" as {fields['name']}" if fields.get("name") else ""
    return f"that {member} {fields['change']}s{called}"


def _ballot(fields: Fields) -> str:
    verb = "approves" if fields["approve"] else "rejects"
    short_form = {name: fields[name] for name in ("change", "subject", "subject_name") if name in fields}
    change = _change(fields if "work" in fields else short_form)
    return f"{verb} {change} ({fields['approved']} for, {fields['rejected']} against, of {fields['weight']})"


def _evidence(fields: Fields) -> str:
    member = fields.get("accused_name") or short(fields["accused"])
    events = f"two events with number {fields['seq']} in epoch {fields['epoch']}"
    return f"proves that {member} signed {events}; nothing it says counts any more"


def _epoch(fields: Fields) -> str:
    return f"epoch {fields['epoch']} begins with {fields['members']} members, after {fields['ordered']} events"


def _number(text: str) -> str:
    return f"{float(text):.2f}"


_PREDICATES: Mapping[str, Callable[[Fields], str]] = {
    "claim": _claim,
    "release": lambda fields: f"gives back {fields['kind']} of {fields['configuration']}: {fields['reason']}",
    "expired": lambda fields: f"lost its lease on {fields['kind']} of {fields['configuration']}",
    "withheld": _withheld,
    "slot": _slot,
    "games": _games,
    "candidate": _candidate,
    "result": _result,
    "series": lambda fields: f"series {short(fields['series'])} is open: {_pair(fields)}",
    "rated": _rated,
    "ripe": _ripe,
    "vote": _vote,
    "finding": _finding,
    "unproven": _unproven,
    "fault": _fault,
    "shard_finding": _shard_finding,
    "shard_unproven": lambda fields: f"did not prove that {_shard_of(fields, 'suspect')} is wrong: {fields['reason']}",
    "struck": lambda fields: f"proved that {_shard_of(fields, 'accused')} is wrong: {fields['reason']}",
    "checked": _checked,
    "held": lambda fields: f"holds {fields['shards']} more shards of others",
    "safe": lambda fields: (
        f"shard {short(fields['shard'])} of {fields['configuration']} is held by {fields['holders']} others: its "
        f"{fields['games']} games count"
    ),
    "lost": lambda fields: (
        f"shard {short(fields['shard'])} of {fields['configuration']} is lost, as only {fields['holders']} others hold "
        f"it: its {fields['games']} games never count"
    ),
    "missing": _missing,
    "absent": lambda fields: (
        f"is out of the match of candidate {short(fields['candidate'])}: nobody can fetch its games of slot "
        f"{fields['slot']}, which is free again"
    ),
    "promotion": _promotion,
    "dropped": _dropped,
    "seal": _seal,
    "certificate": _certificate,
    "proposal": lambda fields: f"proposes {_change(fields)}: {fields['reason']}",
    "ballot": _ballot,
    "roster": lambda fields: f"has its proposal approved: {_change(fields)}, from the next epoch on",
    "decision": lambda fields: f"has its proposal approved: {_change(fields)}, from now on",
    "shelved": lambda fields: f"has its proposal dropped: {_change(fields)} ({fields['reason']})",
    "evidence": _evidence,
    "sealed": lambda fields: f"the record of epoch {fields['epoch']} is sealed by {fields['seals']} members",
    "epoch": _epoch,
}
