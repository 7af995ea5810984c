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
    """The swarm it belongs to: digest of the genesis in hex, number of members, the weight of all of them."""

    name: str
    genesis: str
    members: int
    weight: int


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
    """How far the order has come. `round` is the last decided one (0 before the first)."""

    round: int
    round_age_s: float | None
    events: int
    ordered: int
    pending: int
    ledger_digest: str
    forkers: list[str]


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
    """Totals over the whole ordered history. `rejected` counts transactions without effect by reason."""

    games: int
    plies: int
    shards: int
    candidates: int
    promotions: int
    certificates: int
    rejected: dict[str, int]


class Status(TypedDict):
    """The answer of /status. Metrics and page are drawn from this and nothing else."""

    node: NodeInfo
    swarm: SwarmInfo
    ready: bool
    ready_reason: str
    peers: list[Peer]
    consensus: Consensus
    work: CurrentWork | None
    canonical: dict[str, Canonical]
    counts: Counts


class MemberInfo(TypedDict):
    """A member of the roster, this node included (`state` is "self" then).

    `roles`, `device` and `version` are what it last announced in the order (empty before that), `events`
    how many of its events this node holds, `work` a few words on its live claims.
    """

    id: str
    name: str
    address: str
    weight: int
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


class LogEntry(TypedDict):
    """One effect of the order. `number` grows by one each; ask for those after the last one you have."""

    number: int
    kind: str
    member: str
    name: str
    round: int
    time: int
    fields: dict[str, str | int | bool | None]


class Work(TypedDict):
    """The answer of /work."""

    claims: list[ClaimInfo]
    candidates: list[CandidateInfo]


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

    def log(self, after: int) -> list[LogEntry]:
        """Return the effects with a number above `after` that are still kept, oldest first, at most 500."""
        ...

    def latest(self, count: int) -> list[LogEntry]:
        """Return the last `count` effects, oldest first."""
        ...
