"""The recent effects of the order, numbered as every node numbers them, for /log and for who waits."""

from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Mapping

from consensus.keys import MemberId, id_text
from consensus.ledger.records.effects import Effect, Scalar
from consensus.replica import RoundEffects
from node.api.answers import LogEntry

KEPT = 5000
ANSWERED = 500


class EffectLog:
    """Effects since the first round; the numbers count all of them, the last `KEPT` are kept."""

    def __init__(self, name: Callable[[MemberId], str]) -> None:
        self._name = name
        self._entries: deque[LogEntry] = deque(maxlen=KEPT)
        self._count = 0

    async def run(self, rounds: AsyncIterable[RoundEffects]) -> None:
        """Append the effects of every round."""
        async for decided in rounds:
            self.add(decided.effects)

    def add(self, effects: Iterable[Effect]) -> None:
        """Append the effects of one round."""
        for effect in effects:
            self._count += 1
            member = effect.member
            self._entries.append(
                {
                    "number": self._count,
                    "kind": effect.kind,
                    "member": "" if member is None else id_text(member),
                    "name": "" if member is None else self._name(member),
                    "round": effect.round,
                    "time": effect.time,
                    "fields": self._fields(effect.fields),
                }
            )

    def _fields(self, fields: Mapping[str, Scalar]) -> dict[str, str | int | bool | None]:
        plain = {name: _plain(value) for name, value in fields.items()}
        for role in ("subject", "accused", "suspect"):  # whom a change of the roster, a proof or a finding concerns
            if isinstance(member := fields.get(role), bytes):
                plain[f"{role}_name"] = self._name(member)
        return plain

    def after(self, number: int) -> list[LogEntry]:
        """The oldest entries with a larger number, at most `ANSWERED` of them."""
        first = self._count - len(self._entries) + 1
        start = max(number + 1 - first, 0)
        return [self._entries[at] for at in range(start, min(start + ANSWERED, len(self._entries)))]

    def latest(self, count: int) -> list[LogEntry]:
        """The last entries, oldest first, at most `count` of them."""
        return list(self._entries)[-count:]


def _plain(value: Scalar) -> str | int | bool | None:
    return value.hex() if isinstance(value, bytes) else value
