"""What is due at once: seals, votes and findings."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.records.cases import Case
from consensus.ledger.records.entities import Candidacy, Promotion


def due_seals(ledger: Ledger, member: MemberId) -> tuple[Promotion, ...]:
    """Return the promotions that the member has not sealed, oldest first."""
    return tuple(
        promotion
        for promotion in ledger.promotions()
        if not ledger.is_silenced(member)
        and member in ledger.roster_of(promotion)
        and all(entry.author != member for entry in promotion.seals)
    )


def due_votes(ledger: Ledger, member: MemberId) -> tuple[Candidacy, ...]:
    """Return the ripe candidates that the member has not voted on, oldest first."""
    return tuple(
        candidacy
        for candidacy in ledger.candidates()
        if candidacy.ripe is not None
        and not ledger.is_silenced(member)
        and member not in candidacy.faulty
        and all(ballot.author != member for ballot in candidacy.ballots)
    )


def due_findings(ledger: Ledger, member: MemberId) -> tuple[Case, ...]:
    """Return the open cases in which the member has not submitted a finding, oldest first."""
    return tuple(
        case
        for case in ledger.cases()
        if not ledger.is_silenced(member) and all(entry.author != member for entry in case.replays)
    )
