"""The files of games that the ledger names and this node keeps, in the shape of `node.api.records`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from consensus.keys import MemberId, id_text, parse_id
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Candidacy, Promotion, Shard, SlotResult
from consensus.ledger.records.ratings import Series
from consensus.ledger.views import Views
from node.api.records import RecordFileInfo
from node.report.membership import NameOf

_LISTED = 60
_LOOKED_AT = 400  # files of which it is seen whether they are kept, so that a page costs little
_PROMOTIONS = 20  # the newest of each configuration, since their statements have to be parsed


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A file of games that the ledger names."""

    digest: bytes
    kind: Literal["selfplay", "match", "series"]
    configuration: str
    author: MemberId
    round: int
    games: int
    size: int
    model: bytes | None = None
    candidate: bytes | None = None
    slot: int | None = None


def record_files(ledger: Ledger, name_of: NameOf, is_kept: Callable[[bytes], bool]) -> list[RecordFileInfo]:
    """Return the newest files of games that are kept here, the newest first; at most 60."""
    newest = islice(ledger.remember(_by_digest).values(), _LOOKED_AT)
    return [_info(named, name_of) for named in islice((each for each in newest if is_kept(each.digest)), _LISTED)]


def record_file(
    ledger: Ledger, name_of: NameOf, digest: bytes, is_kept: Callable[[bytes], bool]
) -> RecordFileInfo | None:
    """Return a file of games, or None if the ledger names none with this digest, or it is not kept here."""
    shard = ledger.shard(digest)
    named = ledger.remember(_by_digest).get(digest) if shard is None else _of_shard(shard)
    return None if named is None or not is_kept(digest) else _info(named, name_of)


def _info(named: _Named, name_of: NameOf) -> RecordFileInfo:
    return {
        "digest": named.digest.hex(),
        "kind": named.kind,
        "configuration": named.configuration,
        "member": id_text(named.author),
        "name": name_of(named.author),
        "round": named.round,
        "games": named.games,
        "size": named.size,
        "model": None if named.model is None else named.model.hex(),
        "candidate": None if named.candidate is None else named.candidate.hex(),
        "slot": named.slot,
    }


def _by_digest(views: Views) -> Mapping[bytes, _Named]:
    """Return the files that the ledger names, the newest first; of shards only the newest of each configuration."""
    ordered = sorted(_files(views), key=lambda named: (-named.round, named.digest))
    found: dict[bytes, _Named] = {}
    for named in ordered:
        found.setdefault(named.digest, named)
    return found


def _files(views: Views) -> Iterator[_Named]:
    for entry in views.configurations():
        yield from map(_of_shard, views.shards(entry.name)[-_LOOKED_AT:])
    contests: list[Candidacy | Series] = [*views.candidates(), *views.series()]
    for contest in contests:
        for number, slot in enumerate(contest.slots):
            if slot.result is not None:
                yield _of_slot(contest.configuration, contest.id, number, slot.result, _kind(views, contest.id))
    for entry in views.configurations():
        for promotion in views.promotions(entry.name)[-_PROMOTIONS:]:
            yield from _of_promotion(promotion)
        for report in views.outcomes(entry.name):
            yield _of_slot(entry.name, report.candidate, report.slot, report.result, _kind(views, report.candidate))


def _kind(views: Views, contest: bytes) -> Literal["match", "series"]:
    """Return whether the id is that of a candidate, in a match, or of a series."""
    return "match" if contest in views.remember(_candidates) else "series"


def _candidates(views: Views) -> frozenset[bytes]:
    known = [entry.id for entry in views.candidates()]
    known += [entry.candidate for entry in views.closed_candidates()]
    known += [entry.candidate for entry in views.promotions()]
    return frozenset(known)


def _of_shard(shard: Shard) -> _Named:
    return _Named(
        digest=shard.digest,
        kind="selfplay",
        configuration=shard.configuration,
        author=shard.author,
        round=shard.round,
        games=shard.games,
        size=shard.size,
        model=shard.model,
    )


def _of_slot(
    configuration: str, contest: bytes, number: int, result: SlotResult, kind: Literal["match", "series"]
) -> _Named:
    return _Named(
        digest=result.blob,
        kind=kind,
        configuration=configuration,
        author=result.author,
        round=result.place.round,
        games=result.games,
        size=result.size,
        candidate=contest,
        slot=number,
    )


def _of_promotion(promotion: Promotion) -> Iterator[_Named]:
    """Yield the slots of a match that was won, which only the promotion's statement names."""
    for row in json.loads(promotion.statement)["predicate"]["results"]["slots"]:
        yield _Named(
            digest=bytes.fromhex(row["games"]["sha256"]),
            kind="match",
            configuration=promotion.configuration,
            author=parse_id(row["member"]),
            round=promotion.place.round,
            games=row["games"]["count"],
            size=row["games"]["size"],
            candidate=promotion.candidate,
            slot=row["slot"],
        )
