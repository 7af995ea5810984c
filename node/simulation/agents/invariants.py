"""What must hold in every run, whatever liars do: snapshots are the ledger, and no honest member is proven faulty."""

from __future__ import annotations

from collections.abc import Iterable

from consensus.genesis import Genesis
from consensus.keys import MemberId, id_text
from consensus.ledger import Effect, Ledger


class LedgerCheck:
    """Collects what does not hold, a line each."""

    def __init__(self, genesis: Genesis) -> None:
        self.violations: list[str] = []
        self.liars: set[MemberId] = set()
        self._genesis = genesis

    def check_snapshot(self, ledger: Ledger, snapshot: bytes) -> None:
        """Restore the ledger from its snapshot: it has to be the same."""
        record = ledger.record
        assert record is not None
        if Ledger.restore(self._genesis, record, snapshot).digest() != ledger.digest():
            self.violations.append(f"epoch {record.number}: the snapshot restores another ledger")

    def check_round(self, ledger: Ledger, effects: Iterable[Effect]) -> None:
        """Check the effects of a round."""
        for effect in effects:
            if effect.kind == "fault" and effect.fields["accused"] not in self.liars:
                accused = effect.fields["accused"]
                assert isinstance(accused, bytes)
                self.violations.append(f"round {effect.round}: {id_text(accused)} is honest, and proven faulty")
            elif effect.kind == "rejected" and effect.fields["reason"] == "malformed":
                self.violations.append(f"round {effect.round}: {effect.fields['type']!r} is malformed")
            elif effect.kind in ("claim", "slot"):
                self._check_claims(ledger, effect)

    def _check_claims(self, ledger: Ledger, effect: Effect) -> None:
        """Check that nobody else has what was granted, where it is granted once."""
        kind = effect.fields["kind"]
        if kind == "selfplay":
            return
        same = [
            claim
            for claim in ledger.claims()
            if claim.kind == kind and claim.configuration == effect.fields["configuration"] and not claim.waits
        ]
        subjects = [(claim.candidate, claim.slot, claim.family) for claim in same]
        if len(set(subjects)) != len(subjects):
            self.violations.append(
                f"round {effect.round}: {kind!r} of {effect.fields['configuration']!r} granted twice"
            )
