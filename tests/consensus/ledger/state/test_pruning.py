"""Which shards a close keeps: enough for a training window, however small they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.records.entities import Shard
from consensus.ledger.state.pruning import prune
from consensus.settings import SteeringSettings
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of


@pytest.mark.parametrize(
    ("rules", "count", "games", "kept"),
    [(1, 5000, 1, 4096), (1, 3000, 16, 2048), (1, 2000, 256, 1024), (1, 10, 1, 10), (0, 5000, 1, 1024)],
)
def test_small_shards_are_kept_until_they_have_games_enough(rules: int, count: int, games: int, kept: int) -> None:
    """Machines that play one game in a minute, or a liar that announces them one by one, empty no window."""
    state = Swarm(settings=replace(SMALL, steering=SteeringSettings(rules=rules))).ledger._state
    for number in range(count):
        shard = Shard(
            digest=digest_of(number),
            author=bytes(32),
            configuration="hex8-2",
            model=bytes(32),
            size=1,
            games=games,
            plies=games,
            root=bytes(32),
            round=number,
        )
        state.add_shard(shard)
    prune(state)
    assert [shard.round for shard in state.shards["hex8-2"]] == list(range(count - kept, count))
    assert sum(state.shard(digest_of(number)) is not None for number in range(count)) == kept
