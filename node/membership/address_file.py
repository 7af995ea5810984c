"""The file in the data folder that keeps where members were: a restarted node finds them there."""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog
import trio

from consensus.keys import MemberId, id_text, parse_id
from engine.files import read_text
from node.membership.claims import ClaimError, parse_claim, parse_claimed
from node.membership.whereabouts import RememberedPlace, Whereabouts
from node.system.files import write_atomically

FILE_NAME = "addresses.json"

_MAX_BYTES = 4 * 1024 * 1024
_PAUSE_S = 2.0  # from one change to the next write

_log = structlog.get_logger(__name__)


def read_places(path: Path, genesis: bytes) -> dict[MemberId, RememberedPlace]:
    """Return what the file has; nothing if it is not there. What is damaged is logged, and not used."""
    try:
        table = json.loads(read_text(path, _MAX_BYTES))
        return {parse_id(member): _place(parse_id(member), entry, genesis) for member, entry in table.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        _log.warning("known addresses not read; they are asked for again", file=str(path), reason=str(error))
        return {}


async def keep_places(path: Path, whereabouts: Whereabouts) -> None:
    """Write the file whenever something changes, until cancelled."""

    async def write(places: Mapping[MemberId, RememberedPlace]) -> None:
        await trio.to_thread.run_sync(_write, path, places)

    await keep(whereabouts, write)


async def keep(
    whereabouts: Whereabouts, write: Callable[[Mapping[MemberId, RememberedPlace]], Awaitable[None]]
) -> None:
    """Hand over what is to be remembered, at the start and after each change, until cancelled."""
    while True:
        seen = whereabouts.changes.count
        await write(whereabouts.remembered())
        await trio.sleep(_PAUSE_S)
        await whereabouts.changes.wait_beyond(seen)


def _write(path: Path, places: Mapping[MemberId, RememberedPlace]) -> None:
    table = {id_text(member): _entry(place) for member, place in sorted(places.items())}
    try:
        write_atomically(path, json.dumps(table, indent=1).encode())
    except OSError as error:
        _log.warning("known addresses not written", file=str(path), reason=str(error))


def _entry(place: RememberedPlace) -> dict[str, Any]:
    entry: dict[str, Any] = {"reached": place.reached, "named": place.named}
    if place.claim is not None:
        claim = place.claim
        entry["claim"] = {
            "number": claim.number,
            "addresses": list(claim.addresses),
            "signature": claim.signature.hex(),
        }
    return entry


def _place(member: MemberId, entry: Mapping[str, Any], genesis: bytes) -> RememberedPlace:
    """Return what an entry says. Raise ValueError, TypeError or KeyError."""
    claim = None
    if "claim" in entry:
        said = entry["claim"]
        claim = parse_claim([member, said["number"], said["addresses"], bytes.fromhex(said["signature"])])
        if not claim.is_signed(genesis):
            raise ClaimError(f"the claim of {id_text(member)} is not signed by it")
    reached, named = (entry[name] and parse_claimed(entry[name]) for name in ("reached", "named"))
    return RememberedPlace(reached=reached, named=named, claim=claim)
