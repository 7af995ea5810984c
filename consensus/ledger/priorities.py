"""The priorities: what a member should do next, as pure functions of the ledger. Nobody hands out work.

The functions are the same on every node. A ledger may be a few seconds behind; claims settle who works. What is due at
once comes first (`due_seals`, `due_findings`, `due_votes`), then `next_work`: an open match with free slots, training
where there are enough new games, ratings as long as few members rate, else self-play where games are needed most.
Members that choose a configuration at the same moment differ by a hash of their id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from consensus.encoding import Value, encode
from consensus.keys import MemberId
from consensus.ledger.ledger import Ledger
from consensus.ledger.records.cases import Case
from consensus.ledger.records.entities import Candidacy, Configuration, Promotion, Shard, WorkKind
from consensus.ledger.records.transactions import (
    SHARDS_LIMIT,
    UNIFORM,
    MatchClaim,
    RateClaim,
    SelfplayClaim,
    TrainClaim,
    Transaction,
)
from consensus.ledger.rules.siblings import is_waiting
from consensus.ledger.steering.amounts import (
    claim_size,
    claimed_games,
    enough_games,
    plays_at_random,
)
from consensus.ledger.steering.rating_due import series_due
from consensus.ledger.steering.shares import deficits
from consensus.ledger.steering.training_due import has_enough_games
from consensus.settings import TrainingSettings, players

_RANDOM_UNTIL = 2
"""Random games are trained on until games of models are there for so many trainings; then they hide what is better."""


Subject: TypeAlias = tuple[WorkKind, str, bytes | None]
"""Kind of work, configuration, and of a match the candidate, of a rating the series."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A piece of work that a member should claim."""

    kind: WorkKind
    configuration: str
    amount: int  # games, or training steps
    model: bytes  # which plays, is the incumbent of the match or is rated; or from which training starts
    family: str = ""  # training: the architecture
    candidate: bytes | None = None  # match; rating: the series

    @property
    def subject(self) -> Subject:
        """The kind of work, its configuration and, of a match or a rating, what is played."""
        return self.kind, self.configuration, self.candidate

    def claim(self, number: int) -> Transaction:
        """Return the claim for this work, with `number` as its transaction id."""
        if self.kind == "selfplay":
            return SelfplayClaim(number, self.configuration, self.amount)
        if self.kind == "train":
            return TrainClaim(number, self.configuration, self.family)
        assert self.candidate is not None
        if self.kind == "rate":
            return RateClaim(number, self.candidate)
        return MatchClaim(number, self.candidate)


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


def next_work(
    ledger: Ledger, member: MemberId, roles: Collection[str], avoided: Collection[Subject] = ()
) -> Work | None:
    """Return the work that the swarm needs most from a member with these roles; None if it needs none now.

    Subjects in `avoided` are skipped: what the member has lately failed at must not keep it from everything else.
    """
    work = None
    if ledger.is_silenced(member):
        return None
    if "match" in roles:
        work = _match(ledger, member, avoided)
    if work is None and "train" in roles:
        work = _training(ledger, member, avoided)
    if work is None and "match" in roles:
        work = _rating(ledger, member, avoided)
    if work is None and "selfplay" in roles:
        work = _selfplay(ledger, member, avoided)
    return work


def training_shards(
    ledger: Ledger, configuration: str, lost: Collection[bytes] = (), version: int | None = None
) -> tuple[Shard, ...]:
    """Return the shards that a training takes (`training_window`) with settings of a version, oldest first.

    Those in `lost` are skipped: older ones take their place. Where the first network was a sibling's, random games are
    skipped: they teach it nothing.
    """
    kept = ledger.shards(configuration)
    shards = [shard for shard in kept if shard.standing == "counted" and shard.digest not in lost]
    if _began_with_sibling(ledger, configuration):
        shards = [shard for shard in shards if shard.model != UNIFORM]
    sizes = [(shard.games, shard.model == UNIFORM) for shard in shards]
    settings = ledger.settings_on(configuration, version).training
    return tuple(shards[place] for place in training_window(settings, sizes))


def training_window(settings: TrainingSettings, shards: Sequence[tuple[int, bool]]) -> list[int]:
    """Return the places of the newest shards that together fill the training window; random games leave it early.

    There are at most as many as a candidate may name.

    Args:
        settings: `window` and `games` count.
        shards: (games, whether they are random) of each shard, oldest first.
    """
    chosen: list[int] = []
    games = games_of_models = 0
    for place in reversed(range(len(shards))):
        count, is_random = shards[place]
        if games >= settings.window or len(chosen) == SHARDS_LIMIT:
            break
        if is_random and games_of_models >= _RANDOM_UNTIL * settings.games:
            continue
        chosen.append(place)
        games += count
        games_of_models += 0 if is_random else count
    return chosen[::-1]


def _match(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    """Return a match with more free slots for the member than claims that wait for one; None if there is none."""
    for candidacy in ledger.candidates():
        if candidacy.beacon is None or candidacy.ripe is not None:
            continue
        if ("match", candidacy.configuration, candidacy.id) in avoided:
            continue
        if ledger.is_paused("match", candidacy.configuration):
            continue
        claims = [claim for claim in ledger.claims() if claim.candidate == candidacy.id]
        if any(claim.author == member for claim in claims):
            continue
        if len(ledger.open_slots(candidacy, member)) > sum(claim.waits for claim in claims):
            games = candidacy.settings.slot_blocks * players(candidacy.configuration)
            name = candidacy.configuration
            return Work(
                kind="match", configuration=name, amount=games, model=candidacy.incumbent, candidate=candidacy.id
            )
    return None


def _rating(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    series = series_due(ledger, member, lambda entry: ("rate", entry.configuration, entry.id) in avoided)
    if series is None:
        return None
    name, games = series.configuration, series.settings.slot_blocks * players(series.configuration)
    return Work(kind="rate", configuration=name, amount=games, model=series.pair.model, candidate=series.id)


def _training(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    is_steered = bool(ledger.genesis.settings.steering.rules)
    contested = {
        candidacy.configuration
        for candidacy in ledger.candidates()
        if ("match", candidacy.configuration, candidacy.id) not in avoided
        and (candidacy.was_trained or not is_steered)  # who nominates what was not trained keeps nobody from training
    }
    settings = {entry.name: ledger.settings_on(entry.name) for entry in ledger.configurations()}
    trained = {(claim.configuration, claim.family) for claim in ledger.claims() if claim.kind == "train"}
    ready = [
        configuration
        for configuration in ledger.configurations()
        if has_enough_games(ledger, settings[configuration.name], configuration)
        and configuration.name not in contested
        and (configuration.name, settings[configuration.name].training.architecture) not in trained
        and not ledger.is_paused("train", configuration.name)
        and not ledger.waits_for_turn(member, configuration.name)
        and not _waits_for_sibling(ledger, configuration, avoided)
        and ("train", configuration.name, None) not in avoided
    ]
    if not ready:
        return None
    chosen = min(ready, key=lambda entry: (-entry.new_games, _hash(member, entry.name)))
    training = settings[chosen.name].training
    return Work(
        kind="train",
        configuration=chosen.name,
        amount=training.steps,
        model=ledger.training_start(chosen.name, training.architecture).digest,
        family=training.architecture,
    )


def _began_with_sibling(ledger: Ledger, name: str) -> bool:
    """Return whether the first promoted model of a configuration was its sibling's."""
    sibling, own = ledger.sibling(name), ledger.promotions(name)
    if sibling is None or not own:
        return False
    return own[0].model.parent in {promotion.model.digest for promotion in ledger.promotions(sibling.name)}


def _waits_for_sibling(ledger: Ledger, configuration: Configuration, avoided: Collection[Subject]) -> bool:
    """Return whether the first network should wait for the sibling's; not if the member fails at training that."""
    sibling = ledger.sibling(configuration.name)
    if sibling is None or ("train", sibling.name, None) in avoided:
        return False
    return is_waiting(configuration, sibling, ledger.settings_on(configuration.name).training)


def _selfplay(ledger: Ledger, member: MemberId, avoided: Collection[Subject]) -> Work | None:
    configurations = ledger.configurations()
    settings = {entry.name: ledger.settings_on(entry.name) for entry in configurations}
    coming = dict.fromkeys(settings, 0)
    sizes = {entry.name: claim_size(settings[entry.name], entry) for entry in configurations}
    for (_, name), games in claimed_games(ledger).items():
        coming[name] += min(games, sizes[name])  # so a large claim does not keep others from the configuration

    def games_of(configuration: Configuration) -> int:
        return configuration.new_games + coming[configuration.name]

    is_steered = bool(ledger.settings.steering.rules)
    behind = deficits(ledger) if is_steered else {}

    def need(configuration: Configuration) -> tuple[int, int, int, bytes]:
        name = configuration.name
        return -behind.get(name, 0), games_of(configuration), configuration.games, _hash(member, name)

    contested = {candidacy.configuration for candidacy in ledger.candidates()}
    open_ = [
        entry
        for entry in configurations
        if ("selfplay", entry.name, None) not in avoided
        and not ledger.is_paused("selfplay", entry.name)
        # with the rules, what is claimed and may never come only says where games are needed most
        and (entry.new_games if is_steered else games_of(entry)) < enough_games(settings[entry.name], entry)
        and not (entry.name in contested and plays_at_random(settings[entry.name], entry))  # better games come soon
    ]
    chosen = min(open_, key=need, default=None)
    if chosen is None:
        return None
    return Work(kind="selfplay", configuration=chosen.name, amount=sizes[chosen.name], model=chosen.model.digest)


def _hash(*parts: Value) -> bytes:
    return hashlib.sha256(encode(["ringrift/spread/1", *parts])).digest()
