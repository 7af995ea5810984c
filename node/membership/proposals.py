"""Proposals: those that this node sent, those that are open, and how others ended."""

from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change, Proposal, ProposalBallot, concerns
from consensus.ledger.records.decisions import STEERING_KINDS, SteeringChange
from consensus.ledger.records.effects import Effect
from consensus.ledger.records.transactions import Ballot, Propose, proposal_id
from consensus.replica import RoundEffects
from consensus.roster import Roster
from node.system.change_counter import ChangeCounter

MotionState = Literal["sent", "open", "approved", "in force", "dropped", "refused"]

_KEPT = 50  # of those that are over


@dataclass(frozen=True, kw_only=True)
class Count:
    """How a vote ended, by the roster of then."""

    epoch: int  # its number
    total: int  # weight of all members
    weights: tuple[int, ...]  # of the ballots, in their order


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One proposal; `ProposalInfo` says what the states are."""

    id: bytes
    author: MemberId | None
    change: Change | SteeringChange
    reason: str
    state: MotionState
    ballots: tuple[ProposalBallot, ...] = ()
    deadline: int | None = None  # ns of the ledger's clock
    round: int | None = None
    outcome: str = ""
    count: Count | None = None  # None while members vote


class Proposals:
    """Observes the order from the start of this process on; what ended before is `remembered`, oldest first."""

    def __init__(self, me: MemberId, ledger: Callable[[], Ledger], remembered: Iterable[Motion] = ()) -> None:
        """Read the present ledger with `ledger`; it may be ahead of the rounds that `observe` was given."""
        self.changes = ChangeCounter()  # of what is to be remembered
        self._keys: Mapping[MemberId, MemberId] = {}  # as of the change `_keys_of`
        self._keys_of = -1
        self._me = me
        self._voters: tuple[int, Roster] | None = None  # the epoch of the observed rounds, and its roster
        self._ledger = ledger
        self._sent: dict[bytes, Motion] = {}  # own ones without a place in the order, by proposal
        self._own_ballots: dict[bytes, Ballot] = {}  # the same, by the proposal that each is about
        self._open: dict[bytes, Motion] = {}  # as of the last observed round
        self._over = {motion.id: motion for motion in remembered}

    async def run(self, rounds: AsyncIterable[RoundEffects]) -> None:
        """Observe every round."""
        async for decided in rounds:
            self.observe(decided.effects)

    def observe(self, effects: Iterable[Effect]) -> None:
        """Observe the effects of a round."""
        some = list(effects)
        if self._voters is None or not any(effect.kind == "epoch" for effect in some):
            self._observe_roster()
        self._observe_effects(some)
        self._observe_roster()

    def _observe_roster(self) -> None:
        ledger = self._ledger()
        self._voters = ledger.epoch_number, ledger.roster
        for motion in list(self._over.values()):
            if motion.state == "approved" and motion.count is not None and motion.count.epoch < ledger.epoch_number:
                self._keep(replace(motion, state="in force"))

    def _observe_effects(self, effects: Iterable[Effect]) -> None:
        for entry in self._ledger().proposals():  # those of earlier epochs, of which no effect tells here
            self._open.setdefault(entry.id, _open_motion(entry))
        for effect in effects:
            if effect.kind == "proposal":
                self._opened(effect)
            elif effect.kind == "ballot":
                self._ballot(effect)
            elif effect.kind in ("roster", "decision", "shelved"):
                self._end(effect)
            elif effect.kind == "rejected" and effect.member == self._me:
                self._refuse(effect)

    def add_sent(self, proposal: Propose) -> Motion:
        """Add a proposal that this node submits."""
        name = proposal_id(self._me, proposal.id)
        ballots = (ProposalBallot(self._me, approve=True),)
        motion = self._sent[name] = Motion(
            id=name,
            author=self._me,
            change=proposal.change,
            reason=proposal.reason,
            state="sent",
            ballots=ballots,
        )
        return motion

    def add_ballot(self, ballot: Ballot) -> None:
        """Add a ballot that this node submits."""
        self._own_ballots[ballot.proposal] = ballot

    def end_membership(self) -> None:
        """Take what was to remove this node for in force: it is not a member any more and sees no rounds."""
        for motion in list(self.motions()):
            if _removes(motion.change, self._me) and motion.state in ("sent", "open", "approved"):
                self._sent.pop(motion.id, None)
                self._keep_counted(replace(motion, state="in force"))

    def over(self) -> list[Motion]:
        """Return those that are over, oldest first."""
        return list(self._over.values())

    def earlier_keys(self) -> Mapping[MemberId, MemberId]:
        """Return the key that each member had before, by the one that took its place, as far as that is known."""
        if self._keys_of != self.changes.count:
            over = [motion.change for motion in self._over.values() if motion.state == "in force"]
            changes = [change for change in over if isinstance(change, Change)]
            self._keys = {change.key: change.member for change in changes if change.key is not None}
            self._keys_of = self.changes.count
        return self._keys

    def has_voted(self, proposal: bytes) -> bool:
        """Return whether this node has cast or submitted its ballot."""
        motion = self.motion(proposal)
        cast = motion is not None and any(ballot.author == self._me for ballot in motion.ballots)
        return cast or proposal in self._own_ballots

    def motion(self, proposal: bytes) -> Motion | None:
        """Return the proposal with this id."""
        return next((motion for motion in self.motions() if motion.id == proposal), None)

    def motions(self) -> Iterator[Motion]:
        """Yield open proposals, oldest first, those that were sent, then those that are over, newest first."""
        present = self._ledger().proposals()
        known = {entry.id for entry in present} | self._over.keys()
        yield from (_open_motion(entry) for entry in present if entry.id not in self._over)
        yield from (motion for motion in self._sent.values() if motion.id not in known)
        yield from reversed(self._over.values())

    # What is over has left the ledger, perhaps in the round in which it came: only the effects tell of it.

    def _opened(self, effect: Effect) -> None:
        motion = _motion_of(effect)
        self._open[motion.id] = motion
        self._sent.pop(motion.id, None)

    def _ballot(self, effect: Effect) -> None:
        proposal, author = effect.fields["proposal"], effect.member
        assert isinstance(proposal, bytes)
        assert author is not None
        cast = ProposalBallot(author, approve=bool(effect.fields["approve"]))
        motion = self._open.get(proposal)
        if motion is not None and all(one.author != author for one in motion.ballots):
            self._open[proposal] = replace(motion, ballots=(*motion.ballots, cast))
        if author == self._me:
            self._own_ballots.pop(proposal, None)

    def _end(self, effect: Effect) -> None:
        proposal = effect.fields.get("proposal")
        if not isinstance(proposal, bytes):
            return  # it follows from proof, without a vote
        self._own_ballots.pop(proposal, None)
        motion = self._open.pop(proposal, None) or _motion_of(effect)
        if effect.kind == "roster":
            self._keep_counted(replace(motion, state="approved"))
        elif effect.kind == "decision":
            self._keep_counted(replace(motion, state="in force"))
        else:
            self._keep_counted(replace(motion, state="dropped", outcome=str(effect.fields["reason"])))

    def _refuse(self, effect: Effect) -> None:
        number = effect.fields["id"]
        reason, detail = str(effect.fields["reason"]), str(effect.fields["detail"] or "")
        if effect.fields["type"] == Ballot.TYPE:
            self._own_ballots = {name: ballot for name, ballot in self._own_ballots.items() if ballot.id != number}
        elif effect.fields["type"] == Propose.TYPE and isinstance(number, int):
            motion = self._sent.pop(proposal_id(self._me, number), None)
            if motion is not None:
                outcome = f"{reason}: {detail}" if detail else reason
                self._keep_counted(replace(motion, state="refused", outcome=outcome))

    def _keep_counted(self, motion: Motion) -> None:
        """Keep a proposal that is over, with the weights of now; those of then are known of one that was kept."""
        earlier = self._over.get(motion.id)
        count = self._count(motion) if earlier is None or earlier.count is None else earlier.count
        self._keep(replace(motion, count=count))

    def _count(self, motion: Motion) -> Count:
        epoch, roster = self._voters or (self._ledger().epoch_number, self._ledger().roster)
        weights = tuple(roster.weight([ballot.author]) for ballot in motion.ballots)
        return Count(epoch=epoch, total=roster.total_weight, weights=weights)

    def _keep(self, motion: Motion) -> None:
        self._over[motion.id] = motion
        self.changes.increment()
        if len(self._over) > _KEPT:
            del self._over[next(name for name, old in self._over.items() if not _names_a_key(old))]


def _names_a_key(motion: Motion) -> bool:
    """Return whether a proposal has to be kept, as nothing else says which member a key belongs to."""
    return motion.change.kind == "key" and motion.state == "in force"


def _removes(change: Change | SteeringChange, member: MemberId) -> bool:
    """Return whether a member is not in the roster any more after a change, at least not with this key."""
    return change.kind in ("leave", "key") and concerns(change, member)


def _open_motion(entry: Proposal) -> Motion:
    return Motion(
        id=entry.id,
        author=entry.author,
        change=entry.change,
        reason=entry.reason,
        state="open",
        ballots=entry.ballots,
        deadline=entry.deadline,
        round=entry.place.round,
    )


def _motion_of(effect: Effect) -> Motion:
    """Return the proposal that an effect is about."""
    fields: dict[str, Any] = dict(effect.fields)
    change: Change | SteeringChange
    if fields["change"] in STEERING_KINDS:
        about = {name: fields.get(name) for name in ("setting", "value", "configuration", "work")}
        change = SteeringChange(fields["change"], **about)
    else:
        given = {name: fields.get(name) for name in ("weight", "address", "key", "name")}
        change = Change(fields["change"], fields["subject"], **given)
    ballots = () if effect.member is None else (ProposalBallot(effect.member, approve=True),)
    reason = fields["reason"] if effect.kind == "proposal" else ""
    return Motion(
        id=fields["proposal"],
        author=effect.member,
        change=change,
        reason=reason,
        state="open",
        ballots=ballots,
        round=effect.round,
    )
