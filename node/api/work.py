"""The shape of `GET /work`: who works on what, candidates and their matches, results in doubt and wrong ones."""

from typing import Literal, TypedDict

CandidateState = Literal["match", "ripe", "promoted", "rejected", "dropped"]
"""How far a candidate is.

"match": its match is being played. "ripe": it passed the test and waits for votes. "promoted": it became canonical.
"rejected": the test says that it is not stronger. "dropped": it ended for another reason.
"""


class ClaimInfo(TypedDict):
    """A live claim. Part of `GET /work`."""

    claim: str
    """First 8 characters of the holder's id, "-", and the number of the claim among its transactions."""
    kind: str
    """Kind of work: "selfplay", "train", "match" or "rate"."""
    configuration: str
    """Configuration it is about, such as "hex8-2"."""
    subject: str
    """Configuration, and for a match or a rating the candidate or series and slot, in words."""
    member: str
    """Id of the holder."""
    name: str
    """Name of the holder."""
    done: int
    """How much is done: games of self-play, training steps or games of a slot. Of this node's own claims it is what its
    worker slots show, of others what they told last."""
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
    llr: float
    """Logarithm of the likelihood ratio of these blocks, of a stronger candidate to an equal one."""
    rejects_at: float
    """At this ratio or below, the test rejects it."""
    accepts_at: float
    """At this ratio or above, the test accepts it."""
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
