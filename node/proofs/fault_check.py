"""The last step of checking a proof of a wrong result: replays its games by the rules."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from consensus.fault_proof import FaultProof, ProofError


@dataclass(frozen=True)
class Wrong:
    """What is wrong with the games, and whose word that rests on."""

    reason: str
    by_itself: bool
    """Whether the accused's signature and the rules show it. If not, the games are sound but not those of this match,
    and what the match was is the word of the members that found it."""


def replay(proof: FaultProof) -> Wrong:
    """Replay the games of a proof and return what is wrong with them. Raise ProofError if nothing is."""
    if len(proof.games) != proof.report.result.size:
        return Wrong(f"the games have {len(proof.games)} bytes, but {proof.report.result.size} were claimed", True)
    with tempfile.TemporaryDirectory() as directory:
        games = Path(directory) / "games"
        games.write_bytes(proof.games)
        return _replay(proof, games)


def _replay(proof: FaultProof, games: Path) -> Wrong:
    from engine.config import config
    from training.check import check_match, check_scores
    from training.settings import MatchSettings

    report, configuration = proof.report, config(proof.report.configuration)
    settings = MatchSettings(opening_plies=report.settings.opening_plies)
    reason = check_match(
        games,
        configuration,
        blocks=report.blocks,
        scores=report.scores,
        root=report.result.root,
        settings=settings,
    )
    if not reason:
        raise ProofError("the games are as they were reported: nothing is wrong with them")
    alone = check_scores(games, configuration, report.scores)
    return Wrong(alone or reason, bool(alone))
