"""The state machine over ordered transactions: who works on what, which model is canonical, and why."""

from consensus.ledger.effects import Effect
from consensus.ledger.ledger import Ledger

__all__ = ["Effect", "Ledger"]
