"""What becomes of proposals to change the roster: those this node sent, open ones, and how others ended."""

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change, Proposal, ProposalBallot
from consensus.ledger.records.effects import Effect
from consensus.ledger.records.transactions import Ballot, Propose, proposal_id
from consensus.replica import RoundEffects

State = Literal["sent", "open", "approved", "in force", "dropped", "refused"]

_KEPT = 20  # of those that are over


@dataclass(frozen=True)
class Motion:
    """One proposal; `ProposalInfo` says what the states are."""

    id: bytes
    author: MemberId | None
    change: Change
    reason: str
    state: State
    voices: tuple[ProposalBallot, ...] = ()
    deadline: int | None = None  # ns of the ledger's clock
    round: int | None = None
    outcome: str = ""


class Proposals:
    """Follows the order from where this process began; what was over before is not known any more."""

    def __init__(self, me: MemberId, ledger: Callable[[], Ledger]) -> None:
        """`ledger` gives the present one, which may be ahead of the rounds that `note` has heard of."""
        self._me = me
        self._ledger = ledger
        self._sent: dict[bytes, Motion] = {}  # own ones without a place in the order, by proposal
        self._ballots: dict[bytes, Ballot] = {}  # the same, by the proposal that each is about
        self._heard: dict[bytes, Motion] = {}  # open, as far as `note` is
        self._over: dict[bytes, Motion] = {}

    async def follow(self, rounds: AsyncIterable[RoundEffects]) -> None:
        """Takes note of every round."""
        async for decided in rounds:
            self.note(decided.effects)

    def note(self, effects: Iterable[Effect]) -> None:
        """Takes note of the effects of a round."""
        for entry in self._ledger().proposals():  # those of earlier epochs, of which no effect tells here
            self._heard.setdefault(entry.id, _open_motion(entry))
        for effect in effects:
            if effect.kind == "proposal":
                self._opened(effect)
            elif effect.kind == "ballot":
                self._ballot(effect)
            elif effect.kind in ("roster", "shelved"):
                self._end(effect)
            elif effect.kind == "epoch":
                self._enter_into_force()
            elif effect.kind == "rejected" and effect.member == self._me:
                self._refuse(effect)

    def sent(self, proposal: Propose) -> Motion:
        """This node puts a proposal forward."""
        name = proposal_id(self._me, proposal.id)
        voices = (ProposalBallot(self._me, approve=True),)
        motion = self._sent[name] = Motion(name, self._me, proposal.change, proposal.reason, "sent", voices)
        return motion

    def voted(self, ballot: Ballot) -> None:
        """This node puts a ballot forward."""
        self._ballots[ballot.proposal] = ballot

    def left(self) -> None:
        """This node is no member any more and hears nothing: what was to remove it is in force."""
        for motion in list(self.motions()):
            removes = motion.change.kind in ("leave", "key") and motion.change.member == self._me
            if removes and motion.state in ("sent", "open", "approved"):
                self._sent.pop(motion.id, None)
                self._keep(replace(motion, state="in force"))

    def has_voted(self, proposal: bytes) -> bool:
        """Whether this node has cast or sent its ballot."""
        motion = self.motion(proposal)
        cast = motion is not None and any(submitter.author == self._me for submitter in motion.voices)
        return cast or proposal in self._ballots

    def motion(self, proposal: bytes) -> Motion | None:
        """The proposal of this id."""
        return next((motion for motion in self.motions() if motion.id == proposal), None)

    def motions(self) -> Iterator[Motion]:
        """Open proposals, oldest first, those that were sent, then those that are over, newest first."""
        present = self._ledger().proposals()
        known = {entry.id for entry in present} | self._over.keys()
        yield from (_open_motion(entry) for entry in present if entry.id not in self._over)
        yield from (motion for motion in self._sent.values() if motion.id not in known)
        yield from reversed(self._over.values())

    # What is over has left the ledger, perhaps in the round in which it came: only the effects tell of it.

    def _opened(self, effect: Effect) -> None:
        motion = _told(effect)
        self._heard[motion.id] = motion
        self._sent.pop(motion.id, None)

    def _ballot(self, effect: Effect) -> None:
        proposal, author = effect.fields["proposal"], effect.member
        assert isinstance(proposal, bytes)
        assert author is not None
        submitter = ProposalBallot(author, approve=bool(effect.fields["approve"]))
        motion = self._heard.get(proposal)
        if motion is not None and all(one.author != author for one in motion.voices):
            self._heard[proposal] = replace(motion, voices=(*motion.voices, submitter))
        if author == self._me:
            self._ballots.pop(proposal, None)

    def _end(self, effect: Effect) -> None:
        proposal = effect.fields.get("proposal")
        if not isinstance(proposal, bytes):
            return  # it follows from proof, without a vote
        self._ballots.pop(proposal, None)
        motion = self._heard.pop(proposal, None) or _told(effect)
        if effect.kind == "roster":
            self._keep(replace(motion, state="approved"))
        else:
            self._keep(replace(motion, state="dropped", outcome=str(effect.fields["reason"])))

    def _enter_into_force(self) -> None:
        for motion in self._over.values():
            if motion.state == "approved":
                self._over[motion.id] = replace(motion, state="in force")

    def _refuse(self, effect: Effect) -> None:
        number = effect.fields["id"]
        reason, detail = str(effect.fields["reason"]), str(effect.fields["detail"] or "")
        if effect.fields["type"] == Ballot.TYPE:
            self._ballots = {name: ballot for name, ballot in self._ballots.items() if ballot.id != number}
        elif effect.fields["type"] == Propose.TYPE and isinstance(number, int):
            motion = self._sent.pop(proposal_id(self._me, number), None)
            if motion is not None:
                self._keep(replace(motion, state="refused", outcome=f"{reason}: {detail}" if detail else reason))

    def _keep(self, motion: Motion) -> None:
        self._over[motion.id] = motion
        while len(self._over) > _KEPT:
            del self._over[next(iter(self._over))]


def _open_motion(entry: Proposal) -> Motion:
    return Motion(
        entry.id, entry.author, entry.change, entry.reason, "open", entry.ballots, entry.deadline, entry.place.round
    )


def _told(effect: Effect) -> Motion:
    """As an effect tells of it."""
    fields: dict[str, Any] = dict(effect.fields)
    given = {name: fields.get(name) for name in ("weight", "address", "key")}
    change = Change(fields["change"], fields["subject"], **given)
    voices = () if effect.member is None else (ProposalBallot(effect.member, approve=True),)
    reason = fields["reason"] if effect.kind == "proposal" else ""
    return Motion(fields["proposal"], effect.member, change, reason, "open", voices, round=effect.round)
