"""The forks that a node has seen, as the evidence that its next own event will carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from consensus.epoch_events import EpochEvents
from consensus.event import Event
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Evidence

MAX_PROOFS_PER_EVENT = 16


class Forks:
    """The forks found so far. Each is kept, even after its epoch has closed, until the ledger has the evidence."""

    def __init__(self) -> None:
        # By epoch number and member; None: it would not count, and is not looked for again.
        self._found: dict[tuple[int, MemberId], Evidence | None] = {}
        self._submitted: set[tuple[int, MemberId]] = set()

    def observe(self, *epochs: EpochEvents | None) -> None:
        """Look for members that forked in these epochs."""
        for epoch in epochs:
            if epoch is not None:
                for member in epoch.forkers():
                    self._observe_member(epoch, member)

    def _observe_member(self, epoch: EpochEvents, member: MemberId) -> None:
        key = epoch.opening.number, member
        fork = None if key in self._found else find_fork(epoch.events_of(member))
        if fork is not None:
            self._found[key] = fork

    def pending(self, ledger: Ledger, own: MemberId) -> list[Evidence]:
        """Return evidence that would count against others and that no own event of this epoch carries yet.

        At most `MAX_PROOFS_PER_EVENT` at a time.
        """
        if own not in ledger.roster or ledger.is_silenced(own):
            return []
        for number, member in list(self._found):
            if not ledger.can_convict(member, number):
                self._found[number, member] = None
        new = [proof for key, proof in sorted(self._found.items()) if key not in self._submitted]
        return [proof for proof in new if proof is not None][:MAX_PROOFS_PER_EVENT]

    def mark_submitted(self, proofs: Collection[Evidence]) -> None:
        """Record that an own event carries these proofs."""
        self._submitted.update(key for key, proof in self._found.items() if proof is not None and proof in proofs)

    def begin_epoch(self, number: int) -> None:
        """Begin epoch `number`: evidence that was not received in the epoch before has to be submitted again."""
        self._submitted.clear()
        for key in [key for key, proof in self._found.items() if proof is None and key[0] < number - 1]:
            del self._found[key]  # nobody looks at an epoch that old any more


def find_fork(events: Iterable[Event]) -> Evidence | None:
    """Return evidence from one member's events of one epoch; None if no two of them have the same number.

    It takes the lowest forked number, and of the events with it the two with the lowest hashes. So nodes that know the
    same events write the same proof.
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
