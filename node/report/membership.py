"""Members and proposals, in the shapes of `node.api`; pure functions."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict

from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change, ProposalBallot
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.rules.decisions import is_known
from consensus.ledger.state.state import MemberProfile
from consensus.roster import Roster, RosterMember
from node.api.members import MemberInfo, MemberStanding
from node.api.proposals import AnyChange, BallotInfo, ProposalInfo
from node.membership.address_book import AddressBook
from node.membership.proposals import Motion, Proposals
from node.system.version import shown_digest
from node.text.effects import change_in_words, steering_in_words
from node.text.formatting import needed

NameOf = Callable[[MemberId], str]
NS_PER_S = 10**9


class _Wording(TypedDict):
    """What `ProposalInfo` says of the change itself."""

    change: AnyChange
    member: str
    name: str
    weight: int | None
    address: str | None
    key: str | None
    new_name: str | None
    setting: str | None
    value: str | None
    configuration: str | None
    work: str | None
    known: bool
    text: str


class _Announced(TypedDict):
    """What `MemberInfo` says of a member's profile."""

    roles: list[str]
    device: str
    version: str
    rates: dict[str, int]
    cost_per_h: int | None
    life_s: int | None


def proposals(tracked: Proposals, ledger: Ledger, address_book: AddressBook) -> list[ProposalInfo]:
    """Return open proposals, oldest first, then those that are over, newest first."""
    return [proposal(motion, ledger, address_book) for motion in tracked.motions()]


def proposal(motion: Motion, ledger: Ledger, address_book: AddressBook) -> ProposalInfo:
    """Return one proposal as of now."""
    total, weights = _weights(motion, address_book.roster)
    cast = list(zip(motion.ballots, weights, strict=True))
    deadline = motion.deadline if motion.state == "open" else None
    is_alone = motion.author is not None and ledger.is_decided_by(motion.author, motion.change)
    return {
        "proposal": motion.id.hex(),
        **_change(motion.change, address_book),
        "by": None if motion.author is None else id_text(motion.author),
        "by_name": "" if motion.author is None else address_book.name(motion.author),
        "reason": motion.reason,
        "state": motion.state,
        "outcome": motion.outcome,
        "votes": _votes(cast, address_book),
        "approve": sum(weight for ballot, weight in cast if ballot.approve),
        "reject": sum(weight for ballot, weight in cast if not ballot.approve),
        "needs": 0 if is_alone else needed(total),
        "total": total,
        "ends_s": None if deadline is None else (deadline - ledger.clock) / NS_PER_S,
        "round": motion.round,
    }


def _weights(motion: Motion, roster: Roster) -> tuple[int, Sequence[int]]:
    """Return the weight of all members and that of each ballot: as decided, or as of now while members vote."""
    if motion.count is not None and len(motion.count.weights) == len(motion.ballots):
        return motion.count.total, motion.count.weights
    return roster.total_weight, [roster.weight([ballot.author]) for ballot in motion.ballots]


def _change(change: Change | SteeringChange, address_book: AddressBook) -> _Wording:
    """Return a change in fields and in words."""
    if isinstance(change, SteeringChange):
        return _steering_change(change)
    name = address_book.name(change.member)
    key = None if change.key is None else id_text(change.key)
    return {
        "change": change.kind,
        "member": id_text(change.member),
        "name": name,
        "weight": change.weight,
        "address": change.address,
        "key": key,
        "new_name": change.name,
        "setting": None,
        "value": None,
        "configuration": None,
        "work": None,
        "known": True,
        "text": change_in_words(change.kind, name, change.weight, change.address, key, change.name),
    }


def _steering_change(change: SteeringChange) -> _Wording:
    return {
        "change": change.kind,
        "member": "",
        "name": "",
        "weight": None,
        "address": None,
        "key": None,
        "new_name": None,
        "setting": change.setting,
        "value": change.value,
        "configuration": change.configuration,
        "work": change.work,
        "known": is_known(change),
        "text": steering_text(change),
    }


def steering_text(change: SteeringChange) -> str:
    """Return a change of what the swarm does in words."""
    return steering_in_words(change.kind, change.setting, change.value, where=change.configuration, work=change.work)


def departed(address_book: AddressBook) -> list[MemberInfo]:
    """Return the founders that are no longer members."""
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
            "reached": None,
            "asked_s": None,
            "flaps": 0,
            "error": "",
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
        "version": shown_digest(profile.software),
        "rates": dict(profile.rates),
        "cost_per_h": profile.cost,
        "life_s": profile.life or None,
    }


def standing(listed: RosterMember, address_book: AddressBook) -> MemberStanding:
    """Return how a member of the roster got in, or that it has no vote."""
    if listed.weight == 0:
        return "no vote"
    return "founder" if listed.id in address_book.founders else "joined"


def _votes(cast: Iterable[tuple[ProposalBallot, int]], address_book: AddressBook) -> list[BallotInfo]:
    return [
        {
            "member": id_text(ballot.author),
            "name": address_book.name(ballot.author),
            "approve": ballot.approve,
            "weight": weight,
        }
        for ballot, weight in cast
    ]
