"""Every mistake in a swarm.toml is one line: the file, the line where there is one, what is wrong, and the remedy."""

import errno
import os
import re
from pathlib import Path

import pytest

from consensus.keys import id_text
from consensus.settings import MatchSettings, Settings
from node.cli import main
from node.config.address import Address, default_http
from node.config.archive import ArchivePlace
from node.config.identity import Identity
from node.config.swarm_file import load_config
from node.config.toml import ConfigError, line_of

ALDER, BIRCH, CEDAR, DOGWOOD = (id_text(Identity(bytes([number]) * 32).id) for number in range(4))
NOBODY = id_text(b"\1" + bytes(31))  # the neutral point
GOOD = f"""\
[swarm]
name = "workshop"
configurations = ["hex8-2"]

[[member]]
name = "alder"
id = "{ALDER}"
address = "127.0.0.1:7400"
weight = 1

[[member]]
id = "{BIRCH}"
address = "birch.example:7400"

[settings.match]
p1 = 0.6

[node]
http = "127.0.0.1:8400"
roles = ["match", "selfplay"]
"""
SECOND_ADDRESS = 'address = "birch.example:7400"'
TWO_MORE = f"""
[[member]]
id = "{CEDAR}"
address = "127.0.0.1:7402"

[[member]]
id = "{DOGWOOD}"
address = "127.0.0.1:7403"
"""

# What is changed in the good file, into what; then the line on which the complaint points, and the complaint.
MISTAKES = {
    "unknown key": ("weight = 1", "wieght = 1", 9, 'unknown key "wieght" in [member]; did you mean "weight"?'),
    "unknown key in [swarm]": (
        'name = "workshop"',
        'name = "workshop"\ncolour = "red"',
        3,
        'unknown key "colour" in [swarm]; remove it, or use one of: name, configurations, operators',
    ),
    "operator by name": (
        'name = "workshop"',
        'name = "workshop"\noperators = ["alder"]',
        3,
        "operators: a member id has 52 characters, not 5: 'alder'; "
        "list ids of members, as `ringrift-node id KEYFILE` prints them",
    ),
    "operator twice": (
        'name = "workshop"',
        f'name = "workshop"\noperators = ["{ALDER}", "{ALDER}"]',
        3,
        "operators: one is named twice; name each once",
    ),
    "operators by earlier rules": (
        'name = "workshop"',
        f'name = "workshop"\noperators = ["{ALDER}"]',
        1,
        "operators: only a swarm with steering.rules = 1 has any",
    ),
    "unknown table": (
        "[node]",
        "[nodes]",
        18,
        'unknown key "nodes" at the top level; did you mean "node"?',
    ),
    "unknown setting": (
        "p1 = 0.6",
        "simulation = 8",
        16,
        'unknown key "simulation" in [settings.match]; did you mean "simulations"?',
    ),
    "unknown section": (
        "[settings.match]",
        "[settings.games]",
        15,
        'unknown key "games" in [settings]; remove it, or use one of: selfplay, training, match, timing, '
        "epoch, membership, steering",
    ),
    "id too short": (
        ALDER,
        ALDER[:-1],
        7,
        f"id: a member id has 52 characters, not 51: '{ALDER[:-1]}'; "
        "copy the 52 characters that `ringrift-node id KEYFILE` prints",
    ),
    "id of other letters": (
        ALDER,
        ALDER[:-1] + "1",
        7,
        f"id: not a member id (lower-case base32, letters a-z and digits 2-7): '{ALDER[:-1]}1'; "
        "copy the 52 characters that `ringrift-node id KEYFILE` prints",
    ),
    "anchor too short": (
        "weight = 1",
        'weight = 1\nanchor = "00ff"',
        10,
        'anchor "00ff" is not 64 of the digits 0-9 and a-f; '
        "copy the line that `ringrift-node id KEYFILE` prints, or leave it out",
    ),
    "an id as anchor": (
        "weight = 1",
        f'weight = 1\nanchor = "{BIRCH}"',
        10,
        f'anchor "{BIRCH}" is not 64 of the digits 0-9 and a-f; '
        "copy the line that `ringrift-node id KEYFILE` prints, or leave it out",
    ),
    "anchor of no text": (
        "weight = 1",
        "weight = 1\nanchor = 5",
        10,
        "anchor must be text in quotes, not 5",
    ),
    "the same anchor twice": (
        SECOND_ADDRESS,
        f'{SECOND_ADDRESS}\nanchor = "{"ab" * 32}"\n\n[[member]]\n'
        f'id = "{CEDAR}"\naddress = "127.0.0.1:7402"\nanchor = "{"ab" * 32}"',
        19,
        f"this anchor is also that of {BIRCH[:8]}; each key has its own",
    ),
    "no id": (f'id = "{ALDER}"\n', "", 5, "[member] has no id; add a line id = ... to it"),
    "an id for which anybody can sign": (
        BIRCH,
        NOBODY,
        12,
        f"id: not a member id (of small order or not canonical, so it is nobody's key): '{NOBODY}'; "
        "copy the 52 characters that `ringrift-node id KEYFILE` prints",
    ),
    "duplicate id": (BIRCH, ALDER, 12, "this id is also the id of alder; every member has a key of its own"),
    "duplicate address": (
        SECOND_ADDRESS,
        'address = "127.0.0.1:7400"',
        13,
        "address 127.0.0.1:7400 is also the address of alder (line 8); give each its own port",
    ),
    "duplicate address in another spelling": (
        SECOND_ADDRESS,
        'address = "[::FFFF:127.0.0.1]:07400"',
        13,
        "address 127.0.0.1:7400 is also the address of alder (line 8); give each its own port",
    ),
    "duplicate name": (
        SECOND_ADDRESS,
        SECOND_ADDRESS + '\nname = "alder"',
        14,
        'name "alder" is taken (line 8); names tell members apart',
    ),
    "bad name": (
        '"alder"',
        '"the alder"',
        6,
        'name "the alder" must be 1 to 32 letters, digits, ".", "_" or "-"',
    ),
    "weight 0": (
        "weight = 1",
        "weight = 0",
        9,
        "weight 0 of alder must be 1 or more; leave the member out if it has no vote",
    ),
    "too much weight": (
        "weight = 1",
        "weight = 5000000000",
        9,
        "weight 5000000000 of alder must be 4294967296 or less; only ratios matter",
    ),
    "empty name": ('"workshop"', '""', 2, "name is empty; write something between the quotes"),
    "setting for a table": (
        "[settings.match]\np1 = 0.6",
        "[settings]\nmatch = 3",
        16,
        "match must be a table: write [settings.match] on a line of its own",
    ),
    "weight in words": ("weight = 1", 'weight = "1"', 9, "weight must be a whole number, not '1'"),
    "weight of a third": (
        SECOND_ADDRESS,
        SECOND_ADDRESS + "\nweight = 2\n" + TWO_MORE,
        14,
        f"weight 2 of {BIRCH[:8]} is a third or more of the 5 of all: it alone could stop the swarm; "
        "give it less, or the others more",
    ),
    "address without port": (
        SECOND_ADDRESS,
        'address = "birch.example"',
        13,
        'address: "birch.example" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400',
    ),
    "a name with two dots": (
        SECOND_ADDRESS,
        'address = "birch..example:7400"',
        13,
        'address: "birch..example:7400" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400',
    ),
    "impossible port": (
        SECOND_ADDRESS,
        'address = "birch.example:70000"',
        13,
        'address: "70000" in "birch.example:70000" is not a port; use a number from 1 to 65535',
    ),
    "address of nobody": (
        SECOND_ADDRESS,
        'address = "0.0.0.0:7400"',
        13,
        "address 0.0.0.0:7400 cannot be reached by peers; write the name or address they use, "
        "and say --listen when you run the node",
    ),
    "no members": (
        GOOD[GOOD.index("[[member]]") : GOOD.index("[settings.match]")],
        "",
        None,
        "there is no [[member]]; a swarm needs at least one, with id and address",
    ),
    "member is no list": (
        GOOD[GOOD.index("[[member]]") : GOOD.index("[settings.match]")],
        f'[member]\nid = "{ALDER}"\n',
        5,
        "member must be a list of tables: write [[member]] before each",
    ),
    "no name of the swarm": ('name = "workshop"\n', "", 1, "[swarm] has no name; add a line name = ... to it"),
    "unknown board": (
        '["hex8-2"]',
        '["hex9-2"]',
        3,
        "configuration 'hex9-2': must be board-players, such as hex8-2",
    ),
    "configurations as text": (
        '["hex8-2"]',
        '"hex8-2"',
        3,
        'configurations must be a list of strings such as ["a", "b"], not \'hex8-2\'',
    ),
    "setting out of range": (
        "p1 = 0.6",
        "p1 = 0.5",
        16,
        "settings.match.p1: must be above p0 = 1/2, not 1/2",
    ),
    "settings that do not fit": (
        "p1 = 0.6",
        "block_limit = 9",
        16,
        "settings.match.block_limit: must be a multiple of 2 x slot_blocks = 32, not 9",
    ),
    "setting of another kind": (
        "p1 = 0.6",
        "simulations = 2.5",
        16,
        "settings.match.simulations: must be a whole number of 1 or more, not 2.5",
    ),
    "fraction out of range": (
        "p1 = 0.6",
        "alpha = 1.5",
        16,
        "settings.match.alpha: must be between 0 and 1, not 3/2",
    ),
    "fraction that is none": (
        "p1 = 0.6",
        "beta = nan",
        16,
        "settings.match.beta: must be between 0 and 1, not nan",
    ),
    "unknown role": (
        '"match", "selfplay"',
        '"match", "selfplya"',
        20,
        'roles: "selfplya" is not a role; roles are selfplay, train, match',
    ),
    "epochs that are no number": (
        "[node]",
        '[node]\nkeep_epochs = "2"',
        19,
        "keep_epochs must be a whole number, not '2'",
    ),
    "too few epochs": (
        "[node]",
        "[node]\nkeep_epochs = 1",
        19,
        "keep_epochs: 1 is too few: the open epoch and the one before are needed; keep 2 or more, or all by leaving "
        "it out",
    ),
    "too short an idleness": (
        "[node]",
        "[node]\nidle_after_s = 1",
        19,
        "idle_after_s: 1 must be 60 to 1000000000 seconds",
    ),
    "too many slots": (
        "[node]",
        "[node]\nslots = 61",
        19,
        "slots: 61 must be 1 to 60 worker slots; for none, leave out the roles",
    ),
    "too many processes of a training": (
        "[node]",
        "[node]\ntraining_processes = 17",
        19,
        "training_processes: 17 must be 1 to 16 processes of one training",
    ),
    "too long a drain": (
        "[node]",
        "[node]\ndrain_s = 3601",
        19,
        "drain_s: 3601 must be 0 to 3600 seconds; 0: the node ends at once",
    ),
    "an archive elsewhere": (
        "[node]",
        '[node]\narchive = "bucket/prefix"',
        19,
        "archive: it does not begin with s3://; write s3://BUCKET/PREFIX",
    ),
    "an archive without a name": (
        "[node]",
        '[node]\narchive = "s3://"',
        19,
        'archive: the bucket must be 3 to 63 of a-z, 0-9, "." and "-"; write s3://BUCKET/PREFIX',
    ),
    "an archive above its bucket": (
        "[node]",
        '[node]\narchive = "s3://bucket/a/../b"',
        19,
        'archive: the prefix must be names of letters, digits, ".", "_" and "-" with / between them; '
        "write s3://BUCKET/PREFIX",
    ),
    "keys in an endpoint": (
        "[node]",
        '[node]\narchive = "s3://bucket"\narchive_endpoint = "https://key:secret@host"',
        20,
        "archive_endpoint: it must be a scheme, a host and perhaps a port, and nothing else; "
        "write https://HOST or http://HOST:PORT; keys do not belong there",
    ),
    "no region": (
        "[node]",
        '[node]\narchive = "s3://bucket"\narchive_region = "The Moon"',
        20,
        'archive_region: it must be of a-z, 0-9 and "-", such as eu-central-1; ask your provider',
    ),
    "keys without an archive": (
        "[node]",
        '[node]\narchive_keys = "archive.keys"',
        19,
        'archive_keys is here without an archive; say archive = "s3://BUCKET/PREFIX", too',
    ),
    "a life that is none": (
        "[node]",
        "[node]\nlife_s = -1",
        19,
        "life_s: -1 must be 0 to 1000000000 seconds; 0: not known",
    ),
    "a cost that is none": (
        "[node]",
        "[node]\ncost = -1",
        19,
        "cost: -1 must be 0 to 1000000000 thousandths of a currency unit per hour",
    ),
    "bad http": (
        '"127.0.0.1:8400"',
        '"8400"',
        19,
        'http: "8400" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400',
    ),
    "not TOML": (
        "weight = 1",
        "weight 1",
        9,
        "not TOML: expected '=' after a key in a key/value pair; mend this line or the one before",
    ),
    "written twice": (
        "weight = 1",
        "weight = 1\nweight = 2",
        10,
        "not TOML: this key or table is here twice; take one away, or write [[...]] before each of several",
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swarm.toml"


def complaint(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(path: Path, mistake: str) -> None:
    good, bad, line, message = MISTAKES[mistake]
    assert GOOD.count(good) == 1
    path.write_text(GOOD.replace(good, bad))
    where = str(path) if line is None else f"{path}:{line}"
    assert complaint(path) == f"{where}: {message}"


@pytest.mark.parametrize(
    "saved",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("\n", " \t\n"),
        GOOD.replace(" = ", "\t=\t"),
        GOOD.rstrip(),
        GOOD + "\n\n# \u2028 a comment with another end of a line",
    ],
    ids=["byte order mark", "CRLF", "CR", "spaces at ends", "tabs", "no final newline", "comment"],
)
def test_what_editors_make_of_it_is_the_same_file(path: Path, saved: str) -> None:
    path.write_text(GOOD)
    right = load_config(path)
    path.write_bytes(saved.encode())
    assert load_config(path) == right


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (GOOD.encode("utf-16"), "this is UTF-16, not UTF-8; save the file as UTF-8 text"),
        (GOOD.encode("utf-16-be"), "byte 0 is zero, as in UTF-16"),
        (GOOD.encode("utf-32"), "this is UTF-32"),
        (GOOD.encode() + b"\0", "is zero"),
        (GOOD.encode() + b"#" * (1 << 20), "above the limit of 1,048,576 bytes"),
        (GOOD.replace("weight = 1", "weight\u00a0= 1").encode(), ":9: not TOML: U+00A0 (NO-BREAK SPACE) is here"),
        (GOOD.replace("weight = 1", "\ufeffweight = 1").encode(), ":9: not TOML: U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        (
            GOOD.replace('"', "\u201c", 1).encode(),
            "(LEFT DOUBLE QUOTATION MARK) is here; delete it, or type the plain ASCII form instead",
        ),
        (GOOD.replace('"', "\u00ab", 1).encode(), "U+00AB (LEFT-POINTING DOUBLE ANGLE QUOTATION MARK) is here"),
        (GOOD.replace('"', "\uff02", 1).encode(), "U+FF02 (FULLWIDTH QUOTATION MARK) is here"),
        (GOOD.replace("weight = 1", "weight = \u22121").encode(), "U+2212 (MINUS SIGN) is here"),
        (GOOD.replace("weight =", "weight \uff1d").encode(), "U+FF1D (FULLWIDTH EQUALS SIGN) is here"),
        (GOOD.replace("weight", "w\u0435ight").encode(), "U+0435 (CYRILLIC SMALL LETTER IE) is here"),
        (GOOD.encode() + b"\x1a", "U+001A (no printable character) is here"),
        (GOOD.replace("weight = 1", "weight = 1 # \u201cone\u201d\nx").encode(), "expected '='"),
        (GOOD.encode() + '\nx = "\u201c" y'.encode(), "not TOML: expected newline"),
    ],
)
def test_what_cannot_be_read_says_why(path: Path, data: bytes, cause: str) -> None:
    path.write_bytes(data)
    assert cause in complaint(path)


@pytest.mark.parametrize(("target", "what"), [("/dev/zero", "is a device"), (None, "is a pipe")])
def test_only_files_are_read(path: Path, target: str | None, what: str) -> None:
    if target is None:
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    assert complaint(path) == f"{path}: cannot be read ({what}, not a file); check the path and its permissions"


def test_files_that_cannot_be_read(path: Path) -> None:
    assert complaint(path) == f"{path}: there is no such file; write one with: ringrift-node init DIR --members 4"
    path.write_bytes(b'[swarm]\nname = "\xff"')
    assert complaint(path) == f"{path}: byte 16 is not UTF-8; save the file as UTF-8 text"
    path.unlink()
    path.mkdir()
    assert complaint(path) == f"{path}: cannot be read (Is a directory); check the path and its permissions"


def test_a_good_file(path: Path) -> None:
    path.write_text(GOOD)
    config = load_config(path)
    assert [(member.name, str(member.address), member.weight) for member in config.members] == [
        ("alder", "127.0.0.1:7400", 1),
        (BIRCH[:8], "birch.example:7400", 1),
    ]
    assert config.genesis.swarm == "workshop"
    assert config.genesis.settings.match.p1 * 5 == 3  # 0.6 exactly
    assert config.genesis.settings.selfplay == Settings().selfplay
    assert config.http == Address("127.0.0.1", 8400)
    assert config.roles == ("selfplay", "match")
    assert config.keep_epochs is None
    path.write_text(GOOD.replace("[node]", "[node]\nkeep_epochs = 5"))
    assert load_config(path).keep_epochs == 5
    assert load_config(path).genesis == config.genesis
    assert (config.idle_command, config.idle_after_s, config.life_s, config.cost) == (None, 900, 0, 0)
    assert config.slots is config.training_processes is None
    path.write_text(
        GOOD.replace(
            "[node]",
            '[node]\nidle_command = "poweroff"\nidle_after_s = 60\nlife_s = 5\ncost = 7\nslots = 3\ndrain_s = 9'
            "\ntraining_processes = 4",
        )
    )
    config = load_config(path)
    assert (config.slots, config.drain_s, config.drain_command) == (3, 9, None)
    assert config.training_processes == 4
    assert (config.idle_command, config.idle_after_s, config.life_s, config.cost) == ("poweroff", 60, 5, 7)


def test_an_archive(path: Path) -> None:
    path.write_text(GOOD)
    assert load_config(path).archive is None
    path.write_text(GOOD.replace("[node]", '[node]\narchive = "s3://swarm"\narchive_region = "eu-west-1"'))
    amazon = ArchivePlace(bucket="swarm", prefix="", endpoint="https://s3.eu-west-1.amazonaws.com", region="eu-west-1")
    assert load_config(path).archive == amazon
    own = '[node]\narchive = "s3://swarm/first"\narchive_endpoint = "http://nas:9000"\narchive_keys = "my.keys"'
    path.write_text(GOOD.replace("[node]", own))
    assert load_config(path).archive == ArchivePlace(
        bucket="swarm", prefix="first/", endpoint="http://nas:9000", keys_file=path.parent / "my.keys"
    )


def test_what_the_program_before_made_of_it(path: Path) -> None:
    old = Path(__file__).parents[2] / "data" / "version-3"
    config = load_config(old / "swarm.toml")
    assert config.earlier is not None
    assert config.earlier.digest.hex().startswith("2dcd3c59442ec7ce")
    assert (config.earlier.version, config.genesis.version) == (3, 4)
    assert config.genesis.settings.match.limit_share == MatchSettings().limit_share
    path.write_text(GOOD.replace("p1 = 0.6", "p1 = 0.6\nlimit_share = 1"))
    assert load_config(path).earlier is None
    assert load_config(path).genesis.settings.match.limit_share == 1


def test_what_is_the_same_swarm(path: Path) -> None:
    """Names, addresses, [node], the order of members and spelt-out defaults are not in the genesis."""
    path.write_text(GOOD)
    digest = load_config(path).genesis.digest
    first, second = GOOD.split("[[member]]")[1], GOOD.split("[[member]]")[2].split("[settings.match]")[0]
    other = GOOD.replace(first, "@").replace(second, first).replace("@", second).replace("alder", "elm")
    other = re.sub(r"\[node\](.|\n)*", "", other).replace(":7400", ":7500")
    other = other.replace("p1 = 0.6", 'p1 = "3/5"\nalpha = 0.05')
    path.write_text(other)
    assert load_config(path).genesis.digest == digest
    path.write_text(GOOD.replace("p1 = 0.6", "p1 = 0.61"))
    assert load_config(path).genesis.digest != digest


def test_a_stranger_to_the_swarm(path: Path) -> None:
    path.write_text(GOOD)
    with pytest.raises(ConfigError) as caught:
        load_config(path).member(Identity(bytes([9]) * 32).id)
    assert str(caught.value) == (
        f"{path}: no [[member]] has the id {id_text(Identity(bytes([9]) * 32).id)}; "
        "use the key of a member, or join the swarm: --peer ID@HOST:PORT (a member) --listen HOST:PORT (this node)"
    )


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EADDRINUSE, "port 7400 is in use on 127.0.0.1; stop the program that has it (perhaps this node runs "),
        (
            errno.EACCES,
            "this user may not listen on port 7400 (1024 and above are allowed); change this address, ",
        ),
        (errno.EADDRNOTAVAIL, "127.0.0.1 is not an address of this machine; change this address, or say --listen "),
        (errno.ENETDOWN, "cannot listen on 127.0.0.1:7400 (Cannot assign it); change this address, or say --listen "),
    ],
)
def test_an_address_that_cannot_be_bound_names_its_line(path: Path, number: int, words: str) -> None:
    path.write_text(GOOD)
    config = load_config(path)
    member, error = config.members[0], OSError(number, "Cannot assign it")
    assert str(config.listen_error(member.id, member.address, error)).startswith(f"{path}:8: {words}")
    elsewhere = str(config.listen_error(member.id, Address("127.0.0.1", 7999), error))
    assert elsewhere.startswith("--listen 127.0.0.1:7999: ")
    assert elsewhere.endswith("choose another with --listen HOST:PORT")


def test_three_members_may_weigh_as_they_like(path: Path) -> None:
    path.write_text(GOOD.replace("weight = 1", "weight = 9") + TWO_MORE.split("\n\n")[0])
    assert load_config(path).genesis.roster.total_weight == 11


def test_line_of() -> None:
    text = 'a.b = 1\n["x y"]\nk = 1\n[[t]]\nk = 2\n\n[[t]]\n[t.u]\nv = 3\n'
    assert line_of(text, ("a", "b")) == 1
    assert line_of(text, ("x y", "k")) == 3
    assert line_of(text, ("t", 0, "k")) == 5
    assert line_of(text, ("t", 1, "k")) == 7
    assert line_of(text, ("nothing",)) is None


@pytest.mark.parametrize(("port", "expected"), [(7400, 8400), (64535, 65535), (64536, 63536)])
def test_the_page_is_by_default_beside_the_port_for_peers(path: Path, port: int, expected: int) -> None:
    path.write_text(GOOD.replace("127.0.0.1:7400", f"127.0.0.1:{port}"))
    assert default_http(load_config(path).members[0].address) == Address("127.0.0.1", expected)


def test_the_command_line_passes_the_line_on(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(GOOD.replace("weight = 1", "weight = 0"))
    assert main(["run", str(path), "--key", str(tmp_path / "key"), "--data", str(tmp_path / "data")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        f"ringrift-node: {path}:9: weight 0 of alder must be 1 or more; leave the member out if it has no vote\n"
    )
    assert not (tmp_path / "data").exists()


def test_operators_are_part_of_the_genesis(tmp_path: Path) -> None:
    path = tmp_path / "swarm.toml"
    rules = GOOD.replace("[node]", "[settings.steering]\nrules = 1\n\n[node]")
    path.write_text(rules)
    plain = load_config(path).genesis
    path.write_text(rules.replace('name = "workshop"', f'name = "workshop"\noperators = ["{BIRCH}", "{ALDER}"]'))
    found = load_config(path)
    assert {id_text(member) for member in found.genesis.operators} == {ALDER, BIRCH}
    assert found.genesis.digest != plain.digest
    assert found.earlier is None
