"""The shape of `GET /status`: how this node and its swarm are doing.

Everything is plain JSON. Identifiers are text: a member is the base32 of its public key (52 characters), a model,
candidate, certificate or proposal the hex of its digest (64 characters). Fields whose name ends in `_s` are seconds;
`time` is consensus time in nanoseconds since 1970. Weights are whole numbers of which only the ratios matter.
"""

from typing import Literal, TypedDict

PeerState = Literal["ok", "silent", "refused", "never"]
"""How a member answers this node.

"ok": its last answer was correct. "silent": it does not answer, or answered wrongly. "refused": it turns this node
away, as members do with whoever is not in their roster. "never": no contact since this node started.
"""


class NodeInfo(TypedDict):
    """This node. Part of `GET /status`."""

    id: str
    """Member id of this node."""
    name: str
    """Name from swarm.toml, or the first 8 characters of the id."""
    version: str
    """Version of the installed program, or "source" for a bare checkout."""
    uptime_s: float
    """Seconds since this node started."""
    roles: list[str]
    """Kinds of work this node takes: any of "selfplay", "train", "match"."""
    device: str
    """The name of this machine's GPU, or "cpu"; the workers use the CPU alone."""
    address: str
    """Where peers reach this node, as host:port."""
    draining: bool
    """Whether this node takes no more work and ends when its work has ended."""
    lost_log_lines: int
    """Lines of the log that could not be written since the start: nobody reads them, or the disk is full."""
    sources: str
    """First 12 hex characters of the digest of its program's sources: what `/members` shows as `version`."""
    disk_free_bytes: int | None
    """Free bytes where its data folder lies; null if that cannot be told."""
    memory_bytes: int | None
    """Memory that the node's own process holds, without its workers; null if that cannot be told."""
    memory_tier: int
    """How scarce memory is on its machine, or in its control group: 0 not at all, to 4. See docs/operations.md."""
    disk_tier: int
    """How scarce room is on the disk of its data folder: 0 not at all, to 2."""
    scarce: list[str]
    """What is scarce, and what follows from it, in words; empty if nothing is."""


class SwarmInfo(TypedDict):
    """The swarm this node belongs to. Part of `GET /status`."""

    name: str
    """Name from swarm.toml."""
    genesis: str
    """Digest of the genesis; it identifies the swarm."""
    members: int
    """Number of members in the present roster."""
    weight: int
    """Weight of all members together."""
    open_proposals: int
    """Proposals that wait for ballots."""
    quorum: str
    """What is missing for a decision, in words: the weight that answers this node, and who is silent. Empty if nothing
    is missing."""
    fragility: str
    """Without which members the others decide nothing, as each has a third of the weight or more; empty if none has."""


class DecisionInfo(TypedDict):
    """A change of what the swarm does that is in force, by ballot or by an operator. Part of `GET /status`."""

    text: str
    """The change in words."""
    setting: str | None
    """Setting that has another value than in the genesis; null if a configuration was added or work is paused."""
    value: str | None
    """That value, as text."""
    configuration: str | None
    """Configuration that was added, or the only one the change is about; null if it is about all."""
    work: str | None
    """The only kind of work that is paused; null if all is, or if it is no pause."""
    version: int
    """Version of the settings from then on."""
    by_name: str
    """Name of the member that proposed it, or first 8 characters of its id."""
    round: int
    """Round from which on it holds."""


class DecisionsInfo(TypedDict):
    """What the members have decided that the swarm does otherwise than its genesis says. Part of `GET /status`."""

    settings_version: int
    """0 for the settings of the genesis; grows by one with every setting that changes and every new configuration."""
    changed: list[DecisionInfo]
    """Settings with another value, and configurations that were added; by configuration and name."""
    paused: list[DecisionInfo]
    """Work that nobody may claim now, the widest first."""
    unknown: list[str]
    """Open proposals, in words, that this program does not know: if one passes, this node ends."""


class PeerInfo(TypedDict):
    """Another member as this node sees it. Part of `GET /status`."""

    id: str
    """Member id."""
    name: str
    """Name from swarm.toml, or the first 8 characters of the id."""
    address: str
    """Where this node asks it, as host:port; empty if unknown."""
    weight: int
    """Its weight in votes; 0 if it has none."""
    last_contact_s: float | None
    """Seconds since it last said something correct; null if it has not since this node started."""
    lag_events: int | None
    """Events this node has and it lacked when it last said what it has; null before that."""
    state: PeerState
    """How it answers: "ok", "silent", "refused" (it turns this node away) or "never" (no contact since the start)."""


class ReachInfo(TypedDict):
    """What a member said that tried to connect back to this node, at one address. Part of `GET /status`."""

    by_name: str
    """Name of that member, or the first 8 characters of its id."""
    address: str
    """Where it tried, as host:port."""
    reason: str
    """Why it did not reach this node there; empty if it did."""
    ago_s: float
    """Seconds since it said so."""


class DurationClassInfo(TypedDict):
    """How many durations were longer than those of the class before, up to a bound. Part of `GET /status`."""

    most_s: float | None
    """The longest duration of this class; null for the last one, which has no bound."""
    count: int
    """How many there were."""


class DurationsInfo(TypedDict):
    """How long something took since this node started. Part of `GET /status`."""

    classes: list[DurationClassInfo]
    """From the shortest to the longest."""
    sum_s: float
    """Seconds of all of them together."""


class ExchangesInfo(TypedDict):
    """This node's requests to peers on one path since it started. Part of `GET /status`."""

    durations: DurationsInfo
    """Of those that were answered: from the beginning of the request to the end of the answer."""
    failures: int
    """Those that got no answer, or a refusal."""


class ConsensusInfo(TypedDict):
    """How far the order has come at this node. Part of `GET /status`."""

    epoch: int
    """Number of the open epoch, from 0."""
    roster_version: int
    """1 for the roster of the genesis; grows by one with every change of the roster."""
    round: int
    """The last decided round; 0 before the first."""
    round_age_s: float | None
    """Seconds since this node decided that round; null before the first."""
    rounds: DurationsInfo
    """From one decided round to the next, as this node decided them; long where nobody needed rounds."""
    events: int
    """Events of the open epoch that this node holds."""
    ordered: int
    """Events with a place in the order, in all epochs."""
    pending: int
    """This node's own transactions that have no place in the order yet."""
    ledger_digest: str
    """Digest of the ledger after the last decided round; equal at all honest nodes of that round."""
    forkers: list[str]
    """Ids of the members that forked (signed two events with one number) in the open epoch."""
    dissent: str
    """How the ledger, or what opened the epoch, differs here from that of the others; empty if it does not."""
    ailment: str
    """Why this node makes no events for now; empty if it makes them."""


class ConductInfo(TypedDict):
    """What the order holds against one member; the same at every node that is as far. Part of `GET /status`.

    The list has all members in roster order, then former members with a proven fault or equivocation.
    """

    id: str
    """Member id."""
    name: str
    """Name from swarm.toml, or the first 8 characters of the id."""
    unheard_s: float | None
    """Seconds of the ledger's clock since its last event in the order; null if it is no longer a member."""
    withheld: int
    """Preimages that it owed as a judge and did not reveal."""
    wrong_results: int
    """Match results of it that were proven wrong."""
    equivocated: int | None
    """Epoch in which it is proven to have signed two events with one number; null if it is not."""
    silenced: bool
    """Whether nothing it says counts, because of that proof."""


class CurrentWorkInfo(TypedDict):
    """A claim this node works on now. Part of `GET /status`."""

    kind: str
    """Kind of work: "selfplay", "train", "match" or "rate"."""
    subject: str
    """Configuration, and for a match the candidate and slot, in words."""
    claim: str
    """Number of the claim among this node's transactions, as text."""
    done: int
    """How much is done: games of self-play, training steps or games of a match slot."""
    wished: int
    """How much was claimed, in the same unit."""
    since_s: float
    """Seconds since this node began it."""


class SlotInfo(TypedDict):
    """One of this node's worker slots: a place for one job at a time. Part of `GET /status`."""

    number: int
    """Number of the slot; the first is 1."""
    device: str
    """Name of its GPU, or "cpu"."""
    work: CurrentWorkInfo | None
    """The claim it works on; null if none."""
    failures: int
    """Jobs that failed in it since this node started; the log says why."""
    memory_bytes: int | None
    """Memory that its process holds; null if there is none now."""
    memory_tier: int
    """How much of its share of the memory that is: 0 for up to 60%, to 4. See docs/operations.md."""
    scarce: str
    """What follows from that, in words; empty if nothing does."""


class CanonicalInfo(TypedDict):
    """The canonical model of one configuration. Part of `GET /status`."""

    model: str
    """Digest of the model."""
    since_round: int
    """Round that promoted it; 0 for the built-in uniform model."""
    promotions: int
    """Promotions of this configuration so far."""
    certificate: str | None
    """Id of its certificate; null until enough members have sealed it, and for the uniform model."""
    rating: float | None
    """Its rating with search in the newest settings, as `/ratings` has it; null before it has one."""
    rating_error: float | None
    """Standard error of the rating; null without one."""


class CountsInfo(TypedDict):
    """Totals over the whole ordered history. Part of `GET /status`."""

    games: int
    """Self-play games."""
    plies: int
    """Plies of these games."""
    shards: int
    """Shards that hold these games."""
    candidates: int
    """Candidates nominated."""
    promotions: int
    """Candidates promoted."""
    certificates: int
    """Promotions whose certificate is complete."""
    wrong_results: int
    """Match results proven wrong."""
    open_cases: int
    """Match results that members are asked to replay now."""
    rejected: dict[str, int]
    """Transactions without effect, counted by reason."""


class FailureInfo(TypedDict):
    """A part of this node that failed for a reason that nobody foresaw, and was started again. Part of `GET /status`.

    Such a failure is a fault of the program: report it, with the log.
    """

    part: str
    """Which part, in words."""
    reason: str
    """What went wrong the last time, in one line; the log has more."""
    count: int
    """How often it failed since this node started."""
    ago_s: float
    """Seconds since it failed last."""
    again_in_s: float | None
    """Seconds until it starts again; null if it runs."""


class BlobsInfo(TypedDict):
    """The shards, models and games on this node's disk. Part of `GET /status`.

    Each is checked against its digest before it is used or served, and all are read again slowly in the background.
    """

    checked_bytes: int
    """Bytes read again in the background since this node started."""
    damaged: int
    """Files that were found damaged since then, and dropped."""
    lost: int
    """Those of them that could not be fetched again from peers yet."""


class ArchiveInfo(TypedDict):
    """The archive of this node. Part of `GET /status`. See docs/operations.md."""

    place: str
    """Bucket and prefix."""
    archived: int
    """Blobs that the ledger counts and that are known to be there."""
    archived_bytes: int
    """Their bytes."""
    waiting: int
    """Blobs and certificates that are to be written there yet."""
    uploaded_bytes: int
    """Bytes written since this node started."""
    restored_bytes: int
    """Bytes of blobs read back since then, because no peer had them."""
    error: str
    """Why the last request failed, and the remedy; empty if it did not."""
    error_ago_s: float | None
    """Seconds since then; null without an error."""


class UnsafeShardInfo(TypedDict):
    """A shard whose games do not count yet, because too few other members hold it. Part of `GET /status`."""

    shard: str
    """Digest."""
    configuration: str
    """What was played."""
    author: str
    """The member that played it."""
    games: int
    """How many games it has."""
    age_s: float
    """Seconds of the ledger's clock since it was announced."""
    holders: int
    """Other members that are there and hold it."""
    lacking: int
    """How many more have to."""
    asked: list[str]
    """The members that are asked to, the first ones first."""


class CustodyInfo(TypedDict):
    """Which shards too few members hold. Part of `GET /status`. See docs/steering.md."""

    unsafe: list[UnsafeShardInfo]
    """Those whose games do not count yet, oldest first, at most 64."""
    unsafe_games: int
    """The games of all of those."""
    short: int
    """Shards that count and lack a holder, because one is gone."""


class Status(TypedDict):
    """The answer of `GET /status`. Metrics are drawn from this and nothing else."""

    node: NodeInfo
    """This node."""
    swarm: SwarmInfo
    """The swarm it belongs to."""
    decisions: DecisionsInfo
    """What the swarm does otherwise than its genesis says."""
    ready: bool
    """Whether this node is level with the swarm and takes part."""
    ready_reason: str
    """Why it is ready or not, in words."""
    peers: list[PeerInfo]
    """The other members as this node sees them."""
    reach: list[ReachInfo]
    """Whether members reach this node: what those said that connected back last; empty before."""
    unreached: str
    """Why none of them reached it, and what to do; empty if one did, or none has tried."""
    exchanges: dict[str, ExchangesInfo]
    """This node's requests to peers by path, such as "/gossip/sync"."""
    consensus: ConsensusInfo
    """How far the order has come."""
    conduct: list[ConductInfo]
    """What the order holds against each member."""
    work: CurrentWorkInfo | None
    """The claim that the first busy slot works on; null if none is busy."""
    slots: list[SlotInfo]
    """The worker slots, by number; none without work roles."""
    rest: str
    """Why nothing is wanted from this node now, in words; empty if something is, or if it works."""
    canonical: dict[str, CanonicalInfo]
    """The canonical model by configuration, such as "hex8-2"."""
    counts: CountsInfo
    """Totals over the whole history."""
    failures: list[FailureInfo]
    """The parts of this node that have failed since it started, the newest failure last."""
    blobs: BlobsInfo
    """What became of the files on this node's disk."""
    custody: CustodyInfo
    """Which shards too few members hold."""
    archive: ArchiveInfo | None
    """The archive of this node; null if it has none."""
