"""The file in the data folder that keeps the proposals that are over: a restarted node shows them as they ended."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
import trio

from consensus.keys import MemberId, id_text, parse_id
from consensus.ledger.records.changes import KINDS, Change, ProposalBallot
from consensus.ledger.records.decisions import STEERING_KINDS, SteeringChange
from engine.files import read_text
from node.membership.proposals import Count, Motion, Proposals
from node.system.files import write_atomically

FILE_NAME = "proposals.json"

_MAX_BYTES = 4 * 1024 * 1024
_PAUSE_S = 2.0  # from one change to the next write
_STATES = ("approved", "in force", "dropped", "refused")

_log = structlog.get_logger(__name__)


def read_motions(path: Path, genesis: bytes) -> list[Motion]:
    """Return what the file has of the swarm with this genesis digest, oldest first; nothing if it is not there.

    What is damaged is logged, and not used.
    """
    try:
        table = json.loads(read_text(path, _MAX_BYTES))
        if table["genesis"] != genesis.hex():
            return []
        return [_motion(entry) for entry in table["proposals"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _log.warning("earlier proposals not read", file=str(path), reason=str(error))
        return []


async def keep_motions(path: Path, genesis: bytes, proposals: Proposals) -> None:
    """Write the file whenever a proposal ends, until cancelled."""
    while True:
        seen = proposals.changes.count
        if seen:
            await trio.to_thread.run_sync(_write, path, genesis, proposals.over())
        await trio.sleep(_PAUSE_S)
        await proposals.changes.wait_beyond(seen)


def _write(path: Path, genesis: bytes, motions: list[Motion]) -> None:
    table = {"genesis": genesis.hex(), "proposals": [_entry(motion) for motion in motions]}
    try:
        write_atomically(path, json.dumps(table, indent=1).encode())
    except OSError as error:
        _log.warning("proposals not written", file=str(path), reason=str(error))


def _entry(motion: Motion) -> dict[str, Any]:
    change = {name: value.hex() if isinstance(value, bytes) else value for name, value in motion.change.table().items()}
    entry: dict[str, Any] = {
        "id": motion.id.hex(),
        "author": None if motion.author is None else id_text(motion.author),
        "change": change,
        "reason": motion.reason,
        "state": motion.state,
        "ballots": [{"member": id_text(ballot.author), "approve": ballot.approve} for ballot in motion.ballots],
        "round": motion.round,
        "outcome": motion.outcome,
    }
    if motion.count is not None:
        entry["epoch"], entry["total"] = motion.count.epoch, motion.count.total
        for ballot, weight in zip(entry["ballots"], motion.count.weights, strict=True):
            ballot["weight"] = weight
    return entry


def _motion(entry: Mapping[str, Any]) -> Motion:
    """Return what an entry says. Raise ValueError, TypeError or KeyError."""
    if entry["state"] not in _STATES:
        raise ValueError(f"{entry['state']!r} is not how a proposal ends")
    ballots = entry["ballots"]
    count = None
    if "total" in entry:
        weights = tuple(int(ballot["weight"]) for ballot in ballots)
        count = Count(epoch=int(entry["epoch"]), total=int(entry["total"]), weights=weights)
    return Motion(
        id=bytes.fromhex(entry["id"]),
        author=_member(entry["author"]),
        change=_change(entry["change"]),
        reason=str(entry["reason"]),
        state=entry["state"],
        ballots=tuple(
            ProposalBallot(parse_id(ballot["member"]), approve=bool(ballot["approve"])) for ballot in ballots
        ),
        round=None if entry["round"] is None else int(entry["round"]),
        outcome=str(entry["outcome"]),
        count=count,
    )


def _member(text: str | None) -> MemberId | None:
    return None if text is None else parse_id(text)


def _change(table: Mapping[str, Any]) -> Change | SteeringChange:
    given = dict(table)
    kind = given.pop("kind")
    if kind in STEERING_KINDS:
        return SteeringChange(kind, **given)
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a change")
    keys = {name: given[name] and bytes.fromhex(given[name]) for name in ("member", "key", "anchor")}
    name = given.get("name")  # files of earlier programs have none
    return Change(kind, keys.pop("member"), weight=given["weight"], address=given["address"], name=name, **keys)
