"""The epoch as the ledger has it: its roster, the record that opened it and its seals, the changes to come."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from consensus.encoding import Value, encode
from consensus.epoch import EpochRecord, SealedRecord, has_enough_seals
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster, make_roster

RECENT_EPOCHS = 64  # epochs before the open one of whose events the ledger hears evidence


def departing(present: Roster, coming: Roster) -> tuple[MemberId, ...]:
    """Return the members that have a weight now and are not in the coming roster."""
    return tuple(member.id for member in present.members if member.weight and member.id not in coming)


def handover(present: Roster, coming: Roster) -> Roster:
    """Return the next roster: the coming one, and at weight 0 who departs. Raise RosterError if it is too large.

    They stay until the record that ends their say is sealed, and so seal it like all others. If they did not, a
    few that are silent besides, less than a third of either roster, could keep it unsealed for ever.
    """
    going = (replace(present.member(member), weight=0) for member in departing(present, coming))
    return make_roster([*coming.members, *going])


class EpochState:
    """Which members decide now, with what right, and who will after this epoch."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self.number = 0  # of the epoch
        self.digest = genesis.digest  # of what opened it
        self.record: EpochRecord | None = None  # what opened it, unless it is the first
        self.roster = genesis.roster
        self.version = 1  # of the roster
        self.before = genesis.roster  # the roster of the epoch before
        self.first_index = 0  # position in the order of this epoch's first event
        self.size = 0  # bytes of headers and payloads of this epoch's ordered events
        self.opened: dict[MemberId, bytes | None] = {}  # who went on from the record, with its seal
        self.anchors: dict[MemberId, bytes] = {}  # announced for the next epoch
        self.sealed: SealedRecord | None = None  # the record with the first seals that were enough
        self.chain: list[SealedRecord] = []  # the sealed records that changed the roster
        self.recent: tuple[bytes, ...] = ()  # what opened the epochs before this one, the newest last
        self.next: Roster | None = None  # with the changes that were approved in this epoch
        self.leaving: tuple[MemberId, ...] = ()  # here without weight, to seal what opened this epoch, and then gone
        self.needs_recount = False  # votes weigh otherwise than when they were last counted

    @property
    def last_round(self) -> int:
        """The last round before this epoch."""
        return 0 if self.record is None else self.record.round

    @property
    def can_close(self) -> bool:
        """Whether what opened this epoch is a genesis, or sealed by enough members: it may close only then."""
        return self.number == 0 or self.sealed is not None

    def apply_open(self, member: MemberId, seal: bytes | None, anchor: bytes | None) -> bool:
        """Note that a member goes on, with its checked seal; return whether the record has just become sealed."""
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
        """Name the record that opened this epoch; all that it says is here already."""
        self.record, self.digest = record, record.digest

    def number_of(self, epoch: bytes) -> int | None:
        """Return the number of the epoch that this digest opened, if it is the open one or one of the recent ones."""
        if epoch == self.digest:
            return self.number
        if epoch in self.recent:
            return self.number - len(self.recent) + self.recent.index(epoch)
        return None

    def former_members(self) -> frozenset[MemberId]:
        """Return the former members: those of earlier rosters that are not in the present one."""
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
        """Whether the next epoch's members are others, or other things are said of them."""
        return self.next is not None or bool(self.leaving)

    @property
    def staying(self) -> Roster:
        """The roster without those who are only here to seal."""
        if not self.leaving:
            return self.roster
        return make_roster(member for member in self.roster.members if member.id not in self.leaving)

    @property
    def coming(self) -> Roster:
        """Those who stay, with all changes that were approved so far."""
        return self.staying if self.next is None else self.next

    def successor(self, first_index: int) -> EpochState:
        """Return the next epoch, but for the record that opens it."""
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
        """Return the next roster; a member whose anchor was not announced has none, and adds to no beacon."""
        return Roster(tuple(
            replace(member, anchor=self.anchors.get(member.id)) if member.id in self.roster else member
            for member in handover(self.roster, self.coming).members
        ))  # fmt: skip

    def table(self) -> Value:
        """Return what the ledger's digest covers; the epoch's digest stands for all that was when it opened."""
        members: list[Value] = [[member, seal] for member, seal in sorted(self.opened.items())]
        anchors: list[Value] = [[member, anchor] for member, anchor in sorted(self.anchors.items())]
        coming = None if self.next is None else hashlib.sha256(encode(self.next.table())).digest()
        return [self.number, self.digest, self.size, members, anchors, coming, self.needs_recount]
