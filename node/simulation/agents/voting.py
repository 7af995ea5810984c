"""The votes of a machine: on ripe candidates, on results in doubt, on the roster, and seals of promotions."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from consensus.ledger.priorities import due_findings, due_seals, due_votes
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.entities import Candidacy
from consensus.ledger.rules.scores import counted_slots
from consensus.ledger.steering.checks import due_shard_checks
from consensus.statement import pae
from node.simulation.agents.models import is_wrong_report
from node.simulation.agents.order import Author
from node.simulation.agents.world import World

_REPLAY_S = (2.0, 12.0)  # until a member has fetched and replayed the games of a slot
_PROMPT_S = (0.2, 1.5)  # until it has signed something


class VotingAgent:
    """One machine's votes. It acts a while after an effect that gives it something to say."""

    def __init__(self, world: World, author: Author, number: int) -> None:
        self._world = world
        self._author = author
        self._chance = random.Random(f"votes {world.seed} {number}")
        self._is_on = False
        self._said: set[bytes] = set()  # results that were voted on or found wrong, proposals, statements

    def begin(self) -> None:
        """Catch up with what waits for this member."""
        self._is_on = True
        for promotion in due_seals(self._world.ledger, self._author.id):
            self.look_at_promotion(promotion.digest)
        for candidacy in due_votes(self._world.ledger, self._author.id):
            self.look_at_candidate(candidacy.id)
        self.look_at_cases()
        self.look_at_shards()
        self.look_at_proposals()

    def end(self) -> None:
        """Say nothing any more."""
        self._is_on = False

    def look_at_candidate(self, candidate: bytes) -> None:
        """Vote on a ripe candidate, after a while."""
        self._later(_REPLAY_S, partial(self._vote, candidate))

    def look_at_cases(self) -> None:
        """Say what a replay of results in doubt shows, after a while."""
        self._later(_REPLAY_S, self._answer)

    def look_at_shards(self) -> None:
        """Check shards in doubt, and one of each author that is not trusted, after a while."""
        self._later(_REPLAY_S, self._check_shards)

    def look_at_promotion(self, statement: bytes) -> None:
        """Seal a promotion, after a while."""
        self._later(_PROMPT_S, partial(self._seal, statement))

    def look_at_proposals(self) -> None:
        """Approve what is proposed, after a while."""
        self._later(_PROMPT_S, self._approve)

    def look_at_result(self, candidate: bytes, slot: int) -> None:
        """Replay a result of a match or series, after a while, and accuse its author if it is wrong."""
        self._later(_REPLAY_S, partial(self._accuse, candidate, slot))

    def _later(self, pauses_s: tuple[float, float], do: Callable[[], object]) -> None:
        def act() -> None:
            if self._is_on:
                do()

        self._world.timeline.after(self._chance.uniform(*pauses_s), act)

    def _vote(self, candidate: bytes) -> None:
        candidacy = self._world.ledger.candidate(candidate)
        if candidacy is None or candidacy.ripe is None or self._author.id in candidacy.faulty:
            return
        results, wrong = candidacy.ripe.results, _first_wrong(candidacy)
        if wrong is None:
            self._say(results, t.Vote(self._next_id(), candidate, True, results, ""))
        elif not self._accuse(candidate, wrong):
            self._say(results, t.Vote(self._next_id(), candidate, False, results, f"slot {wrong}"))

    def _say(self, subject: bytes, transaction: t.Transaction) -> None:
        """Submit what is to be said of a subject once."""
        if subject not in self._said:
            self._said.add(subject)
            self._author.submit(transaction)

    def _accuse(self, candidate: bytes, slot: int) -> bool:
        """Report a wrong result, unless that is done. Return whether the members decide about it now."""
        ledger = self._world.ledger
        contest = ledger.contest(candidate)
        report = None if contest is None else report_of(contest, slot)
        if contest is None or report is None or not is_wrong_report(report):
            return True
        if report.digest in self._said or ledger.case(report.digest) is not None:
            return ledger.case(report.digest) is not None
        if not ledger.can_open_case(self._author.id, contest):
            return False
        self._find(candidate, slot, report.digest, wrong=True)
        return True

    def _answer(self) -> None:
        for case in due_findings(self._world.ledger, self._author.id):
            self._find(case.report.candidate, case.report.slot, case.id, wrong=is_wrong_report(case.report))

    def _check_shards(self) -> None:
        for shard in due_shard_checks(self._world.ledger, self._author.id):
            wrong = self._world.models.is_false(shard.digest)
            is_open = self._world.ledger.shard_case(shard.digest) is not None
            if is_open or not wrong or self._world.ledger.can_doubt(self._author.id, shard):
                reason = "other facts" if wrong else ""
                self._say(shard.digest, t.ShardFinding(self._next_id(), shard.digest, wrong, reason))

    def _find(self, candidate: bytes, slot: int, result: bytes, *, wrong: bool) -> None:
        finding = t.Finding(
            self._next_id(), candidate=candidate, slot=slot, result=result, wrong=wrong, reason="replayed"
        )
        self._say(result, finding)

    def _seal(self, statement: bytes) -> None:
        promotion = self._world.ledger.promotion(statement)
        if promotion is not None:
            signature = self._author.key.sign(pae(promotion.statement))
            self._say(statement, t.Seal(self._next_id(), statement, signature))

    def _approve(self) -> None:
        for proposal in self._world.ledger.proposals():
            if all(vote.author != self._author.id for vote in proposal.ballots):
                self._say(proposal.id, t.Ballot(self._next_id(), proposal.id, approve=True))

    def _next_id(self) -> int:
        return self._author.next_id()


def _first_wrong(candidacy: Candidacy) -> int | None:
    """Return the first counted slot whose games do not replay; None if all do."""
    assert candidacy.ripe is not None
    for slot in range(counted_slots(candidacy.ripe.blocks, candidacy.settings.slot_blocks)):
        report = report_of(candidacy, slot)
        if report is not None and is_wrong_report(report):
            return slot
    return None
