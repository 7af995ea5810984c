"""False findings about results and shards: right ones are called wrong or missing, and wrong results right."""

from collections.abc import Sequence

from consensus.event import Event
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as ledger
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.ratings import Contest
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember

_MAX_FINDINGS = 8


class FalseFindings(Attack):
    """Accuses all others of wrong results, and clears those who collude.

    With `steering.rules`, all others' shards are wrong, too, and nobody has the files of their candidates.
    """

    kind = "false-findings"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        colluding = {SigningKey(seed).id for seed in member.colluding_seeds}
        view, number = member.replica.ledger, self.random.randrange(1 << 40)
        findings = [
            ledger.Finding(
                number,
                candidate=case.report.candidate,
                slot=case.report.slot,
                result=case.id,
                wrong=case.accused not in colluding,
                reason="lied",
            )
            for case in view.cases()
        ]
        contests: list[Contest] = [*view.candidates(), *view.series()]
        for contest in contests:
            for slot in range(len(contest.slots)):
                report = report_of(contest, slot)
                if report is not None and report.result.author not in colluding:
                    finding = ledger.Finding(
                        number + 1 + slot,
                        candidate=contest.id,
                        slot=slot,
                        result=report.digest,
                        wrong=True,
                        reason="lied",
                    )
                    findings.append(finding)
        tables = [finding.as_table() for finding in findings[:_MAX_FINDINGS]]
        tables += [word.as_table() for word in self._steered(view, colluding, number + 1000)]
        return [member.next_event(plan, tables)] if tables else None

    def _steered(self, view: Ledger, colluding: set[MemberId], number: int) -> list[ledger.Transaction]:
        """Return false words that only a swarm with `steering.rules` knows."""
        if not view.settings.steering.rules:
            return []
        shards = [shard for entry in view.configurations() for shard in view.shards(entry.name)[-_MAX_FINDINGS:]]
        words: list[ledger.Transaction] = [
            ledger.ShardFinding(number + place, shard.digest, shard.author not in colluding, "lied")
            for place, shard in enumerate(shards)
        ]
        for candidacy in view.candidates():
            if candidacy.author not in colluding:
                words.append(ledger.Missing(number + 100, candidacy.id, None, candidacy.model.digest))
        return self.random.sample(words, min(len(words), _MAX_FINDINGS))
