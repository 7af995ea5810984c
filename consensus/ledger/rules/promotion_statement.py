"""The statement about a promotion: the content that members seal, from ledger fields only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from fractions import Fraction

from consensus.encoding import Value, encode
from consensus.genesis import Genesis
from consensus.keys import MemberId, id_text
from consensus.ledger.records.beacon import block_seed
from consensus.ledger.records.entities import Candidacy, Configuration, Place, Ripe
from consensus.ledger.rules.scores import Standing, most_of_block, results_of, sequential_test_of, standing
from consensus.ledger.state.decisions import DecisionTables
from consensus.roster import Roster
from consensus.settings import MatchSettings, players
from consensus.sprt import decimal_text, limit_risk
from consensus.statement import Json, encode_statement


def make_statement(
    genesis: Genesis,
    roster: Roster,
    version: int,
    *,
    configuration: Configuration,
    candidacy: Candidacy,
    place: Place,
    ledger_digest: bytes,
    decisions: DecisionTables,
) -> bytes:
    """Return the statement's bytes.

    `configuration` is as it was before the promotion, `ledger_digest` is that of the last round. With `steering.rules`
    the statement names what members had decided (`settings_table`).
    """
    assert candidacy.ripe is not None
    ripe = candidacy.ripe
    predicate: dict[str, Json] = {
        "swarm": {"name": genesis.swarm, "genesis": genesis.digest.hex()},
        "roster": roster_table(roster, version),
        "configuration": configuration.name,
        "number": configuration.promotions + 1,
        "order": _order(place),
        "model": {
            "digest": candidacy.model.digest.hex(),
            "architecture": candidacy.model.architecture,
            "parent": _hex(candidacy.model.parent),
        },
        "incumbent": {"model": candidacy.incumbent.hex(), "statement": _hex(configuration.statement)},
        "proposal": {
            "candidate": candidacy.id.hex(),
            "member": id_text(candidacy.author),
            "transaction": candidacy.proposal.hex(),
            "order": _order(candidacy.place),
            "measures": {name: str(value) for name, value in candidacy.measures.items()},
        },
        "match": _match(candidacy, ripe),
        "test": verdict_numbers(candidacy.settings, standing(candidacy)),
        "results": _results(candidacy, ripe),
        "votes": _votes(roster, candidacy),
        "ledger": ledger_digest.hex(),
    }
    if genesis.settings.steering.rules:
        predicate["settings"] = settings_table(decisions, configuration.name, candidacy.settings_version)
    return encode_statement(candidacy.model.digest, candidacy.model.files, predicate)


def _hex(digest: bytes | None) -> Json:
    return None if digest is None else digest.hex()


def _order(place: Place) -> Json:
    event = place.event.hex()
    return {"round": place.round, "index": place.index, "time_ns": str(place.time), "event": event}


def roster_table(roster: Roster, version: int) -> Json:
    """Return the roster that votes and seals."""
    return {
        "version": version,
        "digest": roster.digest.hex(),
        "weight": roster.total_weight,
        "members": [{"id": id_text(member.id), "weight": member.weight} for member in roster.members],
    }


def settings_table(decisions: DecisionTables, configuration: str, match_version: int) -> Json:
    """Return which settings held in a configuration when the match was opened, and which hold at the promotion.

    `changed` has the settings that members had set by then, for the swarm or for the configuration; all others are as
    in the genesis. `added` is the version with which the configuration was added; null if the genesis names it.
    """
    added = decisions.adopted.get((configuration, ""))
    return {
        "match": _in_force(decisions, configuration, match_version),
        "promotion": _in_force(decisions, configuration, decisions.version),
        "added": None if added is None else added.version,
    }


def _in_force(decisions: DecisionTables, configuration: str, version: int) -> Json:
    swarm, own = decisions.values_at(version, configuration)
    return {"version": version, "changed": {**swarm, **own}}


def match_table(settings: MatchSettings) -> dict[str, Json]:
    """Return the settings of a match: whole numbers as they are, fractions as text."""
    table: dict[str, Json] = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        table[item.name] = _fraction(value) if isinstance(value, Fraction) else value
    return table


def _fraction(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def _match(candidacy: Candidacy, ripe: Ripe) -> Json:
    assert candidacy.beacon is not None
    beacon, scores = candidacy.beacon, _scores(candidacy, ripe)
    return {
        "players": players(candidacy.configuration),
        "settings": match_table(candidacy.settings),
        "beacon": {"round": candidacy.beacon_round, "value": beacon.hex()},
        "seeds": [block_seed(beacon, candidacy.id, block).hex() for block in range(ripe.blocks)],
        "scores": list(scores),
        "most": most_of_block(candidacy.configuration),
    }


def _scores(candidacy: Candidacy, ripe: Ripe) -> tuple[int, ...]:
    scores = [score for result in results_of(candidacy, ripe.blocks) for score in result.scores]
    return tuple(scores[: ripe.blocks])


def verdict_numbers(settings: MatchSettings, now: Standing) -> Json:
    """Return the numbers of the test, decimal ones as text, and what is enough at the block limit, if anything is.

    `risk` bounds the probability that an equal candidate is accepted at the limit (`consensus.sprt`).
    """
    test, share = sequential_test_of(settings), settings.limit_share
    numbers: dict[str, Json] = {
        "blocks": now.blocks,
        "score": now.score,
        "llr": now.llr,
        "accept": decimal_text(test.upper),
        "reject": decimal_text(test.lower),
    }
    if share < 1:
        numbers["decided_by"] = "limit" if now.at_limit else "test"
        risk = decimal_text(limit_risk(share, settings.block_limit))
        numbers["limit"] = {"blocks": settings.block_limit, "share": _fraction(share), "risk": risk}
    return numbers


def _results(candidacy: Candidacy, ripe: Ripe) -> Json:
    slots: list[Json] = [
        {
            "slot": number,
            "member": id_text(result.author),
            "scores": list(result.scores),
            "root": result.root.hex(),
            "games": {"sha256": result.blob.hex(), "size": result.size, "count": result.games},
            "event": result.place.event.hex(),
        }
        for number, result in enumerate(results_of(candidacy, ripe.blocks))
    ]
    return {"digest": ripe.results.hex(), "slots": slots}


def votes_digest(ballots: Iterable[tuple[MemberId, bool, bytes, bytes]]) -> bytes:
    """Return the digest of votes (member, approve, checked, event), sorted by member."""
    rows: list[Value] = [list(ballot) for ballot in sorted(ballots)]
    return hashlib.sha256(encode(["ringrift/votes/1", rows])).digest()


def _votes(roster: Roster, candidacy: Candidacy) -> Json:
    ballots = sorted(candidacy.ballots, key=lambda ballot: ballot.author)
    cast: list[Json] = [
        {
            "member": id_text(ballot.author),
            "approve": ballot.approve,
            "checked": ballot.checked.hex(),
            "event": ballot.place.event.hex(),
        }
        for ballot in ballots
    ]
    rows = [(ballot.author, ballot.approve, ballot.checked, ballot.place.event) for ballot in ballots]
    approved = roster.weight(ballot.author for ballot in ballots if ballot.approve)
    return {"digest": votes_digest(rows).hex(), "approved": approved, "cast": cast}
