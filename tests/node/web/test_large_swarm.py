"""The pages of a swarm of forty: how large they are, and how long they take."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import pytest
import trio
import trio.testing

from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.report.effect_log import EffectLog
from node.simulation.run import make_deterministic, short_preimage_chains
from node.simulation.working_swarm import WorkingSwarm
from node.web.page import render_page
from tests.node.fake_source import FakeSource
from tests.node.report.simulated import report_of

MEMBERS = 40
LARGEST_BYTES = 300_000
LONGEST_S = 0.1
CONFIGURATIONS = [f"{board}-{seats}" for board in ("hex8", "hexagonal", "square8", "square19") for seats in (2, 3, 4)]


def cost_and_size(render: partial[str]) -> tuple[float, int]:
    """Return the processor time of the fastest of three renderings, and the size."""
    costs = []
    for _ in range(3):
        began = process_time()
        text = render()
        costs.append(process_time() - began)
    return min(costs), len(text.encode())


def test_a_page_full_of_everything_is_small(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as a page can show: every member works, every configuration has forty promotions."""
    members = [
        {**entry, "id": f"{place:052}", "name": f"machine-{place}"}
        for place, entry in enumerate(source.members() * (MEMBERS // 4))
    ]
    work = source.work()
    work["claims"] = [{**entry, "claim": f"{place}"} for place, entry in enumerate(work["claims"] * 13)]
    work["candidates"] = work["candidates"] * 15
    wide: Any = source.steering()
    for table in ("needs", "shares"):
        wide[table] = [{**wide[table][0], "configuration": name} for name in CONFIGURATIONS]
    wide["wants"] = [{**wide["wants"][0], "member": entry["id"]} for entry in members]
    models: Any = [
        {**source.models()[0], "configuration": name, "model": f"{name}{number}", "candidate": f"{number:064}"}
        for name in CONFIGURATIONS
        for number in range(40)
    ]
    ratings: Any = [
        {**source.ratings()[0], "configuration": model["configuration"], "model": model["model"]} for model in models
    ]
    for name, value in (
        ("members", members), ("work", work), ("steering", wide), ("models", models), ("ratings", ratings),
        ("certificates", source.certificates() * 100),
    ):  # fmt: skip
        monkeypatch.setattr(source, name, partial(deepcopy, value))
    assert len(render_page(source).encode()) < LARGEST_BYTES


@pytest.mark.slow
def test_the_pages_of_forty_simulated_nodes_are_small_and_fast(tmp_path: Path) -> None:
    make_deterministic(7)
    effects = EffectLog(lambda member: member.hex()[:8])
    swarm = WorkingSwarm(
        MEMBERS,
        7,
        tmp_path,
        timing=CreationTiming(busy_s=2.0),
        rhythm=Rhythm(busy_s=1.0),
        observe=lambda _, decided: effects.observe(decided.effects),
    )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            await trio.sleep(40)
            report = report_of(swarm, effects, tmp_path)
            for path in ("/", "/dag"):
                cost_s, size = cost_and_size(partial(render_page, report, path))
                assert cost_s < LONGEST_S, path
                assert size < LARGEST_BYTES, path
            assert len(report.graph()["events"]) > 200
            nursery.cancel_scope.cancel()

    with short_preimage_chains():
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
