"""What comes of a claim: made-up games, models and results, as the ledger wants them or as a liar makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from consensus.ledger.priorities import training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Candidacy, Claim, Shard
from consensus.ledger.records.transactions import UNIFORM
from node.simulation.agents.duration import cost_of_ply, plies_of_game
from node.simulation.agents.machines import Machine
from node.simulation.agents.order import Author
from node.simulation.agents.world import World

_BLOB_BYTES = 1000


class Reports:
    """Makes the reports of one machine."""

    def __init__(self, world: World, author: Author, machine: Machine) -> None:
        self._world = world
        self._author = author
        self._machine = machine

    def make(self, claim: Claim) -> list[t.Transaction]:
        """Return what is to be submitted when the work on a claim is done; its report is the last of it."""
        if claim.kind == "selfplay":
            return [self._games(claim)]
        return self._training(claim) if claim.kind == "train" else [self._result(claim)]

    def _games(self, claim: Claim) -> t.Games:
        world, name, character = self._world, claim.configuration, self._machine.character
        shard = self._digest("shard", claim.id)
        if not character.is_honest:
            world.models.observe_shard(shard, quality=character.game_quality, is_false=character.false_facts)
        plies = claim.amount * plies_of_game(name)
        world.measures.floors.observe_games(name, plies * cost_of_ply(world.ledger, claim), world.timeline.now_s)
        return t.Games(
            self._author.next_id(),
            claim=claim.id,
            configuration=name,
            model=claim.model,
            shard=shard,
            size=_BLOB_BYTES,
            games=claim.amount,
            plies=plies,
            root=shard,
            facts=self._facts(claim, plies) if world.ledger.settings.steering.rules else None,
        )

    def _facts(self, claim: Claim, plies: int) -> Mapping[str, int]:
        """Return what the machine says of the games: good ones, unless it says honestly that they are bad."""
        character, is_random = self._machine.character, claim.model == UNIFORM
        is_bad = character.game_quality < 0.5 and not character.false_facts
        games = claim.amount
        return {
            "searched": 0 if is_random else plies * 9 // 10,
            "decisive": games // 3 if is_bad else games - games // 50,
            "forced": plies // 3 if is_bad else plies // 20,
            "openings": max(1, games // 20) if is_bad else games,
            "duplicates": games // 2 if is_bad else 0,
            "entropy": 0 if is_random else (200 if is_bad else 1500),
            "value_error": 0 if is_random else (450_000 if is_bad else 180_000),
        }

    def _training(self, claim: Claim) -> list[t.Transaction]:
        """Return the candidate, and what the trainer found out about shards that are not what was said of them."""
        world, name = self._world, claim.configuration
        wanted = training_shards(world.ledger, name)
        false = [shard for shard in wanted if self._is_seen_false(shard)]
        used = tuple(shard.digest for shard in wanted if shard not in false)
        files = {"weights.safetensors": self._digest("weights", claim.id)}
        model = t.model_digest(files, claim.family, claim.model)
        world.models.train(name, model, claim.model, used, world.timeline.now_s)
        candidate = t.Candidate(
            self._author.next_id(),
            claim=claim.id,
            configuration=name,
            model=model,
            files=files,
            architecture=claim.family,
            parent=claim.model,
            incumbent=world.ledger.configuration(name).model.digest,
            shards=used,
            losses={"policy": 1_500_000},
            measures={},
            state=(self._digest("state", claim.id), _BLOB_BYTES),
        )
        findings = [
            t.ShardFinding(self._author.next_id(), shard.digest, True, "other facts")
            for shard in false
            if world.ledger.shard_case(shard.digest) is None and world.ledger.can_doubt(self._author.id, shard)
        ]
        return [*findings, candidate]

    def _is_seen_false(self, shard: Shard) -> bool:
        """Return whether a trainer that loads a shard sees that it is not what was announced."""
        return shard.facts is not None and self._world.models.is_false(shard.digest)

    def _result(self, claim: Claim) -> t.Result:
        contest = self._world.ledger.contest(claim.candidate or b"")
        assert contest is not None  # else the work was given up
        assert claim.slot is not None
        models = self._world.models
        if isinstance(contest, Candidacy):
            scores = models.scores_of_match(contest, claim.slot)
        else:
            scores = models.scores_of_series(contest, claim.slot)
        root = blob = self._digest("games", claim.id)
        if self._machine.character.false_results:
            root = bytes(32)
            scores = tuple((block, min(score for _, score in scores)) for block, _ in scores)
        return t.Result(
            self._author.next_id(),
            claim=claim.id,
            scores=scores,
            root=root,
            blob=blob,
            size=_BLOB_BYTES,
            games=claim.amount,
        )

    def _digest(self, what: str, number: int) -> bytes:
        """Return a digest that stands for a file."""
        return hashlib.sha256(f"{what} {self._world.seed} {self._machine.number} {number}".encode()).digest()
