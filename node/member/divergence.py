"""Decides whether this node may trust its ledger, and keeps it silent while it may not.

Theory of operation
===================

**When can the ledger of an honest node differ?** Never by the protocol: the ledger is a function of the order, and the
order is the same everywhere. It differs when a machine fails (a bit flips in memory, a disk returns other bytes) or
when a program does (a bug, another build). A node does not see this in itself; it has to compare.

**What can it know?** There are two questions, and each has a state machine of its own.

1. *Did the right record open our epoch?* A ledger that goes wrong in the very rounds that close an epoch leads to a
   record that nobody else has. The node then sits alone in an epoch of its own: the others' events do not belong to it,
   so there are no digests to compare. It notices that no peer serves its epoch, and asks peers what opened theirs
   (`record_comparison`) and for the chain of sealed records (`node.statesync`).
2. *Has the ledger gone wrong since?* Every event names the last round that its creator had decided, and the digest of
   its ledger after that round. `consensus.comparison` weighs these digests round by round.

**What does it do?** In doubt it is silent: it keeps ordering, as the order needs no ledger, but puts nothing forward;
it does not vote, claim or work. `dissent` says why in one line, and is empty if nothing is the matter. Then it computes
again from what is on its disk (`recomputation`), once for each finding, since the same computation of the same data
fails in the same way. If the ledger of the open epoch comes out otherwise, the node goes on with that. If the epoch
before now closes with another record, one that a peer has as well, the node goes on with that. For a sealed record it
leaves its own, whatever it computes itself.

**Why is that safe?** Two thresholds matter. Members of more than *half* of the weight silence a node: liars of less
than a third can neither silence an honest node alone nor keep the majority from the right digest, and a silent node
harms nobody. Only the seals of more than *2/3* of the roster that decided are proof, and make a node leave a record to
which its own computation leads again. No peer's word does.

The record machine
------------------
UNDISPUTED      Nothing speaks against the record. This is the initial state.
AHEAD           Most members have not closed the epoch before. They may need some seconds for it.
EARLY           They had these seconds: this node has closed the epoch too early. It waits for their record.
OUTVOTED        Members of more than half of the weight opened this epoch with another record.
RECORDS_SPLIT   No record of this epoch can have more than half of the weight any more.
REFUTED         The sealed record of this epoch, or of an earlier one, is not the one here. This is proof.

What peers say leads to the state that it speaks of, whatever they said before; AHEAD becomes EARLY when they have been
behind for `EARLY_S` without a pause. A round decided in this epoch ends such doubts: members of more than 2/3 of the
weight are in it. Proof is not weighed against words, so only a jump to another epoch leads out of REFUTED. The node is
silent in the last four states. In EARLY, OUTVOTED and RECORDS_SPLIT it computes the epoch before again.

The ledger machine
------------------
UNCOMPARED      Too few digests are known. This is the initial state, and the one after a jump.
AGREES          Our digest has the majority.
DIFFERS         Another digest has the majority: this epoch is to be computed again.
DIFFERS_STILL   The same, after it was computed again: program or store are at fault. Silent until the epoch closes.
DIGESTS_SPLIT   No digest can have the majority any more.

The digests alone lead to a state, whatever the one before was; all that is remembered is the round since which the
ledger differed when it was computed again. If it differs since that round, it is not computed once more. The node is
silent in the last three states. If both machines give a reason for it, `dissent` is that of the record machine.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import structlog

from consensus.comparison import Comparison, LedgerVerdict
from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.replica import Replica, RoundEffects
from consensus.roster import Roster
from node.member.record_comparison import (
    PeerRecords,
    RecordVerdict,
    compare_with_peers,
    describe_refutation,
    record_differences,
)

EARLY_S = 10.0
"""Seconds that the others may need to close an epoch that is closed here."""

_MAX_LISTED = 8  # entries of a ledger in a line of the log
_EPOCH_ENTRY = "epoch open"  # it differs wherever records do, so it says nothing

_log = structlog.get_logger(__name__)


class State(Enum):
    """The states of both machines; the module says what they mean."""

    UNDISPUTED = auto()
    AHEAD = auto()
    EARLY = auto()
    OUTVOTED = auto()
    RECORDS_SPLIT = auto()
    REFUTED = auto()

    UNCOMPARED = auto()
    AGREES = auto()
    DIFFERS = auto()
    DIFFERS_STILL = auto()
    DIGESTS_SPLIT = auto()


class Observation(Enum):
    """What leads from state to state."""

    ROUND_DECIDED = auto()
    PEERS_AGREE = auto()
    PEERS_OUTVOTE = auto()
    PEERS_SPLIT = auto()
    PEERS_BEHIND = auto()
    PEERS_STILL_BEHIND = auto()  # for `EARLY_S`
    REFUTATION = auto()

    DIGESTS_OPEN = auto()
    DIGESTS_AGREE = auto()
    DIGESTS_OUTVOTE = auto()
    DIGESTS_STILL_OUTVOTE = auto()  # since the same round as before the epoch was computed again
    DIGESTS_SPLIT = auto()

    JUMPED = auto()  # both machines observe it


_RECORD = {
    Observation.ROUND_DECIDED: State.UNDISPUTED,
    Observation.PEERS_AGREE: State.UNDISPUTED,
    Observation.PEERS_OUTVOTE: State.OUTVOTED,
    Observation.PEERS_SPLIT: State.RECORDS_SPLIT,
    Observation.REFUTATION: State.REFUTED,
    Observation.JUMPED: State.UNDISPUTED,
}
_LEDGER = {
    Observation.DIGESTS_OPEN: State.UNCOMPARED,
    Observation.DIGESTS_AGREE: State.AGREES,
    Observation.DIGESTS_OUTVOTE: State.DIFFERS,
    Observation.DIGESTS_STILL_OUTVOTE: State.DIFFERS_STILL,
    Observation.DIGESTS_SPLIT: State.DIGESTS_SPLIT,
    Observation.JUMPED: State.UNCOMPARED,
}
TRANSITIONS: Mapping[State, Mapping[Observation, State]] = {
    State.UNDISPUTED: _RECORD | {Observation.PEERS_BEHIND: State.AHEAD},
    State.AHEAD: _RECORD | {Observation.PEERS_BEHIND: State.AHEAD, Observation.PEERS_STILL_BEHIND: State.EARLY},
    State.EARLY: _RECORD | {Observation.PEERS_STILL_BEHIND: State.EARLY},
    State.OUTVOTED: _RECORD | {Observation.PEERS_BEHIND: State.AHEAD},
    State.RECORDS_SPLIT: _RECORD | {Observation.PEERS_BEHIND: State.AHEAD},
    State.REFUTED: {
        Observation.ROUND_DECIDED: State.REFUTED,
        Observation.PEERS_AGREE: State.REFUTED,
        Observation.PEERS_OUTVOTE: State.REFUTED,
        Observation.PEERS_SPLIT: State.REFUTED,
        Observation.PEERS_BEHIND: State.REFUTED,
        Observation.REFUTATION: State.REFUTED,
        Observation.JUMPED: State.UNDISPUTED,
    },
    State.UNCOMPARED: _LEDGER,
    State.AGREES: _LEDGER,
    State.DIFFERS: _LEDGER,
    State.DIFFERS_STILL: _LEDGER,
    State.DIGESTS_SPLIT: _LEDGER,
}
"""What follows from a state and an observation. A pair that is not here is impossible."""

DOUBTED = frozenset({State.EARLY, State.OUTVOTED, State.RECORDS_SPLIT})
"""States of a record against which peers speak without proof."""


def next_state(state: State, observation: Observation) -> State:
    """Return the state that follows. Raise RuntimeError if the table has no such pair."""
    if observation not in TRANSITIONS[state]:
        raise RuntimeError(f"{observation.name} cannot be observed in {state.name}")
    return TRANSITIONS[state][observation]


@dataclass(frozen=True)
class WrongClose:
    """A close that came out otherwise here than for the others, to be computed again."""

    opened: int  # the number of the epoch that the close opened for the others
    epoch: bytes  # the digest of the epoch in which this node was instead
    digests: Comparison  # with the own ones of that time


class Divergence:
    """Both machines, and what they have observed. `dissent` says in one line why this node is silent, if it is."""

    def __init__(self, own: MemberId) -> None:
        self._own = own
        self.digests = Comparison(own)
        self.dissent = ""
        self.record_state = State.UNDISPUTED
        self._record_reason = ""  # for the silence in this state
        self._behind_since = math.inf  # seconds of trio's clock: since when most members have been behind
        self.ledger_state = State.UNCOMPARED
        self.verdict = LedgerVerdict("open")
        self._recomputed_since = 0  # the round since which the ledger differed when it was last computed again
        self._wrong_close: WrongClose | None = None

    # The ledger.

    def observe_events(self, events: Iterable[Event]) -> None:
        """Take in the digests that attached events name."""
        for event in events:
            self.digests.observe_event(event)

    def observe_round(self, decided: RoundEffects) -> None:
        """Take in the own digest after a decided round."""
        self.digests.observe_round(decided.round.number, decided.digest)
        self._move_record(Observation.ROUND_DECIDED)

    def update(self, roster: Roster) -> None:
        """Weigh all digests anew, and log if the dissent begins or ends."""
        self.verdict = self.digests.verdict(roster)
        self._move_ledger(self._digests_say())
        before, self.dissent = self.dissent, self._record_reason or _describe(self.verdict, roster)
        if self.dissent and not before:
            _log.error("the ledgers differ", round=self.verdict.since_round, reason=self.dissent)
        elif before and not self.dissent:
            _log.info("the ledgers agree", round=self.verdict.round)

    def _digests_say(self) -> Observation:
        match self.verdict.agreement:
            case "open":
                return Observation.DIGESTS_OPEN
            case "agree":
                return Observation.DIGESTS_AGREE
            case "none":
                return Observation.DIGESTS_SPLIT
        if self.verdict.since_round == self._recomputed_since:
            return Observation.DIGESTS_STILL_OUTVOTE
        return Observation.DIGESTS_OUTVOTE

    def wants_recomputation(self) -> bool:
        """Return whether the ledger of this epoch differs and is to be computed again."""
        return self.ledger_state is State.DIFFERS and self.record_state is not State.REFUTED

    def observe_recomputation(self, replica: Replica, rounds: Sequence[RoundEffects]) -> None:
        """Take in that this epoch was computed again: its rounds, and the replica after them."""
        self._recomputed_since = self.verdict.since_round
        self.digests = Comparison(self._own)
        for decided in rounds:
            self.observe_round(decided)
        self.observe_events(replica.dag.events)
        self.update(replica.roster)

    def _move_ledger(self, observation: Observation) -> None:
        self.ledger_state = next_state(self.ledger_state, observation)

    # The record that opened the epoch.

    def observe_peers(self, own: EpochRecord | None, said: PeerRecords, roster: Roster, now: float) -> None:
        """Take in what peers say opened their epochs, while the sealed chain does not tell yet."""
        if own is None:  # the first epoch: the genesis opened it
            return
        verdict = compare_with_peers(self._own, own, said, roster)
        self._move_record(self._peers_say(verdict, now), verdict.reason)
        if self.record_state is State.AHEAD:
            self._behind_since = min(self._behind_since, now)
        self.update(roster)

    def _peers_say(self, verdict: RecordVerdict, now: float) -> Observation:
        match verdict.verdict:
            case "agree":
                return Observation.PEERS_AGREE
            case "minority":
                return Observation.PEERS_OUTVOTE
            case "none":
                return Observation.PEERS_SPLIT
        return Observation.PEERS_STILL_BEHIND if now >= self._behind_since + EARLY_S else Observation.PEERS_BEHIND

    def observe_refutation(self, own: EpochRecord, sealed: SealedRecord) -> None:
        """Take in that the own record of an epoch is not the sealed one."""
        if self.record_state is not State.REFUTED:
            record, differences = sealed.record, record_differences(own, sealed.record)
            shown = "; ".join(f"{name} {here}, sealed {there}" for name, (here, there) in differences.items())
            _log.error("the record of an epoch is wrong", epoch=record.number, round=record.round, fields=shown)
            self.digests.observe_round(own.round, own.ledger)  # after a start this was not observed
        self._move_record(Observation.REFUTATION, describe_refutation(own, sealed))
        self.dissent = self._record_reason

    def observe_jump(self, record: EpochRecord, ledger: Ledger, left: Replica) -> None:
        """Take in that the node leaves the replica `left` for the epoch of `record`, with a `ledger` to be believed."""
        missed_close = left.epoch_number < record.number and left.ledger.round >= record.round
        refuted = self.record_state is State.REFUTED
        if refuted or (self.record_state in DOUBTED and left.epoch_number == record.number):
            entries = ledger.differences(left.ledger) if left.epoch_number == record.number else []
            entries = [entry for entry in entries if entry != _EPOCH_ENTRY]
            _log.error("the right record took its place", epoch=record.number, entries=format_entries(entries))
        elif missed_close:
            _log.error("the epoch before had not closed here", epoch=record.number, round=record.round)
        if refuted or missed_close:
            opened = left.epoch_number + 1 if missed_close else left.epoch_number
            self._wrong_close = WrongClose(opened, left.epoch_digest, self.digests)
        self._move_record(Observation.JUMPED)
        self._move_ledger(Observation.JUMPED)
        self.digests, self.verdict, self.dissent = Comparison(self._own), LedgerVerdict("open"), ""
        self.digests.observe_round(record.round, record.ledger)

    def pop_wrong_close(self) -> WrongClose | None:
        """Return the close that is to be computed again after a jump, once; None if there is none."""
        wrong, self._wrong_close = self._wrong_close, None
        return wrong

    def _move_record(self, observation: Observation, reason: str = "") -> None:
        """Go on to the next state; `reason` is why the node is silent in it. In REFUTED the first one stays."""
        before, self.record_state = self.record_state, next_state(self.record_state, observation)
        if self.record_state is State.REFUTED:
            self._record_reason = self._record_reason if before is State.REFUTED else reason
        else:
            self._record_reason = reason if self.record_state in DOUBTED else ""
        if self.record_state not in (State.AHEAD, State.EARLY):
            self._behind_since = math.inf


def format_entries(entries: Sequence[str]) -> str:
    """Return the first entries of a ledger in one line."""
    return ", ".join([*entries[:_MAX_LISTED], *(["..."] if len(entries) > _MAX_LISTED else [])])


def _describe(verdict: LedgerVerdict, roster: Roster) -> str:
    """Return why the digests silence the node, in one line; empty if they do not."""
    if verdict.agreement == "minority":
        return (
            f"members of weight {verdict.against} of {roster.total_weight} have another ledger "
            f"since round {verdict.since_round}; this node does not vote or work"
        )
    if verdict.agreement == "none":
        return f"no ledger has the majority of the weight since round {verdict.since_round}; nobody votes or works"
    return ""
