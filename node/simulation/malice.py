"""Members that do not keep to the protocol."""

from consensus.event import Event, make_event
from node.creation import Plan
from node.member import Member


class Equivocator(Member):
    """Signs several events with one sequence number, and goes on from any of them."""

    async def _create(self, plan: Plan) -> None:
        transactions = self._pending.fill()
        own = [event for event in self.replica.dag.events if event.creator == self.id]
        self._set_pace()
        branches = 2 if own and self._random.random() < 0.2 else 1
        for branch in range(branches):
            said = transactions if branch == 0 else ({"type": "branch", "id": branch},)
            event = self._branch(own, plan, said)
            await self._store.append([event])
            self._attached(self.replica.insert([event]))
        self._pending.taken(len(transactions))

    def _branch(self, own: list[Event], plan: Plan, transactions: tuple[dict[str, object], ...]) -> Event:
        """An event after the newest own one, or, now and then, after an older one."""
        back = 0 if self._random.random() < 0.8 else self._random.randrange(1, 4)
        parent = own[max(0, len(own) - 1 - back)] if own else None
        now = self._clock.time_ns()
        return make_event(
            self._key,
            epoch=self.replica.epoch,
            seq=0 if parent is None else parent.seq + 1,
            self_parent=None if parent is None else parent.hash,
            other_parents=plan.other_parents,
            time=now if parent is None else max(now, parent.time + 1),
            transactions=transactions,
        )
