"""False findings about match results: right ones are called wrong, and wrong ones right."""

from collections.abc import Sequence

from consensus.event import Event
from consensus.keys import SigningKey
from consensus.ledger.records import transactions as ledger
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.ratings import Contest
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember

_MAX_FINDINGS = 8


class FalseFindings(Attack):
    """Accuses all others of wrong results, and clears those who collude."""

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
        return [member.next_event(plan, tables)] if tables else None
