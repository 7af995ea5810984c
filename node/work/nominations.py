"""Nominations of earlier models by the person at this machine: checked, and submitted as those of this node."""

from collections.abc import Callable

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Model
from consensus.ledger.records.transactions import Candidate, candidate_id
from node.api.nominations import NominationInfo
from node.member.ledger_client import SubmitError, Submitter
from node.text.formatting import short_hex
from node.work.nominating import nomination

_REMEDIES = {
    "model is canonical": "it is canonical already; nominate another one",
    "model is a candidate": "it is a candidate already; ringrift-node work shows its match",
    "author has an open candidate": "this node has an open candidate there; nominate it from another member's machine",
    "model failed against this incumbent": "its match against the canonical model rejected it; that is not repeated "
    "unless rating games say that it is stronger",
    "others come first": "a nomination of this node came to nothing lately; try again later, or from another machine",
}


class NominationError(Exception):
    """Says in one line why this is not submitted, with the remedy. `status` is the HTTP status of such a mistake."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Nominations:
    """Nominates as one node what a person names by the beginning of its digest."""

    def __init__(self, submitter: Submitter, readiness: Callable[[], tuple[bool, str]]) -> None:
        self._submitter = submitter
        self._readiness = readiness

    async def nominate(self, beginning: str, configuration: str | None) -> NominationInfo:
        """Nominate an earlier canonical model. Raise NominationError."""
        self.require_ready()
        name, model = _find(self.ledger, beginning, configuration)
        return await self.submit(name, model)

    @property
    def ledger(self) -> Ledger:
        """The ledger as it is now."""
        return self._submitter.ledger

    def require_ready(self) -> None:
        """Raise NominationError unless this node can act."""
        if self._submitter.me not in self.ledger.roster:
            raise NominationError(409, "this node is not a member and cannot nominate; use a member's machine")
        is_ready, why = self._readiness()
        if not is_ready:
            raise NominationError(503, f"this node is not ready: {why}; try again when ringrift-node status says ready")

    def require_possible(self, configuration: str, model: Model) -> Candidate:
        """Return the nomination of a model. Raise NominationError if the ledger would refuse it now."""
        news = nomination(self.ledger, self._submitter.next_id(), configuration, model)
        obstacle = self.ledger.obstacle_to(self._submitter.me, news)
        if obstacle:
            raise NominationError(409, f"{short_hex(model.digest)}: {_REMEDIES.get(obstacle, obstacle)}")
        return news

    async def submit(self, configuration: str, model: Model) -> NominationInfo:
        """Nominate a model, of whatever origin. Raise NominationError."""
        news = self.require_possible(configuration, model)
        try:
            await self._submitter.submit(news)
        except SubmitError as error:
            raise NominationError(503, str(error)) from None
        return {
            "candidate": candidate_id(self._submitter.me, news.id).hex(),
            "configuration": configuration,
            "model": model.digest.hex(),
            "incumbent": news.incumbent.hex(),
        }


def _find(ledger: Ledger, beginning: str, configuration: str | None) -> tuple[str, Model]:
    """Return the one earlier model whose digest begins so, and its configuration. Raise NominationError."""
    found = {
        (name, model.digest): model
        for name, model in _earlier_models(ledger)
        if model.digest.hex().startswith(beginning.lower()) and configuration in (None, name)
    }
    where = "" if configuration is None else f" of {configuration}"
    if not beginning or not found:
        listed = "ringrift-node models lists the models"
        raise NominationError(404, f'no model{where} that was promoted begins with "{beginning}"; {listed}')
    if len(found) > 1:
        names = ", ".join(f"{digest.hex()[:16]} ({name})" for name, digest in sorted(found))
        raise NominationError(
            409, f'"{beginning}" is the beginning of several: {names}; write more, or --configuration'
        )
    ((name, _), model) = next(iter(found.items()))
    return name, model


def _earlier_models(ledger: Ledger) -> list[tuple[str, Model]]:
    """Return every promoted model that the ledger still keeps, with its configuration."""
    models = [(entry.configuration, entry.model) for entry in ledger.promotions()]
    for entry in ledger.configurations():
        models += [(entry.name, milestone.model) for milestone in ledger.ratings(entry.name).kept]
    return models
