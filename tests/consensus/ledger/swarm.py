"""A swarm without a network: transactions become events, and events decided rounds for the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from consensus.encoding import decode, encode
from consensus.event import Event
from consensus.genesis import Genesis, make_genesis
from consensus.keys import SigningKey
from consensus.ledger import Effect, Ledger
from consensus.ledger.ledger import Closing
from consensus.ledger.records import beacon
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange
from consensus.ordered import DecidedRound, Judge, OrderedEvent
from consensus.roster import RosterMember
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TrainingSettings
from consensus.statement import pae

SECOND = 10**9
SMALL = Settings(
    selfplay=SelfplaySettings(games=32, random_games=0, ceiling=512),
    training=TrainingSettings(games=192, window=2048),
    match=MatchSettings(slot_blocks=2, block_limit=32, p1=Fraction(13, 20)),
)


def digest_of(*parts: object) -> bytes:
    """A digest nobody has used for anything else."""
    return hashlib.sha256(repr(parts).encode()).digest()


def facts_of(settings: Settings, games: int, plies: int) -> dict[str, int] | None:
    """The facts of made-up games, where the swarm wants some."""
    if not settings.steering.rules:
        return None
    return {
        "searched": plies // 2,
        "decisive": games,
        "forced": plies // 10,
        "openings": games,
        "duplicates": 0,
        "entropy": 1500,
        "value_error": 180_000,
    }


class Swarm:
    """Members 0..n-1 with keys; `act` orders transactions in a round; an event takes a second."""

    def __init__(self, count: int = 4, settings: Settings = SMALL, weights: tuple[int, ...] = ()) -> None:
        keys = sorted((SigningKey(bytes([number + 1]) * 32) for number in range(count)), key=lambda key: key.id)
        weights = weights or (1,) * count
        members = [RosterMember(key.id, weight) for key, weight in zip(keys, weights, strict=True)]
        self.keys = keys
        self.genesis: Genesis = make_genesis("test", members, settings)
        self.ledger = Ledger.found(self.genesis)
        self.rounds: list[DecidedRound] = []
        self.time = 1_000 * SECOND
        self.clocks: dict[bytes, int] = {}  # of members whose own clock does not say the time
        self.index = 0
        self.ids = dict.fromkeys(range(count), 0)
        self.last: tuple[Effect, ...] = ()
        self.closings: dict[int, Closing] = {}  # by closing round
        self.measures: Mapping[str, int] = {}  # of the next candidates
        self.by_id = {key.id: key for key in keys}

    def enlist(self, seed: int) -> int:
        """A key that is in no roster yet; its number."""
        key = SigningKey(bytes([seed]) * 32)
        self.keys.append(key)
        self.by_id[key.id] = key
        self.ids[len(self.keys) - 1] = 0
        return len(self.keys) - 1

    def opening(self, member: bytes) -> dict[str, Any]:
        """The transaction with which a member goes on from the record that opened this epoch."""
        record = self.closings[max(self.closings)].record if self.closings else None
        seal = None if record is None else record.seal(self.by_id[member])
        anchor = digest_of("anchor", member, self.ledger.epoch_number + 1)
        return t.Open(self.ledger.epoch_number, seal, anchor).as_table()

    def open(self, *members: int) -> tuple[Effect, ...]:
        """One round in which these members open the epoch."""
        return self.order(*((self.id(member), [self.opening(self.id(member))]) for member in members))

    def close(self) -> Closing:
        """Closes the epoch with the last round, as the ledger says that it has to."""
        closing = self.closings[len(self.rounds)] = self.ledger.close(self.rounds[-1])
        return closing

    def propose(self, member: int, change: Change | SteeringChange) -> bytes:
        """The id of a proposal, which is ordered now."""
        number = self.next_id(member)
        self.act(member, t.Propose(number, change, "why not"))
        return t.proposal_id(self.id(member), number)

    def agree(self, change: Change | SteeringChange, *members: int) -> None:
        """The first member proposes, the others approve."""
        proposal = self.propose(members[0], change)
        for member in members[1:]:
            self.act(member, t.Ballot(self.next_id(member), proposal, approve=True))

    def id(self, member: int) -> bytes:
        return self.keys[member].id

    def next_id(self, member: int) -> int:
        """A transaction id that the member has not used."""
        self.ids[member] += 1
        return self.ids[member] - 1

    def order(
        self,
        *events: tuple[bytes, Sequence[Mapping[str, Any]]],
        step: int = SECOND,
        judges: tuple[Judge, ...] | None = None,
    ) -> tuple[Effect, ...]:
        """One decided round that receives these events (creator, transactions)."""
        ordered = []
        number = len(self.rounds) + 1
        for creator, transactions in events:
            self.time += step
            plain: Any = decode(encode(list(transactions)), limit=1 << 18)
            payload = encode(plain)
            header = encode([self.index, creator, hashlib.sha256(payload).digest()])
            event = Event(
                version=2, epoch=self.genesis.digest, creator=creator, seq=0, self_parent=None, other_parents=(),
                time=self.clocks.get(creator, self.time), reveal=None, ledger=None,
                payload_digest=hashlib.sha256(payload).digest(),
                header=header, signature=b"", hash=hashlib.sha256(header).digest(),
                transactions=tuple(plain), payload=payload, raw=header,
            )  # fmt: skip
            ordered.append(OrderedEvent(event, number, self.time, self.index))
            self.index += 1
        if judges is None:
            judges = (Judge(digest_of("judge", number), self.ledger.roster.ids[0], None),)
        decided = DecidedRound(number, judges, tuple(ordered))
        self.rounds.append(decided)
        self.last = self.ledger.apply_round(decided)
        return self.last

    def act(self, member: int, *transactions: t.Transaction) -> tuple[Effect, ...]:
        """One round with one event of this member."""
        return self.order((self.id(member), [entry.as_table() for entry in transactions]))

    def wait(self, seconds: int) -> tuple[Effect, ...]:
        """Lets consensus time pass, by empty events."""
        effects: list[Effect] = []
        while seconds > 0:
            step = min(seconds, 30)
            effects += self.order((self.id(0), []), step=step * SECOND)
            seconds -= step
        return tuple(effects)

    def kinds(self) -> list[str]:
        return [effect.kind for effect in self.last]

    def refusal(self) -> str | None:
        """Why the (only) transaction of the last round was refused."""
        reasons = [effect.fields["reason"] for effect in self.last if effect.kind == "rejected"]
        return str(reasons[0]) if reasons else None

    def replayed(self) -> Ledger:
        """A second node's ledger over the same rounds."""
        ledger = Ledger.found(self.genesis)
        for decided in self.rounds:
            ledger.apply_round(decided)
            if decided.number in self.closings:
                assert ledger.close(decided) == self.closings[decided.number]
        return ledger

    # Ready-made work.

    def model(self, name: str, parent: bytes | None = None) -> tuple[bytes, dict[str, bytes]]:
        """Digest and files of a model."""
        files = {"weights.safetensors": digest_of("weights", name)}
        return t.model_digest(files, "c16b2", parent), files

    def play(self, member: int, games: int = 32, configuration: str = "hex8-2") -> bytes:
        """A claim and a shard; the shard's digest."""
        claim = self.next_id(member)
        self.act(member, t.SelfplayClaim(claim, configuration, games))
        model = self.ledger.configuration(configuration).model.digest
        shard = digest_of("shard", member, claim)
        number = self.next_id(member)
        self.act(
            member,
            t.Games(
                number,
                claim=claim,
                configuration=configuration,
                model=model,
                shard=shard,
                size=1000,
                games=games,
                plies=games * 90,
                root=digest_of("root"),
                facts=facts_of(self.genesis.settings, games, games * 90),
            ),
        )
        return shard

    def candidate(self, member: int, name: str = "first", configuration: str = "hex8-2") -> t.Candidate:
        """A nomination without a claim, not yet ordered."""
        incumbent = self.ledger.configuration(configuration).model.digest
        model, files = self.model(name)
        return t.Candidate(
            self.next_id(member),
            claim=None,
            configuration=configuration,
            model=model,
            files=files,
            architecture="c16b2",
            parent=None,
            incumbent=incumbent,
            shards=(),
            losses={},
            measures=self.measures,
            state=None,
        )

    def nominate(self, member: int, name: str = "first", configuration: str = "hex8-2") -> bytes:
        """Nominates, waits for the beacon; the candidate's id."""
        news = self.candidate(member, name, configuration)
        self.act(member, news)
        self.order()
        self.order()
        return t.candidate_id(self.id(member), news.id)

    def ask(self, member: int, candidate: bytes) -> int:
        """Asks for a slot, which the round after the next draws."""
        number = self.next_id(member)
        self.act(member, t.MatchClaim(number, candidate))
        return number

    def claim_slot(self, member: int, candidate: bytes, slot: int) -> int:
        """Asks for a slot and, if that is allowed, lets the one judge of a round have a hash that draws `slot`."""
        number = self.ask(member, candidate)
        if self.refusal() is None:
            self.order()
            open_ = self.ledger.candidate(candidate)
            assert open_ is not None
            slots = self.ledger.open_slots(open_, self.id(member))
            assert slot in slots, (slot, slots)
            self.order(judges=(self._judge_that_draws(self.id(member), number, slots, slot),))
        return number

    def _judge_that_draws(self, author: bytes, claim: int, slots: tuple[int, ...], slot: int) -> Judge:
        epoch, number = self.ledger._state.epoch.digest, len(self.rounds) + 1
        for salt in range(10_000):
            judge = Judge(digest_of("judge", number, salt), self.ledger.roster.ids[0], None)
            value = beacon.beacon(epoch, number, (judge,), ())
            if slots[beacon.slot_lot(value, author, claim) % len(slots)] == slot:
                return judge
        raise AssertionError("no hash draws the slot")

    def result(self, member: int, claim: int, slot: int, score: int, size: int = 2) -> t.Result:
        blocks = tuple((slot * size + number, score) for number in range(size))
        return t.Result(
            self.next_id(member),
            claim=claim,
            scores=blocks,
            root=digest_of("root", slot),
            blob=digest_of("blob", slot),
            size=100,
            games=2 * size,
        )

    def play_slot(self, member: int, candidate: bytes, slot: int, score: int = 4) -> tuple[Effect, ...]:
        """Claims and reports a slot."""
        claim = self.claim_slot(member, candidate, slot)
        return self.act(member, self.result(member, claim, slot, score))

    def ripen(self, candidate: bytes, players: tuple[int, int] = (1, 2)) -> None:
        """Plays slots with full marks until the test accepts."""
        slot = 0
        while (open_ := self.ledger.candidate(candidate)) is not None and open_.ripe is None:
            self.play_slot(players[slot % 2], candidate, slot)
            slot += 1

    def vote(self, member: int, candidate: bytes, approve: bool = True) -> tuple[Effect, ...]:
        open_ = self.ledger.candidate(candidate)
        checked = open_.ripe.results if open_ is not None and open_.ripe is not None else bytes(32)
        return self.act(member, t.Vote(self.next_id(member), candidate, approve, checked, ""))

    def promote(self, member: int, name: str = "first") -> bytes:
        """From nomination to promotion; the digest of the statement."""
        return self.promote_candidate(self.nominate(member, name), member)

    def promote_candidate(self, candidate: bytes, member: int) -> bytes:
        """From the match of a member's candidate to promotion; the digest of the statement."""
        others = [number for number in range(len(self.keys)) if number != member] or [member]
        self.ripen(candidate, (others[0], others[-1]))
        for voter in range(len(self.keys)):
            if self.ledger.candidate(candidate) is not None:
                self.vote(voter, candidate)
        return self.ledger.promotions()[-1].digest

    def seal(self, member: int, statement: bytes) -> t.Seal:
        promotion = self.ledger.promotion(statement)
        assert promotion is not None
        return t.Seal(self.next_id(member), statement, self.keys[member].sign(pae(promotion.statement)))

    def certify(self, statement: bytes, members: tuple[int, ...]) -> None:
        for member in members:
            self.act(member, self.seal(member, statement))


def settings(**changes: Any) -> Settings:
    """Small settings with changed sections."""
    return replace(SMALL, **changes)
