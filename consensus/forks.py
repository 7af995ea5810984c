"""Forks that a node has seen, as the evidence that its next own event will carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from consensus.epoch_events import EpochEvents
from consensus.event import Event
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Evidence

MAX_PROOFS_PER_EVENT = 16  # in one event


class Forks:
    """What is found stays found, also when the epoch in which it was is over, until the ledger has heard of it."""

    def __init__(self) -> None:
        # By number of the epoch, and member; None: it does not count, and is not to be looked for again.
        self._found: dict[tuple[int, MemberId], Evidence | None] = {}
        self._told: set[tuple[int, MemberId]] = set()

    def observe(self, *epochs: EpochEvents | None) -> None:
        """Notes the members that forked in these epochs."""
        for epoch in epochs:
            if epoch is not None:
                for member in epoch.forkers():
                    self._note(epoch, member)

    def _note(self, epoch: EpochEvents, member: MemberId) -> None:
        key = epoch.opening.number, member
        fork = None if key in self._found else find_fork(epoch.events_of(member))
        if fork is not None:
            self._found[key] = fork

    def pending(self, ledger: Ledger, own: MemberId) -> list[Evidence]:
        """What would count against others, and no own event of this epoch has said yet; not too much at once."""
        if own not in ledger.roster or ledger.is_silenced(own):
            return []
        for number, member in list(self._found):
            if not ledger.can_convict(member, number):
                self._found[number, member] = None
        new = [proof for key, proof in sorted(self._found.items()) if key not in self._told]
        return [proof for proof in new if proof is not None][:MAX_PROOFS_PER_EVENT]

    def mark_submitted(self, proofs: Collection[Evidence]) -> None:
        """An own event says these."""
        self._told.update(key for key, proof in self._found.items() if proof is not None and proof in proofs)

    def begin_epoch(self, number: int) -> None:
        """Epoch `number` begins: what was not received in the one before has to be said again."""
        self._told.clear()
        for key in [key for key, proof in self._found.items() if proof is None and key[0] < number - 1]:
            del self._found[key]  # nobody looks at so old an epoch any more


def find_fork(events: Iterable[Event]) -> Evidence | None:
    """Of one member's events of one epoch the two with the lowest number, and of these with the lowest hashes.

    So nodes that know the same events write the same proof. None if no two have a number in common.
    """
    by_seq: dict[int, dict[bytes, Event]] = defaultdict(dict)
    for event in events:
        by_seq[event.seq][event.hash] = event
    forked = [seq for seq, branches in by_seq.items() if len(branches) > 1]
    if not forked:
        return None
    seq = min(forked)
    first, second = (by_seq[seq][digest] for digest in sorted(by_seq[seq])[:2])
    return Evidence(seq, (first.header, first.signature), (second.header, second.signature))
