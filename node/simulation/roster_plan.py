"""The roster changes that the users of a simulated swarm want: never ones that give faulty members a third."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from consensus.epoch import can_seal_change
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change
from consensus.ledger.records.transactions import Propose, proposal_id
from consensus.outcome import RoundEffects
from consensus.roster import Roster, RosterError

TENTHS = 10
COUNTED_EFFECTS = (
    "evidence", "fault", "finding", "unproven", "vote", "proposal", "shelved",
    "decision", "shard_finding", "shard_unproven", "struck", "checked", "safe", "lost", "missing", "absent", "rated",
    "promotion",
)  # fmt: skip
"""The kinds of effects that are counted."""


class RosterPlan:
    """Knows which members are faulty, and which proposals are open, whichever node's ledger has them.

    Faulty are the Byzantine ones, and those whose ledger a fault has changed: less than a third of the weight may be.
    """

    def __init__(
        self,
        roster: Roster,
        byzantine: Iterable[MemberId],
        epoch_events: int,
        corrupted: Callable[[], Collection[MemberId]] = tuple,
    ) -> None:
        """Plan for epochs that end after `epoch_events` events, if nothing else ends them.

        `corrupted` returns the members whose ledger was changed and is not right again.
        """
        self._byzantine = set(byzantine)
        self._corrupted = corrupted
        self._first_keys: dict[MemberId, MemberId] = {}  # by a later key of the same machine
        self._open: dict[bytes, Change] = {}  # by proposal, unless known to be over
        self._adopted: list[bytes] = []  # open proposals that come into force with the next epoch
        self._roster = roster
        self._round = 0
        self._epoch_start = 0  # the epoch's first position in the order
        self._epoch_events = epoch_events
        self.wanted: list[Change] = []
        self.changed: Counter[str] = Counter()  # changes in force, by kind
        self.effects: Counter[str] = Counter()  # by kind
        self.offsets: Counter[int] = Counter()  # changes by the tenth of the epoch in which they were decided

    @property
    def roster(self) -> Roster:
        """The roster of the present epoch."""
        return self._roster

    def want(self, change: Change) -> None:
        """Let users propose a change, as soon as it is possible and safe, and vote for it."""
        if change.kind == "key":
            assert change.key is not None
            self._first_keys[change.key] = self._first_key(change.member)
        self.wanted.append(change)

    def want_address(self, member: MemberId, address: str, *, is_agreed: bool) -> None:
        """Let users propose this address of a member, unless it `is_agreed`, and no other; new keys come with it."""
        self.wanted = [
            replace(change, address=address) if change.member == member and change.address else change
            for change in self.wanted
            if change.kind != "address" or change.member != member or not is_agreed
        ]
        wanted = Change("address", member, address=address)
        if member in self._roster and not is_agreed and wanted not in self.wanted:
            self.wanted.append(wanted)

    def may_corrupt(self, member: MemberId) -> bool:
        """Return whether faulty members stay below 1/3 of the weight if this one is, too, whatever is adopted."""
        return member in self._roster and self._is_safe(self._open.values(), [member])

    def reserve_proposal(self, change: Change, author: MemberId, number: int) -> bool:
        """Return whether `author` may propose the change by transaction `number`; if so, count it as proposed."""
        try:
            possible = can_seal_change(self._roster, change.applied(self._roster))
        except RosterError:
            return False
        if not possible or not self._is_safe([*self._open.values(), change]):
            return False
        self._open[proposal_id(author, number)] = change
        return True

    def _first_key(self, member: MemberId) -> MemberId:
        return self._first_keys.get(member, member)

    def _is_safe(self, changes: Iterable[Change], corrupted: Iterable[MemberId] = ()) -> bool:
        """Return whether faulty members stay below 1/3 of the weight, whichever of the changes are adopted.

        `corrupted` are faulty, besides those that are already.
        """
        weights: dict[MemberId, set[int]] = defaultdict(set)  # possible ones, by first key
        for member in self._roster.members:
            weights[self._first_key(member.id)].add(member.weight)
        for change in changes:
            key = self._first_key(change.member)
            weights[key] |= {0} if change.kind == "leave" or not weights[key] else set()
            weights[key] |= set() if change.weight is None else {change.weight}
        faulty = self._faulty(corrupted)
        most_faulty = sum(max(weights[key]) for key in weights.keys() & faulty)
        least_right = sum(min(weights[key]) for key in weights.keys() - faulty)
        return 2 * most_faulty < least_right

    def faulty_weight(self) -> int:
        """Return the weight of the members in the roster that are faulty, by whichever key."""
        faulty = self._faulty()
        return sum(member.weight for member in self._roster.members if self._first_key(member.id) in faulty)

    def _faulty(self, corrupted: Iterable[MemberId] = ()) -> set[MemberId]:
        """Return the first keys of all faulty members, and of those in `corrupted`."""
        return self._byzantine | {self._first_key(member) for member in (*self._corrupted(), *corrupted)}

    def observe(self, decided: RoundEffects) -> None:
        """Take in a round that an honest node has decided, if it is the first to."""
        if decided.round.number <= self._round:
            return
        self._round = decided.round.number
        self.effects.update(effect.kind for effect in decided.effects if effect.kind in COUNTED_EFFECTS)
        for effect in decided.effects:
            proposal = effect.fields.get("proposal")
            if effect.kind == "rejected" and effect.fields["type"] == Propose.TYPE:
                self._observe_rejection(effect.member, effect.fields["id"])
            elif isinstance(proposal, bytes) and effect.kind == "roster":
                self._adopted.append(proposal)
            elif isinstance(proposal, bytes) and effect.kind == "shelved":
                self._open.pop(proposal, None)
        if decided.closed is not None:
            self._observe_close(decided)

    def _observe_rejection(self, author: MemberId | None, number: object) -> None:
        if author is not None and isinstance(number, int):
            self._open.pop(proposal_id(author, number), None)

    def _observe_close(self, decided: RoundEffects) -> None:
        assert decided.closed is not None
        record = decided.closed.record
        for proposal in self._adopted:
            change = self._open.pop(proposal, None)
            if change is not None:
                self.changed[change.kind] += 1
                tenth = TENTHS * (record.ordered - self._epoch_start) // self._epoch_events
                self.offsets[min(TENTHS - 1, tenth)] += 1
                self.wanted = [other for other in self.wanted if other != change]
                self._open = {name: other for name, other in self._open.items() if other != change}
        self._adopted.clear()
        self._roster, self._epoch_start = record.roster, record.ordered

    def due(self, ledger: Ledger) -> list[Change]:
        """Return the wanted changes that nobody has proposed yet."""
        proposed = [proposal.change for proposal in ledger.proposals()]
        return [change for change in self.wanted if change not in proposed]
