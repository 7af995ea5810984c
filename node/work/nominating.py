"""Nominations without training: an earlier model again, because the canonical one is weaker, or a person says so."""

import hashlib

import structlog
import trio

from consensus.encoding import encode
from consensus.ledger import Ledger
from consensus.ledger.priorities import Subject
from consensus.ledger.records.entities import Model
from consensus.ledger.records.transactions import Candidate
from consensus.ledger.steering.regression import nominee
from node.text.formatting import short_hex
from node.work.backoff import Backoff
from node.work.context import JOB_FAILURES, WorkContext

_log = structlog.get_logger(__name__)

_STEP_S = 1.0
"""Members look at a regression one after the other, with so many seconds between them: one nomination is enough."""

_LONGEST_PAUSE_S = 600.0
"""After several nominations in a row that came to nothing."""


def nomination(ledger: Ledger, number: int, configuration: str, model: Model) -> Candidate:
    """Return the transaction that nominates an earlier model against the canonical one; `number` is its id."""
    return Candidate(
        number,
        claim=None,
        configuration=configuration,
        model=model.digest,
        files=model.files,
        architecture=model.architecture,
        parent=model.parent,
        incumbent=ledger.configuration(configuration).model.digest,
        shards=(),
        losses={},
        measures={},
        state=None,
    )


async def nominate_on_regressions(context: WorkContext) -> None:
    """Nominate an earlier model wherever the canonical one is weaker than it, unless somebody else has, for ever."""
    backoff = Backoff(_LONGEST_PAUSE_S)
    while True:
        advances = context.advances
        for name in [entry.name for entry in context.ledger.configurations()]:
            subject: Subject = ("match", name, b"")
            if _due(context, name) is None or subject in backoff.avoided():
                continue
            await trio.sleep(_STEP_S * _rank(context, name))
            model = _due(context, name)
            if model is None:
                continue
            backoff.record_failure(subject)  # whatever comes of it: the next one waits
            _log.warning(
                "the canonical model is weaker than an earlier one", configuration=name, model=short_hex(model.digest)
            )
            try:
                number = context.next_id()
                await context.submit(nomination(context.ledger, number, name, model))
                await context.wait_until_ordered(number)
            except JOB_FAILURES as trouble:
                _log.warning("nomination put off", configuration=name, why=str(trouble))
        with trio.move_on_at(backoff.next_end()):
            await context.wait_for_advance(advances)


def _due(context: WorkContext, configuration: str) -> Model | None:
    """Return the model that this node should nominate now; None if there is none, or the ledger would refuse it."""
    ledger, me = context.ledger, context.me
    mine = [entry for entry in ledger.candidates() if (entry.author, entry.configuration) == (me, configuration)]
    if mine or ledger.is_silenced(me) or ledger.waits_for_turn(me, configuration):
        return None
    return None if ledger.is_paused("match", configuration) else nominee(ledger, configuration)


def _rank(context: WorkContext, configuration: str) -> int:
    """Return the place of this node among the members, which differs by configuration and canonical model."""
    model = context.ledger.configuration(configuration).model.digest

    def lot(member: bytes) -> bytes:
        return hashlib.sha256(encode([model, configuration, member])).digest()

    members = sorted(context.ledger.roster.ids, key=lot)
    return members.index(context.me) if context.me in members else len(members)
