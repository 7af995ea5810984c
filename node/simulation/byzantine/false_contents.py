"""Well-formed events with false or chosen contents: times, hashes, reveals, transactions."""

from collections.abc import Sequence
from typing import Any

from consensus.event import Event, decode_event
from consensus.ledger.records import transactions as ledger
from consensus.replica import ForkError
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.simulation.byzantine.forge import HEADER_TIME, forge_event

_YEAR_NS = 365 * 86_400 * 10**9
_GRINDING_TRIES = 16


class FalseTimes(Attack):
    """Dates events a year ahead or back, as far as its own chain allows."""

    kind = "year-off"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        honest = member.next_event(plan)
        parent = member.newest()
        earliest = 0 if parent is None else parent.time + 1
        time = honest.time + self.random.choice((-_YEAR_NS, -_YEAR_NS, _YEAR_NS))
        return [member.next_event(plan, time=max(earliest, time))]


class HashGrinding(Attack):
    """Tries several events until one has the wished coin bit, and takes the lowest hash."""

    kind = "grind"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        wished = self.random.getrandbits(1)
        first = member.next_event(plan)
        tried = [first, *(member.next_event(plan, time=first.time + later) for later in range(1, _GRINDING_TRIES))]
        return [min(tried, key=lambda event: (event.hash[16] & 1 != wished, event.hash))]


class UnknownVotes(Attack):
    """Votes, seals and reports results and progress about things that nobody proposed, promoted or claimed."""

    kind = "unknown-votes"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        unknown, number = self.random.randbytes(32), self.random.randrange(1 << 40)
        transactions = [
            ledger.Vote(number, unknown, True, unknown, "seen"),
            ledger.Seal(number + 1, unknown, unknown + unknown),
            ledger.Progress(number + 2, number, 1),
            ledger.Release(number + 3, number, "tired"),
            ledger.Result(number + 4, claim=number, scores=((0, 2),), root=unknown, blob=unknown, size=1000, games=4),
        ]
        return [member.next_event(plan, [transaction.as_table() for transaction in transactions])]


class FalseEvidence(Attack):
    """Accuses honest members of forks: by one event twice, by two of different numbers, or by a forged one."""

    kind = "false-evidence"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        if not member.replica.dag.events:
            return None
        victim, other = self.random.choices(member.replica.dag.events, k=2)
        forgery = decode_event(forge_event(member.key, victim, _increment_time), victim.epoch)
        second = self.random.choice((victim, other, forgery))
        pair = sorted((victim, second), key=lambda event: event.hash)
        evidence = ledger.Evidence(victim.seq, *((event.header, event.signature) for event in pair))
        return [member.next_event(plan, [evidence.as_table()])]


def _increment_time(fields: list[Any]) -> None:
    fields[HEADER_TIME] += 1


class AlteringAttack(Attack):
    """Base of attacks that sign the honest next event with some fields changed."""

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        try:
            return [member.altered_event(plan, **self.changes(member))]
        except ForkError:
            return None

    def changes(self, member: ByzantineMember) -> dict[str, Any]:
        """Return the changed fields by name."""
        raise NotImplementedError


class Mute(AlteringAttack):
    """Reveals no preimages, and does not state its ledger's digest."""

    kind = "mute"

    def changes(self, member: ByzantineMember) -> dict[str, Any]:
        """See `AlteringAttack.changes`."""
        return {"reveal": None, "ledger": None}


class FalseReveal(AlteringAttack):
    """Reveals random bytes instead of a preimage, and also where no preimage is due."""

    kind = "false-reveal"

    def changes(self, member: ByzantineMember) -> dict[str, Any]:
        """See `AlteringAttack.changes`."""
        return {"reveal": self.random.randbytes(32)}


class FalseLedger(AlteringAttack):
    """States a wrong ledger digest, or one of a round that is not decided yet."""

    kind = "false-ledger"

    def changes(self, member: ByzantineMember) -> dict[str, Any]:
        """See `AlteringAttack.changes`."""
        return {"ledger": (max(1, member.status().round + self.random.choice((0, -1, 1000))), bytes(32))}
