"""Whether this node is level with the swarm and has a vote in it, what is missing for a quorum, and why."""

from collections.abc import Callable, Sequence

from consensus.keys import MemberId
from consensus.ledger import Ledger
from node.config.address import Address
from node.gossip.gossip import Gossip
from node.member.member import Member
from node.membership.address_book import AddressBook
from node.membership.joining import reason_outside, reason_voteless
from node.report import membership
from node.report.decisions import unknown_changes
from node.report.peers import peer_state
from node.system.supervision import PartFailure
from node.text.formatting import fragility, quorum


class Readiness:
    """Looks at a running node at the moment of asking."""

    def __init__(
        self,
        *,
        me: MemberId,
        address_book: AddressBook,
        member: Member,
        gossip: Gossip,
        listen: Address,
        failures: Callable[[], Sequence[PartFailure]],
    ) -> None:
        """Look at the node of `me`, which serves peers at `listen`; `failures` returns which of its parts failed."""
        self._me, self._member, self._gossip = me, member, gossip
        self._address_book = address_book
        self._listen, self._failures = listen, failures

    @property
    def _ledger(self) -> Ledger:
        return self._member.replica.ledger

    def outside(self) -> str:
        """Return why this node has no part in the swarm; empty if it has."""
        removed_by = self._member.removed_by
        return reason_outside(self._me, self._listen, self._address_book, self._ledger, removed_by=removed_by)

    def unknown(self) -> str:
        """Return which open proposals this program does not know, and the remedy; empty if it knows all."""
        texts = [membership.steering_text(change) for change in unknown_changes(self._ledger)]
        if not texts:
            return ""
        return f"{'; '.join(texts)}: if this passes, the node ends; install a newer version of the program before"

    def voteless(self) -> str:
        """Return why this member has no vote, since when, and what to do; empty if it has one."""
        return reason_voteless(
            self._me, self._ledger, self._address_book.name(self._me), was_heard=self._member.was_heard()
        )

    def ready(self) -> tuple[bool, str]:
        """Return whether this node is level with the swarm and has a vote in it, and why it is or not."""
        reason = self.outside() or self.voteless()
        return (False, reason) if reason else self.level()

    def level(self) -> tuple[bool, str]:
        """Return whether this node takes part and is level with the swarm, with a vote or not, and why it is or not."""
        if reason := self.outside():
            return False, reason
        status = self._member.status()
        if status.second_instance:
            return False, status.second_instance
        if status.dissent:
            return False, status.dissent
        if status.listening:
            return False, "listening to the others before the first own event"
        refusing = [peer.id for peer in self._gossip.statuses() if peer_state(peer) == "refused"]
        if 3 * self._address_book.roster.weight(refusing) >= self._address_book.roster.total_weight:
            return False, "members turn this node away; if it was voted out, ringrift-node members says so at theirs"
        down = [failure for failure in self._failures() if failure.again_at is not None]
        if down:
            return False, f"{down[-1].part} failed and starts again soon: {down[-1].reason}"
        if not self._gossip.is_caught_up():
            missing = self.quorum()
            return False, f"not level with members of more than 2/3 of the weight{missing and ': '}{missing}"
        silence = f"; makes no events for now: {status.ailment}" if status.ailment else ""
        return True, f"level with members of more than 2/3 of the weight{silence}"

    def quorum(self) -> str:
        """Return what is missing for a decision, and who is silent; empty if nothing is missing."""
        answering = {self._me, *(peer.id for peer in self._gossip.statuses() if peer.state == "ok")}
        roster, near = self._address_book.roster, answering.intersection(self._gossip.in_touch())
        silent = [self._address_book.name(member.id) for member in roster.members if member.id not in near]
        return quorum(roster.weight(near), roster.total_weight, silent)

    def fragility(self) -> str:
        """Return which members the swarm cannot do without, and the remedy; empty if there are none."""
        return fragility([self._address_book.name(member.id) for member in self._address_book.roster.indispensable])
