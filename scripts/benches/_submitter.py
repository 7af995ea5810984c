"""A whole node whose work is to submit notes at random times and to record when they have their place in the order.

The command line is that of `ringrift-node run` after four arguments: when to begin (seconds since 1970), for how many
seconds, how many notes a second, and the file for the results.
"""

from __future__ import annotations

import json
import random
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import trio

from node.app import work as composition
from node.cli import main
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.work.context import WorkContext

_DRAIN_S = 15.0


async def submit_notes(
    begin: float,
    seconds: float,
    rate: float,
    result: Path,
    context: WorkContext,
    member: Member,
    gossip: Gossip,
    **_rest: object,
) -> None:
    """Submit notes in place of a node's work, then write the results and sleep until cancelled."""
    submitted: dict[int, float] = {}
    waits: list[float] = []
    decided = member.subscribe()

    async def watch() -> None:
        async for effects in decided:
            for place in effects.round.events:
                if place.event.creator == member.id:
                    notes = [note["id"] for note in place.event.transactions if note["type"] == "note"]
                    waits.extend(time.perf_counter() - submitted.pop(number) for number in notes)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await trio.sleep(max(0.0, begin - time.time()))
        ready = gossip.is_caught_up() and not member.status().listening
        round_before = member.status().round
        chance, end = random.Random(context.next_id()), time.perf_counter() + seconds
        while (pause := chance.expovariate(rate)) + time.perf_counter() < end:
            await trio.sleep(pause)
            number = context.next_id()
            submitted[number] = time.perf_counter()
            member.submit([{"type": "note", "id": number, "text": "a transaction of usual size"}])
        rounds = member.status().round - round_before
        with trio.move_on_after(_DRAIN_S):
            while submitted:
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    measured: dict[str, Any] = {"ready": ready, "waits": waits, "unordered": len(submitted), "rounds": rounds}
    result.with_suffix(".part").write_text(json.dumps(measured))
    result.with_suffix(".part").rename(result)
    await trio.sleep_forever()


if __name__ == "__main__":
    begin, seconds, rate, result, *rest = sys.argv[1:]
    work = partial(submit_notes, float(begin), float(seconds), float(rate), Path(result))
    composition.work_for_the_swarm = work  # type: ignore[attr-defined]  # in the place of the node's own
    sys.exit(main(rest))
