"""The running node's `StatusSource`: reads member, gossip, ledger and work at the moment of asking."""

import hashlib
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path

import trio

from consensus.certificate.envelope import make_certificate
from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.priorities import why_rest
from consensus.roster import RosterMember
from engine.files import read_regular
from node.api.certificates import CertificateInfo
from node.api.faults import ProofInfo
from node.api.graph import GraphInfo
from node.api.history import HistoryInfo
from node.api.log import LogEntry
from node.api.matches import MatchInfo
from node.api.members import MemberInfo
from node.api.models import ModelInfo
from node.api.playing import PlayingInfo
from node.api.proposals import ProposalInfo
from node.api.ratings import RatingInfo
from node.api.records import RecordFileInfo
from node.api.status import (
    ArchiveInfo,
    BlobsInfo,
    ConsensusInfo,
    CurrentWorkInfo,
    DurationsInfo,
    ExchangesInfo,
    FailureInfo,
    NodeInfo,
    PeerInfo,
    PeerState,
    ReachInfo,
    SlotInfo,
    Status,
    SwarmInfo,
)
from node.api.steering import SteeringInfo
from node.api.work import WorkInfo
from node.blobs import MAX_BLOB_BYTES
from node.blobs.archiving import Archiver
from node.blobs.scrubbing import Scrubber
from node.config.address import Address
from node.gossip.gossip import Gossip
from node.gossip.peer_table import PeerStatus
from node.member.member import Member
from node.membership.address_book import AddressBook
from node.membership.dial_back import DialBack, Tried
from node.membership.joining import reason_outside, reason_voteless
from node.membership.proposals import Proposals
from node.proofs.faults import proof_path, read_proof
from node.report import ledger as shown
from node.report import membership
from node.report.conduct import conduct, proofs
from node.report.custody import custody_info
from node.report.decisions import decisions, unknown_changes
from node.report.effect_log import EffectLog
from node.report.graph import GraphWindow
from node.report.history import history
from node.report.matches import match
from node.report.playing import playing
from node.report.ratings import ratings
from node.report.records import record_file, record_files
from node.report.steering import steering
from node.system.histogram import Histogram
from node.system.logs import lost_log_lines
from node.system.supervision import PartFailure
from node.system.usage import free_bytes, memory_bytes
from node.system.version import shown_digest, source_digest, version
from node.text.formatting import fragility, quorum
from node.transport.exchanges import AskedExchanges
from node.work.context import WorkProgress
from node.work.drain import Drain
from node.work.limits import WorkLimits
from node.work.node_context import NodeWorkContext
from node.work.slots import SlotState

STATES: dict[str, PeerState] = {"ok": "ok", "backoff": "silent", "never": "never"}


class NodeReport:
    """A `StatusSource` over the parts of a running node; see there."""

    def __init__(
        self,
        *,
        me: MemberId,
        address_book: AddressBook,
        member: Member,
        gossip: Gossip,
        exchanges: AskedExchanges,
        dial_back: DialBack,
        context: NodeWorkContext,
        effects: EffectLog,
        proposals: Proposals,
        scrubber: Scrubber,
        archiver: Archiver | None = None,
        device: str,
        slots: Sequence[SlotState],
        drain: Drain,
        limits: WorkLimits,
        listen: Address,
        faults: Path,
        blob_path: Callable[[bytes], Path],
        failures: Callable[[], Sequence[PartFailure]],
    ) -> None:
        """Report on the node of `me`, from now on.

        `exchanges` are its requests to peers, `device` is the name of its first GPU or "cpu", `slots` are its worker
        slots, whose work `drain` ends and `limits` hold up, `listen` is where it serves peers, `faults` the directory
        of the proofs of wrong results; `blob_path` returns where a whole blob is, or would be, and `failures` which
        parts of the node have failed.
        """
        self._me = me
        self._address_book = address_book
        self._member = member
        self._gossip = gossip
        self._exchanges = exchanges
        self._dial_back = dial_back
        self._context = context
        self._effects = effects
        self._proposals = proposals
        self._scrubber = scrubber
        self._archiver = archiver
        self._listen = listen
        self._faults = faults
        self._blob_path = blob_path
        self._graph = GraphWindow()
        self._failures = failures
        self._device = device
        self._slots, self._drain, self._limits = slots, drain, limits
        self._started = trio.current_time()

    @property
    def _ledger(self) -> Ledger:
        return self._member.replica.ledger

    def status(self) -> Status:
        """See `StatusSource.status`."""
        ready, reason = self.readiness()
        slots = [_slot(state) for state in self._slots]
        return {
            "node": self._node(),
            "swarm": self._swarm(),
            "decisions": decisions(self._ledger, self._address_book.name),
            "ready": ready,
            "ready_reason": reason,
            "peers": [self._peer(peer) for peer in self._gossip.statuses()],
            "reach": [self._reach(tried, address) for tried in self._dial_back.tried() for address in tried.found],
            "unreached": self._dial_back.unreached(),
            "exchanges": _exchanges(self._exchanges),
            "consensus": self._consensus(),
            "conduct": conduct(self._ledger, self._address_book.name),
            "work": next((slot["work"] for slot in slots if slot["work"] is not None), None),
            "slots": slots,
            "rest": self._rest(),
            "custody": custody_info(self._ledger),
            "canonical": shown.canonical(self._ledger),
            "counts": shown.counts(self._ledger),
            "failures": [_failure(failure) for failure in self._failures()],
            "blobs": self._blob_state(),
            "archive": None if self._archiver is None else _archive(self._archiver),
        }

    def members(self) -> list[MemberInfo]:
        """See `StatusSource.members`."""
        peers = {peer.id: peer for peer in self._gossip.statuses()}
        present = [self._member_info(listed, peers.get(listed.id)) for listed in self._address_book.members()]
        return [*present, *membership.departed(self._address_book)]

    def proposals(self) -> list[ProposalInfo]:
        """See `StatusSource.proposals`."""
        if self._member.removed_by is not None:
            self._proposals.end_membership()
        return membership.proposals(self._proposals, self._ledger, self._address_book)

    def work(self) -> WorkInfo:
        """See `StatusSource.work`."""
        own_done = {(self._me, work.claim): work.done for state in self._slots for work in state.works}
        return shown.work(self._ledger, self._address_book.name, own_done)

    def steering(self) -> SteeringInfo:
        """See `StatusSource.steering`."""
        others = [member for member in self._ledger.roster.ids if member != self._me]
        return steering(self._ledger, [self._me, *others], self._address_book.name)

    def models(self) -> list[ModelInfo]:
        """See `StatusSource.models`."""
        return shown.models(self._ledger, self._address_book.name)

    def ratings(self) -> list[RatingInfo]:
        """See `StatusSource.ratings`."""
        return ratings(self._ledger)

    def graph(self) -> GraphInfo:
        """See `StatusSource.graph`."""
        return self._graph.look(self._member.replica.dag, self._ledger.epoch_number, self._address_book.name)

    def history(self) -> HistoryInfo:
        """See `StatusSource.history`."""
        return history(self._ledger, self._address_book.name)

    def match(self, candidate: str) -> MatchInfo | None:
        """See `StatusSource.match`."""
        try:
            name = bytes.fromhex(candidate)
        except ValueError:
            return None
        return match(self._ledger, self._address_book.name, name, self._keeps)

    def games(self, candidate: str, slot: int) -> bytes | None:
        """See `StatusSource.games`."""
        found = self.match(candidate)
        for entry in [] if found is None else found["slots"]:
            if entry["slot"] == slot and entry["kept"]:
                return _read_games(self._blob_path(bytes.fromhex(entry["digest"])), entry["digest"])
        return None

    def playing(self) -> list[PlayingInfo]:
        """See `StatusSource.playing`."""
        return playing(self._slots)

    def records(self) -> list[RecordFileInfo]:
        """See `StatusSource.records`."""
        return record_files(self._ledger, self._address_book.name, self._keeps)

    def record(self, digest: str) -> RecordFileInfo | None:
        """See `StatusSource.record`."""
        try:
            name = bytes.fromhex(digest)
        except ValueError:
            return None
        return record_file(self._ledger, self._address_book.name, name, self._keeps)

    def record_path(self, digest: str) -> Path:
        """See `StatusSource.record_path`."""
        return self._blob_path(bytes.fromhex(digest))

    def _keeps(self, digest: bytes) -> bool:
        return self._blob_path(digest).exists()

    def certificates(self) -> list[CertificateInfo]:
        """See `StatusSource.certificates`."""
        return shown.certificates(self._ledger, self._address_book.name)

    def faults(self) -> list[ProofInfo]:
        """See `StatusSource.faults`."""

        def is_kept(result: bytes) -> bool:
            return proof_path(self._faults, result).exists()

        return proofs(self._ledger, self._address_book.name, is_kept)

    def fault(self, result: str) -> bytes | None:
        """See `StatusSource.fault`."""
        try:
            path = proof_path(self._faults, bytes.fromhex(result))
        except ValueError:
            return None
        return read_proof(path, self._member.genesis.digest)

    def certificate(self, certificate: str) -> bytes | None:
        """See `StatusSource.certificate`."""
        try:
            promotion = self._ledger.promotion(bytes.fromhex(certificate))
        except ValueError:
            return None
        if promotion is None:
            return None
        return make_certificate(promotion, self._ledger)

    def log(self, after: int) -> list[LogEntry]:
        """See `StatusSource.log`."""
        return self._effects.after(after)

    def latest(self, count: int) -> list[LogEntry]:
        """See `StatusSource.latest`."""
        return self._effects.latest(count)

    def _node(self) -> NodeInfo:
        return {
            "id": id_text(self._me),
            "name": self._address_book.name(self._me),
            "version": version(),
            "uptime_s": trio.current_time() - self._started,
            "roles": list(self._context.roles),
            "device": self._device,
            "address": self._address_book.address(self._me) or str(self._listen),
            "draining": self._drain.has_begun,
            "lost_log_lines": lost_log_lines(),
            "sources": shown_digest(source_digest()),
            "disk_free_bytes": free_bytes(self._faults.parent),
            "memory_bytes": memory_bytes(),
            "memory_tier": self._limits.memory_tier,
            "disk_tier": self._limits.disk_tier,
            "scarce": self._limits.reasons,
        }

    def _swarm(self) -> SwarmInfo:
        genesis = self._ledger.genesis
        return {
            "name": genesis.swarm,
            "genesis": genesis.digest.hex(),
            "members": len(self._address_book.roster),
            "weight": self._address_book.roster.total_weight,
            "open_proposals": len(self._ledger.proposals()),
            "quorum": self.quorum(),
            "fragility": self.fragility(),
        }

    def quorum(self) -> str:
        """Return what is missing for a decision, and who is silent; empty if nothing is missing."""
        answering = {self._me, *(peer.id for peer in self._gossip.statuses() if peer.state == "ok")}
        roster, near = self._address_book.roster, answering.intersection(self._gossip.in_touch())
        silent = [self._address_book.name(member.id) for member in roster.members if member.id not in near]
        return quorum(roster.weight(near), roster.total_weight, silent)

    def fragility(self) -> str:
        """Return which members the swarm cannot do without, and the remedy; empty if there are none."""
        return fragility([self._address_book.name(member.id) for member in self._address_book.roster.indispensable])

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

    def readiness(self) -> tuple[bool, str]:
        """Return whether this node is level with the swarm and has a vote in it, and why it is or not."""
        reason = self.outside() or self.voteless()
        return (False, reason) if reason else self.level()

    def voteless(self) -> str:
        """Return why this member has no vote, since when, and what to do; empty if it has one."""
        return reason_voteless(
            self._me, self._ledger, self._address_book.name(self._me), was_heard=self._member.was_heard()
        )

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
        refusing = [peer.id for peer in self._gossip.statuses() if _state(peer) == "refused"]
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

    def _peer(self, peer: PeerStatus) -> PeerInfo:
        return {
            "id": id_text(peer.id),
            "name": self._address_book.name(peer.id),
            "address": self._address_book.address(peer.id),
            "weight": self._address_book.roster.weight([peer.id]),
            "last_contact_s": peer.contacted_s,
            "lag_events": None if peer.contacted_s is None else peer.lag,
            "state": _state(peer),
        }

    def _reach(self, tried: Tried, address: str) -> ReachInfo:
        return {
            "by_name": self._address_book.name(tried.member),
            "address": address,
            "reason": tried.found[address],
            "ago_s": trio.current_time() - tried.at,
        }

    def _consensus(self) -> ConsensusInfo:
        status = self._member.status()
        roster = self._address_book.roster.members
        decided = status.decided_at
        return {
            "epoch": self._ledger.epoch_number,
            "roster_version": self._ledger.roster_version,
            "round": status.round,
            "round_age_s": None if decided is None else trio.current_time() - decided,
            "rounds": _durations(status.rounds),
            "events": status.events,
            "ordered": status.ordered,
            "pending": status.pending,
            "ledger_digest": self._ledger.digest().hex(),
            "forkers": [id_text(roster[index].id) for index in self._member.replica.hashgraph.forkers()],
            "dissent": status.dissent,
            "ailment": status.ailment,
        }

    def _rest(self) -> str:
        if any(state.work is not None for state in self._slots):
            return ""
        if not self._limits.may_claim:
            return "; ".join(self._limits.reasons)
        return why_rest(self._ledger, self._member.id, self._context.roles)

    def _blob_state(self) -> BlobsInfo:
        return {
            "checked_bytes": self._scrubber.checked_bytes,
            "damaged": self._scrubber.damaged,
            "lost": self._scrubber.lost,
        }

    def _member_info(self, listed: RosterMember, peer: PeerStatus | None) -> MemberInfo:
        newest = self._member.replica.newest(listed.id)
        return {
            "id": id_text(listed.id),
            "name": self._address_book.name(listed.id),
            "address": self._address_book.address(listed.id),
            "weight": listed.weight,
            "standing": membership.standing(listed, self._address_book),
            **membership.announced(self._ledger.profiles().get(listed.id)),
            "events": 0 if newest is None else newest.seq + 1,
            "games": self._ledger.games_played(listed.id),
            "work": shown.claims_in_words(self._ledger, listed.id),
            "last_contact_s": None if peer is None else peer.contacted_s,
            "lag_events": None if peer is None or peer.contacted_s is None else peer.lag,
            "reached": None if peer is None else peer.reached,
            "asked_s": None if peer is None else peer.asked_us_s,
            "flaps": 0 if peer is None else peer.flaps,
            "error": "" if peer is None else peer.error,
            "state": "self" if listed.id == self._me else "never" if peer is None else _state(peer),
        }


def _durations(histogram: Histogram) -> DurationsInfo:
    classes = zip((*histogram.bounds_s, None), histogram.counts, strict=True)
    return {"classes": [{"most_s": most, "count": count} for most, count in classes], "sum_s": histogram.sum_s}


def _exchanges(exchanges: AskedExchanges) -> dict[str, ExchangesInfo]:
    paths = sorted({*exchanges.durations, *exchanges.failures})
    return {
        path: {"durations": _durations(exchanges.durations[path]), "failures": exchanges.failures[path]}
        for path in paths
    }


def _archive(archiver: Archiver) -> ArchiveInfo:
    archive = archiver.archive
    return {
        "place": archive.place,
        "archived": archiver.archived,
        "archived_bytes": archiver.archived_bytes,
        "waiting": archiver.waiting,
        "uploaded_bytes": archive.uploaded_bytes,
        "restored_bytes": archive.restored_bytes,
        "error": archive.error,
        "error_ago_s": trio.current_time() - archive.error_at if archive.error else None,
    }


def _slot(state: SlotState) -> SlotInfo:
    slot, work = state.slot, _current(state.work)
    return {
        "number": slot.number,
        "device": slot.device,
        "work": work,
        "failures": state.failures,
        "memory_bytes": state.memory_bytes,
        "memory_tier": state.memory_tier,
        "scarce": state.scarce,
    }


def _current(work: WorkProgress | None) -> CurrentWorkInfo | None:
    if work is None:
        return None
    return {
        "kind": work.kind,
        "subject": work.subject,
        "claim": str(work.claim),
        "done": work.done,
        "wished": work.wished,
        "since_s": trio.current_time() - work.since,
    }


def _failure(failure: PartFailure) -> FailureInfo:
    now = trio.current_time()
    return {
        "part": failure.part,
        "reason": failure.reason,
        "count": failure.count,
        "ago_s": now - failure.at,
        "again_in_s": None if failure.again_at is None else max(0.0, failure.again_at - now),
    }


def _read_games(path: Path, digest: str) -> bytes | None:
    """Return a file of games, if it is what it should be."""
    try:
        games = read_regular(path, MAX_BLOB_BYTES)
    except OSError:
        return None
    return games if hashlib.sha256(games).hexdigest() == digest else None


def _state(peer: PeerStatus) -> PeerState:
    return "refused" if peer.refused_with == HTTPStatus.FORBIDDEN else STATES[peer.state]
