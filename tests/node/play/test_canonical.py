"""Which model plays at a node: the canonical one, or the heuristic with the reason."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consensus.ledger.records.entities import Configuration, Model
from consensus.ledger.records.transactions import UNIFORM
from node.play.canonical import find_canonical
from node.work.worker import WorkError
from tests.node.work.test_models import FILES, MODEL, Shelf

DIGEST = bytes.fromhex("ab" * 32)
PROMOTED = Configuration(name="hex8-2", model=replace(MODEL, digest=DIGEST), since=9, promotions=3)
FIRST = Configuration(name="square8-2", model=Model(UNIFORM, {}, "uniform", None), since=0)


def node(directory: Path) -> Any:
    """Return the part of a context that knows the canonical models and fetches files."""
    shelf: Any = Shelf(directory)
    shelf.ledger = SimpleNamespace(configurations=lambda: (PROMOTED, FIRST))
    return shelf


async def test_the_canonical_model_is_laid_out_and_named(tmp_path: Path) -> None:
    found = await find_canonical(node(tmp_path), "hex8-2")
    assert found.name == "model ababababab…, canonical since promotion 3 of hex8-2"
    assert found.directory is not None
    assert {path.name for path in found.directory.iterdir()} == set(FILES)


@pytest.mark.parametrize(
    ("configuration", "name"),
    [
        ("square8-2", "the built-in heuristic, as no model of square8-2 was promoted yet"),
        ("hex8-4", "the built-in heuristic, as this swarm does not play hex8-4"),
    ],
)
async def test_without_a_model_the_heuristic_plays(tmp_path: Path, configuration: str, name: str) -> None:
    found = await find_canonical(node(tmp_path), configuration)
    assert (found.name, found.directory) == (name, None)


async def test_a_model_that_nobody_has_is_an_error(tmp_path: Path) -> None:
    context = node(tmp_path)
    context.blobs.clear()
    with pytest.raises(WorkError, match="nobody has it"):
        await find_canonical(context, "hex8-2")
