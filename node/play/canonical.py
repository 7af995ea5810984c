"""The canonical model of a running node, laid out as a folder for the process that plays."""

from consensus.ledger.records.transactions import UNIFORM
from node.play.models import HEURISTIC, FoundModel
from node.text.formatting import short
from node.work.context import WorkContext
from node.work.models import model_directory


async def find_canonical(context: WorkContext, configuration: str) -> FoundModel:
    """Return the canonical model of a configuration; the heuristic where the swarm has none, or only `uniform`.

    Raise WorkError if nobody has its files.
    """
    entry = next((each for each in context.ledger.configurations() if each.name == configuration), None)
    if entry is None:
        return FoundModel(f"{HEURISTIC.name}, as this swarm does not play {configuration}", None)
    if entry.model.digest == UNIFORM:
        return FoundModel(f"{HEURISTIC.name}, as no model of {configuration} was promoted yet", None)
    name = f"model {short(entry.model.digest.hex())}, canonical since promotion {entry.promotions} of {configuration}"
    return FoundModel(name, await model_directory(context, entry.model))
