"""What members are to hold now, so that the games of shards count or go on being there (`rules.custody`).

Other data of a member is needed, too, while it is the only one that has it: files of its candidates, games of its
results. Others fetch these when they need them. Whoever cannot be reached brings them to members that are found in the
same way; nothing in the ledger waits for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.ledger.records.entities import Shard
from consensus.ledger.records.ratings import Contest
from consensus.ledger.views import Views

_WINDOWS = 2  # of training games: should newer shards be lost, older ones take their place


@dataclass(frozen=True)
class Lack:
    """A shard that too few members hold."""

    shard: Shard
    lacking: int  # so many are to hold it besides those that do
    asked: tuple[MemberId, ...]  # who are to hold it and do not, the first ones first


@dataclass(frozen=True)
class DueCustody:
    """A shard that a member is to hold."""

    shard: Shard
    others_first: int  # so many may come to hold it before it is this member's turn; 0: now


def due_custody(ledger: Views, member: MemberId) -> tuple[DueCustody, ...]:
    """Return the shards that the member is to fetch and hold: first those whose games wait for it, oldest first."""
    due = []
    for entry in ledger.remember(lacks):
        if member in entry.asked:
            turn = entry.asked.index(member)
            due.append(DueCustody(entry.shard, 0 if not entry.shard.is_safe else max(0, turn + 1 - entry.lacking)))
    return tuple(due)


def lacks(ledger: Views) -> tuple[Lack, ...]:
    """Return the shards that too few members hold: those that are not safe, then those that trainings may need."""
    if not ledger.settings.steering.rules or not ledger.settings.steering.custodians:
        return ()
    unsafe = ledger.unsafe_shards()
    counted = (shard for entry in ledger.configurations() for shard in _thinly_held(ledger, entry.name))
    return tuple(_lacks(ledger, (*unsafe, *counted)))


def _lacks(ledger: Views, shards: tuple[Shard, ...]) -> Iterator[Lack]:
    for shard in shards:
        lacking = ledger.lacks_holders(shard)
        if lacking:
            holders = ledger.holders(shard)
            yield Lack(shard, lacking, tuple(other for other in ledger.custodians(shard) if other not in holders))


def _thinly_held(ledger: Views, configuration: str) -> tuple[Shard, ...]:
    """Return the counted shards that trainings may need and fewer than `custodians` members hold: a few of many."""
    settings = ledger.settings, ledger.settings_on(configuration)
    basis = (ledger.safe_mark(configuration), ledger.present_members(), *settings)
    return ledger.recall(_find_thinly_held, configuration, basis)


def _find_thinly_held(ledger: Views, configuration: str) -> tuple[Shard, ...]:
    there, enough = ledger.present_members(), ledger.settings.steering.custodians
    return tuple(
        shard
        for shard in kept_shards(ledger, configuration)
        if shard.standing == "counted"
        and shard.is_safe
        and (len(shard.holders) < enough or len(there.intersection(shard.holders)) < enough)
    )


def kept_shards(ledger: Views, configuration: str) -> Iterator[Shard]:
    """Yield the shards that trainings of a configuration may need, and those that may come to count, newest first.

    Only those that count fill the windows: what somebody announces and gives to nobody makes nobody forget others.
    """
    window = max(ledger.settings.training.window, ledger.settings_on(configuration).training.window)
    games = 0
    for shard in reversed(ledger.shards(configuration)):
        if games >= _WINDOWS * window:
            break
        if shard.standing not in ("struck", "lost"):
            games += shard.games if shard.standing == "counted" else 0
            yield shard


def offered(ledger: Views, author: MemberId) -> dict[bytes, int | None]:
    """Return the blobs, with their sizes where these are known, that others need and a member has made: not shards.

    They are the files of its candidates, what its trainings ended with, and the games of its results in open matches
    and series.
    """
    blobs: dict[bytes, int | None] = {}
    for candidacy in ledger.candidates():
        if candidacy.author == author:
            blobs.update(dict.fromkeys(candidacy.model.files.values()))
            if candidacy.state is not None:
                blobs[candidacy.state.digest] = candidacy.state.size
    contests: list[Contest] = [*ledger.candidates(), *ledger.series()]
    slots = [slot for contest in contests for slot in contest.slots]
    results = (slot.result for slot in slots if slot.result is not None)
    blobs.update((result.blob, result.size) for result in results if result.author == author)
    return blobs


def keepers(ledger: Views, digest: bytes, author: MemberId) -> tuple[MemberId, ...]:
    """Return the members to which one that cannot be reached brings what it made; the first ones that are there."""
    there = ledger.present_members() - {author}
    order = [member for member in ledger.custody_order(digest) if member in there]
    return tuple(order[: ledger.settings.steering.custodians])
