"""What the people of a simulated swarm agree on: changes of the roster, never one that gives liars a third."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from consensus.epoch import stays_sealable
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change
from consensus.ledger.records.transactions import Propose, proposal_id
from consensus.outcome import RoundEffects
from consensus.roster import Roster, RosterError

TENTHS = 10
TOLD = ("evidence", "fault", "finding", "unproven", "vote", "proposal", "shelved")
"""The kinds of effects that are counted."""


class Agenda:
    """Knows who lies, as nobody else does, and what was proposed and not yet decided, whoever's ledger says so."""

    def __init__(self, roster: Roster, liars: Iterable[MemberId], epoch_events: int) -> None:
        """`epoch_events` are those after which an epoch ends, if nothing else ends it."""
        self._liars = set(liars)
        self._persons: dict[MemberId, MemberId] = {}  # the first key of who has a later one
        self._open: dict[bytes, Change] = {}  # proposed, and not known to be over
        self._adopted: list[bytes] = []  # of them, to come into force with the next epoch
        self._roster = roster
        self._round = 0
        self._began = 0  # position in the order at which the epoch began
        self._epoch_events = epoch_events
        self.wanted: list[Change] = []
        self.changed: Counter[str] = Counter()  # changes in force, by kind
        self.effects: Counter[str] = Counter()  # by kind
        self.offsets: Counter[int] = Counter()  # the same by the tenth of the epoch in which they were decided

    @property
    def roster(self) -> Roster:
        """Who decides now."""
        return self._roster

    def want(self, change: Change) -> None:
        """Lets people propose a change, as soon as it fits and is to be borne, and vote for it."""
        if change.kind == "key":
            assert change.key is not None
            self._persons[change.key] = self._person(change.member)
        self.wanted.append(change)

    def may_propose(self, change: Change, author: MemberId, number: int) -> bool:
        """Whether a member may, by a transaction of this id; if so, it is taken to be proposed."""
        try:
            fits = stays_sealable(self._roster, change.applied(self._roster))
        except RosterError:
            return False
        if not fits or not self._bearable([*self._open.values(), change]):
            return False
        self._open[proposal_id(author, number)] = change
        return True

    def _person(self, member: MemberId) -> MemberId:
        return self._persons.get(member, member)

    def _bearable(self, changes: Iterable[Change]) -> bool:
        """Whether the liars stay below 1/3 whichever of the changes come into force."""
        weights: dict[MemberId, set[int]] = defaultdict(set)
        for member in self._roster.members:
            weights[self._person(member.id)].add(member.weight)
        for change in changes:
            person = self._person(change.member)
            weights[person] |= {0} if change.kind == "leave" or not weights[person] else set()
            weights[person] |= set() if change.weight is None else {change.weight}
        lying = sum(max(weights[person]) for person in weights.keys() & self._liars)
        honest = sum(min(weights[person]) for person in weights.keys() - self._liars)
        return 2 * lying < honest

    def watch(self, decided: RoundEffects) -> None:
        """Takes note of a round that somebody honest has decided, when it is the first to."""
        if decided.round.number <= self._round:
            return
        self._round = decided.round.number
        self.effects.update(effect.kind for effect in decided.effects if effect.kind in TOLD)
        for effect in decided.effects:
            name = effect.fields.get("proposal")
            if effect.kind == "rejected" and effect.fields["type"] == Propose.TYPE:
                self._reject(effect.member, effect.fields["id"])
            elif isinstance(name, bytes) and effect.kind == "roster":
                self._adopted.append(name)
            elif isinstance(name, bytes) and effect.kind == "shelved":
                self._open.pop(name, None)
        if decided.closed is not None:
            self._close(decided)

    def _reject(self, author: MemberId | None, number: object) -> None:
        if author is not None and isinstance(number, int):
            self._open.pop(proposal_id(author, number), None)

    def _close(self, decided: RoundEffects) -> None:
        assert decided.closed is not None
        record = decided.closed.record
        for name in self._adopted:
            change = self._open.pop(name, None)
            if change is not None:
                self.changed[change.kind] += 1
                tenth = TENTHS * (record.ordered - self._began) // self._epoch_events
                self.offsets[min(TENTHS - 1, tenth)] += 1
                self.wanted = [one for one in self.wanted if one != change]
                self._open = {other: one for other, one in self._open.items() if one != change}
        self._adopted.clear()
        self._roster, self._began = record.roster, record.ordered

    def due(self, ledger: Ledger) -> list[Change]:
        """The changes to propose now."""
        there = [proposal.change for proposal in ledger.proposals()]
        return [change for change in self.wanted if change not in there]
