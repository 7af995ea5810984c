"""Models from elsewhere: kept and nominated by the ordinary rules, and never tested again under another name."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import verify
from consensus.ledger.records import transactions as t
from node.blobs.files import FileBlobs
from node.work.imports import Imports, identify
from node.work.nominations import NominationError, Nominations
from tests.consensus.ledger.rules.test_rollbacks import EQUAL, lose, swarm_with
from tests.consensus.ledger.steering.rated import RatedSwarm
from tests.node.work.test_work import OrderContext

CONTENTS = {"config.json": b"{}", "weights.safetensors": b"weights of another swarm"}
DIGESTS = {name: hashlib.sha256(data).digest() for name, data in CONTENTS.items()}


class Desk:
    """A node that imports, in a swarm in which two models were promoted."""

    def __init__(self, directory: Path) -> None:
        self.swarm = swarm_with(EQUAL, EQUAL)
        self.blobs = FileBlobs(directory / "blobs")
        self.folder = directory / "model"
        self.folder.mkdir()
        for name, data in CONTENTS.items():
            (self.folder / name).write_bytes(data)
        self.readiness = (True, "level")
        nominations = Nominations(OrderContext(self.swarm, directory), lambda: self.readiness)
        self.imports = Imports(nominations, self.blobs.add_file)

    def request(self, **changes: Any) -> dict[str, Any]:
        files = {name: digest.hex() for name, digest in DIGESTS.items()}
        return {"folder": str(self.folder), "files": files, "architecture": "c16b2", **changes}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_model_from_elsewhere_is_a_candidate_that_wins_or_loses_as_others(desk: Desk) -> None:
    swarm, canonical = desk.swarm, desk.swarm.model_of("second")
    answer = await desk.imports.nominate(desk.request())
    (candidacy,) = swarm.ledger.candidates()
    assert (answer["candidate"], answer["model"]) == (candidacy.id.hex(), candidacy.model.digest.hex())
    assert (answer["configuration"], answer["incumbent"]) == ("hex8-2", canonical.hex())
    assert candidacy.model.files == DIGESTS
    assert candidacy.model.parent is None
    assert not candidacy.was_trained, "nobody here says that they trained it"
    for name, digest in DIGESTS.items():
        assert desk.blobs.path(digest).read_bytes() == CONTENTS[name]
    with pytest.raises(NominationError, match="it is a candidate already"):
        await desk.imports.nominate(desk.request())
    statement = swarm.promote_candidate(candidacy.id, 0)
    assert swarm.ledger.configuration("hex8-2").model == candidacy.model
    swarm.certify(statement, (0, 1, 2))
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    envelope = make_certificate(promotion, swarm.ledger)
    assert envelope is not None
    assert {name: verify(envelope).content.subjects[name] for name in DIGESTS} == DIGESTS
    with pytest.raises(NominationError, match="it is canonical already"):
        await desk.imports.nominate(desk.request())


async def test_a_model_that_failed_is_not_tested_again(desk: Desk) -> None:
    await desk.imports.nominate(desk.request())
    (candidacy,) = desk.swarm.ledger.candidates()
    lose(desk.swarm, candidacy.id)
    assert desk.swarm.ledger.candidates() == ()
    with pytest.raises(NominationError, match="a nomination of this node came to nothing lately"):
        await desk.imports.nominate(desk.request())
    vain = desk.swarm.ledger._state.vain
    for key in list(vain):  # as once it has waited
        vain.discard(key)
    with pytest.raises(NominationError, match="rejected it; that is not repeated") as refused:
        await desk.imports.nominate(desk.request())
    assert refused.value.status == 409
    assert desk.swarm.ledger.candidates() == ()


@pytest.mark.parametrize("parent", [t.UNIFORM, "first"])
def test_what_failed_here_with_a_parent_is_known_by_its_files(parent: bytes | str) -> None:
    """Without that, a model trained here and rejected could come again as one from elsewhere, until luck helps it."""
    swarm = swarm_with(EQUAL, EQUAL)
    known = swarm.model_of(parent) if isinstance(parent, str) else parent
    news = swarm.candidate(1, "third")
    digest = t.model_digest(news.files, news.architecture, known)
    news = replace(news, parent=known, model=digest)
    swarm.act(1, news)
    swarm.order()
    swarm.order()
    assert identify(swarm.ledger, news.files, "c16b2").digest == digest, "while it is open"
    lose(swarm, t.candidate_id(swarm.id(1), news.id))
    again = identify(swarm.ledger, news.files, "c16b2")
    assert (again.digest, again.parent) == (digest, known)
    assert identify(swarm.ledger, news.files, "c32b4").parent is None, "another network"


def test_an_earlier_model_is_the_one_that_it_was() -> None:
    swarm = RatedSwarm()
    swarm.promote(0, "first")
    files = swarm.model("first")[1]
    assert identify(swarm.ledger, files, "c16b2").digest == swarm.model_of("first")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"folder": "model"}, 400, "an import needs folder, an absolute path"),
        ({"folder": 5}, 400, "folder, an absolute path"),
        ({"architecture": "../c16b2"}, 400, "architecture, a name"),
        ({"files": {}}, 400, "files, 1 to 64 names"),
        ({"files": {"../x": "00" * 32}}, 400, "files, with plain names"),
        ({"files": {"x": "00" * 31}}, 400, "files, with plain names"),
        ({"files": {"x": "no hex"}}, 400, "an import needs"),
        ({"files": {"x": 5}}, 400, "an import needs"),
        ({"architecture": "c999b9"}, 409, "hex8-2 is played by networks c16b2, and this one is c999b9; members can"),
        ({"configuration": "hex8-4"}, 409, "hex8-4 is not played here; --configuration is one of hex8-2"),
        ({"files": {"config.json": "00" * 32}}, 409, "config.json changed meanwhile"),
        ({"files": {"absent": "00" * 32}}, 409, "absent cannot be kept"),
    ],
)
async def test_what_cannot_be_a_candidate_is_refused_with_the_reason(
    desk: Desk, changes: dict[str, Any], status: int, words: str
) -> None:
    with pytest.raises(NominationError, match=words.replace(".", r"\.")) as refused:
        await desk.imports.nominate(desk.request(**changes))
    assert refused.value.status == status
    assert desk.swarm.ledger.candidates() == ()


async def test_a_node_that_is_not_ready_imports_nothing(desk: Desk) -> None:
    desk.readiness = (False, "it listens")
    with pytest.raises(NominationError, match="not ready: it listens"):
        await desk.imports.nominate(desk.request())
    assert await desk.blobs.digests() == frozenset()
