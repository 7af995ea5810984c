"""The ledger: applies decided rounds in order, and shows what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.ledger import candidates, claims, games, matches, promotion, results, seeds, votes
from consensus.ledger.effects import Effect
from consensus.ledger.entities import (
    Candidacy,
    Claim,
    Closed,
    Configuration,
    Place,
    Promotion,
    Shard,
)
from consensus.ledger.fields import MalformedError
from consensus.ledger.parsing import parse
from consensus.ledger.scores import Standing, standing
from consensus.ledger.state import MemberProfile, RefusedError, State
from consensus.ledger.transactions import (
    Candidate,
    Games,
    MatchClaim,
    Profile,
    Progress,
    Release,
    Result,
    Seal,
    SelfplayClaim,
    TrainClaim,
    Transaction,
    Vote,
)
from consensus.ordered import DecidedRound, Ordered

TYPE_SHOWN = 64  # characters of a refused transaction's type


class Ledger:
    """The state machine of a swarm. Same rounds in, same effects and digests out, on every node.

    Everything it shows is frozen: what was read before a round stays what it was.
    """

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self._state = State(genesis)
        self._digest = self._state.digest()

    def apply_round(self, decided: DecidedRound) -> tuple[Effect, ...]:
        """Applies the next decided round; ValueError if it is not later than the last."""
        state = self._state
        if decided.number <= state.round:
            raise ValueError(f"round {decided.number} after round {state.round}: rounds are applied in order")
        state.effects = []
        state.round = decided.number
        if decided.judges:
            seeds.fix(state, decided)
        for ordered in decided.events:
            self._apply_event(ordered)
        self._digest = state.digest()
        return tuple(state.effects)

    def digest(self) -> bytes:
        """SHA-256 over the whole state after the last round."""
        return self._digest

    def _apply_event(self, ordered: Ordered) -> None:
        state, event = self._state, ordered.event
        if state.index >= 0:
            gap = state.settings.timing.gap_s * 10**9
            state.clock += min(max(ordered.time - state.time, 0), gap)
        state.time, state.index = ordered.time, ordered.index
        place = Place(state.round, ordered.time, ordered.index, event.hash, state.clock)
        claims.expire(state, place)
        candidates.expire(state, place)
        for table in event.transactions:
            self._apply_transaction(place, event.creator, table)

    def _apply_transaction(self, place: Place, author: MemberId, table: Mapping[str, object]) -> None:
        state = self._state
        kind, number = table.get("type"), table.get("id")
        try:
            self._act(place, author, table)
        except RefusedError as refused:
            state.refused[refused.reason] = state.refused.get(refused.reason, 0) + 1
            state.emit(
                "rejected",
                place,
                author,
                type=kind[:TYPE_SHOWN] if isinstance(kind, str) else None,
                id=number if type(number) is int else None,
                reason=refused.reason,
                detail=refused.detail,
            )

    def _act(self, place: Place, author: MemberId, table: Mapping[str, object]) -> None:
        """Parses and handles one transaction. Its id is used up when it is first ordered, granted or not."""
        state = self._state
        if author not in state.used:
            raise RefusedError("not a member")
        number = table.get("id")
        if type(number) is not int or number < 0:
            raise RefusedError("malformed", "field id must be a whole number")
        if not state.used[author].use(number):
            raise RefusedError("id was used before")
        try:
            transaction = parse(table)
        except MalformedError as error:
            raise RefusedError("malformed", str(error)) from None
        if transaction is not None:
            self._handle(place, author, transaction)
            state.accepted[transaction.TYPE] = state.accepted.get(transaction.TYPE, 0) + 1

    def _handle(self, place: Place, author: MemberId, transaction: Transaction) -> None:
        state = self._state
        match transaction:
            case SelfplayClaim():
                claims.claim_selfplay(state, place, author, transaction)
            case TrainClaim():
                claims.claim_train(state, place, author, transaction)
            case MatchClaim():
                claims.claim_match(state, place, author, transaction)
            case Progress():
                claims.progress(state, place, author, transaction)
            case Release():
                claims.release(state, place, author, transaction)
            case Games():
                games.announce(state, place, author, transaction)
            case Candidate():
                candidates.nominate(state, place, author, transaction)
            case Result():
                results.report(state, place, author, transaction)
            case Vote():
                votes.cast(state, place, author, transaction, self._digest)
            case Seal():
                promotion.seal(state, place, author, transaction)
            case Profile():
                state.profiles[author] = MemberProfile.of(author, transaction, place)
                roles = " ".join(transaction.roles)
                state.emit("profile", place, author, roles=roles, device=transaction.device)

    # What it shows.

    @property
    def round(self) -> int:
        """The last round applied; 0 before the first."""
        return self._state.round

    @property
    def time(self) -> int:
        """Consensus time of the last ordered event, ns; 0 before the first."""
        return self._state.time

    @property
    def clock(self) -> int:
        """The clock that leases run on, ns: consensus time with every gap cut to `timing.gap_s`."""
        return self._state.clock

    @property
    def ordered(self) -> int:
        """How many events have been applied."""
        return self._state.index + 1

    @property
    def waiting(self) -> bool:
        """Whether a claim or a candidate waits for the beacon of a further decided round."""
        unlit = (claim.seed is None and claim.kind != "match" for claim in self._state.claims.values())
        return any(unlit) or any(entry.beacon is None for entry in self._state.candidates.values())

    def withheld(self) -> Mapping[MemberId, int]:
        """How often a member was a judge without the preimage that it owed; members that always had it are left out."""
        pledges = sorted(self._state.pledges.items())
        return {member: pledge.withheld for member, pledge in pledges if pledge.withheld}

    def configuration(self, name: str) -> Configuration:
        """The canonical model of a configuration and its counts; KeyError if the swarm does not play it."""
        return self._state.configurations[name]

    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations by name."""
        return tuple(entry for _, entry in sorted(self._state.configurations.items()))

    def profiles(self) -> Mapping[MemberId, MemberProfile]:
        """The latest profile of each member that has told one."""
        return dict(sorted(self._state.profiles.items()))

    def claim(self, author: MemberId, number: int) -> Claim | None:
        """The live claim of this author and transaction id."""
        return self._state.claims.get((author, number))

    def claims(self) -> tuple[Claim, ...]:
        """All live claims in the order in which they were granted."""
        return tuple(sorted(self._state.claims.values(), key=lambda claim: (claim.place.index, claim.key)))

    def claims_of(self, member: MemberId) -> tuple[Claim, ...]:
        """The live claims of one member, oldest first."""
        return tuple(claim for claim in self.claims() if claim.author == member)

    def candidate(self, name: bytes) -> Candidacy | None:
        """The open candidate of this id."""
        return self._state.candidates.get(name)

    def candidates(self) -> tuple[Candidacy, ...]:
        """Open candidates in the order in which they were nominated."""
        return tuple(sorted(self._state.candidates.values(), key=lambda entry: (entry.place.index, entry.id)))

    def standing(self, candidacy: Candidacy) -> Standing:
        """The score and the test of a match so far."""
        return standing(candidacy)

    def is_free(self, candidacy: Candidacy, slot: int) -> bool:
        """Whether nobody has played the slot or plays it."""
        return matches.is_free(self._state, candidacy, slot)

    def may_take(self, candidacy: Candidacy, slot: int, member: MemberId) -> bool:
        """Whether the rules of the match let the member hold this slot, free or not."""
        return matches.may_take(self._state, candidacy, slot, member)

    def closed(self) -> tuple[Closed, ...]:
        """Candidates that were not promoted, oldest first."""
        return tuple(self._state.closed)

    def promotions(self, configuration: str | None = None) -> tuple[Promotion, ...]:
        """Promotions, oldest first, of one configuration or of all."""
        return tuple(
            entry for entry in self._state.promotions if configuration in (None, entry.configuration)
        )

    def promotion(self, statement: bytes) -> Promotion | None:
        """The promotion whose statement has this digest."""
        number = self._state.by_statement.get(statement)
        return None if number is None else self._state.promotions[number]

    def shards(self, configuration: str) -> tuple[Shard, ...]:
        """The shards of a configuration, oldest first."""
        return tuple(self._state.shards[configuration])

    def accepted(self) -> Mapping[str, int]:
        """How many transactions took effect, by type."""
        return dict(sorted(self._state.accepted.items()))

    def rejected(self) -> Mapping[str, int]:
        """How many transactions were refused, by reason."""
        return dict(sorted(self._state.refused.items()))
