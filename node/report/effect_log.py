"""The recent effects of the order, numbered by their places in it, for `GET /log`."""

from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable, Mapping

from consensus.keys import MemberId, id_text
from consensus.ledger.records.effects import Effect, Scalar
from consensus.replica import RoundEffects
from node.api.log import LogEntry

_KEPT = 5000
_MAX_ANSWERED = 500
_PLACES = 1 << 20  # of the effects of one round: more than can be


class EffectLog:
    """Every effect gets a number by its round and its place there, the same at all nodes; the last `_KEPT` are kept.

    So who reads on at another node, or after a restart, misses nothing that is kept there, and reads nothing twice.
    """

    def __init__(self, name_of: Callable[[MemberId], str]) -> None:
        self._name_of = name_of
        self._entries: deque[LogEntry] = deque(maxlen=_KEPT)
        self._last = 0  # number

    async def run(self, rounds: AsyncIterable[RoundEffects]) -> None:
        """Observe every round until cancelled."""
        async for decided in rounds:
            self.observe(decided.effects)

    def observe(self, effects: Iterable[Effect]) -> None:
        """Append the effects of one round, all of them."""
        for effect in effects:
            self._last = max(self._last + 1, effect.round * _PLACES)
            self._entries.append(log_entry(effect, self._last, self._name_of))

    def after(self, number: int) -> list[LogEntry]:
        """Return the oldest kept entries with a larger number, at most `_MAX_ANSWERED` of them."""
        start = bisect_right(self._entries, number, key=lambda entry: entry["number"])
        return [self._entries[at] for at in range(start, min(start + _MAX_ANSWERED, len(self._entries)))]

    def latest(self, count: int) -> list[LogEntry]:
        """Return the last `count` entries that are kept, oldest first."""
        return list(self._entries)[-count:]


def log_entry(effect: Effect, number: int, name_of: Callable[[MemberId], str]) -> LogEntry:
    """Return an effect as `GET /log` tells it."""
    member = effect.member
    return {
        "number": number,
        "kind": effect.kind,
        "member": "" if member is None else id_text(member),
        "name": "" if member is None else name_of(member),
        "round": effect.round,
        "time": effect.time,
        "fields": _fields(effect.fields, name_of),
    }


def _fields(fields: Mapping[str, Scalar], name_of: Callable[[MemberId], str]) -> dict[str, str | int | bool | None]:
    plain = {name: _plain(value) for name, value in fields.items()}
    for role in ("subject", "accused", "suspect"):  # members that the effect is about
        if isinstance(member := fields.get(role), bytes):
            plain[f"{role}_name"] = name_of(member)
    return plain


def _plain(value: Scalar) -> str | int | bool | None:
    return value.hex() if isinstance(value, bytes) else value
