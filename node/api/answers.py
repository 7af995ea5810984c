"""The shapes of what a node tells about its swarm: members, work, models, certificates, proposals, the order.

Identifiers are text and times are numbers, as in `node.api.source`.
"""

from typing import TypedDict


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
