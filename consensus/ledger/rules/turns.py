"""Turns: whoever held work and made nothing of it lets others go first. Only with `steering.rules`.

A member that tells of progress could else hold a slot or a training for ever, however small a part of the swarm it is.
So the time for which a member may hold slots of a match or series without a result is limited to `steering.slot_s` in
all, over all its claims there; after that it gets no slot of it. Who trained without a candidate may claim training in
this configuration again only after as long as it held it, at least `steering.turn_s`, and twice as long with each
failure in a row. A nominated model that nobody could measure counts the same, and so does one that was not trained on
a claim and fails. A verdict about a trained model ends the row: its author waits `steering.turn_s`, no longer. In
swarms of one or two members nobody waits for others.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from consensus.encoding import encode
from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, Claim, Outcome
from consensus.ledger.records.entity import replace
from consensus.ledger.records.stalls import Vain
from consensus.ledger.state.state import SMALL_SWARM, RefusedError, State
from consensus.ledger.state.table import Table

SECOND_NS = 10**9
LONGEST_WAIT_NS = 86_400 * SECOND_NS
VERDICTS: frozenset[Outcome] = frozenset({"rejected", "limit"})


@lru_cache(maxsize=1024)
def subject_of(configuration: str) -> bytes:
    """Return the digest that stands for training and nominations in a configuration."""
    return hashlib.sha256(encode(["ringrift/turn/1", configuration])).digest()


def may_hold(state: State, candidate: bytes, member: MemberId) -> bool:
    """Return whether the member may hold a slot of this match now."""
    if not applies(state):
        return True
    return state.vain_of(candidate, member).held < state.settings.steering.slot_s * SECOND_NS


def rates_in_vain(state: State, member: MemberId) -> bool:
    """Return whether the member has held slots of a series that is still played and reported nothing for them."""
    return any(subject in state.series for subject in state.vain.recall(_held_in_vain).get(member, ()))


def _held_in_vain(vain: Table[tuple[bytes, MemberId], Vain]) -> dict[MemberId, list[bytes]]:
    """Return of which matches and series each member has held slots without a result."""
    found: dict[MemberId, list[bytes]] = {}
    for (subject, member), entry in vain.items():
        if entry.held:
            found.setdefault(member, []).append(subject)
    return found


def waits_until(state: State, configuration: str, member: MemberId) -> int:
    """Return when, by the ledger's clock in ns, the member may train or nominate here; 0 if it may now."""
    if not applies(state):
        return 0
    until = state.vain_of(subject_of(configuration), member).until
    return until if until > state.clock else 0


def require_turn(state: State, configuration: str, member: MemberId) -> None:
    """Raise RefusedError if others come first."""
    if waits_until(state, configuration, member):
        raise RefusedError("others come first")


def has_failed(state: State, configuration: str, member: MemberId) -> bool:
    """Return whether a training or nomination of the member here came to nothing lately."""
    return applies(state) and (subject_of(configuration), member) in state.vain


def observe_vain(state: State, claim: Claim) -> None:
    """Take in that a claim ended without what it was for."""
    if not applies(state):
        return
    held = state.clock - claim.place.clock
    contest = state.contest(claim.candidate or b"")
    if claim.kind == "train":
        _count_failure(state, claim.configuration, claim.author, held)
    elif contest is not None:
        vain = state.vain_of(contest.id, claim.author)
        state.put_vain(replace(vain, held=vain.held + held))
        if isinstance(contest, Candidacy):  # nobody could play what was held, so this much time does not count as idle
            idle_since = min(state.clock, contest.last_result_clock + held)
            state.candidates[contest.id] = replace(contest, last_result_clock=idle_since)


def observe_drop(state: State, candidacy: Candidacy, outcome: Outcome) -> None:
    """Take in that a candidate was not promoted."""
    if not applies(state) or outcome == "stale":
        return
    if outcome in VERDICTS and candidacy.was_trained:
        until = state.clock + state.settings.steering.turn_s * SECOND_NS
        state.put_vain(Vain(subject_of(candidacy.configuration), candidacy.author, until=until))
    else:
        _count_failure(state, candidacy.configuration, candidacy.author, 0)


def observe_promotion(state: State, candidacy: Candidacy) -> None:
    """Take in that a candidate was promoted: its author waits for nobody."""
    state.vain.discard((subject_of(candidacy.configuration), candidacy.author))


def applies(state: State) -> bool:
    """Return whether the swarm has these rules."""
    return bool(state.settings.steering.rules) and len(state.roster) > SMALL_SWARM


def _count_failure(state: State, configuration: str, member: MemberId, held: int) -> None:
    vain = state.vain_of(subject_of(configuration), member)
    first = max(held, state.settings.steering.turn_s * SECOND_NS)
    wait = min(first << min(vain.failures, 32), LONGEST_WAIT_NS)
    state.put_vain(replace(vain, failures=vain.failures + 1, until=state.clock + wait))


def prune(state: State) -> None:
    """Forget what is over: matches that are, and waits that ended so long ago that they say nothing any more."""
    live = {subject_of(name) for name in state.configurations}
    state.vain = Table(
        (key, vain)
        for key, vain in state.vain.items()
        if key[1] in state.roster
        and (state.contest(key[0]) is not None or (key[0] in live and vain.until + LONGEST_WAIT_NS > state.clock))
    )
