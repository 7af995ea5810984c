"""The state machine over ordered transactions: who works on what, which model is canonical, and why."""

from consensus.ledger.ledger import Ledger
from consensus.ledger.records.effects import Effect

__all__ = ["Effect", "Ledger"]
