"""`ringrift-node run`: it ends cleanly when told to, and says in one line why it cannot start."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from consensus.keys import id_text
from node.api.endpoint import read_url
from node.cli import main
from node.config.founding import Founded, found_swarm
from node.config.identity import create_identity, load_identity
from node.demo.preparation import free_ports

ROOT = Path(__file__).parents[3]


class Place:
    """A swarm of one that has not run yet, and how to run it."""

    def __init__(self, directory: Path) -> None:
        self.peers, self.http = free_ports(2)
        self.data = directory / "data"
        self.founded: Founded = found_swarm(directory, [f"127.0.0.1:{self.peers}"], ["hex8-2"])

    def arguments(self, *more: str, **instead: object) -> list[str]:
        values = {"key": self.founded.keys[0], "data": self.data, "http": f"127.0.0.1:{self.http}", "roles": "none"}
        options = [text for name, value in (values | instead).items() for text in (f"--{name}", str(value))]
        return ["run", str(self.founded.config), *options, *more]

    @contextmanager
    def running(self, *more: str) -> Iterator[subprocess.Popen[str]]:
        """A node process that is ready; killed on leaving if it still runs."""
        command = [sys.executable, "-m", "node.cli", *self.arguments(*more)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 60
            while not self._is_ready():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield process
        finally:
            process.kill()
            process.communicate()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/ready", timeout=5) as answer:
                return bool(json.load(answer)["ready"])
        except OSError:
            return False


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(place: Place, number: signal.Signals) -> None:
    with place.running("--log-json") as process, socket.create_connection(("127.0.0.1", place.http)) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /unfinished HTTP/1.1\r\nho")
        assert read_url(place.data) == f"http://127.0.0.1:{place.http}"
        began = time.monotonic()
        process.send_signal(number)
        output, log = process.communicate(timeout=10)
        assert time.monotonic() - began < 4
    assert process.returncode == 0
    assert output == ""
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]
    assert {line["level"] for line in lines} == {"info"}, lines
    assert lines[-1]["event"] == "ending"
    assert read_url(place.data) is None


def test_an_anchor_that_is_not_the_key_s_is_one_warning_and_no_harm(place: Place) -> None:
    config = place.founded.config
    config.write_text(re.sub("(?m)^anchor = .*$", f'anchor = "{"ab" * 32}"', config.read_text()))
    with place.running("--log-json") as process:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    warnings = [line for line in map(json.loads, log.splitlines()) if line["level"] != "info"]
    assert [line["event"] for line in warnings] == ["adds nothing to seeds"]
    assert "ringrift-node id KEYFILE" in warnings[0]["reason"]


def test_a_second_node_on_the_same_data_or_with_the_same_key_is_refused(place: Place, tmp_path: Path) -> None:
    with place.running():
        assert str(place.data) in refusal(place.arguments(http="127.0.0.1:0"))
        (elsewhere,) = free_ports(1)
        other = place.arguments(data=tmp_path / "other", http="127.0.0.1:0", listen=f"127.0.0.1:{elsewhere}")
        key = place.founded.keys[0]
        assert refusal(other) == f"ringrift-node: {key}: another running node has this key; stop that one first\n"
        assert not (tmp_path / "other").exists()


def test_a_second_process_with_a_copy_of_the_key_ends_with_one_line(place: Place, tmp_path: Path) -> None:
    """On another machine, say: there no lock holds it."""
    copy = shutil.copy(place.founded.keys[0], tmp_path / "copy.key")
    (elsewhere,) = free_ports(1)
    with place.running() as process:
        said = refusal(
            place.arguments(key=copy, data=tmp_path / "other", http="127.0.0.1:0", listen=f"127.0.0.1:{elsewhere}")
        )
        assert process.poll() is None
        with urllib.request.urlopen(f"http://127.0.0.1:{place.http}/status", timeout=5) as answer:
            assert [entry["equivocated"] for entry in json.load(answer)["conduct"]] == [None]
    assert said == (
        "ringrift-node: another running node has this node's key: it answers at "
        f"127.0.0.1:{place.peers}; stop that one first, or give this node a key of its own (ringrift-node keygen)\n"
    )


def test_ports_that_are_in_use_are_one_line_each(place: Place) -> None:
    config, peers, http = place.founded.config, place.peers, place.http
    with socket.create_server(("127.0.0.1", peers)):
        address = next(n for n, line in enumerate(config.read_text().splitlines(), 1) if line.startswith("address"))
        assert refusal(place.arguments()) == (
            f"ringrift-node: {config}:{address}: port {peers} is in use on 127.0.0.1; stop the program that has it "
            "(perhaps this node runs already), or change this address, or say --listen HOST:PORT if peers reach it "
            "through another\n"
        )
    with socket.create_server(("127.0.0.1", http)):
        assert refusal(place.arguments()) == (
            f"ringrift-node: --http 127.0.0.1:{http}: port {http} is in use on 127.0.0.1; stop the program that has it "
            "(perhaps this node runs already), or choose another with --http HOST:PORT\n"
        )
    assert not place.data.exists(), "a refused start leaves nothing behind"


@pytest.mark.parametrize("name", ["blobs/partial", "http.json", "http.token"])
def test_what_is_in_the_way_in_the_data_folder_is_one_line(place: Place, name: str) -> None:
    if name.startswith("blobs"):
        (place.data / "blobs").mkdir(parents=True)
        (place.data / name).touch()
    else:
        (place.data / name).mkdir(parents=True)
    complaint = refusal(place.arguments())
    assert complaint.startswith(f"ringrift-node: {place.data / name}: ")
    assert complaint.endswith("; check this path, the free space and the permissions, and start again\n")


def refusal(arguments: list[str]) -> str:
    """The complaint of a node that does not start: the last line of its log, and nothing like a traceback."""
    command = [sys.executable, "-m", "node.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines(keepends=True)[-1]


def no_key(place: Place) -> tuple[list[str], str]:
    key = place.founded.keys[0]
    key.unlink()
    return place.arguments(), f"{key}: no key file there; `ringrift-node keygen` makes one"


def open_key(place: Place) -> tuple[list[str], str]:
    key = place.founded.keys[0]
    key.chmod(0o640)
    return place.arguments(), f"{key}: the key is open to other users (mode 0640); run: chmod 600 {key}"


def no_real_key(place: Place) -> tuple[list[str], str]:
    key = place.founded.keys[0]
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    remedy = "restore it from a copy or make a new one with `ringrift-node keygen`"
    return place.arguments(), f"{key}: not an Ed25519 private key in PEM form; {remedy}"


def key_of_a_stranger(place: Place) -> tuple[list[str], str]:
    key = place.data.parent / "stranger.key"
    stranger = id_text(create_identity(key).id)
    remedy = "use the key of a member, or join the swarm: --peer ID@HOST:PORT (a member) --listen HOST:PORT (this node)"
    return place.arguments(key=key), f"{place.founded.config}: no [[member]] has the id {stranger}; {remedy}"


def unknown_role(place: Place) -> tuple[list[str], str]:
    return place.arguments(roles="play"), '--roles: "play" is not a role; roles are selfplay, train, match, or none'


def too_few_epochs(place: Place) -> tuple[list[str], str]:
    remedy = "the open epoch and the one before are needed; keep 2 or more, or all by leaving it out"
    return place.arguments("--keep-epochs", "0"), f"--keep-epochs: 0 is too few: {remedy}"


def no_number_of_epochs(place: Place) -> tuple[list[str], str]:
    return place.arguments("--keep-epochs", "-3"), '--keep-epochs: "-3" is not a whole number'


def too_long_a_life(place: Place) -> tuple[list[str], str]:
    complaint = "--life: 2000000000 must be 0 to 1000000000 seconds; 0: not known"
    return place.arguments("--life", "2000000000"), complaint


def no_slots(place: Place) -> tuple[list[str], str]:
    return place.arguments("--slots", "0"), "--slots: 0 must be 1 to 60 worker slots; for none, leave out the roles"


def no_number_as_a_cost(place: Place) -> tuple[list[str], str]:
    return place.arguments("--cost", "0.35"), '--cost: "0.35" is not a whole number'


def bad_listen(place: Place) -> tuple[list[str], str]:
    complaint = '--listen: "127.0.0.1" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400'
    return place.arguments(listen="127.0.0.1"), complaint


def bad_peer(place: Place) -> tuple[list[str], str]:
    remedy = "ringrift-node members --json shows whole ids"
    return place.arguments(peer="127.0.0.1:7400"), f'--peer: "127.0.0.1:7400" is not ID@HOST:PORT; {remedy}'


def data_is_a_file(place: Place) -> tuple[list[str], str]:
    place.data.write_text("mine")
    return place.arguments(), f"{place.data}: cannot make this directory (File exists); choose another with --data DIR"


def address_of_another_machine(place: Place) -> tuple[list[str], str]:
    http = f"192.0.2.1:{place.http}"  # an address that no machine has (RFC 5737)
    what = "192.0.2.1 is not an address of this machine"
    return place.arguments(http=http), f"--http {http}: {what}; choose another with --http HOST:PORT"


@pytest.mark.parametrize(
    "mistake",
    [
        no_key,
        open_key,
        no_real_key,
        key_of_a_stranger,
        unknown_role,
        bad_listen,
        bad_peer,
        too_few_epochs,
        no_number_of_epochs,
        too_long_a_life,
        no_slots,
        no_number_as_a_cost,
        data_is_a_file,
    ],
)
def test_mistakes_before_anything_starts(place: Place, capsys: pytest.CaptureFixture[str], mistake: Any) -> None:
    arguments, complaint = mistake(place)
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"ringrift-node: {complaint}\n"


def test_an_address_of_another_machine(place: Place) -> None:
    arguments, complaint = address_of_another_machine(place)
    assert refusal(arguments) == f"ringrift-node: {complaint}\n"


def test_id(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    key = place.founded.keys[0]
    assert main(["id", str(key)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f'id = "{load_identity(key).text}"\nanchor = "')
    assert set(printed.splitlines()) <= set(place.founded.config.read_text().splitlines())
    assert main(["id", os.devnull]) == 2
    assert capsys.readouterr().err == (
        f"ringrift-node: {os.devnull}: not a regular file; give the file that `ringrift-node keygen` wrote\n"
    )


_OLDER = """
import sys
from consensus import settings
from consensus.ledger.rules import decisions

def find(setting, known=settings.find_setting):
    return known("of.later" if setting == "selfplay.games" else setting)

settings.find_setting = decisions.find_setting = find
from node.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_program_that_does_not_know_what_was_decided_ends_with_one_line_and_a_newer_one_goes_on(place: Place) -> None:
    config = place.founded.config
    config.write_text(re.sub("(?m)^rules = 0 ", "rules = 1 ", config.read_text()))
    propose = ("propose", "set", "selfplay.games", "64", "--reason", "so", "--wait", "--data", str(place.data))
    with place.running():
        said = subprocess.run([sys.executable, "-m", "node.cli", *propose], cwd=ROOT, capture_output=True, text=True)
        assert said.stdout.splitlines()[-1] == "in force: selfplay.games becomes 64", said
    older = [sys.executable, "-c", _OLDER, *place.arguments()]
    ended = subprocess.run(older, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert re.fullmatch(
        r"ringrift-node: the swarm has set selfplay\.games from round \d+ on, which this program does not know; "
        r"install a newer version of it and start again",
        ended.stderr.splitlines()[-1],
    )
    with place.running(), urllib.request.urlopen(f"http://127.0.0.1:{place.http}/status", timeout=5) as answer:
        assert json.load(answer)["decisions"]["settings_version"] == 1
