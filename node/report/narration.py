"""The log of a node about what matters to its operator: own work, promotions, convictions, peers, and the quorum."""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence

import structlog
import trio

from consensus.keys import MemberId, id_text
from consensus.replica import RoundEffects
from node.gossip.peer_table import PeerStatus
from node.report.effect_log import log_entry
from node.report.membership import NameOf
from node.text.effects import predicate

_OWN = ("claim", "slot", "games", "candidate", "result", "rated", "release", "expired")  # effects of this member alone
_ALL = ("promotion", "certificate", "dropped", "decision", "roster", "shelved")
_BAD = ("evidence", "fault", "struck")
_LOOK_S = 2.0

_log = structlog.get_logger(__name__)


async def tell_effects(rounds: AsyncIterable[RoundEffects], me: MemberId, name_of: NameOf) -> None:
    """Log what the order brings about this member's work, about models and decisions, and who was convicted."""
    own = id_text(me)
    async for decided in rounds:
        for effect in decided.effects:
            entry = log_entry(effect, 0, name_of)
            kind, text = entry["kind"], predicate(entry)
            if text is None:
                continue
            about = {"round": entry["round"], "who": entry["name"] or "swarm", "what": text}
            if kind in _BAD:
                is_own = _accused(entry["fields"]) == own
                (_log.error if is_own else _log.warning)("conviction", **about)
            elif kind in _ALL or (kind in _OWN and entry["member"] == own):
                (_log.warning if kind == "expired" else _log.info)(kind, **about)


def _accused(fields: Mapping[str, object]) -> str:
    accused = fields.get("accused")
    return id_text(bytes.fromhex(accused)) if isinstance(accused, str) else ""


class PeerWatch:
    """What was logged last of the peers and of the quorum."""

    def __init__(
        self, name_of: NameOf, statuses: Callable[[], Sequence[PeerStatus]], quorum: Callable[[], str]
    ) -> None:
        """Watch the peers; `quorum` returns what is missing for a decision, in words, "" if nothing is."""
        self._name_of, self._statuses, self._quorum = name_of, statuses, quorum
        self._answers: dict[MemberId, bool] = {}  # whether a peer did, as was logged
        self._has_quorum: bool | None = None

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await trio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Log which peers were lost or came back since the last look, and whether something can be decided.

        A peer that has not answered yet is not lost.
        """
        for peer in self._statuses():
            answers = peer.state == "ok"
            before = self._answers.get(peer.id)
            if answers and before is not True:
                _log.info("peer is back" if before is False else "peer", name=self._name_of(peer.id))
            elif not answers and before is True:
                _log.warning("peer lost", name=self._name_of(peer.id), reason=peer.error or "it does not answer")
            if answers or before is not None:
                self._answers[peer.id] = answers
        self._look_at_quorum()

    def _look_at_quorum(self) -> None:
        missing = self._quorum()
        if not missing and self._has_quorum is not True:
            _log.info("quorum", what="members of more than 2/3 of the weight are in touch")
        elif missing and self._has_quorum:
            _log.warning("quorum lost", what=missing)
        if not missing or self._has_quorum is not None:  # at first the others have not been asked yet
            self._has_quorum = not missing
