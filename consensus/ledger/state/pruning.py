"""The pruning of the ledger at the close of an epoch, so that its state and its snapshot stay bounded.

The newest entries of everything are kept; of the rest only the counts and the running hashes. Every node drops the
same, because it does so at the same place in the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from consensus.ledger.records.entities import Shard
from consensus.ledger.state.epoch_state import RECENT_EPOCHS
from consensus.ledger.state.state import State
from consensus.ledger.state.table import Table

SHARDS_KEPT = 1024  # of each configuration: far more than a training window, if they are of the usual size
SMALL_SHARDS_KEPT = 4096  # with `steering.rules`, which size shards by the speed of machines, until they have
GAMES_KEPT = 32_768
WAITING_KEPT = 64  # of those whose authors are not trusted
UNSAFE_KEPT = 256  # of those that too few members hold yet
CLOSED_KEPT = 64
FAULTS_KEPT = 64
PROMOTIONS_KEPT = 64  # and of the 64 before them those that still lack seals


def prune(state: State) -> None:
    """Drop what is old."""
    for name, shards in state.shards.items():
        kept = _newest(shards, by_games=bool(state.settings.steering.rules))
        state.keep_shards(name, [shard for shard in shards if shard.digest in kept])
    state.closed_candidates = state.closed_candidates[-CLOSED_KEPT:]
    del state.faults[:-FAULTS_KEPT]
    canonical = {entry.model.digest for entry in state.configurations.values()}
    # Nobody can nominate against a model that is not canonical. If it becomes canonical again, earlier failures
    # against it no longer count.
    state.failed_pairs = {pair for pair in state.failed_pairs if pair[1] in canonical}
    for table in (state.distrusted, state.false_alarms):
        for member in table.keys() - state.roster.weights.keys():
            del table[member]
    # Evidence about older epochs is refused anyway.
    oldest = state.epoch.number - RECENT_EPOCHS
    state.convictions = Table(
        (member, entry)
        for member, entry in state.convictions.items()
        if member in state.roster or entry.proof_epoch >= oldest
    )
    _prune_promotions(state)


def _newest(shards: Sequence[Shard], *, by_games: bool) -> set[bytes]:
    """Return the digests of the shards that are kept: those that wait take nobody's place, struck ones have none.

    Neither have lost ones.
    """
    counted = [shard for shard in shards if shard.standing == "counted"]
    waiting = [shard.digest for shard in shards if shard.standing == "waiting"]
    unsafe = [shard.digest for shard in shards if shard.standing == "unsafe"]
    number = min(SHARDS_KEPT, len(counted))
    games = sum(shard.games for shard in counted[-number:])
    while by_games and games < GAMES_KEPT and number < min(SMALL_SHARDS_KEPT, len(counted)):
        number += 1
        games += counted[-number].games
    return {
        *(shard.digest for shard in counted[len(counted) - number :]),
        *waiting[-WAITING_KEPT:],
        *unsafe[-UNSAFE_KEPT:],
    }


def _prune_promotions(state: State) -> None:
    current = {entry.statement for entry in state.configurations.values()}
    excess = len(state.promotions) - PROMOTIONS_KEPT
    for number, digest in enumerate(list(islice(state.promotions, max(0, excess)))):
        lacking = not state.promotions[digest].certified and number >= excess - PROMOTIONS_KEPT
        if not lacking and digest not in current:
            del state.promotions[digest]
