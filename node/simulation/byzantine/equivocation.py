"""Equivocation: several events with one sequence number, shown to everybody, to some peers, or late."""

from collections.abc import Sequence

from consensus.event import Event
from node.member.creation import Plan
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.simulation.byzantine.withholding import MAX_HIDDEN_S, HidingAttack

_MAX_BRANCHES = 6


class Fork(Attack):
    """Signs two next events, now and then on top of an older one, and goes on from either."""

    kind = "fork"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        return make_branches(member, plan, earlier_event(member, self.random.choice((0, 0, 0, 1, 3))), 2)


class ManyBranches(Attack):
    """Signs up to six events on top of one of its older ones."""

    kind = "branches"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        parent = earlier_event(member, self.random.randrange(6))
        return make_branches(member, plan, parent, self.random.randint(3, _MAX_BRANCHES))


class LateBranch(HidingAttack):
    """Grows a second branch in secret, and shows it much later."""

    kind = "late-branch"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        own = member.own_events()
        if len(own) < 5:
            return None
        grown = [event for event in own if self.has_hidden(event)]
        after = grown[-1] if grown and self.random.random() < 0.7 else own[-self.random.randint(3, 5)]
        event = member.next_event(plan, after=after)
        newest = member.newest()
        if newest is None or event.seq >= newest.seq or event.hash in member.replica.dag:
            return None
        self.hide(event, self.random.random() * MAX_HIDDEN_S)
        return [event]


class SplitView(HidingAttack):
    """Signs two next events, and shows one to half of the swarm, the other one to the other half."""

    kind = "two-faces"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event]:
        """See `Attack.sign`."""
        pair = make_branches(member, plan, member.newest(), 2)
        others = [other for other in member.replica.roster.ids if other != member.id]
        half = frozenset(self.random.sample(others, len(others) // 2))
        hidden_s = self.random.random() * MAX_HIDDEN_S
        self.hide(pair[0], hidden_s, half)
        self.hide(pair[1], hidden_s, frozenset(others) - half)
        return pair


class DuplicateInstance(Attack):
    """Runs a second instance with its key during a `split`, so that each side talks to one of its own."""

    kind = "two-lives"
    runs_duplicate = True


def earlier_event(member: ByzantineMember, back: int) -> Event | None:
    """Return the own event `back` places before the newest, or the first one; None if there are none."""
    own = member.own_events()
    return own[max(0, len(own) - 1 - back)] if own else None


def make_branches(member: ByzantineMember, plan: Plan, after: Event | None, count: int) -> list[Event]:
    """Make `count` different events after `after`, by a transaction in all but the first; omit those attached."""
    contents = [(), *([{"type": "branch", "id": number}] for number in range(1, count))]
    made = [member.next_event(plan, transactions, after=after) for transactions in contents]
    return [event for event in made if event.hash not in member.replica.dag]
