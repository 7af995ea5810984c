"""Made-up games and models: their facts, and how all honest users of a simulated swarm tell that some are not right."""

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Candidacy, Shard, SlotResult
from consensus.ledger.records.ratings import Contest

_MARK = bytes(8)


def is_wrong(announced: SlotResult | Shard) -> bool:
    """Return whether the made-up games of a result, or of a shard, are not what was reported."""
    digest = announced.blob if isinstance(announced, SlotResult) else announced.digest
    return announced.root != digest


def is_missing(digest: bytes) -> bool:
    """Return whether nobody has the made-up file with this digest."""
    return digest.startswith(_MARK)


def make_missing(digest: bytes) -> bytes:
    """Return another digest, of a file that nobody has."""
    return _MARK + digest[len(_MARK) :]


def wrong_slots(contest: Contest) -> list[int]:
    """Return the slots whose games do not replay."""
    return [number for number, result in _results(contest) if is_wrong(result)]


def missing_slots(contest: Contest) -> list[int]:
    """Return the slots whose games nobody has."""
    return [number for number, result in _results(contest) if is_missing(result.blob)]


def _results(contest: Contest) -> list[tuple[int, SlotResult]]:
    return [(number, slot.result) for number, slot in enumerate(contest.slots) if slot.result is not None]


def is_incomplete(candidacy: Candidacy) -> bool:
    """Return whether nobody has some of the files of a candidate."""
    return any(is_missing(digest) for digest in candidacy.model.files.values())


def doubtful_shards(ledger: Ledger) -> list[Shard]:
    """Return the shards that are wrong or missing and that nobody has doubted yet."""
    return [
        shard
        for configuration in ledger.configurations()
        for shard in ledger.shards(configuration.name)
        if (is_wrong(shard) or is_missing(shard.digest)) and shard.standing not in ("struck", "lost")
        if ledger.shard_case(shard.digest) is None
    ]


def make_facts(games: int, plies: int) -> dict[str, int]:
    """Return facts that so many games can have."""
    return {
        "searched": plies * 9 // 10,
        "decisive": games,
        "forced": plies // 10,
        "openings": games,
        "duplicates": 0,
        "entropy": 1500,
        "value_error": 180_000,
    }
