"""Shards as announced, counted and struck, where the genesis has `steering.rules`.

Whoever loads a shard checks it against what was announced: model, seed, games, plies, root and facts, which all follow
from its bytes. So honest members find the same, and findings decide as they do on results of matches
(`consensus.ledger.rules.findings`): the first `wrong` opens a case, more than 2/3 of the weight strike the shard, a
third or more that find it right close the case, and so does the time. Then the member that opened it opens no other one
for the time of a vote, so that its false alarms cost everybody a few checks in that time and no more.

The games of a shard that was struck do not count. If less than a third of the weight has seen it and the others say
that nobody has it, that is all: it is no fault. Otherwise what its author announces afterwards waits, and weighs
nothing, until another member has checked one of these shards and found it right. That counts a minute after the strike
at the earliest, and twice as long for each further proven fault: else a liar could have everybody check one wrong shard
after the other, or an accomplice could call one right at once.
"""

from __future__ import annotations

from dataclasses import fields

from consensus.keys import MemberId
from consensus.ledger.records.cases import Replay, verdict, weigh
from consensus.ledger.records.changes import Change
from consensus.ledger.records.entities import Claim, Place, Shard, ShardFacts, ShardStanding
from consensus.ledger.records.entity import replace
from consensus.ledger.records.shard_cases import MISSING, ShardCase
from consensus.ledger.records.transactions import UNIFORM, Games, ShardFinding
from consensus.ledger.rules import membership
from consensus.ledger.rules.costs import cost_of_games
from consensus.ledger.rules.decisions import settings_on
from consensus.ledger.rules.deliveries import record_delivery, take_back
from consensus.ledger.rules.exploration import FULL
from consensus.ledger.state.state import RefusedError, State

MAX_OPEN_CASES = 4  # opened by one member
SECOND = 10**9  # of the ledger's clock, ns

_FIRST_PAUSE_S = 30
_MOST_DOUBLINGS = 12
"""Of that pause: a day and a half."""

_MOST_ENTROPY = 16_000  # thousandths of a bit: a stored policy has at most 65,535 parts
_MILLION = 1_000_000


def check_facts(state: State, transaction: Games) -> None:
    """Raise RefusedError if the announcement lacks facts, has some that cannot be, or should not have any."""
    facts = transaction.facts
    if not state.settings.steering.rules:
        if facts is not None:
            raise RefusedError("malformed", "unknown field")
        return
    if facts is None:
        raise RefusedError("malformed", "field facts is missing")
    most = {
        "searched": transaction.plies,
        "decisive": transaction.games,
        "forced": transaction.plies,
        "openings": transaction.games,
        "duplicates": transaction.games - 1,
        "entropy": _MOST_ENTROPY,
        "value_error": _MILLION,
    }
    if facts.keys() != most.keys():
        raise RefusedError("malformed", f"field facts must have exactly {', '.join(most)}")
    for name, limit in most.items():
        if facts[name] > limit:
            raise RefusedError("malformed", f"field facts: {name} must be {limit} or less")


def announced(state: State, claim: Claim, transaction: Games, shard: Shard) -> Shard:
    """Return the shard with its facts and its cost.

    It waits if its author is not trusted, and until others hold it if there is custody (`rules.custody`).
    """
    assert transaction.facts is not None
    facts = ShardFacts(**{item.name: transaction.facts[item.name] for item in fields(ShardFacts)})
    if shard.model == UNIFORM:
        cost = cost_of_games(shard.configuration, shard.games, shard.plies, claim.ply_cost)
    else:
        cost = cost_of_games(shard.configuration, shard.games, facts.searched, claim.ply_cost)
        steering = settings_on(state, shard.configuration, claim.settings_version).steering
        if steering.full_share < FULL:
            rest = max(0, shard.plies - facts.searched - facts.forced)
            fast = claim.ply_cost * min(claim.simulations, steering.fast_simulations) // claim.simulations
            cost += cost_of_games(shard.configuration, shard.games, rest, fast)
    has_custody = state.settings.steering.custodians > 0
    trusted: ShardStanding = "unsafe" if has_custody else "counted"
    return replace(
        shard,
        cost=cost,
        clock=state.clock,
        seed=claim.seed or b"",  # what was played before the beacon gave one is not what it should be
        opening_plies=claim.opening_plies,
        facts=facts,
        standing="waiting" if shard.author in state.distrusted else trusted,
        is_safe=not has_custody,
    )


def count(state: State, shard: Shard) -> None:
    """Count the games of a shard from now on."""
    state.games_played[shard.author] = state.games_played.get(shard.author, 0) + shard.games
    configuration = state.configurations[shard.configuration]
    state.configurations[shard.configuration] = replace(
        configuration,
        shards=configuration.shards + 1,
        games=configuration.games + shard.games,
        plies=configuration.plies + shard.plies,
    )
    if shard.facts is not None:
        record_delivery(state, shard)


def _uncount(state: State, shard: Shard) -> None:
    """Count the games of a shard no longer."""
    state.games_played[shard.author] = max(0, state.games_played.get(shard.author, 0) - shard.games)
    configuration = state.configurations[shard.configuration]
    kept = state.shards[shard.configuration]
    place = next(place for place in reversed(range(len(kept))) if kept[place].digest == shard.digest)
    counted = [(entry.clock, number, entry.games) for number, entry in enumerate(kept) if entry.standing == "counted"]
    later = sum(games for clock, number, games in counted if (clock, number) > (shard.clock, place))
    new = max(0, min(shard.games, configuration.new_games - later))  # the others were there at the last candidate
    state.configurations[shard.configuration] = replace(
        configuration,
        shards=configuration.shards - 1,
        games=configuration.games - shard.games,
        plies=configuration.plies - shard.plies,
        games_at_candidate=max(0, configuration.games_at_candidate - (shard.games - new)),
    )
    take_back(state, shard)


def make_safe(state: State, shard: Shard) -> None:
    """Take in that enough members hold a shard: its games count from now on, unless it waits for a check."""
    if shard.standing == "waiting":
        put(state, replace(shard, is_safe=True))
    else:
        _let_count(state, replace(shard, is_safe=True))


def _let_count(state: State, shard: Shard) -> None:
    counted = replace(shard, standing="counted", clock=state.clock)
    put(state, counted)
    count(state, counted)


def put(state: State, shard: Shard) -> None:
    """Put a changed shard in the place of the old one, and let the digest cover the change."""
    state.put_shard(shard)
    state.shard_chain.add(shard.fingerprint)


def apply_shard_finding(state: State, place: Place, author: MemberId, transaction: ShardFinding) -> None:
    """Count the first finding of a member about a shard: a `wrong` opens a case, a right one ends a wait."""
    shard = state.shard(transaction.shard)
    if shard is None or shard.facts is None:
        raise RefusedError("unknown shard")
    case = state.shard_cases.get(shard.digest)
    if case is None and not transaction.wrong:
        _trust(state, place, author, shard)
        return
    opens = case is None
    if case is None:
        case = _open(state, place, author, shard)
    if any(entry.author == author for entry in case.findings):
        raise RefusedError("member has said what it found")
    found = Replay(author, transaction.wrong, transaction.reason, place)
    case = state.shard_cases[shard.digest] = replace(case, findings=(*case.findings, found))
    wrong, right = tally(state, case)
    state.emit(
        "shard_finding",
        place,
        author,
        configuration=case.configuration,
        shard=case.shard,
        suspect=case.accused,
        wrong=transaction.wrong,
        reason=transaction.reason,
        opens=opens,
        against=wrong,
        cleared=right,
        weight=state.roster.total_weight,
    )
    settle(state, place, case)


def check_can_doubt(state: State, author: MemberId, shard: Shard) -> str:
    """Return why the member cannot open a case about this shard now; empty if it can."""
    if shard.standing in ("struck", "lost"):
        return f"shard is {shard.standing}"
    since = state.false_alarms.get(author)
    rests = since is not None and state.clock < since + state.settings.timing.vote_s * SECOND
    if rests or author in shard.doubters:
        return "member raised a false alarm"
    mine = sum(case.author == author for case in state.shard_cases.values())
    return "too many open cases" if mine >= MAX_OPEN_CASES else ""


def _open(state: State, place: Place, author: MemberId, shard: Shard) -> ShardCase:
    if obstacle := check_can_doubt(state, author, shard):
        raise RefusedError(obstacle)
    return ShardCase(
        shard=shard.digest,
        configuration=shard.configuration,
        accused=shard.author,
        author=author,
        place=place,
        deadline=state.clock + state.settings.timing.vote_s * SECOND,
    )


def tally(state: State, case: ShardCase) -> tuple[int, int]:
    """Return the weight of the members that found the shard wrong, and of those that found it right."""
    return weigh(state.roster, case.findings)


def settle(state: State, place: Place, case: ShardCase) -> None:
    """Close the case if it is decided."""
    found = verdict(state.roster, case.findings)
    if found == "wrong":
        _strike(state, place, case, tally(state, case)[0])
    elif found == "right":
        _close(state, place, case, "a third of the weight or more finds it right")


def expire(state: State, place: Place) -> None:
    """Close the cases whose time is over."""
    for _, case in sorted(state.shard_cases.items()):
        if case.deadline <= state.clock:
            _close(state, place, case, "not enough findings in time")


def _close(state: State, place: Place, case: ShardCase, reason: str) -> None:
    del state.shard_cases[case.shard]
    state.false_alarms[case.author] = state.clock
    shard = state.shard(case.shard)
    if shard is not None:
        put(state, replace(shard, doubters=(*shard.doubters, case.author)))
    state.emit(
        "shard_unproven",
        place,
        case.author,
        configuration=case.configuration,
        shard=case.shard,
        suspect=case.accused,
        reason=reason,
    )


def _strike(state: State, place: Place, case: ShardCase, against: int) -> None:
    del state.shard_cases[case.shard]
    shard = state.shard(case.shard)
    if shard is not None:  # else it has been forgotten
        if shard.standing == "counted":
            _uncount(state, shard)
        put(state, replace(shard, standing="struck"))
    seen = state.roster.weight(entry.author for entry in case.findings if entry.wrong and entry.reason != MISSING)
    is_fault = 3 * seen >= state.roster.total_weight  # else it is only missing: its author's disk may have died
    number = state.fault_counts.get(case.accused, 0) + is_fault
    if is_fault:
        state.distrusted[case.accused] = state.clock
        state.fault_counts[case.accused] = number
    state.emit(
        "struck",
        place,
        case.author,
        configuration=case.configuration,
        shard=case.shard,
        accused=case.accused,
        reason=next(entry.reason for entry in case.findings if entry.wrong),
        against=against,
        weight=state.roster.total_weight,
        count=number,
    )
    limit = state.settings.membership.faults
    if is_fault and limit and number >= limit:
        membership.suggest(state, place, Change("leave", case.accused), f"results proven wrong: {number}")


def is_resting(state: State, author: MemberId) -> bool:
    """Return whether a shard of this author was struck so lately that no check of another one counts yet."""
    since, faults = state.distrusted.get(author), state.fault_counts.get(author, 0)
    return since is not None and state.clock < since + (_FIRST_PAUSE_S * SECOND << min(faults, _MOST_DOUBLINGS))


def _trust(state: State, place: Place, author: MemberId, checked: Shard) -> None:
    """Let the shards of an author wait no longer, because another member has checked one."""
    if checked.standing != "waiting":
        raise RefusedError("no open case")
    if author == checked.author:
        raise RefusedError("shard is the member's own")
    if is_resting(state, checked.author):
        raise RefusedError("a shard of its author was struck lately")
    state.distrusted.pop(checked.author, None)
    number = 0
    for name in sorted(state.shards):
        for shard in list(state.shards[name]):
            if shard.author == checked.author and shard.standing == "waiting":
                number += 1
                if shard.is_safe:
                    _let_count(state, shard)
                else:
                    put(state, replace(shard, standing="unsafe"))
    state.emit(
        "checked",
        place,
        author,
        configuration=checked.configuration,
        shard=checked.digest,
        suspect=checked.author,
        shards=number,
    )
