"""`ringrift-node verify`: exit status 0 it holds, 1 it is refused, 2 it cannot be read, the latter two in one line."""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from consensus.certificate import verification
from consensus.certificate.envelope import make_certificate
from consensus.fault_proof import NotAProofError, verify_proof
from consensus.keys import SigningKey, id_text
from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from consensus.settings import SteeringSettings
from consensus.statement import canonical_json, pae
from node.cli import main
from node.config.address import Address
from node.config.template import Listing, render_swarm
from tests.consensus.ledger.swarm import SMALL, Swarm

WEIGHTS = b"some weights"
FILES = {"weights.safetensors": hashlib.sha256(WEIGHTS).digest()}


class Trained(Swarm):
    """A swarm whose model is a file that we have."""

    def model(self, name: str, parent: bytes | None = None) -> tuple[bytes, dict[str, bytes]]:
        return t.model_digest(FILES, "c16b2", parent), FILES


SWARM = Trained()
SWARM.certify(SWARM.promote(0), (0, 1, 2, 3))
PROMOTION = SWARM.ledger.promotions()[0]
GOOD = make_certificate(PROMOTION, SWARM.ledger) or b""
SEALS = json.loads(GOOD)["signatures"]
TRUST = {"--genesis", "--genesis-digest", "--any-swarm"}
STRANGER = SigningKey(bytes([99]) * 32)
NO_SEAL = "does not verify over this statement"


def seal(key: SigningKey) -> dict[str, str]:
    return {"keyid": id_text(key.id), "sig": base64.b64encode(key.sign(pae(PROMOTION.statement))).decode()}


def with_seals(seals: list[Any]) -> bytes:
    return canonical_json({**json.loads(GOOD), "signatures": seals}) + b"\n"


def with_score(points: int) -> bytes:
    """A statement that somebody changed, with the old seals."""
    statement = json.loads(PROMOTION.statement)
    statement["predicate"]["test"]["score"] += points
    payload = base64.b64encode(canonical_json(statement)).decode()
    return canonical_json({**json.loads(GOOD), "payload": payload}) + b"\n"


def other_letter(place: int) -> bytes:
    letter = b"B" if GOOD[place : place + 1] == b"A" else b"A"  # both are base64
    return GOOD[:place] + letter + GOOD[place + 1 :]


@dataclass(frozen=True)
class Files:
    """What an auditor has: the certificate, the swarm.toml, the model."""

    certificate: Path
    swarm: Path
    model: Path

    def verify(self, data: bytes, *arguments: str | Path) -> int:
        """Check a certificate, of any swarm unless the arguments say which is trusted."""
        self.certificate.write_bytes(data)
        trust = [] if TRUST & set(arguments) else ["--any-swarm"]
        return main(["verify", str(self.certificate), *map(str, arguments), *trust])


@pytest.fixture
def files(tmp_path: Path) -> Files:
    members = [
        Listing(f"node{number}", id_text(member.id), Address("127.0.0.1", 7400 + number), member.weight)
        for number, member in enumerate(SWARM.genesis.members)
    ]
    found = Files(tmp_path / "certificate.json", tmp_path / "swarm.toml", tmp_path / "model")
    found.swarm.write_text(render_swarm("test", members, SMALL))
    found.model.mkdir()
    (found.model / "weights.safetensors").write_bytes(WEIGHTS)
    return found


Output = pytest.CaptureFixture[str]


def test_a_good_certificate_holds(files: Files, capsys: Output) -> None:
    assert files.verify(GOOD, "--genesis", files.swarm, "--model", files.model) == 0
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert lines[0] == f"{files.certificate}: HOLDS"
    assert f"  swarm     test, genesis {SWARM.genesis.digest.hex()}" in lines
    assert f"  promoted  hex8-2 no. 1: {PROMOTION.model.digest.hex()} (c16b2)" in lines
    assert f"  replaces  {t.UNIFORM.hex()} (uniform, built in)" in lines
    assert "  approved  weight 3 of 4 replayed the games and voted for it" in lines
    assert "  sealed    weight 3 of 4, by 3 members" in lines
    assert f"  files     1 file in {files.model} match" in lines
    assert "NOT CHECKED" not in output.out


def test_an_old_certificate_holds_against_its_old_swarm_toml(files: Files, capsys: Output) -> None:
    old = Path(__file__).parents[2] / "data" / "version-3"
    data, text = (old / "played.json").read_bytes(), (old / "swarm.toml").read_text()
    files.swarm.write_text(text)
    assert files.verify(data, "--genesis", files.swarm) == 0
    assert "2dcd3c59442ec7ce" in capsys.readouterr().out
    files.swarm.write_text(text.replace("p1 = 0.65", "p0 = 0.5\np1 = 0.65"))
    assert files.verify(data, "--genesis", files.swarm) == 1
    assert "the certificate is of the swarm with genesis 2dcd3c59442ec7ce" in capsys.readouterr().err


def test_one_that_was_accepted_at_the_block_limit(files: Files, capsys: Output) -> None:
    swarm = Trained()
    swarm.measures = {"brier": 190_000}
    candidate = swarm.nominate(0)
    for slot in range(16):
        swarm.play_slot(1 + slot % 2, candidate, slot, score=3 - slot % 2)
    for voter in range(3):
        swarm.vote(voter, candidate)
    swarm.certify(swarm.ledger.promotions()[0].digest, (0, 1, 2))
    data = make_certificate(swarm.ledger.promotions()[0], swarm.ledger) or b""
    assert files.verify(data) == 0
    line = "  match     80 of 128 points in 32 blocks, log-likelihood ratio 0.967185962085, accepted at the block limit"
    lines = capsys.readouterr().out.splitlines()
    assert line in lines
    assert "  measured  Brier 0.19 (as its trainer says)" in lines
    assert files.verify(data, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["decided_by"], facts["measures"]) == ("limit", {"brier": 190_000})


def test_of_any_swarm_it_says_what_was_not_checked(files: Files, capsys: Output) -> None:
    assert files.verify(GOOD, "--any-swarm") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "NOT CHECKED: which swarm this is. Anybody can found one and let it promote" in told
    assert "--genesis FILE or --genesis-digest HEX does it." in told
    assert "The genesis is the one that you gave" not in told
    assert files.verify(GOOD, "--any-swarm", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["genesis_compared"] is False
    assert facts["not_checked"][0].startswith("which swarm this is.")


@pytest.mark.parametrize("data", [GOOD, b"\xa0"])
def test_a_private_swarm_does_not_hold_unless_its_user_asks_for_that(files: Files, capsys: Output, data: bytes) -> None:
    files.certificate.write_bytes(data)
    for more in ((), ("--json",), ("--model", str(files.model))):
        assert main(["verify", str(files.certificate), *more]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        told_by = '{"what": "' if more == ("--json",) else "ringrift-node: "
        assert told.err.startswith(f"{told_by}say which swarm you trust: --genesis FILE")
        assert told.err.count("\n") == 1


def test_the_digest_of_the_genesis_will_do(files: Files, capsys: Output) -> None:
    digest = SWARM.genesis.digest.hex()
    for text in (digest, digest.upper(), f" {digest}\n"):
        assert files.verify(GOOD, "--genesis-digest", text) == 0
        assert "The genesis is the one that you gave." in capsys.readouterr().out
    assert files.verify(GOOD, "--genesis-digest", "ab" * 32) == 1
    assert f"is of the swarm with genesis {digest}, not abab" in capsys.readouterr().err
    for text in ("", digest[:-1], digest + "0", "g" * 64, str(files.swarm)):
        assert files.verify(GOOD, "--genesis-digest", text) == 2
        told = capsys.readouterr().err
        assert told.startswith("ringrift-node: --genesis-digest: must be 64 hex digits, not ")
        assert told.count("\n") == 1


@pytest.mark.parametrize("second", [["--genesis-digest", "ab" * 32], ["--any-swarm"]])
def test_one_swarm_is_trusted_not_two(files: Files, capsys: Output, second: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        files.verify(GOOD, "--genesis", files.swarm, *second)
    assert ended.value.code == 2
    assert "not allowed with argument --genesis" in capsys.readouterr().err


def test_the_genesis_record_will_do(files: Files, capsys: Output) -> None:
    record = files.model.parent / "genesis.cbor"
    record.write_bytes(SWARM.genesis.raw)
    assert files.verify(GOOD, "--genesis", record) == 0
    assert "The genesis is the one that you gave." in capsys.readouterr().out
    record.write_bytes(SWARM.genesis.raw[:-1])
    assert files.verify(GOOD, "--genesis", record) == 2
    assert capsys.readouterr().err.startswith(f"ringrift-node: {record}: genesis: ")


def test_for_programs(files: Files, capsys: Output) -> None:
    assert files.verify(GOOD, "--json", "--genesis", SWARM.genesis.digest.hex()) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["certificate"] == PROMOTION.digest.hex()
    assert facts["model"] == PROMOTION.model.digest.hex()
    assert (facts["sealed"], facts["weight"], len(facts["sealed_by"])) == (3, 4, 3)
    assert (facts["score"], facts["most"], facts["blocks"]) == (48, 48, 12)
    assert files.verify(with_score(1), "--json", "--genesis", SWARM.genesis.digest.hex()) == 1
    output = capsys.readouterr()
    assert (output.out, json.loads(output.err)["where"]) == ("", str(files.certificate))
    assert json.loads(output.err)["what"].startswith("REFUSED: ")


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "another letter in a seal": (lambda: other_letter(GOOD.index(b'"sig":"') + 10), NO_SEAL),
    "another letter in the statement": (lambda: other_letter(GOOD.index(b'"payload":"') + 32), NO_SEAL),
    "another letter in the genesis": (lambda: other_letter(GOOD.index(b'["') + 10), "chain: "),
    "another score": (lambda: with_score(1), NO_SEAL),
    "too few seals": (lambda: with_seals(SEALS[:2]), "sealed by weight 2 of 4; more than two thirds are needed"),
    "a seal twice": (lambda: with_seals([*SEALS[:2], SEALS[1]]), "seals twice"),
    "a stranger's seal": (lambda: with_seals([*SEALS, seal(STRANGER)]), "is not a member of the swarm"),
}


@pytest.mark.parametrize("forgery", REFUSED)
def test_forgeries_are_refused(files: Files, capsys: Output, forgery: str) -> None:
    make, reason = REFUSED[forgery]
    assert files.verify(make(), "--genesis", files.swarm) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{files.certificate}: REFUSED: ")
    assert reason in output.err
    assert output.err.count("\n") == 1


def test_another_swarm_is_refused(files: Files, capsys: Output) -> None:
    files.swarm.write_text(files.swarm.read_text().replace('name = "test"', 'name = "rest"'))
    assert files.verify(GOOD, "--genesis", files.swarm) == 1
    assert f"is of the swarm with genesis {SWARM.genesis.digest.hex()}, not " in capsys.readouterr().err


def changed_file(model: Path) -> None:
    (model / "weights.safetensors").write_bytes(WEIGHTS[::-1])


def missing_file(model: Path) -> None:
    (model / "weights.safetensors").unlink()


def foreign_file(model: Path) -> None:
    (model / "sub").mkdir()
    (model / "sub" / "more.bin").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed_file, "file 'weights.safetensors' does not match"),
        (missing_file, "file 'weights.safetensors' of the certified model is missing"),
        (foreign_file, "file 'sub/more.bin' is not part of the certified model"),
    ],
)
def test_another_model_is_refused(files: Files, capsys: Output, change: Callable[[Path], None], reason: str) -> None:
    change(files.model)
    assert files.verify(GOOD, "--model", files.model) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "arguments", "complaint"),
    [
        (b"", (), "{files.certificate}: not a certificate: not a JSON object"),
        (b"hello", (), "{files.certificate}: not a certificate: not a JSON object"),
        (b"\xff" * 100, (), "{files.certificate}: not a certificate"),
        (b"{}", (), "{files.certificate}: not a certificate: must be a JSON object with"),
        (b" " * 5_000_000, (), "{files.certificate}: not a certificate: "),
        (GOOD[: len(GOOD) // 2], (), "{files.certificate}: not a certificate"),
        (GOOD, ("--genesis", "{files.model}/none.toml"), "{files.model}/none.toml: there is no such file"),
        (GOOD, ("--genesis", "{files.certificate}"), "{files.certificate}:1: "),
        (GOOD, ("--model", "{files.model}/none"), "{files.model}/none: is not a directory"),
    ],
)
def test_unreadable_input(
    files: Files, capsys: Output, data: bytes, arguments: tuple[str, ...], complaint: str
) -> None:
    assert files.verify(data, *(argument.format(files=files) for argument in arguments)) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("ringrift-node: " + complaint.format(files=files))
    assert output.err.count("\n") == 1


def test_a_certificate_that_is_not_there(files: Files, capsys: Output) -> None:
    assert main(["verify", str(files.certificate), "--any-swarm"]) == 2
    assert capsys.readouterr().err == (f"ringrift-node: {files.certificate}: there is no such file; check the path\n")


def test_it_needs_neither_node_nor_network_nor_torch(files: Files) -> None:
    files.certificate.write_bytes(GOOD)
    script = (
        "import sys; from node.cli import main; "
        f"status = main(['verify', {str(files.certificate)!r}, '--genesis', {str(files.swarm)!r}]); "
        "print(*{name.split('.')[0] for name in sys.modules}); sys.exit(status)"
    )
    command: list[Any] = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    loaded = set(found.stdout.splitlines()[-1].split())
    assert "cryptography" in loaded
    assert not {"torch", "warp", "trio", "numpy", "httpx", "h11", "ssl", "rich", "jinja2", "cbor2"} & loaded


def as_subject(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make every certificate name these files, as one could that another program's swarm has sealed."""
    real = verification.verify

    def verify(*arguments: Any) -> Any:
        found = real(*arguments)
        return replace(found, content=replace(found.content, subjects=dict.fromkeys(names, bytes(32))))

    monkeypatch.setattr("node.cli.verify.verify", verify)


def large_file(model: Path) -> None:
    with (model / "large.bin").open("wb") as file:
        file.truncate(6 << 30)


def pipe(model: Path) -> None:
    os.mkfifo(model / "pipe")


def device(model: Path) -> None:
    (model / "zero").symlink_to("/dev/zero")


def folder_elsewhere(model: Path) -> None:
    (model / "more").symlink_to(model.parent)


@pytest.mark.parametrize(
    ("change", "name"),
    [(large_file, "large.bin"), (pipe, "pipe"), (device, "zero"), (folder_elsewhere, "more")],
)
def test_a_file_that_the_statement_does_not_name_is_refused_unread(
    files: Files, capsys: Output, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], name: str
) -> None:
    read: list[Path] = []
    monkeypatch.setattr("node.cli.model_files.digest_regular", lambda path, _limit: read.append(path))
    change(files.model)
    assert files.verify(GOOD, "--model", files.model) == 1
    assert f"file {name!r} is not part of the certified model" in capsys.readouterr().err
    assert read == []


def unreadable(model: Path, make: Callable[[Path], object]) -> None:
    path = model / "weights.safetensors"
    path.unlink()
    make(path)


def very_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def out_of_the_folder(path: Path) -> None:
    other = path.parent.parent / "other"
    other.write_bytes(WEIGHTS)
    path.symlink_to(other)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "is a pipe, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "leads out of the folder"),
        (out_of_the_folder, "leads out of the folder"),
        (lambda path: path.mkdir(), "Is a directory"),
        (very_large, "above the limit"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.symlink_to("nowhere"), "there is no such file"),
    ],
    ids=["pipe", "device", "link", "directory", "large", "circle", "nowhere"],
)
def test_a_named_file_that_cannot_be_read_is_no_refusal(
    files: Files, capsys: Output, make: Callable[[Path], object], what: str
) -> None:
    unreadable(files.model, make)
    assert files.verify(GOOD, "--model", files.model) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"ringrift-node: {files.model / 'weights.safetensors'}: ")
    assert what in told
    assert told.count("\n") == 1


def test_a_link_inside_the_folder_is_followed(files: Files) -> None:
    store = files.model / "sub"
    store.mkdir()
    (files.model / "weights.safetensors").unlink()
    (files.model / "weights.safetensors").symlink_to(files.model / "sub" / "weights.safetensors")
    (store / "weights.safetensors").write_bytes(WEIGHTS)
    assert files.verify(GOOD, "--model", files.model) == 1  # sub/weights.safetensors is one too many
    other = files.model / "weights.safetensors"
    other.unlink()
    (store / "weights.safetensors").rename(other)
    assert files.verify(GOOD, "--model", files.model) == 0


def test_folders_in_folders_are_searched_however_deep(
    files: Files, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files.model)
    for _ in range(1500):
        os.mkdir("a")
        os.chdir("a")
    assert files.verify(GOOD, "--model", files.model) == 0
    Path("b").touch()
    assert files.verify(GOOD, "--model", files.model) == 1
    assert "a/b' is not part of the certified model" in capsys.readouterr().err
    Path("b").unlink()
    for _ in range(1500):  # pytest would give up on so many
        os.chdir("..")
        os.rmdir("a")


@pytest.mark.parametrize("form", [str.upper, lambda digest: f" {digest}\n"])
def test_a_digest_may_come_in_capitals_or_with_blanks(files: Files, form: Callable[[str], str]) -> None:
    assert files.verify(GOOD, "--genesis", form(SWARM.genesis.digest.hex())) == 0
    assert files.verify(GOOD, "--genesis", form("ab" * 32)) == 1


@pytest.mark.parametrize("name", ["../swarm.toml", "/etc/passwd", "a/../../x", "", "a//b", "."])
def test_a_statement_cannot_name_files_elsewhere(
    files: Files, capsys: Output, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (files.model / "weights.safetensors").unlink()
    as_subject(monkeypatch, name)
    assert files.verify(GOOD, "--model", files.model) == 1
    assert "would not be in its folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["certificate", "--genesis"])
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "pipe", "folder", "large", "/proc/self/mem"])
def test_what_is_no_file_or_too_large_cannot_be_read(files: Files, capsys: Output, option: str, path: str) -> None:
    where = files.model / path
    if path == "pipe":
        os.mkfifo(where)
    elif path == "folder":
        where.mkdir()
    elif path == "large":
        where.touch()
        os.truncate(where, 6 << 30)
    if option == "certificate":
        assert main(["verify", str(where), "--any-swarm"]) == 2
    else:
        assert files.verify(GOOD, "--genesis", where) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"ringrift-node: {where}: cannot be read (")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("data", "status", "cause"),
    [
        (b"\xef\xbb\xbf" + GOOD, 2, "byte order mark"),
        (GOOD.decode().encode("utf-16"), 2, "byte order mark"),
        (GOOD.replace(b"\n", b"\r\n"), 1, "an editor may have saved it anew"),
        (GOOD.rstrip(), 1, "one newline at the end"),
        (GOOD.replace(b",", b", "), 1, "no spaces"),
    ],
)
def test_what_an_editor_has_made_of_a_certificate(
    files: Files, capsys: Output, data: bytes, status: int, cause: str
) -> None:
    assert files.verify(data) == status
    assert cause in capsys.readouterr().err


def test_a_swarm_toml_as_an_editor_saves_it_is_the_same_swarm(files: Files) -> None:
    text = files.swarm.read_text()
    for data in ("\ufeff" + text, text.replace("\n", "\r\n"), text.replace("\n", " \t\n").rstrip()):
        files.swarm.write_bytes(data.encode())
        assert files.verify(GOOD, "--genesis", files.swarm) == 0


def test_a_small_proof_of_very_many_values_takes_little_memory() -> None:
    many = b"\xa1\x61a\x9a" + (1 << 21).to_bytes(4, "big") + bytes(1 << 21)
    with pytest.raises(NotAProofError, match="more values than are allowed"):
        verify_proof(many)


class _NoReader(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_leaves_does_not_make_it_refused(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """`verify FILE | grep -q HOLDS` under `set -o pipefail`."""
    for arguments in ([], ["--json"]):
        monkeypatch.setattr(sys, "stdout", _NoReader())
        assert files.verify(GOOD, *arguments) == 0


def test_the_settings_that_held_are_shown(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1)))
    swarm.agree(SteeringChange("set", setting="match.p1", value="3/5"), 0, 1, 2)
    candidate = swarm.nominate(0)
    swarm.agree(SteeringChange("set", setting="selfplay.games", value="64"), 0, 1, 2)
    swarm.certify(swarm.promote_candidate(candidate, 0), (0, 1, 2))
    data = make_certificate(swarm.ledger.promotions()[0], swarm.ledger) or b""
    assert files.verify(data) == 0
    shown = capsys.readouterr().out
    assert "  settings  version 1: match.p1 3/5; else as in the genesis\n" in shown
    assert "  then      version 2: match.p1 3/5, selfplay.games 64; else as in the genesis\n" in shown
    assert files.verify(data, "--json") == 0
    assert json.loads(capsys.readouterr().out)["settings"] == {
        "added": None,
        "match": {"version": 1, "changed": {"match.p1": "3/5"}},
        "promotion": {"version": 2, "changed": {"match.p1": "3/5", "selfplay.games": "64"}},
    }
