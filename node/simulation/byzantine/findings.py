"""Lies about match results: right ones are called wrong, and wrong ones right."""

from collections.abc import Sequence

from consensus.event import Event
from consensus.keys import SigningKey
from consensus.ledger.records import transactions as ledger
from consensus.ledger.records.cases import report_of
from node.member.creation import Plan
from node.simulation.byzantine.adversary import Adversary, Liar


class FalseFindings(Adversary):
    """Accuses all others of wrong results, and clears liars."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event] | None:
        """See `Adversary`."""
        friends = {SigningKey(seed).id for seed in liar.conspirators}
        view, number = liar.replica.ledger, self.random.randrange(1 << 40)
        said = [
            ledger.Finding(
                number,
                candidate=case.report.candidate,
                slot=case.report.slot,
                result=case.id,
                wrong=case.accused not in friends,
                reason="lied",
            )
            for case in view.cases()
        ]
        for candidacy in view.candidates():
            for slot in range(len(candidacy.slots)):
                report = report_of(candidacy, slot)
                if report is not None and report.result.author not in friends:
                    said.append(
                        ledger.Finding(
                            number + 1 + slot,
                            candidate=candidacy.id,
                            slot=slot,
                            result=report.digest,
                            wrong=True,
                            reason="lied",
                        )
                    )
        tables = [finding.as_table() for finding in said[:8]]
        return [liar.next_event(plan, tables)] if tables else None
