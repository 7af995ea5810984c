"""The one seam between a node and everything that shows it: `StatusSource`, and the shape of /status.

All of it is plain JSON. Identifiers are text: a member is the base32 of its key, a model, claim, candidate
or certificate the hex of its digest. `*_s` are seconds, `time` is consensus time in nanoseconds since 1970.
"""

from typing import Protocol, TypedDict

from node.api.answers import CertificateInfo, LogEntry, MemberInfo, ModelInfo, ProofInfo, ProposalInfo, Work


class NodeInfo(TypedDict):
    """This node. `device` is what its workers run on ("cpu", "cuda"), `address` where peers reach it."""

    id: str
    name: str
    version: str
    uptime_s: float
    roles: list[str]
    device: str
    address: str


class SwarmInfo(TypedDict):
    """The swarm it belongs to: digest of the genesis in hex, number of members now, the weight of all of them.

    `open_proposals` counts the proposals to change the roster that wait for ballots.
    """

    name: str
    genesis: str
    members: int
    weight: int
    open_proposals: int


class Peer(TypedDict):
    """Another member as this node sees it.

    `state` is "ok", "silent" (no contact lately), "refused" (it was caught breaking a rule, or it
    turns us away) or "never" (no contact since start). `lag_events` counts the events that we have and
    it lacked when it last told us what it has; None before that.
    """

    id: str
    name: str
    address: str
    weight: int
    last_contact_s: float | None
    lag_events: int | None
    state: str


class Consensus(TypedDict):
    """How far the order has come. `round` is the last decided one (0 before the first).

    `epoch` is the number of the open epoch, from 0; `roster_version` is 1 for the roster of the genesis and grows
    by one with every change of who decides. `events` are those held of the open epoch. `forkers` were seen to fork in
    the open epoch. `dissent` says how the ledger here, or what opened the epoch, is not that of the others, and
    `ailment` why this node makes no events for now; both are empty if all is well.
    """

    epoch: int
    roster_version: int
    round: int
    round_age_s: float | None
    events: int
    ordered: int
    pending: int
    ledger_digest: str
    forkers: list[str]
    dissent: str
    ailment: str


class CurrentWork(TypedDict):
    """What this node works on now. `done` of `wished`, in games, steps or blocks."""

    kind: str
    subject: str
    claim: str
    done: int
    wished: int
    since_s: float


class Canonical(TypedDict):
    """The model in force for one configuration. `certificate` is None until its seals are complete."""

    model: str
    since_round: int
    promotions: int
    certificate: str | None


class Counts(TypedDict):
    """Totals over the whole ordered history. `rejected` counts transactions without effect by reason.

    `wrong_results` were proven, `open_cases` are results that members are asked to replay now.
    """

    games: int
    plies: int
    shards: int
    candidates: int
    promotions: int
    certificates: int
    wrong_results: int
    open_cases: int
    rejected: dict[str, int]


class Conduct(TypedDict):
    """What the order says of how a member behaves. The same at every node that is as far.

    `unheard_s` are seconds of the ledger's clock since its last event in the order, None if it is no member any more;
    `withheld` counts preimages that it owed as a judge and did not show, `wrong_results` match results of it that were
    proven to be wrong. `equivocated` is the epoch in which it is proven to have signed two events with one number,
    None if it did not; while it is `silenced` for that, nothing that it says counts.
    """

    id: str
    name: str
    unheard_s: float | None
    withheld: int
    wrong_results: int
    equivocated: int | None
    silenced: bool


class Status(TypedDict):
    """The answer of /status. Metrics and page are drawn from this and nothing else."""

    node: NodeInfo
    swarm: SwarmInfo
    ready: bool
    ready_reason: str
    peers: list[Peer]
    consensus: Consensus
    conduct: list[Conduct]
    work: CurrentWork | None
    canonical: dict[str, Canonical]
    counts: Counts


class StatusSource(Protocol):
    """What a node tells about itself. Every method answers at once from memory: no waiting, no disk."""

    def status(self) -> Status: ...

    def members(self) -> list[MemberInfo]: ...

    def work(self) -> Work: ...

    def models(self) -> list[ModelInfo]: ...

    def certificates(self) -> list[CertificateInfo]: ...

    def certificate(self, certificate: str) -> bytes | None:
        """Return the envelope's exact bytes, or None if no complete certificate has this id."""
        ...

    def faults(self) -> list[ProofInfo]:
        """Return the results that were proven to be wrong, oldest first."""
        ...

    def fault(self, result: str) -> bytes | None:
        """Return the proof's exact bytes, from its file, or None if this node keeps none of this name."""
        ...

    def proposals(self) -> list[ProposalInfo]:
        """Return open proposals, oldest first, after them the last ones that are over, newest first."""
        ...

    def log(self, after: int) -> list[LogEntry]:
        """Return the effects with a number above `after` that are still kept, oldest first, at most 500."""
        ...

    def latest(self, count: int) -> list[LogEntry]:
        """Return the last `count` effects, oldest first."""
        ...
