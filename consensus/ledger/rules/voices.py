"""What members have said in open matters: votes on candidates and proposals, findings, and what they cannot fetch.

A member that is silenced or leaves has no say any more, in none of them.
"""

from __future__ import annotations

from collections.abc import Callable

from consensus.keys import MemberId
from consensus.ledger.records.entity import replace
from consensus.ledger.state.state import State
from consensus.ledger.state.table import Table


def keep_voices(state: State, has_say: Callable[[MemberId], bool]) -> None:
    """Remove from all open matters what members said that have no say any more."""
    for candidate, candidacy in state.candidates.items():
        votes = tuple(entry for entry in candidacy.ballots if has_say(entry.author))
        if votes != candidacy.ballots:
            state.candidates[candidate] = replace(candidacy, ballots=votes)
    for result, case in state.cases.items():
        state.cases[result] = replace(case, replays=tuple(entry for entry in case.replays if has_say(entry.author)))
    for shard, doubt in state.shard_cases.items():
        findings = tuple(entry for entry in doubt.findings if has_say(entry.author))
        state.shard_cases[shard] = replace(doubt, findings=findings)
    for name, proposal in state.proposals.items():
        ballots = tuple(entry for entry in proposal.ballots if has_say(entry.author))
        state.proposals[name] = replace(proposal, ballots=ballots)
    state.absences = Table((key, entry) for key, entry in state.absences.items() if has_say(entry.author))
