"""A member that does what the priorities say, with made-up games, models and scores."""

from __future__ import annotations

import random
from fractions import Fraction

from consensus.keys import SigningKey
from consensus.ledger import Ledger
from consensus.ledger.priorities import due_seals, due_votes, next_work, training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TimingSettings, TrainingSettings
from consensus.statement import pae
from tests.consensus.ledger.swarm import digest_of, facts_of

ROLES = ("match", "selfplay", "train")
QUICK = Settings(
    selfplay=SelfplaySettings(games=16, random_games=0, ceiling=128),
    training=TrainingSettings(games=64, window=2048),
    match=MatchSettings(slot_blocks=2, block_limit=32, p1=Fraction(13, 20)),
    timing=TimingSettings(lease_s=60, vote_s=600, idle_s=1200),
)


class Worker:
    """Says by its own ledger what goes into its next event.

    `strength`: its models' chance in a game. `longest`: a piece of work takes less turns than that.
    """

    def __init__(self, key: SigningKey, seed: int, strength: float = 0.8, longest: int = 12) -> None:
        self.key = key
        self.random = random.Random(seed)
        self.strength, self.longest = strength, longest
        self.ids = 0
        self.left: dict[int, int] = {}  # by claim: turns until its work is done

    def next_id(self) -> int:
        self.ids += 1
        return self.ids - 1

    def wishes(self, ledger: Ledger) -> list[t.Transaction]:
        """One turn's transactions."""
        wishes: list[t.Transaction] = [
            t.Seal(self.next_id(), promotion.digest, self.key.sign(pae(promotion.statement)))
            for promotion in due_seals(ledger, self.key.id)
        ]
        for open_ in due_votes(ledger, self.key.id):
            assert open_.ripe is not None
            wishes.append(t.Vote(self.next_id(), open_.id, True, open_.ripe.results, "replayed"))
        mine = ledger.claims_of(self.key.id)
        for claim in mine:
            if claim.waits:
                continue
            left = self.left.setdefault(claim.id, self.random.randrange(1, self.longest)) - 1
            self.left[claim.id] = left
            wishes.append(self.finish(ledger, claim) if left <= 0 else t.Progress(self.next_id(), claim.id, claim.done))
        work = None if mine else next_work(ledger, self.key.id, ROLES)
        if work is not None:
            wishes.append(work.claim(self.next_id()))
        return wishes

    def finish(self, ledger: Ledger, claim: Claim) -> t.Transaction:
        number = self.next_id()
        name = digest_of(self.key.id, claim.id)
        if claim.kind == "selfplay":
            return t.Games(
                number, claim=claim.id, configuration=claim.configuration, model=claim.model, shard=name,
                size=1000, games=claim.amount, plies=claim.amount * 80, root=name,
                facts=facts_of(ledger.genesis.settings, claim.amount, claim.amount * 80),
            )  # fmt: skip
        if claim.kind == "train":
            files = {"weights.safetensors": name}
            model = t.model_digest(files, claim.family, claim.model)
            shards = tuple(shard.digest for shard in training_shards(ledger, claim.configuration))
            incumbent = ledger.configuration(claim.configuration).model.digest
            return t.Candidate(
                number, claim=claim.id, configuration=claim.configuration, model=model, files=files,
                architecture=claim.family, parent=claim.model, incumbent=incumbent, shards=shards, losses={},
                measures={},
                state=None,
            )  # fmt: skip
        assert claim.slot is not None
        size = claim.amount // 2  # of a slot: a block for two players has two games
        scores = tuple(
            (block, sum(2 * (self.random.random() < self.strength) for _ in range(2)))
            for block in range(claim.slot * size, (claim.slot + 1) * size)
        )
        return t.Result(number, claim=claim.id, scores=scores, root=name, blob=name, size=1000, games=claim.amount)
