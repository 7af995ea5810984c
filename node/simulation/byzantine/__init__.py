"""Members that do not keep to the protocol: each way a small class, known by a name."""

from node.simulation.byzantine.adversary import Adversary
from node.simulation.byzantine.findings import FalseFindings
from node.simulation.byzantine.forks import Branches, Fork, LateBranch, TwoFaces, TwoLives, Withhold
from node.simulation.byzantine.former import FormerKeys
from node.simulation.byzantine.junk import (
    BadParents,
    BadSignature,
    Burst,
    Frame,
    LyingTips,
    Orphans,
    OtherEpoch,
    Oversized,
    Replay,
    Stranger,
    TwoSignatures,
)
from node.simulation.byzantine.silence import Selfish, Stall, Starve
from node.simulation.byzantine.teachers import FalseChain, FalseSnapshot
from node.simulation.byzantine.values import FalseEvidence, FalseLedger, FalseReveal, Grind, Mute, UnknownVotes, YearOff

KINDS: dict[str, type[Adversary]] = {
    "fork": Fork,
    "branches": Branches,
    "late-branch": LateBranch,
    "two-faces": TwoFaces,
    "two-lives": TwoLives,
    "withhold": Withhold,
    "stall": Stall,
    "starve": Starve,
    "selfish": Selfish,
    "bad-signature": BadSignature,
    "two-signatures": TwoSignatures,
    "frame": Frame,
    "stranger": Stranger,
    "other-epoch": OtherEpoch,
    "bad-parents": BadParents,
    "oversized": Oversized,
    "orphans": Orphans,
    "burst": Burst,
    "replay": Replay,
    "lying-tips": LyingTips,
    "year-off": YearOff,
    "grind": Grind,
    "mute": Mute,
    "false-reveal": FalseReveal,
    "false-ledger": FalseLedger,
    "false-evidence": FalseEvidence,
    "unknown-votes": UnknownVotes,
    "false-findings": FalseFindings,
    "false-chain": FalseChain,
    "false-snapshot": FalseSnapshot,
    "former-keys": FormerKeys,
}
"""All ways by name."""
