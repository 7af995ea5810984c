"""The shapes of all answers but `GET /status`: members, work, models, certificates, faults, proposals, the log.

Identifiers, times and weights are written as in `node.api.status`. An error of any path is an `ErrorInfo` with an
HTTP status of 400 or above.
"""

from typing import Literal, TypedDict

MemberState = Literal["self", "ok", "silent", "refused", "never", "left"]
"""As `PeerState`; "self" is this node, "left" a founder that is no longer a member."""

MemberStanding = Literal["founder", "joined", "no vote", "left"]
"""How a member got in; "no vote" goes before both where its weight is 0."""

CandidateState = Literal["match", "ripe", "promoted", "rejected", "dropped"]
"""How far a candidate is.

"match": its match is being played. "ripe": it passed the test and waits for votes. "promoted": it became canonical.
"rejected": the test says that it is not stronger. "dropped": it ended for another reason.
"""

ProposalState = Literal["sent", "open", "approved", "in force", "dropped", "refused"]
"""How far a proposal is.

"sent": not ordered yet. "open": members vote. "approved": in force from the next epoch on. "in force". "dropped":
not enough ballots, or none in time. "refused": the ledger did not take it.
"""


class ErrorInfo(TypedDict):
    """The answer of every path that cannot do what was asked; the HTTP status says what kind of mistake it is."""

    error: str
    """What is wrong and what to do about it, in one line."""


class HealthInfo(TypedDict):
    """The answer of `GET /health`: always 200 while the process serves."""

    alive: bool
    """Always true."""


class ReadinessInfo(TypedDict):
    """The answer of `GET /ready`: with HTTP status 200 if the node is ready, 503 if not."""

    ready: bool
    """As `ready` of `GET /status`."""
    reason: str
    """As `ready_reason` of `GET /status`."""


class MemberInfo(TypedDict):
    """One entry of the list that `GET /members` answers: a member, this node included, or a founder that left.

    What a member announced in the order (`roles`, `device`, `version`, `rates`, `cost_per_h`, `life_s`) is empty or
    null before it did.
    """

    id: str
    """Member id."""
    name: str
    """Name from swarm.toml, or the first 8 characters of the id."""
    address: str
    """Where peers reach it, as host:port; empty if unknown."""
    weight: int
    """Its weight in votes; 0 if it has none or left."""
    standing: MemberStanding
    """How it got in: "founder", "joined" (later), "no vote" (weight 0) or "left"."""
    roles: list[str]
    """Kinds of work it takes: any of "selfplay", "train", "match"."""
    device: str
    """The name of its GPU, or "cpu"; its workers use the CPU alone."""
    version: str
    """First 12 hex characters of the digest of its program's sources."""
    rates: dict[str, int]
    """Its measured rates per hour, by the name of what is counted; as it announced them."""
    cost_per_h: int | None
    """Cost of an hour of its work in millionths; 0 if it costs nothing."""
    life_s: int | None
    """Seconds it expected to stay when it announced this; null if unknown."""
    events: int
    """Its events of the open epoch that this node holds."""
    games: int
    """Self-play games it has announced, ever."""
    work: str
    """Its live claims in words; empty if it has none."""
    last_contact_s: float | None
    """Seconds since it last said something correct to this node; null for this node and before that."""
    lag_events: int | None
    """Events this node has and it lacked when it last said what it has; null for this node and before that."""
    state: MemberState
    """As a peer's `state` in `GET /status`; "self" is this node, "left" a founder that left."""


class ClaimInfo(TypedDict):
    """A live claim. Part of `GET /work`."""

    claim: str
    """First 8 characters of the holder's id, "-", and the number of the claim among its transactions."""
    kind: str
    """Kind of work: "selfplay", "train" or "match"."""
    configuration: str
    """Configuration it is about, such as "hex8-2"."""
    subject: str
    """Configuration, and for a match the candidate and slot, in words."""
    member: str
    """Id of the holder."""
    name: str
    """Name of the holder."""
    done: int
    """How much is done: games of self-play, training steps or games of a match slot."""
    wished: int
    """How much was claimed, in the same unit."""
    age_s: float
    """Seconds of the ledger's clock since it was granted."""
    lease_s: float
    """Seconds of the ledger's clock until it ends, unless the holder tells progress."""


class CandidateInfo(TypedDict):
    """A candidate and its match. Part of `GET /work`."""

    candidate: str
    """Id of the candidate."""
    model: str
    """Digest of its model."""
    configuration: str
    """Configuration it plays, such as "hex8-2"."""
    incumbent: str
    """Digest of the canonical model it is measured against."""
    member: str
    """Id of the member that trained it."""
    name: str
    """Name of that member."""
    losses: dict[str, float] | None
    """Mean losses at the end of its training by name, as the trainer told them; null unless it is "match" or "ripe"."""
    measures: dict[str, int]
    """What its trainer measured, as in an entry of `GET /models`; empty if nothing."""
    state: CandidateState
    """How far it is: "match", "ripe" (waits for votes), "promoted", "rejected" or "dropped"."""
    reason: str
    """Why it was rejected or dropped; empty otherwise."""
    counted: int
    """Blocks of the longest complete prefix of the match: those that count."""
    limit: int
    """Blocks after which the share of the points decides a match that is undecided."""
    score: int
    """Points of the candidate in the counted blocks."""
    null_score: int
    """Points that an equal player would have in these blocks."""
    approve: int | None
    """Weight of the votes for it; null once it was rejected or dropped."""
    reject: int | None
    """Weight of the votes against it; null once it was rejected or dropped."""


class CaseInfo(TypedDict):
    """A match result that a member found wrong and that members are asked to replay. Part of `GET /work`."""

    result: str
    """Id of the result."""
    candidate: str
    """Id of the candidate whose match it belongs to."""
    configuration: str
    """Configuration of the match."""
    slot: int
    """Number of the slot of the match, from 0."""
    member: str
    """Id of the member that reported the result."""
    name: str
    """Name of that member."""
    by: str
    """Id of the member that opened the case."""
    by_name: str
    """Name of that member."""
    reason: str
    """What it found wrong."""
    wrong: int
    """Weight of those who replayed the result and found it wrong."""
    right: int
    """Weight of those who replayed the result and found it right."""
    needs: int
    """Weight of findings that proves it wrong: the least that is more than 2/3 of all."""
    ends_s: float
    """Seconds of the ledger's clock until the case is closed without a proof."""


class FaultInfo(TypedDict):
    """A match result that was proven wrong. Part of `GET /work`."""

    result: str
    """Id of the result."""
    candidate: str
    """Id of the candidate whose match it belongs to."""
    configuration: str
    """Configuration of the match."""
    slot: int
    """Number of the slot of the match, from 0."""
    member: str
    """Id of the member that reported the result."""
    name: str
    """Name of that member."""
    reason: str
    """What is wrong with it."""
    round: int
    """Round in which the proof became complete."""
    time: int
    """Consensus time of that, nanoseconds since 1970."""


class WorkInfo(TypedDict):
    """The answer of `GET /work`."""

    claims: list[ClaimInfo]
    """Live claims, in the order in which they were granted."""
    candidates: list[CandidateInfo]
    """Open candidates, oldest first; then the last promoted and the last other closed ones, each newest first."""
    cases: list[CaseInfo]
    """Results in doubt, oldest first."""
    faults: list[FaultInfo]
    """The last results proven wrong, newest first."""


class ModelInfo(TypedDict):
    """One entry of the list that `GET /models` answers: a model that is or was canonical.

    The list is by configuration, then oldest first.
    """

    model: str
    """Digest of the model."""
    configuration: str
    """Configuration it plays, such as "hex8-2"."""
    canonical: bool
    """Whether it is the canonical model now."""
    since_round: int
    """Round that promoted it; 0 for the built-in uniform model."""
    time: int
    """Consensus time of the promotion, nanoseconds since 1970; 0 for the uniform model."""
    parent: str | None
    """Digest of the model its training began with: that of the uniform model if it began with random weights.

    Null for the uniform model, and if who nominated it does not say.
    """
    candidate: str | None
    """Id it had as a candidate; null for the uniform model."""
    member: str | None
    """Id of the member that trained it; null for the uniform model."""
    name: str | None
    """Name of that member; null for the uniform model."""
    certificate: str | None
    """Id of its certificate; null until enough members have sealed it, and for the uniform model."""
    measures: dict[str, int]
    """What its trainer measured, whole numbers by name; empty if nothing. Nobody else has checked them.

    `value_correlation_1` to `value_correlation_4`: correlation of its value with the winner in each quarter of held-out
    games, in millionths. `brier`: Brier score of its value there, in millionths. `policy_vs_search_16`: share of the
    points of its policy alone against its search with 16 simulations, in millionths; `search_64_vs_16`: likewise of 64
    simulations against 16. `held_out_games`: number of those games.
    """


class CertificateInfo(TypedDict):
    """One entry of the list that `GET /certificates` answers: a promotion's certificate, complete or being sealed.

    The list is oldest first. `GET /certificates/<id>` serves a complete one: a DSSE envelope in JSON, byte for byte.
    """

    id: str
    """Id of the certificate: the digest of its statement."""
    configuration: str
    """Configuration of the promotion."""
    model: str
    """Digest of the promoted model."""
    parent: str | None
    """Digest of the canonical model it replaced."""
    round: int
    """Round of the promotion."""
    time: int
    """Consensus time of the promotion, nanoseconds since 1970."""
    seals: int
    """Number of members that have sealed it."""
    sealed: int
    """Weight of these members."""
    weight: int
    """Weight of all members of the roster that seals it."""
    complete: bool
    """Whether more than 2/3 of that weight has sealed it."""


class ProofInfo(TypedDict):
    """One entry of the list that `GET /faults` answers: a match result that was proven wrong, and its proof.

    The list is oldest first. `GET /faults/<result>` serves the proof, CBOR byte for byte, where `kept` is true.
    """

    result: str
    """Id of the result."""
    member: str
    """Id of the member that reported it."""
    name: str
    """Name of that member."""
    configuration: str
    """Configuration of the match."""
    candidate: str
    """Id of the candidate whose match it belongs to."""
    slot: int
    """Number of the slot of the match, from 0."""
    reason: str
    """What is wrong with it."""
    found: int
    """Weight of the members that replayed the games and found them wrong."""
    weight: int
    """Weight of all members at that time."""
    round: int
    """Round in which the proof became complete."""
    time: int
    """Consensus time of that, nanoseconds since 1970."""
    count: int
    """Results of this member that have been proven wrong by now."""
    kept: bool
    """Whether this node keeps the proof."""


class BallotInfo(TypedDict):
    """What one member says to a proposal. Part of `GET /proposals`."""

    member: str
    """Id of the member."""
    name: str
    """Name of the member."""
    approve: bool
    """Whether it votes for the proposal."""
    weight: int
    """Its weight in the present roster."""


class ProposalInfo(TypedDict):
    """One entry of the list that `GET /proposals` answers, and the answer of `POST /propose` and `POST /vote`.

    The list has open proposals, oldest first, then the last ones that are over, newest first, as far as this node has
    seen them since it started.
    """

    proposal: str
    """Id of the proposal."""
    change: Literal["join", "leave", "weight", "key", "address"]
    """What it changes: "join", "leave", "weight", "key" or "address"."""
    member: str
    """Id of the member it is about."""
    name: str
    """Name of that member."""
    weight: int | None
    """Weight that the member gets; null if the change has none."""
    address: str | None
    """Where the member is reached from then on, as host:port; null if the change has none."""
    key: str | None
    """Id that replaces the member's; null if the change is not of a key."""
    text: str
    """The change in words."""
    by: str | None
    """Id of the member that proposed it; null if the rules of the genesis did."""
    by_name: str
    """Name of that member; empty if the rules of the genesis proposed it."""
    reason: str
    """Why, in the words of who proposed it."""
    state: ProposalState
    """How far it is: "sent" (not ordered yet), "open", "approved", "in force", "dropped" or "refused"."""
    outcome: str
    """Why it was dropped or refused; empty otherwise."""
    votes: list[BallotInfo]
    """The ballots so far, in their order."""
    approve: int
    """Weight of the ballots for it."""
    reject: int
    """Weight of the ballots against it."""
    needs: int
    """Weight that decides: the least that is more than 2/3 of `total`."""
    total: int
    """Weight of all members."""
    ends_s: float | None
    """Seconds of the ledger's clock until it is dropped; null unless it is open."""
    round: int | None
    """Round in which it was ordered; null before that."""


class LogEntry(TypedDict):
    """One entry of the list that `GET /log?after=NUMBER` answers: an effect of the order, such as a promotion.

    The list has the oldest entries with a larger number that this node still keeps, at most 500 of them. Without
    `after` it begins with the oldest one kept.
    """

    number: int
    """Number of the entry; grows by one each. Ask for those after the last one you have."""
    kind: str
    """Kind of effect, such as "claim", "games", "candidate", "promotion" or "epoch"."""
    member: str
    """Id of the member that caused it; empty if none did."""
    name: str
    """Name of that member; empty if there is none."""
    round: int
    """Round that brought it."""
    time: int
    """Consensus time, nanoseconds since 1970."""
    fields: dict[str, str | int | bool | None]
    """What the effect says further, by kind; digests in hex, and the name of a member it concerns."""
