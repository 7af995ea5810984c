"""The priorities: what a member should do next, as pure functions of the ledger, since nobody hands out work."""

from consensus.ledger.priorities.choice import next_work, why_rest
from consensus.ledger.priorities.due import due_findings, due_seals, due_votes
from consensus.ledger.priorities.joint import joint_partners
from consensus.ledger.priorities.window import training_outcomes, training_shards, training_window
from consensus.ledger.priorities.work import Subject, Work

__all__ = [
    "Subject",
    "Work",
    "due_findings",
    "due_seals",
    "due_votes",
    "joint_partners",
    "next_work",
    "training_outcomes",
    "training_shards",
    "training_window",
    "why_rest",
]
