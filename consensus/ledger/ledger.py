"""The ledger: it applies decided rounds in order, and closes epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple, Self

from consensus.epoch import EpochRecord
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.ledger.records.effects import Effect
from consensus.ledger.records.entities import Place
from consensus.ledger.records.fields import LARGEST, MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.transactions import (
    STEERING_TYPES,
    Ballot,
    Candidate,
    Evidence,
    Finding,
    Games,
    Held,
    MatchClaim,
    Missing,
    Open,
    Profile,
    Progress,
    Propose,
    RateClaim,
    Release,
    Result,
    Seal,
    SelfplayClaim,
    ShardFinding,
    TrainClaim,
    Transaction,
    Vote,
)
from consensus.ledger.rules import (
    absences,
    candidates,
    claims,
    clock,
    custody,
    evidence,
    findings,
    games,
    membership,
    promotion,
    results,
    seeds,
    shards,
    turns,
    votes,
)
from consensus.ledger.state import pruning, snapshot
from consensus.ledger.state.state import MemberProfile, RefusedError, State, UsedIds
from consensus.ledger.steering.training_due import training_due
from consensus.ledger.views import Views
from consensus.ordered import DecidedRound, OrderedEvent

_TYPE_CHARACTERS = 64  # shown of a refused transaction's type


class Closing(NamedTuple):
    """The end of an epoch: the record that opens the next one, the ledger's snapshot for it, and the effects."""

    record: EpochRecord
    snapshot: bytes
    effects: tuple[Effect, ...]


class Ledger(Views):
    """The state machine of a swarm: the same rounds lead to the same effects and digests, on every node.

    Everything that it shows is frozen: what was read before a round does not change.
    """

    def __init__(self, state: State) -> None:
        """Begin with `state`, which nobody else may change any more; see `found` and `restore`."""
        super().__init__(state)
        self._digest: bytes | None = None  # of the state after the last round, once it was asked for
        self._digest_before = b""  # of the state before the present round, where something may come to need it

    @classmethod
    def found(cls, genesis: Genesis) -> Self:
        """Return the ledger of a swarm before its first round."""
        return cls(State(genesis))

    @classmethod
    def restore(cls, genesis: Genesis, record: EpochRecord, data: bytes) -> Self:
        """Return the ledger with which the epoch of `record` begins.

        Raise SnapshotError if `data` is not the snapshot that the record names.
        """
        return cls(snapshot.decode_snapshot(genesis, record, data))

    def apply_round(self, decided: DecidedRound) -> tuple[Effect, ...]:
        """Apply the next decided round.

        Raise ValueError if it is not later than the last, and OutdatedError if it decides something that this program
        does not know; the ledger is of no use then.
        """
        state = self._state
        if decided.number <= state.round:
            raise ValueError(f"round {decided.number} after round {state.round}: rounds are applied in order")
        self._remembered.clear()
        self._digest_before = self.digest() if self._may_promote(decided) else b""
        self._digest = None
        state.effects = []
        state.round = decided.number
        if decided.judges:
            seeds.fix_seeds(state, decided)
        for ordered in decided.events:
            self._apply_event(ordered)
        custody.settle(state, self._place())
        membership.suggest_absent_leave(state, self._place())
        return tuple(state.effects)

    def _may_promote(self, decided: DecidedRound) -> bool:
        """Return whether a vote may end in this round: the statement of a promotion has the digest before its round."""
        transactions = (table for ordered in decided.events for table in ordered.event.transactions)
        return self._state.epoch.needs_recount or any(table.get("type") == Vote.TYPE for table in transactions)

    def close(self, decided: DecidedRound) -> Closing:
        """End the epoch with its closing round, the one applied last.

        Raise ValueError if the epoch need not close (see `closing`), or if the round is another one.
        """
        state, before = self._state, self._state.epoch
        reason = self.closing
        if reason is None or decided.number != state.round:
            raise ValueError(f"the epoch does not close with round {decided.number}")
        self._remembered.clear()
        digest, self._digest = self.digest(), None
        state.effects = []
        membership.begin_next_epoch(state, self._place())
        pruning.prune(state)
        turns.prune(state)
        data = snapshot.encode_snapshot(state)
        record = EpochRecord(
            genesis=state.genesis.digest,
            number=before.number + 1,
            previous=before.digest,
            old=before.roster.digest,
            roster=state.roster,
            roster_version=state.epoch.version,
            ledger=digest,
            snapshot=hashlib.sha256(data).digest(),
            round=state.round,
            ordered=state.index + 1,
            time=state.time,
            judges=tuple(judge.hash for judge in decided.judges),
        )
        state.epoch.set_record(record)
        self._emit_epoch(record, reason)
        return Closing(record, data, tuple(state.effects))

    def _emit_epoch(self, record: EpochRecord, reason: str) -> None:
        """Emit the effect that the next epoch begins."""
        self._state.emit(
            "epoch",
            self._place(),
            None,
            epoch=record.number,
            record=record.digest,
            reason=reason,
            members=len(record.roster),
            weight=record.roster.total_weight,
            version=record.roster_version,
            ordered=record.ordered,
        )

    def _place(self) -> Place:
        """Return the present place, for what no event has caused."""
        state = self._state
        return Place(state.round, state.time, state.index, bytes(32), state.clock)

    def digest(self) -> bytes:
        """Return the SHA-256 over the whole state after the last round; it is computed when it is first asked for."""
        if self._digest is None:
            self._digest = self._state.digest()
        return self._digest

    def _apply_event(self, ordered: OrderedEvent) -> None:
        state, event = self._state, ordered.event
        clock.advance(state, ordered)
        state.time, state.index = ordered.time, ordered.index
        state.epoch.size += len(event.header) + len(event.payload)
        place = Place(state.round, ordered.time, ordered.index, event.hash, state.clock)
        if event.creator in state.last_event_clocks:
            state.last_event_clocks[event.creator] = state.clock
        if state.epoch.needs_recount:
            self._recount(place)
        claims.expire(state, place)
        candidates.expire(state, place)
        findings.expire(state, place)
        shards.expire(state, place)
        membership.expire(state, place)
        for table in event.transactions:
            self._apply_transaction(place, event.creator, table)

    def _recount(self, place: Place) -> None:
        """Count all open votes by the new weights, and end those that they decide."""
        state = self._state
        state.epoch.needs_recount = False
        for _, case in sorted(state.cases.items()):
            findings.settle(state, place, case)
        for _, doubt in sorted(state.shard_cases.items()):
            shards.settle(state, place, doubt)
        absences.settle_all(state, place)
        for candidate in sorted(state.candidates):
            candidacy = state.candidates.get(candidate)  # a promotion drops other candidates
            if candidacy is not None and candidacy.ripe is not None:
                votes.settle(state, place, candidacy, self._digest_before)
        for _, proposal in sorted(state.proposals.items()):
            membership.settle(state, place, proposal)

    def _apply_transaction(self, place: Place, author: MemberId, table: Mapping[str, object]) -> None:
        state = self._state
        kind, number = table.get("type"), table.get("id")
        try:
            self._check_and_apply(place, author, table)
        except RefusedError as refused:
            state.refused[refused.reason] = state.refused.get(refused.reason, 0) + 1
            state.emit(
                "rejected",
                place,
                author,
                type=kind[:_TYPE_CHARACTERS] if isinstance(kind, str) else None,
                id=number if type(number) is int else None,
                reason=refused.reason,
                detail=refused.detail,
            )

    def _check_and_apply(self, place: Place, author: MemberId, table: Mapping[str, object]) -> None:
        """Check and apply one transaction. Raise RefusedError if a rule does not allow it.

        Its id is used up when it is first ordered, whether it takes effect or not.
        """
        state = self._state
        if author not in state.roster:
            raise RefusedError("not a member")
        number = table.get("id")
        if type(number) is not int or not 0 <= number < LARGEST:  # the floor of used ids can be one above the highest
            raise RefusedError("malformed", "field id must be a whole number below 2^63 - 1")
        kind = table.get("type")
        if kind != Open.TYPE and state.is_silenced(author):
            raise RefusedError("author is a proven equivocator")
        if kind != Open.TYPE and author in state.epoch.leaving:
            raise RefusedError("author is leaving")
        takes_id = kind not in (Open.TYPE, Evidence.TYPE)  # their content makes them act once
        if takes_id and not state.used.setdefault(author, UsedIds()).use(number):
            raise RefusedError("id was used before")
        if kind in STEERING_TYPES and not state.settings.steering.rules:
            return
        try:
            settings = state.settings
            transaction = parse_transaction(table, settings.steering.rules, settings.membership.names)
        except MalformedError as error:
            raise RefusedError("malformed", str(error)) from None
        if transaction is not None:
            self._dispatch(place, author, transaction)
            state.accepted[transaction.TYPE] = state.accepted.get(transaction.TYPE, 0) + 1

    def _dispatch(self, place: Place, author: MemberId, transaction: Transaction) -> None:
        state = self._state
        match transaction:
            case SelfplayClaim():
                claims.apply_selfplay_claim(state, place, author, transaction)
            case TrainClaim():
                claims.apply_train_claim(state, place, author, transaction, self._is_training_due)
            case MatchClaim():
                claims.apply_match_claim(state, place, author, transaction)
            case RateClaim():
                claims.apply_rate_claim(state, place, author, transaction)
            case Progress():
                claims.apply_progress(state, place, author, transaction)
            case Release():
                claims.apply_release(state, place, author, transaction)
            case Games():
                games.apply_games(state, place, author, transaction)
            case Candidate():
                candidates.apply_candidate(state, place, author, transaction)
            case Result():
                results.apply_result(state, place, author, transaction)
            case Vote():
                votes.apply_vote(state, place, author, transaction, self._digest_before)
            case Finding():
                findings.apply_finding(state, place, author, transaction)
            case ShardFinding():
                shards.apply_shard_finding(state, place, author, transaction)
            case Held():
                custody.apply_held(state, place, author, transaction)
            case Missing():
                absences.apply_missing(state, place, author, transaction)
            case Seal():
                promotion.apply_seal(state, place, author, transaction)
            case Propose():
                membership.apply_propose(state, place, author, transaction)
            case Ballot():
                membership.apply_ballot(state, place, author, transaction)
            case Evidence():
                evidence.apply_evidence(state, place, author, transaction)
            case Open():
                membership.apply_open(state, place, author, transaction)
            case Profile():
                custody.check_profile(state, transaction)
                state.profiles[author] = MemberProfile.of(author, transaction, place)
                roles = " ".join(transaction.roles)
                state.emit("profile", place, author, roles=roles, device=transaction.device)

    def _is_training_due(self, configuration: str) -> bool:
        """Return whether a configuration has games enough for the next training, in the middle of a round.

        What is remembered of the ledger does not outlive that: other transactions change it.
        """
        self._remembered.clear()
        is_due = training_due(self, self.configuration(configuration)).is_due
        self._remembered.clear()
        return is_due
