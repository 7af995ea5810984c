"""The newest events of the open epoch as a graph, in the shape of `node.api.graph`."""

from weakref import ReferenceType, ref

from consensus.dag import Dag
from consensus.keys import id_text
from node.api.graph import GraphEventInfo, GraphInfo
from node.report.membership import NameOf

_MOST_EVENTS = 600
_LEVELS = 36
_CROWDED_LEVELS = 60  # where there are many members: a round has more levels there
_CROWD = 12  # members


class GraphWindow:
    """Where events are in a drawing: the levels of the newest ones, which stay the same as long as they are looked at.

    A level is counted from where the first look began, so that a look costs no more for a long epoch.
    """

    def __init__(self) -> None:
        self._levels: dict[int, int] = {}  # by row
        self._next = 0  # row
        self._dag: ReferenceType[Dag] | None = None

    def look(self, dag: Dag, epoch: int, name_of: NameOf) -> GraphInfo:
        """Return the events of the last levels."""
        self._observe(dag)
        newest = max(self._levels.values(), default=0)
        levels = _CROWDED_LEVELS if len(dag.members) > _CROWD else _LEVELS
        shown = [row for row, level in self._levels.items() if level > newest - levels]
        rows = set(shown)
        return {
            "epoch": epoch,
            "decided": dag.hashgraph.decided,
            "total": len(dag),
            "levels": levels,
            "members": [{"member": id_text(member), "name": name_of(member)} for member in dag.members],
            "events": [self._event(dag, row, rows) for row in shown],
        }

    def _observe(self, dag: Dag) -> None:
        if self._dag is None or self._dag() is not dag or len(dag) - self._next > _MOST_EVENTS:
            self._dag, self._levels, self._next = ref(dag), {}, max(0, len(dag) - _MOST_EVENTS)
        lowest = next(iter(self._levels.values()), 0)
        for row in range(self._next, len(dag)):
            parents = (self._levels.get(dag.rows[parent], lowest) for parent in dag.events[row].parents)
            self._levels[row] = 1 + max(parents, default=lowest)
        self._next = len(dag)
        for row in list(self._levels)[:-_MOST_EVENTS]:
            del self._levels[row]

    def _event(self, dag: Dag, row: int, shown: set[int]) -> GraphEventInfo:
        event, hashgraph = dag.events[row], dag.hashgraph
        number = hashgraph.round_of(row)
        parents = [dag.rows[parent] for parent in event.parents]
        return {
            "row": row,
            "member": dag.index[event.creator],
            "seq": event.seq,
            "level": self._levels[row],
            "parents": [parent for parent in parents if parent in shown],
            "round": number,
            "witness": hashgraph.is_witness(row),
            # Of an open round it would cost an election.
            "famous": hashgraph.fame(row) if number <= hashgraph.decided else None,
            "transactions": len(event.transactions),
        }
