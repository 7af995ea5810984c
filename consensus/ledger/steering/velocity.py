"""How fast a configuration learns, and how well its rating is known."""

from __future__ import annotations

from consensus.ledger.views import Views


def velocity(ledger: Views, configuration: str) -> int:
    """Return the rating gained lately, in thousandths of Elo per million evaluations; 0: nothing is known."""
    return 0


def rating_error(ledger: Views, configuration: str) -> int | None:
    """Return the error of the canonical model's rating in thousandths of Elo; None: it has no rating."""
    return None


def is_above_heuristic(ledger: Views, configuration: str) -> bool:
    """Return whether the canonical model is rated above the fixed opponent `heuristic`."""
    return False


def regression(ledger: Views, configuration: str) -> int:
    """Return the score, in thousandths, that the canonical model lost against the one before it; 0: none."""
    return 0
