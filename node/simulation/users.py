"""The people and workers at a simulated node: they put forward what the ledger asks for, and nonsense."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import trio

from consensus.ledger import Ledger
from consensus.ledger.priorities import due_findings, due_seals, due_votes, next_work, training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.changes import Change
from consensus.ledger.records.entities import Candidacy, Claim, SlotResult
from consensus.roster import Roster
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TimingSettings, TrainingSettings
from consensus.statement import pae
from node.member.transaction_pool import BacklogError
from node.simulation.agenda import Agenda
from node.simulation.machine import SimulatedNode

SETTINGS = Settings(
    configurations=("hex8-2", "square8-2"),
    selfplay=SelfplaySettings(games=8, ceiling=16),
    training=TrainingSettings(games=8),
    match=MatchSettings(slot_blocks=2, block_limit=4, p1=Fraction(3, 4), alpha=Fraction(9, 20), beta=Fraction(9, 20)),
    timing=TimingSettings(lease_s=15, idle_s=30, vote_s=60),
)
"""Everything small, so that a short run has promotions."""

_ROLES = ("match", "selfplay", "train")
_STRENGTH = 0.9  # the chance that a candidate wins a game
_CHEATS = 0.3  # the chance that a liar reports games that do not replay
_NOMINATES = 0.1  # the chance that a model is put forward without a claim, when none is
_PROPOSES = 0.02  # the chance that a user wants another roster when asked
_APPROVES = 0.9
_BRINGS = 0.3  # the chance that a user proposes what is wanted when asked
_LOOKS_A_S = 4.0
_WORKS_S = 1.0  # from one claim to the next
_AGAIN_S = 6.0  # before what was asked for and not granted is asked for again


def _is_wrong(result: SlotResult) -> bool:
    """Whether the made-up games do not replay."""
    return result.root != result.blob


def _wrong_slots(candidacy: Candidacy) -> list[int]:
    results = ((number, slot.result) for number, slot in enumerate(candidacy.slots))
    return [number for number, result in results if result is not None and _is_wrong(result)]


@dataclass(frozen=True)
class _Novelty(t.Transaction):
    """Of a type that a later version may know."""

    TYPE = "novelty"
    text: str


class User:
    """Follows one node's ledger, whatever becomes of the node. All its work is done at once, and made up."""

    def __init__(self, node: SimulatedNode, seed: int, agenda: Agenda | None = None) -> None:
        """Without an agenda it proposes no changes, and votes on those of others."""
        self._node = node
        self._agenda = agenda
        self._random = random.Random(f"user {seed} {node.number}")
        self._number = 0
        self._asked: dict[object, float] = {}

    async def run(self, until: float) -> None:
        """Puts transactions forward every few seconds until then."""
        while trio.current_time() < until:
            await trio.sleep(self._random.expovariate(_LOOKS_A_S))
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

    def _once(self, what: object, again: float = _AGAIN_S) -> bool:
        """Whether it is time to ask for this, perhaps again."""
        now = trio.current_time()
        if now < self._asked.get(what, 0.0):
            return False
        self._asked[what] = now + again
        return True

    def _wishes(self, ledger: Ledger) -> list[t.Transaction]:
        me, key = self._node.identity.id, self._node.identity.key
        wishes: list[t.Transaction] = [
            t.Seal(self._next(), promotion.digest, key.sign(pae(promotion.statement)))
            for promotion in due_seals(ledger, me)
            if self._once(promotion.digest)
        ]
        for open_ in due_votes(ledger, me):
            if open_.ripe is not None and self._once(open_.id):
                fine = not self._node.honest or not _wrong_slots(open_)
                wishes.append(t.Vote(self._next(), open_.id, fine, open_.ripe.results, "replayed"))
        wishes += self._findings(ledger)
        contested = [candidacy.configuration for candidacy in ledger.candidates()]
        for name in (entry.name for entry in ledger.configurations() if entry.name not in contested):
            if self._random.random() < _NOMINATES and self._once(("nominate", name)):
                digest = hashlib.sha256(f"{self._node.number} {self._number}".encode()).digest()
                wishes.append(self._candidate(ledger, None, name, "simulated", digest))
        wishes += self._council(ledger)
        mine = ledger.claims_of(me)
        begun = [claim for claim in mine if not claim.waits]
        wishes += [self._finished(ledger, claim) for claim in begun if self._once(("claim", claim.id))]
        roles = ("match",) if mine else _ROLES  # what a match waits for goes before all else
        work = next_work(ledger, me, roles) if self._once("work", _WORKS_S) else None
        return wishes if work is None else [*wishes, work.claim(self._next())]

    def _findings(self, ledger: Ledger) -> list[t.Transaction]:
        """What a replay of reported slots shows; of liars nothing, they have ways of their own."""
        me = self._node.identity.id
        if not self._node.honest:
            return []
        found: list[t.Transaction] = [
            t.Finding(
                self._next(),
                candidate=case.report.candidate,
                slot=case.report.slot,
                result=case.id,
                wrong=_is_wrong(case.report.result),
                reason="seen",
            )
            for case in due_findings(ledger, me)
            if self._once(case.id)
        ]
        for candidacy in ledger.candidates():
            for slot in _wrong_slots(candidacy):
                report = report_of(candidacy, slot)
                if report is not None and ledger.case(report.digest) is None and self._once(("wrong", report.digest)):
                    found.append(
                        t.Finding(
                            self._next(),
                            candidate=candidacy.id,
                            slot=slot,
                            result=report.digest,
                            wrong=True,
                            reason="seen",
                        )
                    )
        return found

    def _finished(self, ledger: Ledger, claim: Claim) -> t.Transaction:
        number, name = self._next(), hashlib.sha256(f"{self._node.number} {claim.id}".encode()).digest()
        if claim.kind == "selfplay":
            return t.Games(
                number, claim=claim.id, configuration=claim.configuration, model=claim.model, shard=name,
                size=1000, games=claim.amount, plies=claim.amount * 80, root=name,
            )  # fmt: skip
        if claim.kind == "train":
            return self._candidate(ledger, claim.id, claim.configuration, claim.family, name)
        size = SETTINGS.match.slot_blocks
        first = (claim.slot or 0) * size
        scores = tuple((block, self._score()) for block in range(first, first + size))
        root = bytes(32) if not self._node.honest and self._random.random() < _CHEATS else name
        return t.Result(number, claim=claim.id, scores=scores, root=root, blob=name, size=1000, games=2 * size)

    def _score(self) -> int:
        """Of a candidate in a block of two games."""
        return sum(2 * (self._random.random() < _STRENGTH) for _ in range(2))

    def _council(self, ledger: Ledger) -> list[t.Transaction]:
        """Ballots, and now and then a proposal to change the roster."""
        me = self._node.identity.id
        said: list[t.Transaction] = [
            t.Ballot(self._next(), proposal.id, self._approves(proposal.change))
            for proposal in ledger.proposals()
            if all(voice.author != me for voice in proposal.voices) and self._once(proposal.id)
        ]
        if me not in ledger.roster or self._agenda is None:
            return said
        changes = [change for change in self._agenda.due(ledger) if self._random.random() < _BRINGS]
        if not ledger.proposals() and self._random.random() < _PROPOSES:
            changes.append(self._change(ledger.roster))
        for change in changes:
            number = self._next()
            if self._once(change) and self._agenda.may_propose(change, me, number):
                said.append(t.Propose(number, change, "for a change"))
        return said

    def _approves(self, change: Change) -> bool:
        wanted = () if self._agenda is None else self._agenda.wanted
        return change in wanted or self._random.random() < _APPROVES

    def _change(self, roster: Roster) -> Change:
        """Something that nobody has asked for."""
        return Change("weight", self._random.choice(roster.ids), weight=self._random.randint(1, 3))

    def _candidate(
        self, ledger: Ledger, claim: int | None, configuration: str, family: str, name: bytes
    ) -> t.Candidate:
        files = {"weights.safetensors": name}
        parent = ledger.configuration(configuration).model.digest
        shards = () if claim is None else training_shards(ledger, configuration)
        return t.Candidate(
            self._next(), claim=claim, configuration=configuration, model=t.model_digest(files, family, parent),
            files=files, architecture=family, parent=parent, incumbent=parent,
            shards=tuple(shard.digest for shard in shards), losses={},
        )  # fmt: skip

    def _nonsense(self) -> Sequence[t.Transaction]:
        """Something that the ledger takes, rejects or ignores."""
        number = self._next()
        return self._random.choice(
            (
                *([],) * 6,
                [
                    t.Profile(
                        number,
                        roles=("selfplay",),
                        device="simulated",
                        software=bytes(32),
                        rates={"games": number},
                        cost=0,
                        life=0,
                    )
                ],
                [t.SelfplayClaim(number, "hex8-2", self._random.randrange(1, 64))],
                [t.SelfplayClaim(number, "unknown", -1)],
                [_Novelty(number, "x" * self._random.randrange(99))],
            )
        )
