"""The verifier in one file agrees with `ringrift-node verify` on every certificate and on every forgery."""

from __future__ import annotations

import ast
import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import CertificateError, verify
from consensus.ledger.records.decisions import SteeringChange
from consensus.settings import SteeringSettings
from scripts import verify_certificate as alone
from tests.consensus.certificate import forgeries
from tests.consensus.certificate.forgeries import catalogue, history
from tests.consensus.ledger.swarm import SMALL, Swarm

ROOT = Path(__file__).parents[2]
FILE = ROOT / "scripts" / "verify_certificate.py"
PAGE = ROOT / "docs" / "certificates.md"
KEPT = sorted(
    [*(ROOT / "docs" / "reference-run" / "certificates").glob("*.json"), *(ROOT / "tests" / "data").rglob("*.json")]
)
_KNOWN = re.compile(r"\b(?:[0-9a-f]{64}|[a-z2-7]{52})\b", re.IGNORECASE)  # digests and ids


def node_says(data: bytes, genesis: bytes) -> str:
    """Why `ringrift-node verify` refuses a certificate; empty if it holds."""
    try:
        verify(data, genesis)
    except CertificateError as error:
        return str(error)
    return ""


def file_says(data: bytes, genesis: bytes, path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Why the file refuses a certificate; empty if it holds."""
    path.write_bytes(data)
    status = alone.main([str(path), "--genesis-digest", genesis.hex()])
    output = capsys.readouterr()
    if status == 0:
        assert output.out.startswith(f"'{path}': HOLDS\n")
        return ""
    assert status == 1
    assert output.out == ""
    assert output.err.count("\n") == 1
    return output.err.removeprefix(f"'{path}': REFUSED: ").rstrip("\n")


def genesis_of(data: bytes) -> bytes:
    return forgeries.sha256(base64.b64decode(json.loads(data)["chain"][0]))


def is_certificate(path: Path) -> bool:
    return b'"payloadType"' in path.read_bytes()


def test_it_is_one_short_file_that_needs_only_cryptography() -> None:
    text = FILE.read_text()
    assert len(text.splitlines()) <= 300
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


def test_it_runs_alone(tmp_path: Path) -> None:
    """As somebody runs it who has downloaded it: without this project, in Python's isolated mode."""
    (tmp_path / "verify_certificate.py").write_bytes(FILE.read_bytes())
    (tmp_path / "certificate.json").write_bytes(history().certificates[-1])
    good, other = history().swarm.genesis.digest.hex(), "00" * 32
    for digest, status, start in (
        (good, 0, "'certificate.json': HOLDS\n"),
        (other, 1, "'certificate.json': REFUSED: "),
    ):
        command = [sys.executable, "-I", "verify_certificate.py", "certificate.json", "--genesis-digest", digest]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == status
        assert (done.stdout or done.stderr).startswith(start)


def made() -> dict[str, tuple[bytes, bytes]]:
    """Certificates of swarms of other kinds, each with the digest of its genesis."""
    found = {
        f"history {number}": (data, history().swarm.genesis.digest)
        for number, data in enumerate(history().certificates)
    }
    for count in (1, 2, 3, 7):
        found[f"{count} members"] = certified(Swarm(count), tuple(range(count)))
    found["weights"] = certified(Swarm(3, weights=(3, 1, 1)), (0, 1, 2))
    steered = replace(SMALL, configurations=("square8-3",), steering=SteeringSettings(rules=1))
    adding = Swarm(4, steered)
    adding.agree(SteeringChange("add", configuration="hex8-2"), 0, 1, 2)
    found["an added configuration"] = certified(adding, (0, 1, 2))
    close = Swarm(4)
    candidate = close.nominate(0)
    for slot in range(16):
        close.play_slot(1 + slot % 2, candidate, slot, score=3 - slot % 2)
    for voter in range(3):
        close.vote(voter, candidate)
    found["at the block limit"] = sealed(close, (0, 1, 2))
    return found


def certified(swarm: Swarm, members: tuple[int, ...]) -> tuple[bytes, bytes]:
    swarm.promote(0)
    return sealed(swarm, members)


def sealed(swarm: Swarm, members: tuple[int, ...]) -> tuple[bytes, bytes]:
    swarm.certify(swarm.ledger.promotions()[-1].digest, members)
    return make_certificate(swarm.ledger.promotions()[-1], swarm.ledger) or b"", swarm.genesis.digest


def test_both_believe_what_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = {str(path): (path.read_bytes(), genesis_of(path.read_bytes())) for path in KEPT if is_certificate(path)}
    assert len(kept) > 10
    assert any("version-3" in name for name in kept)
    unchanged = forgeries.consistent(lambda it: None)()
    for name, (data, genesis) in {**kept, **made(), "unchanged": (unchanged, genesis_of(unchanged))}.items():
        assert node_says(data, genesis) == "", name
        assert file_says(data, genesis, tmp_path / "certificate.json", capsys) == "", name


def test_the_page_lists_every_forgery_and_what_both_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it fails, the table that the page should have is in what was printed."""
    genesis = history().swarm.genesis.digest
    rows, believed = [], []
    for number, forgery in enumerate(catalogue(), 1):
        data = forgery.make()
        words = node_says(data, genesis), file_says(data, genesis, tmp_path / "certificate.json", capsys)
        believed += [f"{number} {forgery.what}: {words}"] if not all(words) else []
        rows.append(f"| {number} | {forgery.what} | {shown(words[0])} | {shown(words[1])} |")
    assert not believed
    assert len(rows) >= 40
    print(*rows, sep="\n")
    assert len({forgery.what for forgery in catalogue()}) == len(rows)
    assert [line for line in PAGE.read_text().splitlines() if re.match(r"\| [0-9]+ \|", line)] == rows


def shown(text: str) -> str:
    """A refusal as the table has it: digests and ids are cut, and so is the rest of a long one."""
    short = _KNOWN.sub("...", text).replace("|", "\\|").replace("<", "&lt;")
    return short if len(short) <= 110 else short[:107] + "..."


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["certificate.json"],
        ["certificate.json", "--genesis-digest"],
        ["certificate.json", "--genesis-digest", "00"],
        ["certificate.json", "--genesis-digest", "g" * 64],
        ["none.json", "--genesis-digest", "00" * 32],
        [".", "--genesis-digest", "00" * 32],
        ["text", "--genesis-digest", "00" * 32],
        ["binary", "--genesis-digest", "00" * 32],
        ["list", "--genesis-digest", "00" * 32],
        ["deep", "--genesis-digest", "00" * 32],
        ["/dev/zero", "--genesis-digest", "00" * 32],
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("certificate.json").write_bytes(history().certificates[0])
    for name, data in (("text", b"hello"), ("binary", b"\xff" * 9), ("list", b"[]"), ("deep", b"[" * 100_000)):
        Path(name).write_bytes(data)
    assert alone.main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("verify_certificate.py FILE --genesis-digest HEX: cannot be read: ")
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("form", [str.upper, lambda digest: f" {digest}\n"])
def test_a_digest_may_come_in_capitals_or_with_blanks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Callable[[str], str]
) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(history().certificates[0])
    assert alone.main([str(path), "--genesis-digest", form(history().swarm.genesis.digest.hex())]) == 0
    told = capsys.readouterr().out
    assert "promoted  hex8-2 no. 1: " in told
    assert "Not checked" in told
