"""Whether this program can take over from the one that a node runs: does it know and read all that the other has?"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.decisions import STEERING_KINDS, SteeringChange
from consensus.ledger.rules.decisions import is_known
from node.api.members import MemberInfo
from node.api.proposals import ProposalInfo
from node.api.status import Status
from node.config.swarm_file import SwarmConfig
from node.preflight.finding import Finding, fault, ok, warning
from node.store import FILE_NAME, StoreError
from node.store.contents import decode_closed
from node.store.schema import look_into
from node.system.version import shown_digest, source_digest, version
from node.text.formatting import plural, short

_OPEN = ("sent", "open", "approved")


def check_upgrade(
    config: SwarmConfig,
    data: Path,
    told: tuple[Status, Sequence[MemberInfo], Sequence[ProposalInfo]] | None,
) -> list[Finding]:
    """Return what is found. `told` is what the running node says of itself; None if none runs."""
    settings = plural(len(config.genesis.settings.configurations), "configuration")
    findings = [
        ok("program", f"this is version {version()}, sources {shown_digest(source_digest())}"),
        ok("swarm", f"{config.path} is read: genesis {short(config.genesis.digest.hex())}, {settings}"),
        *_data(config, data),
    ]
    if told is None:
        findings.append(warning("decisions", "no node runs with this data, so open proposals cannot be looked at"))
        return findings
    status, members, proposals = told
    return [*findings, *_same_swarm(config, status), *_decisions(status, proposals), *_versions(members)]


def _data(config: SwarmConfig, data: Path) -> Iterator[Finding]:
    path = data / FILE_NAME
    if not path.exists():
        yield warning("data", f"{path}: there is no such file; a node that starts there fetches everything")
        return
    try:
        stored = look_into(path)
    except StoreError as error:
        yield fault("data", str(error))
        return
    if stored.genesis != config.genesis.digest:
        yield fault("data", f"{path}: is of another swarm; give the swarm.toml that the node runs with")
        return
    try:
        if stored.opening is not None:
            closed = decode_closed(*stored.opening)
            Ledger.restore(config.genesis, closed.record, closed.snapshot)
    except ValueError as error:
        remedy = "go on with the version that wrote it"
        yield fault("data", f"{path}: this program does not read the ledger in it ({error}); {remedy}")
        return
    epoch = 0 if stored.opening is None else stored.opening[0]
    yield ok("data", f"{path} is read, with the ledger of epoch {epoch}, of member {short(id_text(stored.member))}")


def _same_swarm(config: SwarmConfig, status: Status) -> Iterator[Finding]:
    if status["swarm"]["genesis"] != config.genesis.digest.hex():
        other = short(status["swarm"]["genesis"])
        remedy = (
            "the new version reads the file otherwise, or it is another file; find out which before you stop a node"
        )
        yield fault("swarm", f"the running node is in a swarm with genesis {other}; {remedy}")


def _decisions(status: Status, proposals: Sequence[ProposalInfo]) -> Iterator[Finding]:
    """Yield which decisions of the swarm this program does not know, those in force first."""
    changed = status["decisions"]["changed"]
    held = [entry["text"] for entry in changed if entry["setting"] and not _knows_setting(entry["setting"])]
    for text in held:
        yield fault("decisions", f"in force: {text}; this program does not know that, so its node would end")
    opened = [entry for entry in proposals if entry["state"] in _OPEN]
    unknown = [entry["text"] for entry in opened if not _knows(entry)]
    for text in unknown:
        yield fault("decisions", f"open: {text}; this program does not know that, and its node would end if it passes")
    if not held and not unknown:
        both = f"{plural(len(changed), 'decision')} in force and {plural(len(opened), 'open proposal')}"
        yield ok("decisions", f"this program knows {both}")


def _knows(proposal: ProposalInfo) -> bool:
    change = proposal["change"]
    if change not in STEERING_KINDS:
        return change in ("join", "leave", "weight", "key", "address")
    return is_known(SteeringChange(change, setting=proposal["setting"], configuration=proposal["configuration"]))


def _knows_setting(setting: str) -> bool:
    return is_known(SteeringChange("set", setting=setting))


def _versions(members: Sequence[MemberInfo]) -> Iterator[Finding]:
    own = shown_digest(source_digest())
    others = {member["name"]: member["version"] for member in members if member["version"] not in ("", own)}
    same = sum(member["version"] == own for member in members)
    if same:
        yield ok("versions", f"{plural(same, 'member')} with the program that this is")
    for found in sorted(set(others.values())):
        names = ", ".join(name for name, version in others.items() if version == found)
        yield ok("versions", f"{names}: {found}")
    if others:
        yield ok("versions", "go on node by node, each once the one before is ready again")
