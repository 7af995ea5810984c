"""Well-formed events with false or chosen contents: times, hashes, transactions."""

from collections.abc import Sequence
from typing import Any

from consensus.event import Event, decode_event
from consensus.ledger.records import transactions as ledger
from consensus.replica import ForkError
from node.member.creation import Plan
from node.simulation.byzantine.adversary import Adversary, Liar
from node.simulation.byzantine.forge import forged

YEAR_NS = 365 * 86_400 * 10**9

_TRIES = 16


class YearOff(Adversary):
    """Times a year ahead or behind, as far as the own chain allows."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        honest = liar.next_event(plan)
        parent = liar.newest()
        least = 0 if parent is None else parent.time + 1
        time = honest.time + self.random.choice((-YEAR_NS, -YEAR_NS, YEAR_NS))
        return [liar.next_event(plan, time=max(least, time))]


class Grind(Adversary):
    """Tries several events until its coin is as wished, and its hash the lowest."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        wish = self.random.getrandbits(1)
        first = liar.next_event(plan)
        tried = [first, *(liar.next_event(plan, time=first.time + later) for later in range(1, _TRIES))]
        return [min(tried, key=lambda event: (event.hash[16] & 1 != wish, event.hash))]


class UnknownVotes(Adversary):
    """Votes, seals, results and progress about what nobody has proposed, promoted or claimed."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event]:
        """See `Adversary`."""
        unknown, number = self.random.randbytes(32), self.random.randrange(1 << 40)
        said = [
            ledger.Vote(number, unknown, True, unknown, "seen"),
            ledger.Seal(number + 1, unknown, unknown + unknown),
            ledger.Progress(number + 2, number, 1),
            ledger.Release(number + 3, number, "tired"),
            ledger.Result(number + 4, claim=number, scores=((0, 2),), root=unknown, blob=unknown, size=1000, games=4),
        ]
        return [liar.next_event(plan, [transaction.as_table() for transaction in said])]


class FalseEvidence(Adversary):
    """Proofs against honest members: with one event twice, with events of two numbers, with a forged one."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event] | None:
        """See `Adversary`."""
        if not liar.replica.dag.events:
            return None
        victim, other = self.random.choices(liar.replica.dag.events, k=2)
        forgery = decode_event(forged(liar.key, victim, _later), victim.epoch)
        second = self.random.choice((victim, other, forgery))
        pair = sorted((victim, second), key=lambda event: event.hash)
        said = ledger.Evidence(victim.seq, *((event.header, event.signature) for event in pair))
        return [liar.next_event(plan, [said.as_table()])]


def _later(fields: list[Any]) -> None:
    fields[6] += 1


class Altered(Adversary):
    """Signs the next event as it should be, but for some fields."""

    def sign(self, liar: Liar, plan: Plan) -> Sequence[Event] | None:
        """See `Adversary`."""
        try:
            return [liar.altered(plan, **self.changes(liar))]
        except ForkError:
            return None

    def changes(self, liar: Liar) -> dict[str, Any]:
        """Fields and what they hold instead."""
        raise NotImplementedError


class Mute(Altered):
    """Holds its preimages back, and does not say what its ledger is."""

    def changes(self, liar: Liar) -> dict[str, Any]:
        """See `Altered`."""
        return {"reveal": None, "ledger": None}


class FalseReveal(Altered):
    """Shows preimages that are none, where there should be one and where there should not."""

    def changes(self, liar: Liar) -> dict[str, Any]:
        """See `Altered`."""
        return {"reveal": self.random.randbytes(32)}


class FalseLedger(Altered):
    """Says that its ledger is another one, or of a round that is not decided yet."""

    def changes(self, liar: Liar) -> dict[str, Any]:
        """See `Altered`."""
        return {"ledger": (max(1, liar.status().round + self.random.choice((0, -1, 1000))), bytes(32))}
