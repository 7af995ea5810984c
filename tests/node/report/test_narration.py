"""What a node logs for its operator: own work, promotions, convictions, lost and regained peers and quorum."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from consensus.keys import SigningKey
from consensus.ledger.records.effects import Effect
from node.report.narration import PeerWatch, tell_effects

IDS = [SigningKey(bytes([number]) * 32).id for number in range(1, 5)]
NAMES = dict(zip(IDS, ("anvil", "birch", "cedar", "dune"), strict=True))


def effect(name: str, member: int | None, /, **fields: Any) -> Effect:
    return Effect(kind=name, round=7, index=0, time=0, member=None if member is None else IDS[member], fields=fields)


CLAIM = {"kind": "selfplay", "configuration": "hex8-2", "amount": 8, "model": bytes(32)}
EVIDENCE = {"seq": 3, "epoch": 1}


@pytest.mark.parametrize(
    ("told", "level", "event", "words"),
    [
        (effect("claim", 0, **CLAIM), "info", "claim", "claims self-play, 8 games of hex8-2"),
        (effect("expired", 0, kind="train", configuration="hex8-2"), "warning", "expired", "lost its lease on train"),
        (
            effect("promotion", None, model=b"m" * 32, configuration="hex8-2", number=2),
            "info",
            "promotion",
            "promotion 2",
        ),
        (effect("certificate", None, statement=b"s" * 32, seals=3), "info", "certificate", "is complete with 3 seals"),
        (effect("evidence", 1, accused=IDS[2], **EVIDENCE), "warning", "conviction", "proves that cedar signed"),
        (effect("evidence", 1, accused=IDS[0], **EVIDENCE), "error", "conviction", "proves that anvil signed"),
        (effect("claim", 1, **CLAIM), "", "", ""),
        (effect("beacon", 0), "", "", ""),
    ],
)
async def test_the_order(told: Effect, level: str, event: str, words: str) -> None:
    async def rounds() -> AsyncIterator[Any]:
        yield SimpleNamespace(effects=(effect("beacon", 0), told))
        yield SimpleNamespace(effects=())

    with capture_logs() as lines:
        await tell_effects(rounds(), IDS[0], lambda member: NAMES[member])
    if not level:
        assert lines == []
        return
    (line,) = lines
    assert (line["log_level"], line["event"], line["round"]) == (level, event, 7)
    assert words in line["what"]


def test_peers_and_the_quorum() -> None:
    states = dict.fromkeys(IDS[1:], "never")
    missing = "2 of 4 weight, 3 needed"
    watch = PeerWatch(
        lambda member: NAMES[member],
        lambda: [SimpleNamespace(id=member, state=state, error="refused") for member, state in states.items()],  # type: ignore[misc]
        lambda: "" if sum(state == "ok" for state in states.values()) >= 2 else missing,
    )

    def look(**changes: str) -> list[tuple[str, Any]]:
        states.update({member: changes[NAMES[member]] for member in states if NAMES[member] in changes})
        with capture_logs() as lines:
            watch.look()
        return [(line["event"], line.get("name", "")) for line in lines]

    assert look() == [], "nobody has answered yet"
    assert look(birch="ok") == [("peer", "birch")]
    assert look(cedar="ok") == [("peer", "cedar"), ("quorum", "")]
    assert look() == []
    assert look(birch="backoff") == [("peer lost", "birch"), ("quorum lost", "")]
    assert look(dune="backoff") == [], "it never was here"
    assert look(birch="ok", dune="ok") == [("peer is back", "birch"), ("peer", "dune"), ("quorum", "")]
