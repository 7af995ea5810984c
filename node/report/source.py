"""The running node's `StatusSource`: reads member, gossip, ledger and work at the moment of asking."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from consensus.certificate.envelope import make_certificate
from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.priorities import why_rest
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
    BlobsInfo,
    ConsensusInfo,
    NodeInfo,
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
from node.member.member import Member
from node.membership.address_book import AddressBook
from node.membership.dial_back import DialBack
from node.membership.proposals import Proposals
from node.proofs.faults import proof_path, read_proof
from node.report import ledger as shown
from node.report import membership
from node.report.conduct import conduct, proofs
from node.report.custody import custody_info
from node.report.decisions import decisions
from node.report.effect_log import EffectLog
from node.report.graph import GraphWindow
from node.report.history import history
from node.report.matches import match
from node.report.parts import archive_info, durations, exchanges_info, failure_info, slot_info
from node.report.peers import member_info, peer_info, reach_info
from node.report.playing import playing
from node.report.ratings import ratings
from node.report.readiness import Readiness
from node.report.records import record_file, record_files
from node.report.steering import steering
from node.system.logs import lost_log_lines
from node.system.supervision import PartFailure
from node.system.usage import free_bytes, memory_bytes
from node.system.version import shown_digest, source_digest, version
from node.transport.exchanges import AskedExchanges
from node.work.drain import Drain
from node.work.limits import WorkLimits
from node.work.node_context import NodeWorkContext
from node.work.slots import SlotState


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
        self.readiness = Readiness(
            me=me, address_book=address_book, member=member, gossip=gossip, listen=listen, failures=failures
        )

    @property
    def _ledger(self) -> Ledger:
        return self._member.replica.ledger

    def status(self) -> Status:
        """See `StatusSource.status`."""
        ready, reason = self.readiness.ready()
        slots = [slot_info(state) for state in self._slots]
        return {
            "node": self._node(),
            "swarm": self._swarm(),
            "decisions": decisions(self._ledger, self._address_book.name),
            "ready": ready,
            "ready_reason": reason,
            "peers": [peer_info(peer, self._address_book) for peer in self._gossip.statuses()],
            "reach": [
                reach_info(tried, address, self._address_book)
                for tried in self._dial_back.tried()
                for address in tried.found
            ],
            "unreached": self._dial_back.unreached(),
            "exchanges": exchanges_info(self._exchanges),
            "consensus": self._consensus(),
            "conduct": conduct(self._ledger, self._address_book.name),
            "work": next((slot["work"] for slot in slots if slot["work"] is not None), None),
            "slots": slots,
            "rest": self._rest(),
            "custody": custody_info(self._ledger),
            "canonical": shown.canonical(self._ledger),
            "counts": shown.counts(self._ledger),
            "failures": [failure_info(failure) for failure in self._failures()],
            "blobs": self._blob_state(),
            "archive": None if self._archiver is None else archive_info(self._archiver),
        }

    def members(self) -> list[MemberInfo]:
        """See `StatusSource.members`."""
        peers = {peer.id: peer for peer in self._gossip.statuses()}
        replica, me, book = self._member.replica, self._me, self._address_book
        present = [member_info(listed, peers.get(listed.id), replica, me, book) for listed in book.members()]
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
            "quorum": self.readiness.quorum(),
            "fragility": self.readiness.fragility(),
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
            "rounds": durations(status.rounds),
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


def _read_games(path: Path, digest: str) -> bytes | None:
    """Return a file of games, if it is what it should be."""
    try:
        games = read_regular(path, MAX_BLOB_BYTES)
    except OSError:
        return None
    return games if hashlib.sha256(games).hexdigest() == digest else None
