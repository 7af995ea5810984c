"""The one seam between a node and everything that shows it: `StatusSource` and the shape of its answers.

All of it is plain JSON. Identifiers are text: a member is the base32 of its key, a model, claim, candidate
or certificate the hex of its digest. `*_s` are seconds, `time` is consensus time in nanoseconds since 1970.
"""

from typing import Protocol, TypedDict


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


class MemberInfo(TypedDict):
    """A member of the roster, this node included (`state` is "self" then), or one that founded it and is gone.

    `standing` is "founder", "joined" (later), "no vote" (weight 0) or "left" (`weight` is 0 then, too).

    `roles`, `device` and `version` are what it last announced in the order (empty before that), `events`
    how many of its events this node holds, `work` a few words on its live claims.
    """

    id: str
    name: str
    address: str
    weight: int
    standing: str
    roles: list[str]
    device: str
    version: str
    events: int
    games: int
    work: str
    last_contact_s: float | None
    lag_events: int | None
    state: str


class ClaimInfo(TypedDict):
    """A live claim. `member` is the holder's id, `name` its name; the lease ends `lease_s` from now."""

    claim: str
    kind: str
    configuration: str
    subject: str
    member: str
    name: str
    done: int
    wished: int
    age_s: float
    lease_s: float


class CandidateInfo(TypedDict):
    """A candidate and its match.

    `state` is "match", "ripe", "promoted", "rejected" or "dropped"; `score` of `null_score` (what equal players
    would have) is over the `counted` complete blocks of at most `limit`; `approve` and `reject` are weights,
    None where the ledger no longer knows them (a candidate that was not promoted).
    """

    candidate: str
    model: str
    configuration: str
    incumbent: str
    member: str
    name: str
    state: str
    reason: str
    counted: int
    limit: int
    score: int
    null_score: int
    approve: int | None
    reject: int | None


class ModelInfo(TypedDict):
    """One model that is or was canonical. `parent` is None for the built-in uniform one."""

    model: str
    configuration: str
    canonical: bool
    since_round: int
    time: int
    parent: str | None
    candidate: str | None
    member: str | None
    name: str | None
    certificate: str | None


class CertificateInfo(TypedDict):
    """A certificate, complete or still being sealed. `sealed` of `weight` has signed; `seals` counts members."""

    id: str
    configuration: str
    model: str
    parent: str | None
    round: int
    time: int
    seals: int
    sealed: int
    weight: int
    complete: bool


class ProofInfo(TypedDict):
    """A result of a match that was proven to be wrong, and its proof.

    `member` reported it; `found` of `weight` replayed the games and found them wrong; `count` is how many wrong
    results the member has reported by now. `/faults/<result>` serves the proof, if `kept` says that it is here.
    """

    result: str
    member: str
    name: str
    configuration: str
    candidate: str
    slot: int
    reason: str
    found: int
    weight: int
    round: int
    time: int
    count: int
    kept: bool


class BallotInfo(TypedDict):
    """What one member says to a proposal. Its weight is that of the present roster."""

    member: str
    name: str
    approve: bool
    weight: int


class ProposalInfo(TypedDict):
    """A proposal to change the roster.

    `change` is "join", "leave", "weight", "key" or "address", of `member`; `weight`, `address` and `key` (a member
    id) are what it becomes, None where the change has none; `text` says all that in words. `by` is None for what
    the rules of the genesis propose. `state` is "sent" (not ordered yet), "open", "approved" (in force from the
    next epoch on), "in force", "dropped" or "refused" (the ledger did not take it), and `outcome` says why for the
    last two. What is over is known since the node started. `approve` and `reject` are weights of `total`; `needs`
    is the least weight that decides. `ends_s` from now an open one is dropped; `round` is where it was ordered.
    """

    proposal: str
    change: str
    member: str
    name: str
    weight: int | None
    address: str | None
    key: str | None
    text: str
    by: str | None
    by_name: str
    reason: str
    state: str
    outcome: str
    votes: list[BallotInfo]
    approve: int
    reject: int
    needs: int
    total: int
    ends_s: float | None
    round: int | None


class LogEntry(TypedDict):
    """One effect of the order. `number` grows by one each; ask for those after the last one you have."""

    number: int
    kind: str
    member: str
    name: str
    round: int
    time: int
    fields: dict[str, str | int | bool | None]


class CaseInfo(TypedDict):
    """A result of `member` that members are asked to replay, since `by` found it wrong, for that reason.

    `wrong` and `right` are weights of those who have replayed it; more than 2/3, that is `needs`, prove it wrong.
    """

    result: str
    candidate: str
    configuration: str
    slot: int
    member: str
    name: str
    by: str
    by_name: str
    reason: str
    wrong: int
    right: int
    needs: int
    ends_s: float


class FaultInfo(TypedDict):
    """A result of `member` that is proven to be wrong, and where that was ordered."""

    result: str
    candidate: str
    configuration: str
    slot: int
    member: str
    name: str
    reason: str
    round: int
    time: int


class Work(TypedDict):
    """The answer of /work. `faults` are the last ones, newest first."""

    claims: list[ClaimInfo]
    candidates: list[CandidateInfo]
    cases: list[CaseInfo]
    faults: list[FaultInfo]


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
