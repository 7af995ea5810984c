"""The seam between a node and everything that shows it: pages, metrics and commands know only `StatusSource`.

The shapes of the answers are in the modules beside this one, named after the paths. All write identifiers, times and
weights as `node.api.status` says.
"""

from pathlib import Path
from typing import Protocol

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
from node.api.status import Status
from node.api.steering import SteeringInfo
from node.api.work import WorkInfo


class StatusSource(Protocol):
    """What a node tells about itself.

    Every method returns at once, from memory; only `faults`, `fault`, `match`, `games`,
    `records` and `record` look at files.
    """

    def status(self) -> Status:
        """Return the answer of `GET /status`."""
        ...

    def members(self) -> list[MemberInfo]:
        """Return the members, founders first in the order of swarm.toml, then the founders that left."""
        ...

    def work(self) -> WorkInfo:
        """Return the answer of `GET /work`."""
        ...

    def steering(self) -> SteeringInfo:
        """Return the answer of `GET /steering`."""
        ...

    def models(self) -> list[ModelInfo]:
        """Return every model that is or was canonical, by configuration, oldest first."""
        ...

    def ratings(self) -> list[RatingInfo]:
        """Return the players of all configurations with their ratings, the best of each first."""
        ...

    def graph(self) -> GraphInfo:
        """Return the newest events of the open epoch."""
        ...

    def history(self) -> HistoryInfo:
        """Return what was delivered when."""
        ...

    def match(self, candidate: str) -> MatchInfo | None:
        """Return the match of a candidate, or None if the ledger does not keep one with this id."""
        ...

    def games(self, candidate: str, slot: int) -> bytes | None:
        """Return the exact bytes of the file with a slot's games, or None if this node does not keep it."""
        ...

    def playing(self) -> list[PlayingInfo]:
        """Return the games that the worker slots play now, as they were told last."""
        ...

    def records(self) -> list[RecordFileInfo]:
        """Return the newest files of games that this node keeps, the newest first."""
        ...

    def record(self, digest: str) -> RecordFileInfo | None:
        """Return the file of games with this digest, or None if this node keeps none."""
        ...

    def record_path(self, digest: str) -> Path:
        """Return where the file of a record is, or was."""
        ...

    def certificates(self) -> list[CertificateInfo]:
        """Return one entry for each promotion, oldest first."""
        ...

    def certificate(self, certificate: str) -> bytes | None:
        """Return the exact bytes of an envelope, or None if no complete certificate has this id."""
        ...

    def faults(self) -> list[ProofInfo]:
        """Return the results that were proven wrong, oldest first."""
        ...

    def fault(self, result: str) -> bytes | None:
        """Return the exact bytes of a proof, from its file, or None if this node does not keep one of this result."""
        ...

    def proposals(self) -> list[ProposalInfo]:
        """Return open proposals, oldest first, then the last ones that are over, newest first."""
        ...

    def log(self, after: int) -> list[LogEntry]:
        """Return the kept effects with a number above `after`, oldest first, at most 500."""
        ...

    def latest(self, count: int) -> list[LogEntry]:
        """Return the last `count` effects, oldest first."""
        ...
