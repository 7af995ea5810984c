"""The choice of a member's next work: what is wanted most comes first.

The function is the same on every node. A ledger may be a few seconds behind; claims settle who works. What is due at
once comes first (`consensus.ledger.priorities.due`), then `next_work`: an open match with free slots, training where
there are enough new games, ratings as long as few members rate, self-play where games are needed most, and further
ratings. If nothing of that is wanted, the member rests, and `why_rest` says why.
"""

from __future__ import annotations

from collections.abc import Collection

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.priorities.matches import wanted_match, why_no_match
from consensus.ledger.priorities.ratings import wanted_rating, wanted_spare_rating
from consensus.ledger.priorities.selfplay import wanted_selfplay, why_no_selfplay
from consensus.ledger.priorities.training import wanted_training, why_no_training
from consensus.ledger.priorities.work import Subject, Work

_WANTS = (
    ("match", wanted_match),
    ("train", wanted_training),
    ("match", wanted_rating),
    ("selfplay", wanted_selfplay),
    ("match", wanted_spare_rating),
)
"""In their order, each with the role that it needs."""

_REASONS = (
    ("match", why_no_match),
    ("train", why_no_training),
    ("selfplay", why_no_selfplay),
)
"""Why there is nothing, by role."""


def next_work(
    ledger: Ledger, member: MemberId, roles: Collection[str], avoided: Collection[Subject] = ()
) -> Work | None:
    """Return the work that the swarm needs most from a member with these roles; None if it needs none now.

    Subjects in `avoided` are skipped: what the member has lately failed at must not keep it from everything else.
    """
    if ledger.is_silenced(member):
        return None
    for role, wanted in _WANTS:
        work = wanted(ledger, member, avoided) if role in roles else None
        if work is not None:
            return work
    return None


def why_rest(ledger: Ledger, member: MemberId, roles: Collection[str], avoided: Collection[Subject] = ()) -> str:
    """Return why `next_work` has nothing for a member with these roles, in words; empty if it has something."""
    if not roles:
        return "it has no work roles"
    if ledger.is_silenced(member):
        return "it has signed two histories, so nothing that it does counts"
    if next_work(ledger, member, roles, avoided) is not None:
        return ""
    return "; ".join(why(ledger, member, avoided) for role, why in _REASONS if role in roles)
