"""Members and proposals as the plain JSON of `node.api`; pure functions."""

from collections.abc import Iterable
from typing import TypedDict

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change, ChangeKind, ProposalBallot
from consensus.ledger.state.state import MemberProfile
from consensus.roster import RosterMember
from node.api.answers import BallotInfo, MemberInfo, MemberStanding, ProposalInfo
from node.membership.address_book import AddressBook
from node.membership.proposals import Motion, Proposals
from node.text.effects import change_in_words

SECOND = 10**9
_VERSION_DIGITS = 12  # of the digest of a program's sources


class _Wording(TypedDict):
    """What `ProposalInfo` says of the change itself."""

    change: ChangeKind
    member: str
    name: str
    weight: int | None
    address: str | None
    key: str | None
    text: str


class _Announced(TypedDict):
    """What `MemberInfo` says of a member's profile."""

    roles: list[str]
    device: str
    version: str
    rates: dict[str, int]
    cost_per_h: int | None
    life_s: int | None


def needed(total: int) -> int:
    """The least weight that is more than 2/3 of `total`."""
    return 2 * total // 3 + 1


def proposals(tracked: Proposals, ledger: Ledger, address_book: AddressBook) -> list[ProposalInfo]:
    """Open proposals, oldest first, after them those that are over, newest first."""
    return [proposal(motion, ledger, address_book) for motion in tracked.motions()]


def proposal(motion: Motion, ledger: Ledger, address_book: AddressBook) -> ProposalInfo:
    """One proposal as of now."""
    roster = address_book.roster
    deadline = motion.deadline if motion.state == "open" else None
    return {
        "proposal": motion.id.hex(),
        **change_info(motion.change, address_book),
        "by": None if motion.author is None else id_text(motion.author),
        "by_name": "" if motion.author is None else address_book.name(motion.author),
        "reason": motion.reason,
        "state": motion.state,
        "outcome": motion.outcome,
        "votes": _votes(motion.voices, address_book),
        "approve": roster.weight(voice.author for voice in motion.voices if voice.approve),
        "reject": roster.weight(voice.author for voice in motion.voices if not voice.approve),
        "needs": needed(roster.total_weight),
        "total": roster.total_weight,
        "ends_s": None if deadline is None else (deadline - ledger.clock) / SECOND,
        "round": motion.round,
    }


def change_info(change: Change, address_book: AddressBook) -> _Wording:
    """A change, in fields and in words."""
    name = address_book.name(change.member)
    key = None if change.key is None else id_text(change.key)
    return {
        "change": change.kind,
        "member": id_text(change.member),
        "name": name,
        "weight": change.weight,
        "address": change.address,
        "key": key,
        "text": change_in_words(change.kind, name, change.weight, change.address, key),
    }


def gone(address_book: AddressBook) -> list[MemberInfo]:
    """The founders that are no members any more."""
    return [
        {
            "id": id_text(member),
            "name": address_book.name(member),
            "address": "",
            "weight": 0,
            "standing": "left",
            **announced(None),
            "events": 0,
            "games": 0,
            "work": "",
            "last_contact_s": None,
            "lag_events": None,
            "state": "left",
        }
        for member in address_book.founders
        if member not in address_book.roster
    ]


def announced(profile: MemberProfile | None) -> _Announced:
    """Return what a member's latest profile says; empty values before its first."""
    if profile is None:
        return {"roles": [], "device": "", "version": "", "rates": {}, "cost_per_h": None, "life_s": None}
    return {
        "roles": list(profile.roles),
        "device": profile.device,
        "version": profile.software.hex()[:_VERSION_DIGITS],
        "rates": dict(profile.rates),
        "cost_per_h": profile.cost,
        "life_s": profile.life or None,
    }


def standing(listed: RosterMember, address_book: AddressBook) -> MemberStanding:
    """See `MemberInfo`."""
    if listed.weight == 0:
        return "no vote"
    return "founder" if listed.id in address_book.founders else "joined"


def _votes(voices: Iterable[ProposalBallot], address_book: AddressBook) -> list[BallotInfo]:
    return [
        {
            "member": id_text(voice.author),
            "name": address_book.name(voice.author),
            "approve": voice.approve,
            "weight": address_book.roster.weight([voice.author]),
        }
        for voice in voices
    ]
