"""Byzantine members: each way of breaking the protocol is a small class, known by a name.

Equivocation (several events with one sequence number)
    fork            two next events, now and then after an older one
    branches        up to six events after an older one
    late-branch     a second branch, grown in secret and shown late
    two-faces       one event for half of the peers, another one for the other half
    two-lives       two running instances with one key while the others are split
Withholding
    withhold        keeps its own events back, then shows them all at once
    stall           answers late, or after the peer has stopped waiting
    starve          sends nothing to some peers, other ones every few seconds
    selfish         makes events without other-parents
Invalid events and messages
    bad-signature   an invalid signature on a known event
    two-signatures  two valid signatures on one event
    frame           an event in another member's name
    stranger        events of a key that is not in the roster
    other-epoch     an event of an epoch that does not exist
    bad-parents     invalid parents, sequence numbers and times
    oversized       events at the size limit and above it
    orphans         a long chain without its first event
    burst           many events at once
    replay          the oldest events again and again
    lying-tips      announces and asks for events that do not exist
False contents of valid events
    year-off        times a year ahead or back
    grind           tries events until the coin bit and the hash suit it
    mute            reveals no preimage, states no ledger digest
    false-reveal    random bytes instead of a preimage
    false-ledger    a wrong ledger digest
    false-evidence  accuses honest members of forks
    unknown-votes   votes about things that nobody proposed
    false-findings  calls right results and shards wrong or missing, and wrong results right
    false-decisions proposes what is unknown, fixed or harmful, and votes against all that others propose
False history
    false-chain     forged, incomplete or invalid chains of records
    false-snapshot  forged or incomplete blobs
    former-keys     keys that have left the roster go on signing, voting and sealing
"""

from node.simulation.byzantine.attack import Attack
from node.simulation.byzantine.equivocation import DuplicateInstance, Fork, LateBranch, ManyBranches, SplitView
from node.simulation.byzantine.false_contents import (
    FalseEvidence,
    FalseLedger,
    FalseReveal,
    FalseTimes,
    HashGrinding,
    Mute,
    UnknownVotes,
)
from node.simulation.byzantine.false_decisions import FalseDecisions
from node.simulation.byzantine.false_findings import FalseFindings
from node.simulation.byzantine.false_history import FalseChain, FalseSnapshot
from node.simulation.byzantine.former_keys import FormerKeys
from node.simulation.byzantine.invalid_events import (
    BadParents,
    BadSignature,
    FalseTips,
    Flood,
    Impersonation,
    NonMember,
    OldEvents,
    OrphanEvents,
    Oversized,
    TwoSignatures,
    UnknownEpoch,
)
from node.simulation.byzantine.withholding import Selfish, Stall, Starve, Withhold

_CLASSES: tuple[type[Attack], ...] = (
    Fork,
    ManyBranches,
    LateBranch,
    SplitView,
    DuplicateInstance,
    Withhold,
    Stall,
    Starve,
    Selfish,
    BadSignature,
    TwoSignatures,
    Impersonation,
    NonMember,
    UnknownEpoch,
    BadParents,
    Oversized,
    OrphanEvents,
    Flood,
    OldEvents,
    FalseTips,
    FalseTimes,
    HashGrinding,
    Mute,
    FalseReveal,
    FalseLedger,
    FalseEvidence,
    UnknownVotes,
    FalseFindings,
    FalseChain,
    FalseSnapshot,
    FormerKeys,
    FalseDecisions,
)

ATTACKS: dict[str, type[Attack]] = {attack.kind: attack for attack in _CLASSES}
"""All attacks by name. Schedules are drawn by this order: another one would change what a seed gives."""

STEERED_ATTACKS = frozenset({FalseDecisions.kind})
"""Those that do something in swarms with `steering.rules` only. They are drawn apart from the others."""
