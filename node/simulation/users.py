"""The people and workers at a simulated node: they put forward what the ledger asks for, and nonsense."""

import hashlib
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import trio

from consensus.epoch import stays_sealable
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger import transactions as t
from consensus.ledger.changes import Change
from consensus.ledger.entities import Claim
from consensus.ledger.priorities import due_seals, due_votes, next_work, training_shards
from consensus.roster import Roster, RosterError
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TrainingSettings
from consensus.statement import pae
from node.pending import BacklogError
from node.simulation.swarm import SimulatedNode

SETTINGS = Settings(
    selfplay=SelfplaySettings(games=8, ceiling=16),
    training=TrainingSettings(games=8),
    match=MatchSettings(
        slot_blocks=4, block_limit=8, p1=Fraction(3, 4), alpha=Fraction(9, 20), beta=Fraction(9, 20)
    ),
)
"""Everything small, so that a short run has promotions."""

_ROLES = ("match", "selfplay", "train")
_STRENGTH = 0.9  # the chance that a candidate wins a game
_NOMINATES = 0.3  # the chance that a model is put forward without a claim, when none is
_PROPOSES = 0.02  # the chance that a user wants another roster when asked
_APPROVES = 0.9
_AGAIN_S = 6.0  # before what was asked for and not granted is asked for again


@dataclass(frozen=True)
class _Novelty(t.Transaction):
    """Of a type that a later version may know."""

    TYPE = "novelty"
    text: str


class User:
    """Follows one node's ledger, whatever becomes of the node. All its work is done at once, and made up."""

    def __init__(self, node: SimulatedNode, seed: int, liars: Collection[MemberId] = ()) -> None:
        """`liars` are known here, and only here: so that no proposal gives them a third of the weight."""
        self._node = node
        self._liars = liars
        self._random = random.Random(f"user {seed} {node.number}")
        self._number = 0
        self._asked: dict[object, float] = {}

    async def run(self, until: float) -> None:
        """Puts transactions forward every few seconds until then."""
        while trio.current_time() < until:
            await trio.sleep(self._random.expovariate(2.0))
            member = self._node.member
            if member is None:
                continue
            try:
                for group in (self._nonsense(), self._wishes(member.replica.ledger)):
                    member.submit([transaction.as_table() for transaction in group])
            except BacklogError:
                continue

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _once(self, what: object) -> bool:
        """Whether it is time to ask for this, perhaps again."""
        now = trio.current_time()
        if now < self._asked.get(what, 0.0):
            return False
        self._asked[what] = now + _AGAIN_S
        return True

    def _wishes(self, ledger: Ledger) -> list[t.Transaction]:
        me, key = self._node.identity.id, self._node.identity.key
        wishes: list[t.Transaction] = [
            t.Seal(self._next(), promotion.digest, key.sign(pae(promotion.statement)))
            for promotion in due_seals(ledger, me) if self._once(promotion.digest)
        ]
        for open_ in due_votes(ledger, me):
            if open_.ripe is not None and self._once(open_.id):
                wishes.append(t.Vote(self._next(), open_.id, True, open_.ripe.results, "replayed"))
        if not ledger.candidates() and self._random.random() < _NOMINATES and self._once("nominate"):
            name = hashlib.sha256(f"{self._node.number} {self._number}".encode()).digest()
            wishes.append(self._candidate(ledger, None, "hex8-2", "simulated", name))
        wishes += self._council(ledger)
        mine = ledger.claims_of(me)
        wishes += [self._finished(ledger, claim) for claim in mine if self._once(("claim", claim.id))]
        work = None if mine or not self._once("work") else next_work(ledger, me, _ROLES)
        return wishes if work is None else [*wishes, work.claim(self._next())]

    def _finished(self, ledger: Ledger, claim: Claim) -> t.Transaction:
        number, name = self._next(), hashlib.sha256(f"{self._node.number} {claim.id}".encode()).digest()
        if claim.kind == "selfplay":
            shard = (claim.model, name, 1000, claim.amount, claim.amount * 80, name)
            return t.Games(number, claim.id, claim.configuration, *shard)
        if claim.kind == "train":
            return self._candidate(ledger, claim.id, claim.configuration, claim.family, name)
        size = SETTINGS.match.slot_blocks
        first = (claim.slot or 0) * size
        scores = tuple((block, self._score()) for block in range(first, first + size))
        return t.Result(number, claim.id, scores, name, name, 1000, 2 * size)

    def _score(self) -> int:
        """Of a candidate in a block of two games."""
        return sum(2 * (self._random.random() < _STRENGTH) for _ in range(2))

    def _council(self, ledger: Ledger) -> list[t.Transaction]:
        """Ballots, and now and then a proposal to change the roster."""
        me = self._node.identity.id
        ballots: list[t.Transaction] = [
            t.Ballot(self._next(), proposal.id, self._random.random() < _APPROVES)
            for proposal in ledger.proposals()
            if all(voice.author != me for voice in proposal.voices) and self._once(proposal.id)
        ]
        if ledger.proposals() or me not in ledger.roster or self._random.random() > _PROPOSES:
            return ballots
        change = self._change(ledger.roster)
        return ballots if change is None else [*ballots, t.Propose(self._next(), change, "for a change")]

    def _change(self, roster: Roster) -> Change | None:
        """Something that the rules allow and that leaves the liars below 1/3 of the weight."""
        member = self._random.choice(roster.ids)
        if member in self._liars and self._random.random() < 0.5:
            change = Change("leave", member)
        else:
            change = Change("weight", member, weight=self._random.randint(1, 3))
        try:
            new = change.applied(roster)
        except RosterError:
            return None
        bearable = 3 * new.weight(self._liars) < new.total_weight
        return change if bearable and stays_sealable(roster, new) else None

    def _candidate(
        self, ledger: Ledger, claim: int | None, configuration: str, family: str, name: bytes
    ) -> t.Candidate:
        files = {"weights.safetensors": name}
        parent = ledger.configuration(configuration).model.digest
        shards = () if claim is None else training_shards(ledger, configuration)
        about = (t.model_digest(files, family, parent), files, family, parent, parent)
        named = tuple(shard.digest for shard in shards)
        return t.Candidate(self._next(), claim, configuration, *about, named, {})

    def _nonsense(self) -> Sequence[t.Transaction]:
        """Something that the ledger takes, rejects or ignores."""
        number = self._next()
        return self._random.choice((
            *([],) * 6,
            [t.Profile(number, ("selfplay",), "simulated", bytes(32), {"games": number}, 0, 0)],
            [t.SelfplayClaim(number, "hex8-2", self._random.randrange(1, 64))],
            [t.SelfplayClaim(number, "unknown", -1)],
            [_Novelty(number, "x" * self._random.randrange(99))],
        ))
