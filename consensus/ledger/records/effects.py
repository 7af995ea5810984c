"""The effects of transactions on the ledger: one effect is one line for a log or a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from consensus.keys import MemberId

Scalar: TypeAlias = "int | str | bytes | bool | None"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One change of the ledger.

    `member` is the author of the transaction, the holder of what expired, or None. Fields by kind
    (digests are bytes, the rest text and whole numbers):

    profile      roles, device
    claim        claim (id), kind, configuration, model, amount, family, candidate
    slot         claim, kind, configuration, candidate, slot
    beacon       claim (id) or candidate, seed (of the claim, or the beacon itself for a match), configuration
    withheld     shown (whether the judge reveals a preimage at all, which is then wrong), times
    progress     claim, kind, configuration, done, amount
    release      claim, kind, configuration, reason
    expired      claim, kind, configuration, candidate, slot
    games        claim, configuration, model, shard, games, plies, total (games of the configuration)
    candidate    candidate, configuration, model, parent, incumbent, architecture, shards, slots
    result       candidate, configuration, slot, score, most, counted (blocks), total (score), llr
    series       series, configuration, model, player, opponent, slots: it is open
    rated        series, configuration, model, player, opponent, slot, score (points), most, counted (blocks), total
    ripe         candidate, configuration, model, blocks, score, most, llr, results
    vote         candidate, configuration, approve, reason, approved, rejected, weight
    shard_finding    configuration, shard, suspect, wrong, reason, opens, against, cleared, weight
    shard_unproven   configuration, shard, suspect, reason: the case is closed without a proof
    struck       configuration, shard, accused, reason, against, weight, count (of the member's proven faults)
    checked      configuration, shard, suspect, shards (how many of the suspect's are trusted from now on)
    held         shards (how many the member holds from now on)
    safe         configuration, shard, games, holders, total (games of the configuration): enough members hold it
    lost         configuration, shard, games, holders, total: too few held it for too long, so its games never count
    finding      candidate, configuration, slot, result, suspect, wrong, reason, opens (whether it opens the case),
                 against, cleared (weights so far), weight
    unproven     candidate, configuration, slot, result, suspect, reason: the case is closed without a proof
    fault        candidate, configuration, slot, result, accused, reason, against, weight, count (of the member's
                 proven wrong results), struck (whether the slot is free again), reopened (whether it was ripe)
    missing      candidate, configuration, slot (None: the candidate's files), suspect (who should have it),
                 against (weight so far of members that cannot fetch it), weight
    absent       candidate, configuration, slot (free again, as nobody can fetch its games), reopened (whether it was
                 ripe)
    promotion    candidate, configuration, model, previous, statement, number, blocks, score, most, llr
    dropped      candidate, configuration, model, outcome (rejected, limit, stale, votes, timeout, idle,
                 missing), reason, blocks, score, llr
    seal         statement, configuration, sealed, weight
    certificate  statement, configuration, model, number, seals
    proposal     proposal, change (its kind), subject (the member concerned), weight, address, key, reason
    ballot       proposal, change, subject, approve, approved, rejected, weight
                 of what the swarm does: proposal, change, setting, value, configuration, work, reason
    decision     proposal, change, setting, value, configuration, work, version (of the settings from now on),
                 before (the value set before, if there is one): in force from this place in the order on
    roster       proposal, change, subject, weight, address, key: in force from the next epoch on
    shelved      proposal, change, subject, reason: the proposal ended without approval
    evidence     accused, epoch (of its two events), seq, first, second (their hashes), weight (which it loses
                 with this epoch), voids (whether changes approved in this epoch do not come into force)
    sealed       epoch, record, seals: the record that opened the epoch has enough seals
    epoch        epoch (the one that begins), record, reason (roster, length), members, weight, version, ordered
    rejected     type, id, reason, detail
    """

    kind: str
    member: MemberId | None
    round: int
    time: int
    index: int
    fields: Mapping[str, Scalar]
