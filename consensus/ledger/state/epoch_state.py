"""The epoch as the ledger sees it: its roster, the record that opened it with its seals, and the changes to come."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from consensus.encoding import Value, encode
from consensus.epoch import EpochRecord, SealedRecord, has_enough_seals
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster, make_roster

RECENT_EPOCHS = 64  # before the open one: the ledger accepts evidence about their events


def departing(present: Roster, coming: Roster) -> tuple[MemberId, ...]:
    """Return the members that have a weight now and are not in the coming roster."""
    return tuple(member.id for member in present.members if member.weight and member.id not in coming)


def handover(present: Roster, coming: Roster) -> Roster:
    """Return the roster of the next epoch: the coming one, and at weight 0 the members that leave.

    They stay until the record that ends their vote is sealed, and seal it like all others. If they did not, a few other
    silent members, less than a third of either roster, could keep it unsealed for ever. Raise RosterError if the roster
    is too large.
    """
    going = (replace(present.member(member), weight=0) for member in departing(present, coming))
    return make_roster([*coming.members, *going])


class EpochState:
    """The members that decide in one epoch, what gives them the right to, and the changes approved for the next."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self.number = 0
        self.digest = genesis.digest  # of what opened the epoch
        self.record: EpochRecord | None = None  # the one that opened it; None in the first epoch
        self.roster = genesis.roster
        self.version = 1  # of the roster
        self.before = genesis.roster  # the roster of the epoch before
        self.first_index = 0  # position in the order of this epoch's first event
        self.size = 0  # bytes of headers and payloads of this epoch's ordered events
        self.opened: dict[MemberId, bytes | None] = {}  # members that have continued from the record, with their seals
        self.anchors: dict[MemberId, bytes] = {}  # announced for the next epoch
        self.sealed: SealedRecord | None = None  # the record with the first seals that are enough
        self.chain: list[SealedRecord] = []  # the sealed records that changed the roster
        self.recent: tuple[bytes, ...] = ()  # digests of the epochs before this one, the newest last
        self.next: Roster | None = None  # with the changes approved in this epoch, if there are any
        self.leaving: tuple[MemberId, ...] = ()  # members without weight that only stay to seal the record
        self.needs_recount = False  # weights have changed since open votes were last counted

    @property
    def last_round(self) -> int:
        """The last round before this epoch."""
        return 0 if self.record is None else self.record.round

    @property
    def can_close(self) -> bool:
        """Whether the epoch may close: it is the first one, or the record that opened it is sealed."""
        return self.number == 0 or self.sealed is not None

    def apply_open(self, member: MemberId, seal: bytes | None, anchor: bytes | None) -> bool:
        """Record that a member continues from the record, with its checked seal, and its anchor for the next epoch.

        Return whether the record has just become sealed.
        """
        self.opened[member] = seal
        if anchor is not None:
            self.anchors[member] = anchor
        seals = tuple(sorted((author, given) for author, given in self.opened.items() if given is not None))
        if self.record is None or self.sealed is not None:
            return False
        if not has_enough_seals(self.record, self.before, [author for author, _ in seals]):
            return False
        self.sealed = SealedRecord(self.record, seals)
        if self.record.changes_roster:
            self.chain.append(self.sealed)
        return True

    def set_record(self, record: EpochRecord) -> None:
        """Set the record that opened this epoch, everything else of which is here already."""
        self.record, self.digest = record, record.digest

    def number_of(self, epoch: bytes) -> int | None:
        """Return the number of the open epoch or a recent one by its digest; None for any other."""
        if epoch == self.digest:
            return self.number
        if epoch in self.recent:
            return self.number - len(self.recent) + self.recent.index(epoch)
        return None

    def former_members(self) -> frozenset[MemberId]:
        """Return the members of earlier rosters that are not in this one."""
        rosters = (self._genesis.roster, self.before, *(sealed.record.roster for sealed in self.chain))
        return frozenset(member for roster in rosters for member in roster.ids if member not in self.roster)

    def roster_of(self, version: int) -> Roster:
        """Return the roster of a version up to the present one."""
        if version == self.version:
            return self.roster
        return self._genesis.roster if version == 1 else self.chain[version - 2].record.roster

    def chain_to(self, version: int) -> tuple[SealedRecord, ...] | None:
        """Return the sealed records that lead from the genesis to a roster; None while the last one lacks seals."""
        return tuple(self.chain[: version - 1]) if version - 1 <= len(self.chain) else None

    @property
    def has_changes(self) -> bool:
        """Whether the next epoch has another roster, or other facts about its members."""
        return self.next is not None or bool(self.leaving)

    @property
    def staying(self) -> Roster:
        """The roster without the members that are only here to seal."""
        if not self.leaving:
            return self.roster
        return make_roster(member for member in self.roster.members if member.id not in self.leaving)

    @property
    def coming(self) -> Roster:
        """The members that stay, with all changes approved so far."""
        return self.staying if self.next is None else self.next

    def successor(self, first_index: int) -> EpochState:
        """Return the next epoch, except for the record that opens it."""
        following = EpochState(self._genesis)
        following.number = self.number + 1
        following.leaving = departing(self.roster, self.coming)
        following.roster = self._next_roster()
        following.before = self.roster
        following.version = self.version + (following.roster.digest != self.roster.digest)
        following.first_index = first_index
        following.chain = self.chain
        following.recent = (*self.recent, self.digest)[-RECENT_EPOCHS:]
        following.needs_recount = following.version != self.version
        return following

    def _next_roster(self) -> Roster:
        """Return the next roster. A member that has not announced an anchor has none there, and adds to no beacon."""
        return Roster(
            tuple(
                replace(member, anchor=self.anchors.get(member.id)) if member.id in self.roster else member
                for member in handover(self.roster, self.coming).members
            )
        )

    def table(self) -> Value:
        """Return what the ledger's digest covers, as CBOR values; `digest` stands for the state at the opening."""
        members: list[Value] = [[member, seal] for member, seal in sorted(self.opened.items())]
        anchors: list[Value] = [[member, anchor] for member, anchor in sorted(self.anchors.items())]
        coming = None if self.next is None else hashlib.sha256(encode(self.next.table())).digest()
        return [self.number, self.digest, self.size, members, anchors, coming, self.needs_recount]
