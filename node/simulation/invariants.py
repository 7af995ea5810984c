"""What must hold in every run, whatever goes wrong: agreement, nothing lost, no honest member accused, progress."""

from collections.abc import Collection, Mapping, Sequence

import trio

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import CertificateError, UnreadableError, verify
from consensus.event import Event
from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.records.effects import Effect
from consensus.replica import RoundEffects
from node.simulation.machine import SimulatedNode
from node.simulation.roster_plan import RosterPlan
from node.simulation.swarm import SimulatedSwarm

_LATE = "the event is of another epoch or swarm"  # it was on its way when its epoch closed here: not an accusation


class Violation(Exception):  # noqa: N818 - what the simulator looks for
    """Something that must never happen has happened; one line. `kind` is the same for all nodes and numbers."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.at = trio.current_time() if trio.lowlevel.in_trio_run() else 0.0  # virtual seconds


class AgreementCheck:
    """Compares every round that an honest node decides, first or again after a restart, with the other nodes'."""

    def __init__(self, honest: Collection[MemberId] = ()) -> None:
        """Begin with nothing seen; the members in `honest` must not be convicted of anything."""
        self._honest = honest
        self.rounds: dict[int, tuple[object, object]] = {}  # judges and places
        self._ledgers: dict[int, tuple[object, bytes]] = {}  # effects and digest
        self.ordered = 0
        self.cured = 0  # corrupted ledgers that became right again

    def observe(self, node: SimulatedNode, effects: RoundEffects) -> None:
        """Take in a decided round. Raise Violation if another node decided otherwise."""
        if not node.honest:
            return
        self._check_order(node, effects)  # first: another order leads to another ledger
        if not node.is_corrupted or self._is_cured(node, effects):
            self._check_ledger(node, effects)

    def trace(self) -> object:
        """Return the whole order and every ledger digest, for comparison with another run."""
        return sorted(self.rounds.items()), sorted((number, digest) for number, (_, digest) in self._ledgers.items())

    def _is_cured(self, node: SimulatedNode, effects: RoundEffects) -> bool:
        """Return whether a corrupted ledger is that of the others again."""
        assert node.corrupted_round is not None
        number = effects.round.number
        if number > node.corrupted_round and number in self._ledgers and self._ledgers[number][1] == effects.digest:
            node.corrupted_round = None
            self.cured += 1
        return not node.is_corrupted

    def _check_order(self, node: SimulatedNode, effects: RoundEffects) -> None:
        number = effects.round.number
        places = tuple((place.event.hash, place.time, place.index) for place in effects.round.events)
        order = (effects.round.judges, places)
        if number not in self.rounds:
            self.rounds[number] = order
            self.ordered += len(places)
        if order != self.rounds[number]:
            raise Violation("order", f"node {node.number} orders round {number} differently")

    def _check_ledger(self, node: SimulatedNode, effects: RoundEffects) -> None:
        for effect in effects.effects:
            if effect.fields.get("accused") in self._honest:
                raise Violation("accused", f"node {node.number} convicts an honest member: {effect.kind}")
        number = effects.round.number
        ledger = effects.effects, effects.digest
        if self._ledgers.setdefault(number, ledger) != ledger:
            raise Violation("ledger", f"node {node.number} has another ledger after round {number}")


class PromotionsCheck:
    """Remembers all that was promoted and certified on any honest node: none of it is ever lost or contradicted."""

    def __init__(self) -> None:
        self.promoted: list[tuple[bytes, bytes]] = []  # digest and statement, in order
        self.certified: dict[bytes, int] = {}  # by digest: the round after which a node had the certificate

    def inspect(self, node: SimulatedNode, ledger: Ledger, decided: int) -> None:
        """Inspect a ledger after `decided` rounds. Raise Violation."""
        promotions = ledger.promotions()
        shown = [(promotion.digest, promotion.statement) for promotion in promotions]
        known = self.promoted[: len(shown)]
        if shown[: len(known)] != known:
            raise Violation("history", f"node {node.number} has other promotions than were seen before")
        self.promoted += shown[len(known) :]
        certified = {promotion.digest for promotion in promotions if promotion.certified}
        for digest, since in self.certified.items():
            if since <= decided and digest not in certified:
                raise Violation("history", f"node {node.number} has lost the certificate {digest.hex()[:12]}")
        for digest in certified:
            self.certified.setdefault(digest, decided)


class SettingsCheck:
    """Compares what members have decided at every honest node: the settings, their version, and what is paused.

    The values are computed a second time, from the decisions in the order alone.
    """

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}  # by round
        self._decided: dict[int, Sequence[Effect]] = {}  # by round, those that are not added up yet
        self._round = 0  # up to which they are added up
        self._values: dict[tuple[object, object], object] = {}  # by configuration and setting
        self._expected: dict[int, tuple[int, Mapping[tuple[object, object], object]]] = {0: (0, {})}  # by round
        self.version = 0  # the highest

    def observe(self, effects: RoundEffects) -> None:
        """Take in a round that an honest node with the right ledger has decided."""
        number = effects.round.number
        if number > self._round:
            self._decided[number] = [effect for effect in effects.effects if effect.kind == "decision"]
        while self._round + 1 in self._decided:
            self._round += 1
            for effect in self._decided.pop(self._round):
                self._add(effect.fields)
            self._expected[self._round] = self.version, dict(self._values)

    def _add(self, fields: Mapping[str, object]) -> None:
        if fields["change"] in ("set", "add"):
            self.version += 1
            self._values[fields["configuration"], fields["setting"]] = fields["value"]

    def inspect(self, node: SimulatedNode, ledger: Ledger) -> None:
        """Inspect a ledger. Raise Violation."""
        names = [entry.name for entry in ledger.configurations()]
        held = ledger.settings_version, ledger.settings, ledger.pauses(), [ledger.settings_on(name) for name in names]
        if self._seen.setdefault(ledger.round, held) != held:
            raise Violation("settings", f"node {node.number} has other settings after round {ledger.round}")
        if ledger.round not in self._expected:
            return
        values = {
            (entry.change.configuration, entry.change.setting): entry.change for entry in ledger.changed_settings()
        }
        found = ledger.settings_version, {key: change.value for key, change in values.items()}
        if found != self._expected[ledger.round]:
            text = f"node {node.number} has settings after round {ledger.round} that do not follow from the decisions"
            raise Violation("settings", text)


def check_certificates(ledger: Ledger) -> int:
    """Return how many certificates of a ledger hold, which is all of them. Raise Violation."""
    verified = 0
    for promotion in ledger.promotions():
        data = make_certificate(promotion, ledger)
        if data is None:
            continue
        try:
            verify(data, ledger.genesis.digest)
        except (CertificateError, UnreadableError) as error:
            raise Violation("certificate", f"{promotion.configuration} no. {promotion.number}: {error}") from error
        verified += 1
    return verified


def check_promise(plan: RosterPlan) -> None:
    """Raise Violation unless less than a third of the weight is faulty: beyond that nothing is promised.

    Then what the simulator does must be mended, not the swarm.
    """
    faulty, total = plan.faulty_weight(), plan.roster.total_weight
    if 3 * faulty >= total:
        raise Violation(
            "outside", f"liars and changed ledgers have {faulty} of the weight {total}: nothing is promised"
        )


class HonestMembersCheck:
    """Inspects what all nodes hold: honest members never fork, and are never treated as if they had."""

    def __init__(self, swarm: SimulatedSwarm) -> None:
        self._swarm = swarm
        self._honest = swarm.honest_ids
        self._hashes: dict[tuple[bytes, MemberId, int], bytes] = {}  # by epoch, creator and sequence number
        self._inspected: dict[object, int] = {}  # events, by run of a node and epoch
        self.attached = 0  # events inspected, at all nodes together

    def inspect(self) -> None:
        """Inspect what is new since the last call. Raise Violation."""
        for node in self._swarm.nodes:
            if node.member is not None:
                self._inspect_events(node)
                if node.honest:
                    self._inspect_opinions(node)

    def _inspect_events(self, node: SimulatedNode) -> None:
        assert node.member is not None
        replica = node.member.replica
        closed = replica.ledger.record
        for epoch in (None if closed is None else closed.previous, replica.epoch_digest):
            served = None if epoch is None else replica.find_epoch(epoch)
            if served is not None:
                self._inspect_epoch((node.number, node.starts, epoch), served.dag.events)

    def _inspect_epoch(self, run: object, events: Sequence[Event]) -> None:
        new = events[self._inspected.get(run, 0) :]
        for event in new:
            if event.creator in self._honest:
                known = self._hashes.setdefault((event.epoch, event.creator, event.seq), event.hash)
                if known != event.hash:
                    text = f"honest {id_text(event.creator)[:8]} signed two events {event.seq}"
                    raise Violation("honest fork", text)
        self.attached += len(new)
        self._inspected[run] = len(events)

    def _inspect_opinions(self, node: SimulatedNode) -> None:
        """Check what an honest node holds against others."""
        assert node.member is not None
        assert node.gossip is not None
        replica = node.member.replica
        for member in replica.hashgraph.forkers():
            if replica.dag.members[member] in self._honest:
                raise Violation("accused", f"node {node.number} takes an honest member for a forker")
        for refusal in replica.refusals():
            if refusal.creator in self._honest and refusal.reason != _LATE:
                text = f"node {node.number} refuses an event of an honest member: {refusal.reason}"
                raise Violation("accused", text)
        for peer in node.gossip.peers.values():
            if peer.id in self._honest and peer.backoff.listen_at > 0:
                text = f"node {node.number} says that an honest peer misbehaves: {peer.error}"
                raise Violation("accused", text)


def unfinished(swarm: SimulatedSwarm, rounds: int) -> str | None:
    """Return which honest node waits for what, transactions without a place or `rounds` rounds; None if none does."""
    newest = max(
        (node.member.replica for node in swarm.honest if node.member is not None and not node.is_corrupted),
        key=lambda replica: replica.epoch_number,
        default=None,
    )
    for node in swarm.honest:
        if newest is not None and node.identity.id not in newest.roster:
            continue
        if node.member is None:
            return f"node {node.number} is down"
        if node.is_corrupted:
            return f"node {node.number} has the wrong ledger since round {node.corrupted_round}"
        status = node.member.status()
        if status.pending:
            return f"node {node.number} has {status.pending} transactions without a place"
        if status.round < rounds:
            return f"node {node.number} has decided {status.round} of {rounds} rounds"
    return None
