"""Some thousand damaged inputs for every reader of foreign bytes; `scripts/fuzz` runs a million."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consensus.certificate.envelope import make_envelope
from consensus.certificate.verification import CertificateError, verify
from consensus.encoding import encode
from consensus.event import EventError, decode_event, make_event
from consensus.genesis import GenesisError, decode_genesis, make_genesis
from consensus.keys import SigningKey
from consensus.roster import RosterMember
from consensus.settings import Settings, SettingsError
from node.config.swarm_file import parse_config
from node.config.toml import ConfigError
from node.transport.http1 import Hangup
from tests.fuzz.mutations import Mutator
from tests.fuzz.running import fuzz_target, make_input
from tests.fuzz.talk import check_local_port, check_peer_answer
from tests.fuzz.targets import TARGETS, Target, made_toml

SLOW = {
    "snapshot": 30, "transaction": 250, "forged-certificate": 150, "forged-record": 150, "forged-fault": 150,
    "certificate": 200, "local-port": 100, "peer-port": 150, "peer-answer": 250, "chain": 200,
    "wish": 100, "ballot": 100, "import": 100, "play": 150, "two-verifiers": 150, "recorded": 100,
    "checkpoint": 100,
}  # fmt: skip
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", TARGETS)
def test_no_damaged_input_does_harm(name: str) -> None:
    target = TARGETS[name]()
    result = fuzz_target(name, target, 7, 0, SLOW.get(name, 500), 10)
    assert not result.findings, f"scripts/fuzz {name} --seed 7: {result.findings[0].what}"
    for sample in target.samples:
        target.try_one(sample)
    assert result.accepted < result.inputs


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"transaction", "signed-event", "bounded-event"}))
def test_memory_stays_within_a_multiple_of_the_input(name: str) -> None:
    """Those left out keep what they accept, within bounds of their own."""
    target = TARGETS[name]()
    inputs = [make_input(name, target, 8, index) for index in range(40)]
    for data in inputs[:5]:
        target.try_one(data)  # what is made once for all
    for data in inputs:
        tracemalloc.start()
        target.try_one(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < (4 << 20) + 100 * len(data)


# The fuzzer itself.


def test_an_input_is_the_same_every_time_and_seldom_the_sample() -> None:
    target = TARGETS["genesis"]()
    inputs = [make_input("genesis", target, 3, index) for index in range(300)]
    assert inputs == [make_input("genesis", target, 3, index) for index in range(300)]
    assert len(set(inputs)) > 250
    assert inputs != [make_input("genesis", target, 4, index) for index in range(300)]


@pytest.mark.parametrize("harm", ["error", "hang", "lines", "memory"])
def test_harm_is_found(harm: str) -> None:
    def check(data: bytes) -> None:
        if harm == "error":
            raise KeyError(data)
        if harm == "lines":
            raise ValueError("two\nlines")
        if harm == "memory":
            raise MemoryError
        while True:
            pass

    result = fuzz_target("fake", Target([b"sample"], check, (ValueError,)), 1, 0, 10, 0.05, most=2)
    assert len(result.findings) == 2
    assert result.inputs == 2
    kinds = {"error": "KeyError", "hang": "Hang", "lines": "AssertionError", "memory": "MemoryError"}
    assert result.findings[0].what.startswith(kinds[harm])
    assert "tests/fuzz/test_fuzz.py" in result.findings[0].what or harm == "lines"


def test_refusals_are_no_findings_and_acceptance_is_counted() -> None:
    def check(data: bytes) -> None:
        if len(data) % 2:
            raise ValueError("odd")

    target = Target([b"sample", b"another"], check, (ValueError,))
    result = fuzz_target("fake", replace(target, forge=Mutator.bytes_input), 1, 0, 200, 1.0)
    assert not result.findings
    assert 0 < result.accepted < result.inputs == 200


def test_the_script_runs_in_processes_and_sums_up() -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / "fuzz.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    done = run("genesis", "blob-message", "--count", "300", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "300 inputs in" in done.stdout
    assert done.stdout.rstrip().endswith("0 findings")
    wrong = run("nonsense")
    assert wrong.returncode == 2
    assert "unknown target 'nonsense'" in wrong.stderr


# What fuzzing, and reading with it in mind, has found.


def genesis_with(alpha: object) -> bytes:
    plain = make_genesis("x", [RosterMember(SigningKey(bytes(32)).id, 1)], Settings())
    table: dict[str, Any] = {
        "version": 3,
        "swarm": "x",
        "members": plain.roster.table(),
        "settings": plain.settings.table(),
    }
    settings: dict[str, Any] = dict(plain.settings.table())
    settings["match"] = {**settings["match"], "alpha": alpha}
    return encode({**table, "settings": settings})


@pytest.mark.parametrize("alpha", ["1e999999999", "1E-999999999", "9" * 5000, "1/" + "9" * 5000, "1_0/2_0", " 1/2"])
def test_a_fraction_whose_digits_never_end_is_refused_at_once(alpha: str) -> None:
    """A genesis may come from anybody, in a certificate: 10 to the power of 10^9 was computed from 11 bytes of it."""
    with pytest.raises(GenesisError, match=r"settings\.match\.alpha"):
        decode_genesis(genesis_with(alpha))
    with pytest.raises(SettingsError, match=r"settings\.match\.alpha"):
        Settings.parse(["hex8-2"], {"match": {"alpha": alpha}})
    with pytest.raises(CertificateError):
        verify(make_envelope(b"{}", [], [genesis_with(alpha)]))


@pytest.mark.parametrize(
    "line",
    [
        "alpha = 1e-999999999",
        "alpha = 1e999999999",
        "alpha = 1e99999999999999999999",
        "alpha = nan",
        'alpha = "1e999999999"',
        "block_limit = " + "9" * 5000,
        "block_limit = 0x1" + "0" * 5000,
        "block_limit = " + "[" * 5000,
        "block_limit = {a=" * 2000,
    ],
)
def test_numbers_and_nesting_beyond_all_bounds_in_swarm_toml_are_one_line(line: str) -> None:
    text = made_toml([SigningKey(bytes([1]) * 32)]).decode()
    name = line.split(" = ")[0]
    old = next(part for part in text.splitlines() if part.startswith(name))
    with pytest.raises(ConfigError) as error:
        parse_config(Path("swarm.toml"), text.replace(old, line))
    assert str(error.value).startswith("swarm.toml")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_an_event_of_very_many_values_is_no_event() -> None:
    """Half a second of decoding for one event, in the thread that checks signatures too."""
    key = SigningKey(bytes([1]) * 32)
    many = [{"type": "note", "id": 1, "text": [0] * (1 << 16)}]
    with pytest.raises(EventError, match="more values than are allowed"):
        make_event(key, epoch=bytes(32), seq=0, self_parent=None, time=0, transactions=tuple(many))
    fewer = ({"type": "note", "id": 1, "text": [0] * ((1 << 16) - 10)},)
    event = make_event(key, epoch=bytes(32), seq=0, self_parent=None, time=0, transactions=fewer)
    assert decode_event(event.raw, bytes(32)) == event


def test_what_is_no_http_is_not_repeated_at_length() -> None:
    """Sixty thousand bytes of a peer's first line went into the log, and into what is said about that peer."""
    with pytest.raises(Hangup, match="not HTTP: ") as hangup:
        check_peer_answer(b"\x81" * 20_000)
    assert len(str(hangup.value)) < 300


def test_an_empty_line_between_two_requests_makes_them_no_fewer() -> None:
    """The check counted one question where the node, rightly (RFC 9112, 2.2), had answered two."""
    first, second = (
        b"GET %s HTTP/1.1\r\nhost: %s\r\n\r\n" % which for which in ((b"/status", b"x"), (b"/", b"127.0.0.1"))
    )
    check_local_port(first + b"\r\n" + second)
