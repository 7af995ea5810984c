"""The match of a candidate, slot by slot, in the shape of `node.api.matches`: of an open one, or one that is over."""

import json
from collections.abc import Callable, Iterator

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.entities import SlotResult
from consensus.ledger.rules.scores import most_of_block
from node.api.matches import MatchInfo, MatchSlotInfo
from node.report.ledger import find_candidate
from node.report.membership import NameOf


def match(ledger: Ledger, name_of: NameOf, candidate: bytes, is_kept: Callable[[bytes], bool]) -> MatchInfo | None:
    """Return the match of a candidate, or None if the ledger does not keep it; `is_kept` tells which games are here."""
    info = find_candidate(ledger, name_of, candidate)
    if info is None:
        return None
    slots = list(_slots(ledger, name_of, candidate, is_kept))
    blocks = 0
    for slot in slots:
        if slot["first_block"] == blocks:
            slot["counted"] = min(len(slot["scores"]), info["counted"] - blocks)
            blocks += slot["counted"]
    return {
        "candidate": info,
        "most": most_of_block(info["configuration"]),
        "slots": slots,
        "complete": blocks == info["counted"],
    }


def _slots(
    ledger: Ledger, name_of: NameOf, candidate: bytes, is_kept: Callable[[bytes], bool]
) -> Iterator[MatchSlotInfo]:
    """Yield what was reported: of a promoted candidate by its statement, of another one by what the ledger keeps."""
    promotion = next((entry for entry in ledger.promotions() if entry.candidate == candidate), None)
    if promotion is not None:
        names = {id_text(member.id): name_of(member.id) for member in ledger.roster_of(promotion).members}
        first = 0
        for row in json.loads(promotion.statement)["predicate"]["results"]["slots"]:
            yield {
                "slot": row["slot"],
                "first_block": first,
                "member": row["member"],
                "name": names[row["member"]],
                "scores": row["scores"],
                "counted": 0,
                "games": row["games"]["count"],
                "digest": row["games"]["sha256"],
                "size": row["games"]["size"],
                "kept": is_kept(bytes.fromhex(row["games"]["sha256"])),
            }
            first += len(row["scores"])
        return
    for number, size, result in _reported(ledger, candidate):
        yield {
            "slot": number,
            "first_block": number * size,
            "member": id_text(result.author),
            "name": name_of(result.author),
            "scores": list(result.scores),
            "counted": 0,
            "games": result.games,
            "digest": result.blob.hex(),
            "size": result.size,
            "kept": is_kept(result.blob),
        }


def _reported(ledger: Ledger, candidate: bytes) -> Iterator[tuple[int, int, SlotResult]]:
    """Yield the number of each reported slot of a candidate that was not promoted, its blocks, and its result."""
    candidacy = ledger.candidate(candidate)
    if candidacy is not None:
        for number, slot in enumerate(candidacy.slots):
            if slot.result is not None:
                yield number, candidacy.settings.slot_blocks, slot.result
        return
    reports = [
        report
        for entry in ledger.configurations()
        for report in ledger.outcomes(entry.name)
        if report.candidate == candidate
    ]
    for report in sorted(reports, key=lambda report: report.slot):
        yield report.slot, report.settings.slot_blocks, report.result
